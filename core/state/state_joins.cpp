// Identifiers that join people: the part of State that is about them.
#include <algorithm>

#include "state/state_impl.hpp"

namespace sluice::state {

namespace {

constexpr std::uint8_t row_version = 1;
constexpr DurationUs forgotten_after = 7 * us_per_d;  // no rule looks back further
constexpr int forgotten_at_once = 4;

}  // namespace

void Joins::encode(std::string& out) const {
  ByteWriter w(out);
  w.u8(row_version);
  w.u64(type);
  w.text(value);
  w.zigzag(newest);
  w.zigzag(quarantined);
  w.varint(joins.size());
  for (const Join& join : joins) {
    w.u64(join.with);
    w.zigzag(join.time);
  }
}

bool Joins::decode(std::string_view bytes, Joins& out) {
  ByteReader r(bytes);
  if (r.u8() != row_version) return false;
  out.type = r.u64();
  out.value = r.text();
  out.newest = r.zigzag();
  out.quarantined = r.zigzag();
  const std::uint64_t joins = r.varint();
  for (std::uint64_t i = 0; i < joins && r.ok(); ++i) {
    Join join;
    join.with = r.u64();
    join.time = r.zigzag();
    out.joins.push_back(join);
  }
  return r.ok() && r.at_end();
}

void State::Impl::drop_joins(std::uint64_t key) {
  const auto at = joins.find(key);
  if (at == joins.end()) return;
  if (at->second->quarantined != 0) {
    --quarantined;
  } else {
    joins_by_time.erase({at->second->newest, key});
  }
  joins.erase(at);
  erase_small(Table::joins, key_of(key));
}

void State::Impl::keep_joins(std::uint64_t key, const Joins& kept) {
  std::string row;
  kept.encode(row);
  set_small(Table::joins, key_of(key), std::move(row));
}

bool State::Impl::restore_joins(std::string_view key, std::string_view value) {
  auto read = std::make_unique<Joins>();
  const std::uint64_t print = ByteReader(key).u64();
  if (!Joins::decode(value, *read)) return false;
  std::unique_ptr<Joins>& place = joins[print];
  if (place && place->quarantined != 0) --quarantined;
  if (place && place->quarantined == 0) joins_by_time.erase({place->newest, print});
  place = std::move(read);
  if (place->quarantined != 0) {
    ++quarantined;
  } else {
    joins_by_time.insert({place->newest, print});
  }
  return true;
}

std::uint64_t State::identifier_print(NameId type, std::string_view value) const {
  return impl_->identifier_key(type, value);
}

bool State::is_quarantined(NameId type, std::string_view value) const {
  if (impl_->quarantined == 0) return false;
  const auto at = impl_->joins.find(impl_->identifier_key(type, value));
  return at != impl_->joins.end() && at->second->quarantined != 0;
}

bool State::note_join(NameId type, std::string_view value, std::uint64_t with, TimeUs at, std::size_t most,
                      DurationUs within) {
  Impl& s = *impl_;
  const std::uint64_t key = s.identifier_key(type, value);
  std::unique_ptr<Joins>& place = s.joins[key];
  if (!place) {
    place = std::make_unique<Joins>();
    place->type = type;
    place->value = value;
  }
  Joins& known = *place;
  if (known.quarantined != 0) return false;
  s.joins_by_time.erase({known.newest, key});
  known.newest = std::max(known.newest, at);
  std::erase_if(known.joins, [&](const Join& join) { return join.time <= at - within; });
  const auto again = std::find_if(known.joins.begin(), known.joins.end(),
                                  [&](const Join& join) { return join.with == with; });
  if (again != known.joins.end()) {
    again->time = at;
  } else {
    known.joins.push_back({with, at});
  }
  const bool too_many = known.joins.size() > most;
  if (too_many) {
    known.quarantined = at;
    ++s.quarantined;
  } else {
    s.joins_by_time.insert({known.newest, key});
  }
  s.keep_joins(key, known);
  // What has not joined anybody for long is forgotten, a few at a time.
  for (int i = 0; i < forgotten_at_once && !s.joins_by_time.empty(); ++i) {
    const auto [newest, oldest] = *s.joins_by_time.begin();
    if (newest > at - forgotten_after) break;
    s.drop_joins(oldest);
  }
  return too_many;
}

bool State::release(NameId type, std::string_view value) {
  if (!is_quarantined(type, value)) return false;
  impl_->drop_joins(impl_->identifier_key(type, value));
  return true;
}

std::vector<const Joins*> State::quarantine() const {
  std::vector<const Joins*> out;
  if (impl_->quarantined == 0) return out;
  for (const auto& [key, joins] : impl_->joins) {
    if (joins->quarantined != 0) out.push_back(joins.get());
  }
  std::sort(out.begin(), out.end(), [](const Joins* a, const Joins* b) {
    if (a->quarantined != b->quarantined) return a->quarantined < b->quarantined;
    return a->type != b->type ? a->type < b->type : a->value < b->value;
  });
  return out;
}

}  // namespace sluice::state
