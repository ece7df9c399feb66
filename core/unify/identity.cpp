#include "unify/identity.hpp"

#include <algorithm>

#include <re2/re2.h>

#include "base/hash.hpp"
#include "base/normalize.hpp"

namespace sluice::unify {

using state::Identifier;
using state::Profile;
using state::State;

struct Identity::Blocked {  // by rule
  std::vector<std::vector<std::unique_ptr<re2::RE2>>> patterns;
};

// Reading a phone number costs more than all else of an event together, and people's numbers come again and
// again: the newest of each place are remembered as they were read. Text that does not fit without an
// allocation is read each time.
class Identity::Phones {
 public:
  template <typename Read>
  std::optional<std::string> get(std::string_view text, std::size_t rule, const Read& read) {
    if (text.size() > text_bytes_max) return read();
    if (places_.empty()) places_.resize(places);
    Place& place = places_[hash64(text, rule) % places];
    if (place.rule != rule || place.text != text) place = {rule, std::string(text), read()};
    return place.number;
  }

 private:
  static constexpr std::size_t places = 1U << 16U, text_bytes_max = 15;
  struct Place {
    std::size_t rule = SIZE_MAX;
    std::string text;
    std::optional<std::string> number;
  };
  std::vector<Place> places_;
};

Identity::Identity(const view::Compiled& compiled, State* known)
    : compiled_(compiled),
      known_(known),
      since_(known == nullptr ? 0 : known->now),
      blocked_(std::make_unique<Blocked>()),
      phones_(std::make_unique<Phones>()) {
  for (const auto& rule : compiled.config->identity) {
    auto& patterns = blocked_->patterns.emplace_back();
    for (const std::string& pattern : rule.never_patterns)
      patterns.push_back(std::make_unique<re2::RE2>(pattern));
  }
}

Identity::~Identity() = default;

bool Identity::never(std::size_t rule, const std::string& value) const {
  const auto& exact = compiled_.config->identity[rule].never;
  if (std::find(exact.begin(), exact.end(), value) != exact.end()) return true;
  const auto& patterns = blocked_->patterns[rule];
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return re2::RE2::PartialMatch(value, *pattern); });
}

// What reading gave once, it gives again, and of a number in its normalised form the number itself: one that
// somebody has, and that these rules have taken, need not be read.
std::optional<std::string> Identity::phone(std::string_view text, std::size_t rule,
                                           std::string_view country) const {
  if (known_ != nullptr && text.starts_with('+')) {
    const state::NameId type = compiled_.identity_ids[rule];
    if (const Profile* person = known_->find_by(type, text)) {
      for (const Identifier& i : person->identifiers) {
        if (i.type == type && i.value == text && i.last_seen > since_) return i.value;
      }
    }
  }
  return phones_->get(text, rule,
                      [&] { return normalize_phone(text, country, compiled_.config->identity[rule].only); });
}

std::vector<Claim> Identity::claims(const Event& event, std::string_view country) const {
  std::vector<Claim> claims;
  claims.reserve(event.ids.size());
  const auto& rules = compiled_.config->identity;
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    for (const ExternalId& id : event.ids) {
      if (id.type != rules[rule].id) continue;
      std::optional<std::string> value;
      switch (rules[rule].normalize) {
        case config::Normalize::none:
          value = std::string(id.value);
          break;
        case config::Normalize::email:
          value = normalize_email(id.value);
          break;
        case config::Normalize::phone:
          value = phone(id.value, rule, country);
          break;
      }
      if (value && !never(rule, *value)) claims.push_back({rule, std::move(*value)});
    }
  }
  return claims;
}

bool Identity::is_known(const Profile& profile) const {
  return view::is_known(profile, compiled_);
}

std::vector<Profile*> Identity::candidates(State& state, const std::vector<Claim>& claims) const {
  std::vector<Profile*> people;
  people.reserve(claims.size());
  for (const Claim& claim : claims) {
    Profile* profile = state.find_by(compiled_.identity_ids[claim.rule], claim.value);
    if (profile != nullptr && std::find(people.begin(), people.end(), profile) == people.end())
      people.push_back(profile);
  }
  return people;
}

bool Identity::are_apart(const State& state, const std::vector<Profile*>& people) {
  const auto among = [&](ProfileId id) {
    return std::any_of(people.begin(), people.end(), [&](const Profile* p) { return p->id == id; });
  };
  return std::any_of(state.apart.pairs.begin(), state.apart.pairs.end(), [&](const auto& pair) {
    const ProfileId one = state.resolve(pair.first), other = state.resolve(pair.second);
    return one != other && among(one) && among(other);
  });
}

bool Identity::fits(const State& state, const std::vector<Profile*>& people, const std::vector<Claim>& claims,
                    const Event& event) const {
  const auto& rules = compiled_.config->identity;
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    const state::NameId type = compiled_.identity_ids[rule];
    std::size_t count = 0, most = rules[rule].at_most;
    for (const Profile* p : people) {
      const auto own = static_cast<std::size_t>(std::count_if(
          p->identifiers.begin(), p->identifiers.end(), [&](const Identifier& i) { return i.type == type; }));
      count += own;
      most = std::max(most, own);  // a limit that was lowered later does not lock out who is beyond it
    }
    for (const Claim& claim : claims) {
      const auto held = [&](const Profile* p) { return p->has_identifier(type, claim.value); };
      if (claim.rule == rule && std::none_of(people.begin(), people.end(), held)) ++count;
    }
    if (count > most) return false;
  }
  const auto third = [](const Profile* p) { return p->third_party; };
  const bool any_third = std::any_of(people.begin(), people.end(), third);
  const auto names_known = [&](const Claim& claim) { return compiled_.known_identifier[claim.rule]; };
  if (any_third && std::any_of(claims.begin(), claims.end(), names_known)) return false;
  if (people.size() < 2) return true;
  if (!state.apart.pairs.empty() && are_apart(state, people)) return false;
  const auto known =
      std::count_if(people.begin(), people.end(), [&](const Profile* p) { return is_known(*p); });
  if (!event.trusted && known > 1) return false;
  if (known > 0 && any_third) return false;
  std::size_t merges = 0;
  for (const Profile* p : people) merges += p->merges.size() + 1;
  return merges <= state::merges_max;
}

void Identity::add_identifiers(State& state, Profile& profile, const std::vector<Claim>& claims,
                               const Event& event, TimeUs now, Resolution& out) const {
  if (profile.identifiers.empty()) profile.identifiers.reserve(claims.size());
  for (const Claim& claim : claims) {
    const state::NameId type = compiled_.identity_ids[claim.rule];
    const auto at =
        std::find_if(profile.identifiers.begin(), profile.identifiers.end(),
                     [&](const Identifier& i) { return i.type == type && i.value == claim.value; });
    if (at != profile.identifiers.end()) {
      at->last_seen = std::max(at->last_seen, now);
      at->trusted = at->trusted || event.trusted;
      const state::NameId source = state::name_id(event.source);
      if (source != at->source) {
        if (at->also == 0) at->also = state.intern(event.source);
        at->many = at->many || at->also != source;
      }
      continue;
    }
    state.intern(compiled_.config->identity[claim.rule].id);
    profile.identifiers.push_back(
        {type, claim.value, now, now, event.trusted, state.intern(event.source), 0, false});
    state.index(profile, profile.identifiers.back());
    out.identifiers_changed = true;
  }
}

void Identity::drop_quarantined(const State& state, std::vector<Claim>& claims, Resolution& out) const {
  if (claims.size() < 2) return;
  const auto is_quarantined = [&](const Claim& claim) {
    return state.is_quarantined(compiled_.identity_ids[claim.rule], claim.value);
  };
  const auto joins = std::stable_partition(claims.begin(), claims.end(),
                                           [&](const Claim& claim) { return !is_quarantined(claim); });
  const auto first_left_out = joins == claims.begin() ? joins + 1 : joins;
  out.demoted += static_cast<std::size_t>(claims.end() - first_left_out);
  claims.erase(first_left_out, claims.end());
}

void Identity::note_join(State& state, const Claim& claim, const Claim& with, TimeUs now,
                         Resolution& out) const {
  const config::IdentityRule& rule = compiled_.config->identity[claim.rule];
  state.intern(rule.id);
  if (state.note_join(compiled_.identity_ids[claim.rule], claim.value,
                      state.identifier_print(compiled_.identity_ids[with.rule], with.value), now,
                      rule.joins_most, rule.joins_within))
    out.quarantined.push_back(claim.rule);
}

// Whoever has one of these identifiers is one with who has the others, or would be, had no limit forbidden
// it. It is counted against the strongest other one, so that two people who meet often count once.
void Identity::note_joins(State& state, const std::vector<Profile*>& people, const std::vector<Claim>& kept,
                          const std::vector<Claim>& left_out, TimeUs now, Resolution& out) const {
  for (std::size_t i = 0; people.size() > 1 && i < kept.size() && kept.size() > 1; ++i) {
    const auto held = [&](const Profile* p) {
      return p->has_identifier(compiled_.identity_ids[kept[i].rule], kept[i].value);
    };
    if (std::any_of(people.begin(), people.end(), held))
      note_join(state, kept[i], kept[i == 0 ? 1 : 0], now, out);
  }
  for (const Claim& claim : left_out) {
    const Profile* const holder = state.find_by(compiled_.identity_ids[claim.rule], claim.value);
    if (holder != nullptr && std::find(people.begin(), people.end(), holder) == people.end())
      note_join(state, claim, kept.front(), now, out);
  }
}

Resolution Identity::resolve(State& state, const Event& event, std::vector<Claim> claims, std::uint64_t seq,
                             TimeUs now) const {
  Resolution out;
  std::vector<Profile*> people;
  std::vector<Claim> left_out;
  drop_quarantined(state, claims, out);
  const auto leave_out = [&] {  // claims stand by trust: the last is the weakest
    left_out.push_back(std::move(claims.back()));
    claims.pop_back();
    ++out.demoted;
  };
  for (;; leave_out()) {
    if (claims.empty()) return out;
    people = candidates(state, claims);
    const bool known =
        std::any_of(people.begin(), people.end(), [&](const Profile* p) { return is_known(*p); });
    if (event.third_party_anonymous && known) continue;
    if (!fits(state, people, claims, event)) continue;
    if (people.size() < 2 || !state.apart.joins_nobody(seq)) break;
    for (const Profile* one : people) {
      for (const Profile* other : people) {
        if (one != other) state.apart.add_pair(one->id, other->id);
      }
    }
    state.keep_apart();
  }
  state.totals.demoted += out.demoted;
  if (people.size() > 1 || !left_out.empty()) note_joins(state, people, claims, left_out, now, out);
  if (people.empty()) {
    out.profile = &state.create(seq, 0, now);
    out.created = true;
  } else {
    // The oldest permanent id survives.
    std::sort(people.begin(), people.end(), [](const Profile* a, const Profile* b) {
      return a->created != b->created ? a->created < b->created : a->created_ordinal < b->created_ordinal;
    });
    out.profile = people.front();
    state.touch(*out.profile);
    for (std::size_t i = 1; i < people.size(); ++i) {
      Profile& loser = *people[i];
      state::MergeCause cause{loser.id, 0, seq, now};
      for (const Claim& claim : claims) {
        if (loser.has_identifier(compiled_.identity_ids[claim.rule], claim.value)) {
          cause.type = compiled_.identity_ids[claim.rule];
          break;
        }
      }
      for (const state::Membership& m : loser.memberships) {  // two members become one
        if (out.profile->membership(m.audience) != nullptr) state.count_member(m.audience, -1);
      }
      merge_profiles(*out.profile, loser, compiled_, state.backfill, now);
      out.profile->merges.push_back(cause);
      out.merged.push_back({loser});
      state.absorb(*out.profile, loser);
      out.identifiers_changed = true;
    }
  }
  if (event.third_party_anonymous) out.profile->third_party = true;  // what it says stays with nobody known
  add_identifiers(state, *out.profile, claims, event, now, out);
  return out;
}

}  // namespace sluice::unify
