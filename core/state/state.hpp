// The state of one hub: all people, the index of their identifiers, remembered message ids, timers, and where
// sources are. It is rows: (table, key) -> bytes. The state's hash is the sum of its rows' hashes modulo
// 2^128, so it depends on what the rows are and on nothing else. One thread owns it (the step's); see
// docs/architecture.md for how others read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "model/effect.hpp"
#include "state/accounts.hpp"
#include "state/apart.hpp"
#include "state/backfill.hpp"
#include "state/joins.hpp"
#include "state/profile.hpp"
#include "state/walk.hpp"

namespace sluice::state {

// `number` says how packed rows are to be read (numbers.hpp); it is no part of the state's hash.
enum class Table : std::uint8_t {
  profile = 1,
  alias = 2,
  dedup = 3,
  name = 4,
  cursor = 5,
  meta = 6,
  number = 7,
  account = 8,
  member = 9,
  joins = 10
};

// Counted as the step runs; part of the state, so a replay counts the same.
struct Totals {
  std::uint64_t events = 0, duplicates = 0, refused = 0, merges = 0, demoted = 0, effects = 0,
                profiles_made = 0;
};

struct DueTimer {
  TimeUs due;
  ProfileId person;
};

// Receives rows of a checkpoint: value empty and erased true for a row that is gone.
using PersonSink = std::function<void(ProfileId)>;
using RowSink = std::function<void(Table table, std::string_view key, std::string_view value, bool erased)>;

// A person as a reader sees them: unpacked for that reader, or lent by the step where it has them unpacked.
class Reading {
 public:
  Reading() = default;  // nobody
  explicit Reading(const Profile* lent) : profile_(lent) {}
  explicit Reading(std::unique_ptr<const Profile> own) : own_(std::move(own)), profile_(own_.get()) {}
  explicit operator bool() const { return profile_ != nullptr; }
  const Profile* get() const { return profile_; }
  const Profile& operator*() const { return *profile_; }
  const Profile* operator->() const { return profile_; }

 private:
  std::unique_ptr<const Profile> own_;
  const Profile* profile_ = nullptr;
};

class State {
 public:
  explicit State(std::uint64_t hash_seed);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // ---- people
  // People lie packed; the step gets them unpacked (people.hpp). A Profile* holds until the next rest(),
  // which the step calls between inputs. Readers get a Reading, which holds while the step rests.
  void rest();
  // [main] Before rows are restored: people take at most so much memory, index included where that fits; the
  // rows of those who were not seen for longest lie in `folder`. What lies where changes no result.
  Status keep_within(std::uint64_t bytes, FileSystem& files, const std::string& folder);
  std::uint64_t memory() const;      // what people take of it, index included
  std::uint64_t cold_bytes() const;  // what lies in the folder
  Profile* find(ProfileId id);       // follows merged ids to who they became; null: nobody
  Reading find(ProfileId id) const;
  ProfileId resolve(ProfileId id) const;  // the surviving id, or `id` itself
  Profile* find_by(NameId type, std::string_view value);
  Reading find_by(NameId type, std::string_view value) const;
  // Whom inputs soon to come are about, as far as a glance tells. Looks all of them up together, so that the
  // waits for memory overlap; changes nothing.
  struct Glance {
    NameId type = 0, source = 0;
    std::string_view value, message_id;  // empty: not seen
  };
  void bring_near(std::span<const Glance> glances) const;
  // A new person; the id is derived from seq and ordinal and the journal's seed.
  Profile& create(std::uint64_t seq, std::uint32_t ordinal, TimeUs now);
  // Call before changing a profile: the checkpoint under way gets the row as it was, the next one the row as
  // it becomes. What is changed without it is lost when the person is packed away.
  void touch(Profile& profile);
  void index(const Profile& profile, const Identifier& identifier);
  void forget(const Profile& profile, const Identifier& identifier);  // nobody is found by it any more
  // Whom a source's record is about, by its stream and its key over there; null: nobody that is known of.
  std::uint64_t entity_print(std::string_view source_stream, std::string_view entity) const;
  Profile* find_entity(std::uint64_t print);
  void index_entity(const Profile& profile, std::uint64_t print);
  // The loser's row goes, its id leads to the winner; its identifiers are indexed for the winner. Contents
  // are the caller's.
  void absorb(Profile& winner, Profile& loser);
  std::size_t profiles() const;
  std::vector<ProfileId> ids() const;  // in order
  // Every profile in the order of its id; the callback must not create or absorb. A Profile holds until the
  // callback returns.
  void each_profile(const std::function<void(Profile&)>& each);
  void each_profile(const std::function<void(const Profile&)>& each) const;
  // Those who have refused some purpose, in the order of their ids: looks into no other.
  void each_refusal(const std::function<void(const Profile&)>& each) const;
  // [step] The first so many people behind `after`, up to `last`, in the order of their ids
  // (People::ids_after).
  std::vector<ProfileId> ids_after(ProfileId after, ProfileId last, std::size_t most) const;
  // [step] The first so many members in the order of their ids, behind `after`.
  std::vector<ProfileId> members_after(NameId audience, ProfileId after, std::size_t most) const;

  void each_alias(const std::function<void(ProfileId loser, ProfileId winner)>& each) const;  // by loser

  // ---- names
  NameId intern(std::string_view name);    // remembers the text
  std::string_view name(NameId id) const;  // "?" when it was never interned

  // ---- message ids already seen: true when it is new. Kept for `days` by hub time and at most `bytes`.
  bool first_sight(NameId source, std::string_view message_id, TimeUs now, std::int64_t days,
                   std::uint64_t bytes);
  TimeUs dedup_reach(TimeUs now) const;  // since when all ids are remembered

  // ---- timers: one moment a person; the person's row knows what is to be done then
  void set_due(Profile& profile, TimeUs due);
  TimeUs due(const Profile& profile) const;
  // The earliest timer due at or before `until`, taken off; false if there is none. Order: (due, person).
  bool pop_due(TimeUs until, DueTimer& out);
  TimeUs next_due();
  // False where rows were restored that do not say when they are due: each person's must be set anew.
  bool timers_known() const;

  // ---- where sources go on, and small facts
  void set_cursor(std::string_view source_stream, std::string_view cursor);
  std::string_view cursor(std::string_view source_stream) const;
  void set_meta(std::string_view key, std::string_view value);
  std::string_view meta(std::string_view key) const;
  Totals totals;
  Backfill backfill;  // of the past; keep_backfill() writes its row
  void keep_backfill();
  Walks walks;  // of new configurations; keep_walks() writes their row
  void keep_walks();
  TimeUs now = 0;                                  // of the last input
  std::uint64_t seq = 0;                           // of the last input
  void count_member(NameId audience, int change);  // sizes, kept as memberships change
  std::uint64_t members(NameId audience) const;

  // ---- accounts (state_accounts.cpp)
  std::uint64_t account_print(std::string_view id) const;
  const Account* find_account(std::string_view id) const;  // null: nobody has spoken of it
  const Account* account_of(ProfileId person) const;       // null: the person belongs to none
  Account& account(std::string_view id, TimeUs now);       // made if it is not there
  void keep_account(Account& account);                     // call after it was changed
  // False: the person belongs to it already, or a newer or more trusted call says otherwise.
  bool join_account(ProfileId person, Account& account, const MemberOf& as);
  // Those that people joined or left since this was asked last.
  std::vector<Account*> take_changed_accounts();
  // One whose members are to be looked at again; null: there is none.
  Account* due_account();
  std::size_t accounts() const;

  // ---- identifiers that join people (state_joins.cpp)
  bool is_quarantined(NameId type, std::string_view value) const;
  // True: with this it has joined more than `most` within `within`, and is quarantined from now on.
  bool note_join(NameId type, std::string_view value, std::uint64_t with, TimeUs at, std::size_t most,
                 DurationUs within);
  bool release(NameId type, std::string_view value);  // it joins again; false: it was not quarantined
  std::vector<const Joins*> quarantine() const;       // the oldest first
  std::uint64_t identifier_print(NameId type, std::string_view value) const;

  // ---- merges that were taken back (state_apart.cpp)
  Apart apart;
  void keep_apart();
  // Who had become another is a person again: a row with this id and nothing in it.
  Profile& revive(ProfileId id);
  // What is known of the person is this from now on; who is found by what, and the sizes of audiences,
  // follow.
  void replace(Profile& profile, Profile as);
  void lead(ProfileId from, ProfileId to);  // who has no row is to be found as `to`
  void put_account(ProfileId person, const Account& account, const MemberOf& as);
  void drop_account(ProfileId person);
  const MemberOf* member_of(ProfileId person) const;  // null: of no account

  // ---- hash and checkpoints
  // Of all rows as they are now. The first time looks at everybody, and from then on remembers each row's, so
  // that the next looks at who has changed since.
  Hash128 hash();
  // Begins a checkpoint of the rows as they are now: all of them, or those changed since the last one. Rows
  // come out of continue_checkpoint(), a few at a time; touch() writes out early what is about to change.
  // `changed` hears of each person who has changed since the last one, also where all rows are written.
  void begin_checkpoint(bool all, RowSink sink, PersonSink changed = {});
  bool continue_checkpoint(std::size_t rows);  // true: it is complete
  bool checkpointing() const;
  std::size_t changed_rows() const;  // that the next delta would hold
  // Restoring: give the rows of a base, then of each delta; then finish.
  void expect(std::uint64_t people);  // before it: so many will come
  bool restore_row(Table table, std::string_view key, std::string_view value);
  void forget_row(Table table, std::string_view key);  // a later delta took it away
  bool finish_restore();                               // false: some row is damaged

 private:
  void note_touched(ProfileId person);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::state
