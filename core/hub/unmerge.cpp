#include "hub/unmerge.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/json.hpp"

namespace sluice::hub {

namespace {

using state::Profile;

constexpr std::size_t people_max = 200;

void encode_pairs(ByteWriter& w, const std::vector<std::pair<ProfileId, ProfileId>>& pairs) {
  w.varint(pairs.size());
  for (const auto& [one, other] : pairs) {
    w.u64(one);
    w.u64(other);
  }
}

void decode_pairs(ByteReader& r, std::vector<std::pair<ProfileId, ProfileId>>& out) {
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    const ProfileId one = r.u64();
    out.emplace_back(one, r.u64());
  }
}

bool insert(std::vector<ProfileId>& people, ProfileId id) {
  const auto at = std::lower_bound(people.begin(), people.end(), id);
  if (at != people.end() && *at == id) return false;
  people.insert(at, id);
  return true;
}

// Adds those of `to` who are, by id or by an identifier, one of `people` in `from`; false: there was nobody
// new.
bool add_holders(const World& from, const std::vector<ProfileId>& people, const World& to,
                 std::vector<ProfileId>& out) {
  bool more = false;
  for (const ProfileId id : people) {
    const state::Reading person = from.state.find(id);
    if (!person) continue;
    if (const state::Reading same = to.state.find(id)) more |= insert(out, same->id);
    for (const state::Identifier& i : person->identifiers) {
      if (const state::Reading holder = to.state.find_by(i.type, i.value)) more |= insert(out, holder->id);
    }
  }
  return more;
}

// Who an id without a row is over there: by its own merges, else by what it was known by here.
ProfileId heir_of(ProfileId id, const World& live, const World& shadow, const UnmergeGraft& graft) {
  if (const state::Reading there = shadow.state.find(id)) return there->id;
  if (const state::Reading here = live.state.find(id); here && here->id == id) {
    for (const state::Identifier& i : here->identifiers) {
      if (const state::Reading holder = shadow.state.find_by(i.type, i.value)) return holder->id;
    }
  }
  return graft.halves.front().person.id;
}

}  // namespace

// A backfill's graft begins with its number, which is never 0.
void UnmergeGraft::encode(std::string& out) const {
  ByteWriter w(out);
  w.varint(0);
  w.varint(unmerge);
  w.varint(upto);
  w.varint(gone.size());
  for (const ProfileId id : gone) w.u64(id);
  w.varint(halves.size());
  std::string row;
  for (const Half& half : halves) {
    row.clear();
    half.person.encode(row);
    w.text(row);
    w.zigzag(half.due);
    w.text(half.account);
    w.zigzag(half.as.time);
    w.u8(half.as.trusted ? 1 : 0);
  }
  encode_pairs(w, leads);
  encode_pairs(w, pairs);
}

bool UnmergeGraft::decode(std::string_view bytes, UnmergeGraft& out) {
  ByteReader r(bytes);
  if (r.varint() != 0 || !r.ok()) return false;
  out.unmerge = r.varint();
  out.upto = r.varint();
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) out.gone.push_back(r.u64());
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    Half& half = out.halves.emplace_back();
    if (!Profile::decode(r.text(), half.person)) return false;
    half.due = r.zigzag();
    half.account = std::string(r.text());
    half.as.time = r.zigzag();
    half.as.trusted = r.u8() != 0;
  }
  decode_pairs(r, out.leads);
  decode_pairs(r, out.pairs);
  return r.ok() && r.at_end() && !out.gone.empty() && !out.halves.empty();
}

Result<UnmergeGraft> draft_unmerge(const World& live, World& shadow, const state::Unmerge& what) {
  UnmergeGraft out;
  out.unmerge = what.id;
  out.upto = shadow.state.seq;
  out.pairs = shadow.state.apart.pairs;
  const ProfileId person = live.state.resolve(what.person);
  insert(out.gone, person);
  for (const auto& [one, other] : out.pairs) {  // by now they may be others than when it was commanded
    if (live.state.resolve(one) == live.state.resolve(other)) insert(out.gone, live.state.resolve(one));
  }
  std::vector<ProfileId> there;
  for (bool more = true; more;) {
    more = add_holders(live, out.gone, shadow, there);
    more |= add_holders(shadow, there, live, out.gone);
    if (there.size() + out.gone.size() > people_max) {
      return Error{Code::rejected, "without this merge more than " + std::to_string(people_max) +
                                       " people would be others than they are: it is not taken back"};
    }
  }
  if (there.empty()) return Error{Code::rejected, "the history that is kept knows nobody of them"};
  for (const ProfileId id : there) {
    Profile* const found = shadow.state.find(id);
    Half& half = out.halves.emplace_back();
    half.person = *found;
    half.person.row = nullptr;
    half.due = shadow.state.due(*found);
    if (const state::Account* const account = shadow.state.account_of(id)) {
      half.account = account->id;
      half.as = *shadow.state.member_of(id);
    }
  }
  std::vector<ProfileId> old = out.gone;
  for (const ProfileId id : out.gone) {
    const state::Reading here = live.state.find(id);
    for (const state::MergeCause& merge : here->merges) insert(old, merge.loser);
  }
  for (const ProfileId id : old) {
    if (!std::binary_search(there.begin(), there.end(), id))
      out.leads.emplace_back(id, heir_of(id, live, shadow, out));
  }
  return out;
}

std::vector<state::Unmerge> taken_back(const World& world, const state::Unmerge* also) {
  std::vector<state::Unmerge> out;
  for (const state::Unmerge& u : world.state.apart.unmerges) {
    if (u.done) out.push_back(u);
  }
  if (also != nullptr) out.push_back(*also);
  return out;
}

Status check_unmerge(const World& world, ProfileId person, std::uint64_t input, std::uint64_t first_seq) {
  const state::Reading found = world.state.find(person);
  const auto refused = [](std::string why) { return Error{Code::misconfigured, std::move(why)}; };
  if (!found)
    return refused("nobody is known by this: give an id, or type:value such as email:ada@example.com");
  const std::string id = format_profile_id(found->id), number = std::to_string(input);
  const bool joined = std::any_of(found->merges.begin(), found->merges.end(),
                                  [&](const auto& m) { return m.cause == input; });
  const auto& unmerges = world.state.apart.unmerges;
  const auto before = std::find_if(unmerges.begin(), unmerges.end(),
                                   [&](const state::Unmerge& u) { return u.input == input; });
  if (before != unmerges.end())
    return refused("the merge of input " + number + (before->done ? " has been" : " is being") +
                   " taken back already");
  if (!joined)
    return refused("input " + number + " has joined nobody with " + id + ": `sluice identity explain " + id +
                   "` lists the inputs that did");
  if (input < first_seq)
    return refused("the journal is kept from input " + std::to_string(first_seq) +
                   " on, and that merge came with input " + number +
                   ": what the two were before it is not known any more, so it cannot be taken back");
  return Done{};
}

std::string unmerge_command(ProfileId person, std::uint64_t input) {
  std::string out;
  JsonWriter(out)
      .begin_object()
      .member("command", "unmerge")
      .member("person", format_profile_id(person))
      .member_integer("input", static_cast<std::int64_t>(input))
      .end_object();
  return out;
}

std::string watch_command(std::uint64_t unmerge, const std::vector<ProfileId>& people) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().member("command", "watch").member_integer("unmerge", static_cast<std::int64_t>(unmerge));
  w.key("people").begin_array();
  for (const ProfileId id : people) w.string(format_profile_id(id));
  w.end_array().end_object();
  return out;
}

std::string give_up_command(std::uint64_t unmerge) {
  std::string out;
  JsonWriter(out)
      .begin_object()
      .member("command", "give_up")
      .member_integer("unmerge", static_cast<std::int64_t>(unmerge))
      .end_object();
  return out;
}

std::string unmerges_json(const World& world) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("unmerges").begin_array();
  for (const state::Unmerge& u : world.state.apart.unmerges) {
    w.begin_object().member("person", format_profile_id(u.person));
    w.member_integer("input", static_cast<std::int64_t>(u.input)).member("time", format_time(u.time));
    w.member("state", u.done ? "done" : "reading the history").end_object();
  }
  w.end_array().end_object();
  return out;
}

}  // namespace sluice::hub
