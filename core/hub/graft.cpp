#include "hub/graft.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "view/waiting.hpp"

namespace sluice::hub {

namespace {

bool has(const std::vector<std::uint64_t>& list, std::uint64_t one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

// A row is a person of whom nothing else is known, as the state spells people.
void encode_row(ByteWriter& w, const GraftRow& row) {
  state::Profile person;
  person.id = row.person;
  person.series = row.series;
  person.sequences = row.sequences;
  person.memberships = row.memberships;
  std::string bytes;
  person.encode(bytes);
  w.text(bytes);
}

bool decode_row(std::string_view bytes, GraftRow& row) {
  state::Profile person;
  if (!state::Profile::decode(bytes, person)) return false;
  row.person = person.id;
  row.series = std::move(person.series);
  row.sequences = std::move(person.sequences);
  row.memberships = std::move(person.memberships);
  return true;
}

std::size_t bytes_of(const GraftRow& row) {
  std::size_t bytes = 16 + row.memberships.size() * 24;
  for (const state::Series& series : row.series)
    bytes += 64 + series.entries().size() * 16 + series.distinct().size() * 32;
  for (const state::Sequence& sequence : row.sequences) bytes += 64 + sequence.entries().size() * 16;
  return bytes;
}

}  // namespace

void Graft::encode(std::string& out) const {
  ByteWriter w(out);
  w.varint(backfill);
  w.u64(after);
  w.u64(to);
  w.zigzag(since);
  w.varint(rows.size());
  for (const GraftRow& row : rows) encode_row(w, row);
}

bool Graft::decode(std::string_view bytes, Graft& out) {
  ByteReader r(bytes);
  out.backfill = r.varint();
  out.after = r.u64();
  out.to = r.u64();
  out.since = r.zigzag();
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    if (!decode_row(r.text(), out.rows.emplace_back())) return false;
  }
  return r.ok() && r.at_end();
}

Graft next_graft(const World& shadow, std::uint64_t backfill, ProfileId after,
                 const std::vector<std::uint64_t>& series, const std::vector<state::NameId>& audiences) {
  Graft out;
  out.backfill = backfill;
  out.after = after;
  const std::vector<ProfileId> people = shadow.state.ids_after(after, graft_end, graft_people);
  out.to = people.size() < graft_people ? graft_end : people.back();
  std::size_t bytes = 0;
  for (const ProfileId id : people) {
    const state::Reading person = shadow.state.find(id);
    const state::Profile& profile = *person;
    GraftRow row;
    row.person = id;
    for (const state::Series& one : profile.series) {
      if (has(series, one.key)) row.series.push_back(one);
    }
    for (const state::Sequence& one : profile.sequences) {
      if (has(series, one.key)) row.sequences.push_back(one);
    }
    for (const state::Membership& m : profile.memberships) {
      if (has(audiences, m.audience)) row.memberships.push_back(m);
    }
    if (row.series.empty() && row.sequences.empty() && row.memberships.empty()) continue;
    bytes += bytes_of(row);
    out.rows.push_back(std::move(row));
    if (bytes < graft_bytes || id == people.back()) continue;
    out.to = id;
    break;
  }
  return out;
}

Wanted wanted(const World& live) {
  Wanted out;
  const view::Compiled* const compiled = live.pipeline.compiled();
  if (compiled == nullptr) return out;
  const view::Waiting waiting = view::waiting(*compiled, live.state.backfill);
  for (std::size_t slot = 0; slot < compiled->series.size(); ++slot) {
    if (waiting.series[slot]) out.series.push_back(compiled->series[slot].key);
  }
  for (std::size_t slot = 0; slot < compiled->sequences.size(); ++slot) {
    if (waiting.sequences[slot]) out.series.push_back(compiled->sequences[slot].key);
  }
  for (std::size_t slot = 0; slot < compiled->audience_ids.size(); ++slot) {
    if (waiting.audience(*compiled, slot)) out.audiences.push_back(compiled->audience_ids[slot]);
  }
  return out;
}

std::string switch_command(std::uint64_t backfill) {
  std::string out;
  JsonWriter(out)
      .begin_object()
      .member("command", "switch")
      .member_integer("backfill", static_cast<std::int64_t>(backfill))
      .end_object();
  return out;
}

Status graft_all(World& live, World& shadow, TimeUs now, const std::function<void(const StepOutput&)>& each) {
  const std::uint64_t backfill = live.state.backfill.id;
  const Wanted all = wanted(live);
  StepOutput none;
  SLUICE_TRY(shadow.step({shadow.state.seq + 1, now, InputKind::tick, false, {}}, none));
  const auto step = [&](InputKind kind, const std::string& payload) -> Status {
    StepOutput out;
    SLUICE_TRY(live.step({live.state.seq + 1, now, kind, false, payload}, out));
    each(out);
    return Done{};
  };
  SLUICE_TRY(step(InputKind::command, switch_command(backfill)));
  if (live.state.backfill.id == backfill && live.state.backfill.switched == 0) {
    return Error{Code::rejected,
                 "the history cannot be handed over before the configuration has come to "
                 "everybody: step its slices first (evaluate_all)"};
  }
  while (live.state.backfill.id == backfill) {
    std::string payload;
    next_graft(shadow, backfill, live.state.backfill.after, all.series, all.audiences).encode(payload);
    SLUICE_TRY(step(InputKind::graft, payload));
  }
  return Done{};
}

}  // namespace sluice::hub
