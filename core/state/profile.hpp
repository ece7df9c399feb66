// One person, as the hub knows them: everything that the step keeps about somebody, in one row. Names of
// traits, audiences, purposes, routes and workflows stand as NameId, a hash that is the same in every state;
// State::name() gives the text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "base/time.hpp"
#include "model/effect.hpp"
#include "state/history.hpp"
#include "state/sequence.hpp"
#include "state/series.hpp"
#include "state/value.hpp"

namespace sluice::state {

class Numbers;
struct Row;

using NameId = std::uint64_t;
NameId name_id(std::string_view name);

// Limits of one person; what comes beyond them is not kept, and counted.
inline constexpr std::size_t traits_max = 2'000;
inline constexpr std::size_t merges_max = 100;    // people that became this one
inline constexpr std::size_t runs_max = 100;      // workflow runs under way
inline constexpr std::size_t entities_max = 100;  // records of sources that are this person; the newest

struct Identifier {
  NameId type = 0;
  std::string value;  // normalised
  TimeUs first_seen = 0, last_seen = 0;
  bool trusted = false;  // a server source has said it
  NameId source = 0;     // the first that has said it
  NameId also = 0;       // another one; 0: none
  bool many = false;     // a third one too
};

// A record over there that is this person, of a stream that withdraws what it said when it goes.
struct Entity {
  NameId source = 0;
  std::uint64_t print = 0;  // State::entity_print() of its stream and key
};

struct Trait {
  NameId name = 0;
  StoredValue value;  // Kind::null: removed at `time`
  TimeUs time = 0;
  NameId source = 0;
  bool trusted = false;
};

struct ConsentState {
  NameId purpose = 0;
  bool granted = false;
  TimeUs time = 0;
  NameId source = 0;
};

struct Membership {
  NameId audience = 0;
  TimeUs entered = 0;
  std::uint64_t cause = 0;  // seq of the input
};

struct Run {  // of a workflow
  NameId workflow = 0;
  NameId step = 0;  // hash of the id of the step that it waits before
  TimeUs wake = 0;
  TimeUs started = 0;
  std::uint64_t cause = 0;
  std::string event;  // JSON of the event that triggered it, where its texts read it
};

struct Started {  // when a workflow last began for this person
  NameId workflow = 0;
  TimeUs time = 0;
};

struct RouteField {
  NameId name = 0;
  std::uint64_t value = 0;  // hash of the JSON that was last sent
};

struct RouteMark {  // what a profile route has last sent
  NameId route = 0;
  std::uint64_t identity = 0;  // hash of the identifiers sent with it
  bool inside = false;         // the condition held
  bool silent = false;         // never sent: a new route sends nothing of the past
  std::vector<RouteField> fields;
};

struct MergeCause {
  ProfileId loser = nobody;
  NameId type = 0;  // the identifier that joined them: its type; its value is an identifier of this profile
  std::uint64_t cause = 0;  // seq of the input
  TimeUs time = 0;
};

struct Profile {
  ProfileId id = nobody;
  std::uint64_t created = 0;  // seq of the input that made it: the older permanent id has the smaller one
  std::uint32_t created_ordinal = 0;
  TimeUs first_seen = 0, last_seen = 0;
  bool third_party = false;  // a source with anonymous: true has spoken of it; never joined to a known person
  bool partial = false;      // windows began after the person did: the configuration asked for them later
  std::uint64_t evaluated = 0;  // the epoch that came to them before its walk did (walk.hpp); 0: none
  std::string timezone, locale;
  TimeUs timezone_time = no_time;  // of the newest event that has said where the person is
  std::vector<Identifier> identifiers;
  std::vector<Trait> traits;
  std::vector<ConsentState> consents;
  std::vector<Series> series;
  std::vector<Sequence> sequences;
  std::vector<Membership> memberships;
  History history;
  std::vector<Run> runs;
  std::vector<Started> started;
  // Audiences that a change of the configuration has put the person into and whose workflows are to start for
  // that (hub/pipeline_found.cpp). The person is in all of them.
  std::vector<NameId> found;
  std::vector<RouteMark> marks;
  std::vector<MergeCause> merges;
  std::vector<Entity> entities;

  const Trait* trait(NameId name) const;
  Trait* trait(NameId name);
  const ConsentState* consent(NameId purpose) const;
  const Membership* membership(NameId audience) const;
  Series* find_series(std::uint64_t key);
  const Series* find_series(std::uint64_t key) const;
  Sequence* find_sequence(std::uint64_t key);
  const Sequence* find_sequence(std::uint64_t key) const;
  bool has_identifier(NameId type, std::string_view value) const;
  bool has_entity(std::uint64_t print) const;
  RouteMark* mark(NameId route);

  bool has_refused() const;  // any purpose
  // Asks for the memory that pack() looks at: first the one, some time later the other.
  void bring_near() const;
  void bring_series_near() const;

  // The row in its plain spelling, and in its packed one (spelling.hpp), which does not say the id. What is
  // read into may have been anybody; its memory is used again. What is unpacked borrows from the bytes.
  // False: damaged, or of a later version.
  void encode(std::string& out) const;
  static bool decode(std::string_view bytes, Profile& out);
  void pack(std::string& out, Numbers& numbers) const;
  static bool unpack(std::string_view bytes, const Numbers& numbers, Profile& out);
  // As far as restoring needs it: memberships, identifiers and entities; the rest is left as it is.
  static bool unpack_index(std::string_view bytes, const Numbers& numbers, Profile& out);

  mutable NextChange now_change;  // [step] of what reads `now`: likewise no part of the row
  // Something holds no more about when time alone changes anything: a merge, another time zone.
  void touch_changes();

  Row* row = nullptr;  // [step] where People keeps this person
  std::string lent;    // [step] the bytes to borrow from, where the row itself lies on disk
};

}  // namespace sluice::state
