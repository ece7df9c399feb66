// The database: SQLite in WAL mode beside the journal. It holds what people query and what is not on the
// path: the projection of profiles and memberships (written behind the checkpoint), dead letters, delivery
// history, audit, and sealed what vendors gave us alone (vault.hpp). Losing it loses no event.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "model/effect.hpp"

namespace sluice::store {

inline constexpr std::size_t exchange_bytes_max =
    16 * 1024;  // of a dead letter's request, and of its response

struct DeadLetter {
  std::int64_t id = 0;  // given by the database
  Effect effect;
  std::string idempotency_key;    // whole: one record makes one dead letter, however often it is added
  std::string kind;               // "rejected", "held", "expired"
  std::string reason;             // stable key, for grouping
  std::string detail;             // for people, no personal data
  std::string request, response;  // secrets are cut out by the caller; cut to exchange_bytes_max here
  std::uint32_t attempts = 0;
  TimeUs at = 0;
  std::string state = "open";  // "open", "replayed"
};

struct DeadFilter {  // empty: all
  std::string destination, reason, kind;
  bool replayed_too = false;
};

struct DeadGroup {
  std::string destination, kind, reason;
  std::uint64_t count = 0;
  TimeUs first = 0, last = 0;
};

struct DeliveryRow {  // one line of a person's history
  ProfileId profile = nobody;
  TimeUs at = 0;
  std::string destination, route, op, name, outcome, reason, idempotency_key;
};

struct MessageRow {       // a message that its vendor will speak of again
  std::string remote_id;  // over there; empty: it told none
  std::string key;        // idempotency key
  ProfileId profile = nobody;
  std::string name, route;  // the workflow's step, and the workflow
  TimeUs at = 0;
  int progress = 0;  // how far the vendor's receipts have come; 0: none yet
};

struct ProfileRow {
  ProfileId id = nobody;
  std::string document;  // JSON; empty: the profile is gone (erased, or merged away)
  std::vector<std::pair<std::string, std::string>> identifiers;  // type, value: all that it has now
  std::vector<std::pair<std::string, TimeUs>> memberships;       // audience, entered at: all that it has now
};

struct MemberRow {
  ProfileId profile = nobody;
  TimeUs entered_at = 0;
};

struct AuditRow {  // who did what, without personal data
  TimeUs at = 0;
  std::string actor, action, subject, detail;
};

enum class Access : std::uint8_t {
  write,
  read
};  // read: a handle of its own, for commands beside a running hub

class Database {  // [any]: a mutex orders the calls; none waits for more than one transaction of another
 public:
  // Makes the file (0600) and its tables, or brings an older schema up. A newer schema is refused.
  static Result<std::unique_ptr<Database>> open(const std::string& path, Access access = Access::write);
  ~Database();

  // Dead letters. add: one durable transaction (fsync); a key that is there already stays as it is, unless it
  // was replayed.
  Status add_dead_letters(const std::vector<DeadLetter>& letters);
  Result<std::vector<DeadGroup>> dead_groups(const DeadFilter& filter);  // most frequent first
  Result<std::vector<DeadLetter>> dead_letters(const DeadFilter& filter,
                                               std::size_t limit);                // newest first, no exchange
  Result<std::optional<DeadLetter>> dead_letter(std::int64_t id);                 // everything
  Result<std::vector<std::int64_t>> open_dead_letters(const DeadFilter& filter);  // their numbers, rising
  // The effects of these open letters, oldest first, and marks the letters replayed. Unknown and replayed ids
  // are left out.
  Result<std::vector<Effect>> take_dead_letters(const std::vector<std::int64_t>& ids);
  // Retention: removes what is older; returns how many.
  Result<std::uint64_t> remove_dead_letters_before(TimeUs at);

  // History: keeps the latest `history_rows_max` of each person named.
  Status record_deliveries(const std::vector<DeliveryRow>& rows);
  Result<std::vector<DeliveryRow>> deliveries(ProfileId profile, std::size_t limit);  // newest first

  // What a destination calls a person, as it last said; the call that keeps is one transaction. remote_id:
  // empty if it said nothing.
  struct RemoteId {
    ProfileId profile = nobody;
    std::string id;
  };
  Status keep_remote_ids(std::string_view destination, const std::vector<RemoteId>& ids);
  Result<std::string> remote_id(std::string_view destination, ProfileId profile);
  Result<bool> has_remote_ids(std::string_view destination);
  // What a destination calls an audience or list of ours, as provision() found it: durable when the call
  // returns. An empty id is one that is not known (any more).
  Status keep_audience(std::string_view destination, std::string_view name, std::string_view id);
  Result<std::string> audience(std::string_view destination, std::string_view name);
  // How far a snapshot has been sent: its latest part, and the record at the end of it. Number 0: nothing
  // yet, or it is over; then it is forgotten.
  struct SnapshotPart {
    std::uint32_t number = 0;
    EffectKey last;
  };
  Status keep_snapshot_part(std::string_view destination, std::string_view snapshot,
                            const SnapshotPart& part);
  Result<SnapshotPart> snapshot_part(std::string_view destination, std::string_view snapshot);

  // Messages whose vendors call back. keep: one transaction; a key that is there keeps its progress.
  // message(): by either, whichever is not empty.
  Status keep_messages(std::string_view destination, const std::vector<MessageRow>& rows);
  Result<std::optional<MessageRow>> message(std::string_view destination, std::string_view remote_id,
                                            std::string_view key);
  Status advance_message(std::string_view destination, std::string_view key, int progress);
  Result<std::uint64_t> remove_messages_before(TimeUs at);

  // Projection: one transaction; each row replaces what stood there for its profile. `seq` is how far the
  // journal is in it.
  Status project(const std::vector<ProfileRow>& rows, std::uint64_t seq, TimeUs now);
  Result<std::uint64_t> projected_seq();  // 0: nothing yet
  Status clear_projection();              // before a projection from the beginning
  Result<std::optional<std::string>> profile(ProfileId id);
  Result<std::vector<ProfileId>> find(std::string_view type, std::string_view value);
  Result<std::vector<MemberRow>> members(std::string_view audience);  // by entered_at, then profile
  Result<std::vector<std::pair<std::string, std::uint64_t>>> audience_sizes();
  Result<std::uint64_t> profile_count();

  // Erasure: removes the person's projection, history, dead letters, messages and remote ids.
  Status erase(ProfileId profile);

  Status audit(const AuditRow& row);
  Result<std::vector<AuditRow>> audits(std::size_t limit);  // newest first

  Status put_meta(std::string_view key, std::string_view value);
  Status keep_meta(std::string_view key, std::string_view value);  // and on the disk when it returns (fsync)
  Status remove_meta(std::string_view key);
  Result<std::optional<std::string>> meta(std::string_view key);

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

inline constexpr std::size_t history_rows_max = 100;  // a person

}  // namespace sluice::store
