#include "sim/judge.hpp"

#include <algorithm>
#include <random>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "model/event.hpp"

namespace sluice::sim {

std::string text(const EffectKey& key) {
  return std::to_string(key.seq) + '.' + std::to_string(key.ordinal);
}

namespace {

// A lane may say more of what replaces what; all else is the step's.
std::string bytes_of(Effect effect) {
  effect.supersede.clear();
  std::string out;
  effect.encode(out);
  return out;
}

}  // namespace

void Judge::violated(int promise, std::string what) {
  if (!violation_) violation_ = Violation{promise, std::move(what)};
}

Input Judge::input(std::uint64_t seq) const {
  const Stored& s = inputs_[seq - 1];
  return {seq, s.stamp, s.kind, false, s.payload};
}

void Judge::acknowledged(std::uint64_t first_seq, const std::vector<std::string>& payloads) {
  for (const std::string& payload : payloads) told_[first_seq++] = hash64(payload);
}

void Judge::follow(const Journal& journal) {
  if (!world_) {
    identity_ = journal.identity();
    world_ = std::make_unique<hub::World>(identity_.hash_seed);
  }
  const Status read = journal.replay(seq() + 1, [&](const Input& one) {
    inputs_.push_back({one.stamp, one.kind, std::string(one.payload)});
    if (one.kind == InputKind::graft) ++grafts_;
    out_.effects.clear();
    out_.gate.clear();
    if (const Status stepped = world_->step(input(one.seq), out_); !stepped) {
      violated(7, "input " + std::to_string(one.seq) + " cannot be stepped: " + stepped.error().detail);
      return false;
    }
    hashes_.push_back(world_->state.hash());
    note_effects(one.seq);
    return true;
  });
  if (!read) violated(1, "the journal cannot be read: " + read.error().detail);
}

void Judge::note_effects(std::uint64_t seq) {
  for (const Effect& effect : out_.effects) effects_[effect.key] = {effect.destination, bytes_of(effect)};
  for (const hub::GateChange& change : out_.gate) {
    if (change.kind == hub::GateChange::Kind::merge) merges_.push_back({seq, change.person, change.winner});
    if (change.kind == hub::GateChange::Kind::split) merges_.push_back({seq, change.person, nobody});
  }
}

void Judge::outcome(const std::string& destination, Effect effect, const deliver::Outcome& outcome) {
  const EffectKey key = effect.key;
  const auto made = effects_.find(key);
  const std::string name = destination + " record " + text(key);
  effect.destination = destination;
  if (made == effects_.end() || made->second.destination != destination)
    return violated(2, name + " has an outcome, and no input makes it");
  if (made->second.bytes != bytes_of(effect))
    return violated(2, name + " is another record than its input makes");
  const auto [at, fresh] = ended_.try_emplace(key, Ended{outcome.kind, life_, false});
  if (fresh) return;
  if (at->second.durable || at->second.life == life_) {
    return violated(3, name + " ended as " + std::string(name_of(at->second.kind)) + " and again as " +
                           std::string(name_of(outcome.kind)));
  }
  at->second = {outcome.kind, life_, false};
}

void Judge::outcomes_durable() {
  for (auto& [key, ended] : ended_) ended.durable |= ended.life == life_;
}

void Judge::arrived(Arrival arrival) {
  ++arrivals_;
  const EffectKey key = arrival.effect.key;
  const std::string name = arrival.destination + " record " + text(key);
  if (arrival.id != identity_.key_of(key.seq, key.ordinal))
    return violated(3, name + " was sent with the idempotency key " + arrival.id);
  const auto made = effects_.find(key);
  arrival.effect.destination = arrival.destination;
  if (made == effects_.end() || made->second.bytes != bytes_of(arrival.effect))
    return violated(3, name + " was sent, and no input makes it so");
  const std::size_t times = ++taken_[key];
  if (times > 1 && arrival.once) return violated(3, name + ", which may not be repeated, was taken twice");
  if (times == 1) in_order_[arrival.destination].push_back({key, arrival.effect.person});
}

// 1: what a source was told is stored, is stored; so is whatever the step was given.
void Judge::check_journal(const Journal& journal) {
  const std::uint64_t first = journal.log().first_seq(), next = journal.log().next_seq();
  if (next <= seq()) {
    return violated(1, "inputs " + std::to_string(next) + " to " + std::to_string(seq()) +
                           " were durable, and are not in the journal after a restart");
  }
  const Status read = journal.replay(first, [&](const Input& one) {
    const bool known = one.seq <= seq();
    if (known && (inputs_[one.seq - 1].payload != one.payload || inputs_[one.seq - 1].stamp != one.stamp))
      violated(1, "input " + std::to_string(one.seq) + " is another after a restart");
    const auto told = told_.find(one.seq);
    if (told != told_.end() && told->second != hash64(one.payload))
      violated(1, "input " + std::to_string(one.seq) + " is not what its source was told is stored");
    return !violation_;
  });
  if (!read) violated(1, "the journal cannot be read: " + read.error().detail);
  if (!told_.empty() && told_.rbegin()->first >= next)
    violated(1, "input " + std::to_string(told_.rbegin()->first) + " was acknowledged and is not stored");
}

// 8: whoever steps these inputs has this state.
void Judge::check_state(state::State& state, int promise, const std::string& when) {
  if (state.seq == 0 || state.seq > seq()) {
    return violated(promise, when + ": the state is at input " + std::to_string(state.seq) +
                                 ", the journal at " + std::to_string(seq()));
  }
  if (state.hash() == hashes_[state.seq - 1]) return;
  violated(promise, when + ": the state at input " + std::to_string(state.seq) +
                        " is not what its inputs give one by one");
}

// 2: an event that was sent twice under one id has its effects once; one that was acknowledged has them.
void Judge::check_messages_stepped_once() {
  std::map<std::string, std::size_t> effects;
  for (const auto& [key, made] : effects_) {
    Effect effect;
    if (made.destination != "lake" || !Effect::decode(made.bytes, effect) || effect.op != Operation::event)
      continue;
    JsonParser parser;
    ++effects[std::string(parser.parse(effect.payload)["id"].string_or(""))];
  }
  for (std::uint64_t at = 1; at <= seq(); ++at) {
    EventInput event;
    if (inputs_[at - 1].kind != InputKind::event || !EventInput::decode(inputs_[at - 1].payload, event))
      continue;
    JsonParser parser;
    const std::string body(event.text);
    const Json json = parser.parse(body);
    if (json["type"].string_or("") != "track") continue;
    const std::string id(json["messageId"].string_or(""));
    const std::size_t times = effects[id];
    if (times != 1) {
      return violated(2, "event " + id + " of input " + std::to_string(at) + " took effect " +
                             std::to_string(times) + " times");
    }
  }
}

// 2: a source goes on where the journal has it: no row is left out, none is read twice.
void Judge::check_rows_read_once() {
  std::uint64_t next = 0;
  for (const Stored& stored : inputs_) {
    RecordInput row;
    if (stored.kind != InputKind::record || !RecordInput::decode(stored.payload, row)) continue;
    if (row.key != "row " + std::to_string(next)) {
      return violated(2, "the journal has " + std::string(row.key) + " of a source where row " +
                             std::to_string(next) + " comes next");
    }
    ++next;
  }
}

// 2: however the inputs are cut, and read once more from the first on.
void Judge::check_other_split(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  hub::World again(identity_.hash_seed);
  std::map<EffectKey, Made> effects;
  hub::StepOutput out;
  for (std::uint64_t at = 1; at <= seq();) {
    out.effects.clear();
    out.gate.clear();
    for (std::uint64_t n = 1 + random() % 40; n > 0 && at <= seq(); --n) (void)again.step(input(at++), out);
    for (const Effect& effect : out.effects) effects[effect.key] = {effect.destination, bytes_of(effect)};
  }
  if (again.state.hash() != hashes_.back())
    violated(8, "a second replay of " + std::to_string(seq()) + " inputs gives another state");
  for (const auto& [key, made] : effects_) {
    const auto same = effects.find(key);
    if (same == effects.end() || same->second.bytes != made.bytes)
      return violated(2, "a second replay makes another record " + text(key));
  }
  if (effects.size() != effects_.size()) violated(2, "a second replay makes more records");
}

// 3: each record has ended, and what counts as delivered arrived.
void Judge::check_every_record_has_ended() {
  for (const auto& [key, made] : effects_) {
    const auto ended = ended_.find(key);
    if (ended == ended_.end()) return violated(3, made.destination + " record " + text(key) + " was lost");
    if (ended->second.kind == deliver::OutcomeKind::delivered && !taken_.contains(key))
      return violated(3,
                      made.destination + " record " + text(key) + " counts as delivered and never arrived");
  }
}

ProfileId Judge::person_at(std::uint64_t seq, ProfileId person) const {
  std::vector<ProfileId> became{person};
  for (const Merge& merge : merges_) {
    if (merge.seq > seq) break;
    if (merge.winner == nobody) {
      const auto again = std::find(became.begin(), became.end(), merge.loser);
      if (again != became.end()) became.erase(again + 1, became.end());
    } else if (merge.loser == became.back()) {
      became.push_back(merge.winner);
    }
  }
  return became.back();
}

// 4: what was caused later arrived later, for whoever was one person by then.
void Judge::check_order() {
  for (const auto& [destination, all] : in_order_) {
    std::map<ProfileId, std::vector<First>> people;
    for (const First& one : all) {
      if (one.person != nobody) people[person_at(UINT64_MAX, one.person)].push_back(one);
    }
    for (const auto& [person, records] : people) {
      for (std::size_t later = 1; later < records.size(); ++later) {
        for (std::size_t before = 0; before < later; ++before) {
          const First &a = records[later], &b = records[before];
          if (!(a.key < b.key)) continue;
          if (person_at(b.key.seq, a.person) != person_at(b.key.seq, b.person)) continue;
          return violated(4, destination + " got record " + text(b.key) + " before " + text(a.key) + " of " +
                                 format_profile_id(person));
        }
      }
    }
  }
}

// 6: who has said no by now gets nothing for that purpose.
void Judge::check_may_leave(const Effect& effect, const state::State& now) {
  if (effect.purpose.empty() || effect.person == nobody) return;
  const state::Reading person = now.find(effect.person);
  if (!person) return;
  const state::ConsentState* said = person->consent(state::name_id(effect.purpose));
  if (said == nullptr || said->granted) return;
  violated(6, "record " + text(effect.key) + " was sent to " + effect.destination + " for '" +
                  effect.purpose + "', which " + format_profile_id(person->id) + " has refused");
}

std::map<std::string, std::uint64_t> Judge::outcome_counts() const {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [key, ended] : ended_) ++counts[std::string(name_of(ended.kind))];
  return counts;
}

}  // namespace sluice::sim
