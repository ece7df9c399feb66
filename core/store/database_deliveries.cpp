// Dead letters and the history of deliveries.
#include <algorithm>
#include <set>

#include "store/database.hpp"
#include "store/database_impl.hpp"

namespace sluice::store {

namespace {

std::string_view cut(std::string_view text) {
  if (text.size() <= exchange_bytes_max) return text;
  std::size_t end = exchange_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;  // not within a character
  return text.substr(0, end);
}

constexpr const char* where_filter =
    " WHERE (?1 = '' OR destination = ?1) AND (?2 = '' OR reason = ?2) AND (?3 OR state = 'open') "
    "AND (?4 = '' OR kind = ?4)";

void bind_filter(Statement& query, const DeadFilter& filter) {
  query.bind(filter.destination)
      .bind(filter.reason)
      .bind(std::int64_t{filter.replayed_too})
      .bind(filter.kind);
}

Status insert_letter(Connection& db, const DeadLetter& letter, std::string& record) {
  record.clear();
  letter.effect.encode(record);
  // Once replayed and refused again, it is open again, with what was said last.
  return run(db,
             "INSERT INTO dead_letters(destination, route, op, name, profile, key, kind, reason, detail, "
             "request, "
             "response, record, attempts, at, state) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
             "'open') "
             "ON CONFLICT(destination, key) DO UPDATE SET kind = excluded.kind, reason = "
             "excluded.reason, "
             "detail = excluded.detail, request = excluded.request, response = excluded.response, "
             "attempts = excluded.attempts, at = excluded.at, state = 'open' WHERE state <> 'open'",
             letter.effect.destination, letter.effect.route, static_cast<std::int64_t>(letter.effect.op),
             letter.effect.name, to_column(letter.effect.person), letter.idempotency_key, letter.kind,
             letter.reason, letter.detail, cut(letter.request), cut(letter.response), Blob{record},
             std::int64_t{letter.attempts}, letter.at);
}

// Columns: id, destination, key, kind, reason, detail, attempts, at, state, record
Result<DeadLetter> letter_of(const Statement& row) {
  DeadLetter letter;
  letter.id = row.integer(0);
  if (!Effect::decode(row.text(9), letter.effect)) {
    return Error{Code::corrupt,
                 "dead letter " + std::to_string(letter.id) + " holds a record that cannot be read"};
  }
  letter.effect.destination = row.text(1);
  letter.idempotency_key = row.text(2);
  letter.kind = row.text(3);
  letter.reason = row.text(4);
  letter.detail = row.text(5);
  letter.attempts = static_cast<std::uint32_t>(row.integer(6));
  letter.at = row.integer(7);
  letter.state = row.text(8);
  return letter;
}

#define LETTER_COLUMNS "SELECT id, destination, key, kind, reason, detail, attempts, at, state, record"

}  // namespace

Status Database::add_dead_letters(const std::vector<DeadLetter>& letters) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  SLUICE_TRY(db.execute("PRAGMA synchronous = FULL"));
  const auto write = [&]() -> Status {
    std::string record;
    const auto transaction = SLUICE_TRY(Transaction::begin(db));
    for (const DeadLetter& letter : letters) SLUICE_TRY(insert_letter(db, letter, record));
    return transaction->commit();
  };
  Status written = write();
  SLUICE_TRY(db.execute("PRAGMA synchronous = NORMAL"));
  return written;
}

Result<std::vector<DeadGroup>> Database::dead_groups(const DeadFilter& filter) {
  const std::lock_guard lock(impl_->mutex);
  static const std::string sql =
      std::string("SELECT destination, kind, reason, count(*), min(at), max(at) FROM dead_letters") +
      where_filter + " GROUP BY destination, kind, reason ORDER BY 4 DESC, 1, 2, 3";
  const auto query = SLUICE_TRY(impl_->connection->prepare(sql.c_str()));
  bind_filter(*query, filter);
  std::vector<DeadGroup> groups;
  while (SLUICE_TRY(query->step())) {
    groups.push_back({query->text(0), query->text(1), query->text(2),
                      static_cast<std::uint64_t>(query->integer(3)), query->integer(4), query->integer(5)});
  }
  return groups;
}

Result<std::vector<DeadLetter>> Database::dead_letters(const DeadFilter& filter, std::size_t limit) {
  const std::lock_guard lock(impl_->mutex);
  static const std::string sql =
      std::string(LETTER_COLUMNS " FROM dead_letters") + where_filter + " ORDER BY id DESC LIMIT ?5";
  const auto query = SLUICE_TRY(impl_->connection->prepare(sql.c_str()));
  bind_filter(*query, filter);
  query->bind(static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000)));
  std::vector<DeadLetter> letters;
  while (SLUICE_TRY(query->step())) {
    DeadLetter letter = SLUICE_TRY(letter_of(*query));
    letters.push_back(std::move(letter));
  }
  return letters;
}

Result<std::vector<std::int64_t>> Database::open_dead_letters(const DeadFilter& filter) {
  const std::lock_guard lock(impl_->mutex);
  static const std::string sql = std::string("SELECT id FROM dead_letters") + where_filter + " ORDER BY id";
  const auto query = SLUICE_TRY(impl_->connection->prepare(sql.c_str()));
  DeadFilter open = filter;
  open.replayed_too = false;
  bind_filter(*query, open);
  std::vector<std::int64_t> ids;
  while (SLUICE_TRY(query->step())) ids.push_back(query->integer(0));
  return ids;
}

Result<std::optional<DeadLetter>> Database::dead_letter(std::int64_t id) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(
      impl_->connection->prepare(LETTER_COLUMNS ", request, response FROM dead_letters WHERE id = ?"));
  query->bind(id);
  if (!SLUICE_TRY(query->step())) return std::optional<DeadLetter>();
  DeadLetter letter = SLUICE_TRY(letter_of(*query));
  letter.request = query->text(10);
  letter.response = query->text(11);
  return std::optional<DeadLetter>(std::move(letter));
}

Result<std::vector<Effect>> Database::take_dead_letters(const std::vector<std::int64_t>& ids) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  std::vector<Effect> effects;
  const auto transaction = SLUICE_TRY(Transaction::begin(db));
  for (const std::int64_t id : std::set<std::int64_t>(ids.begin(), ids.end())) {
    const auto query =
        SLUICE_TRY(db.prepare(LETTER_COLUMNS " FROM dead_letters WHERE id = ? AND state = 'open'"));
    query->bind(id);
    if (!SLUICE_TRY(query->step())) continue;
    DeadLetter letter = SLUICE_TRY(letter_of(*query));
    effects.push_back(std::move(letter.effect));
    SLUICE_TRY(run(db, "UPDATE dead_letters SET state = 'replayed' WHERE id = ?", id));
  }
  SLUICE_TRY(transaction->commit());
  return effects;
}

Result<std::uint64_t> Database::remove_dead_letters_before(TimeUs at) {
  const std::lock_guard lock(impl_->mutex);
  SLUICE_TRY(run(*impl_->connection, "DELETE FROM dead_letters WHERE at < ?", at));
  return static_cast<std::uint64_t>(impl_->connection->changes());
}

Status Database::record_deliveries(const std::vector<DeliveryRow>& rows) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  const auto transaction = SLUICE_TRY(Transaction::begin(db));
  std::set<ProfileId> people;
  for (const DeliveryRow& row : rows) {
    people.insert(row.profile);
    SLUICE_TRY(run(db,
                   "INSERT INTO deliveries(profile, at, destination, route, op, name, outcome, reason, key) "
                   "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   to_column(row.profile), row.at, row.destination, row.route, row.op, row.name, row.outcome,
                   row.reason, row.idempotency_key));
  }
  for (const ProfileId person : people) {
    SLUICE_TRY(run(db,
                   "DELETE FROM deliveries WHERE profile = ?1 AND id <= (SELECT id FROM deliveries "
                   "WHERE profile = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                   to_column(person), static_cast<std::int64_t>(history_rows_max)));
  }
  return transaction->commit();
}

Result<std::vector<DeliveryRow>> Database::deliveries(ProfileId profile, std::size_t limit) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(impl_->connection->prepare(
      "SELECT at, destination, route, op, name, outcome, reason, key FROM deliveries "
      "WHERE profile = ? ORDER BY at DESC, id DESC LIMIT ?"));
  query->bind(to_column(profile))
      .bind(static_cast<std::int64_t>(std::min<std::size_t>(limit, history_rows_max)));
  std::vector<DeliveryRow> rows;
  while (SLUICE_TRY(query->step())) {
    rows.push_back({profile, query->integer(0), query->text(1), query->text(2), query->text(3),
                    query->text(4), query->text(5), query->text(6), query->text(7)});
  }
  return rows;
}

Status Database::keep_remote_ids(std::string_view destination, const std::vector<RemoteId>& ids) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  const auto transaction = SLUICE_TRY(Transaction::begin(db));
  for (const RemoteId& one : ids) {
    SLUICE_TRY(run(db, "INSERT OR REPLACE INTO remote_ids(destination, profile, id) VALUES(?, ?, ?)",
                   destination, to_column(one.profile), one.id));
  }
  return transaction->commit();
}

Result<std::string> Database::remote_id(std::string_view destination, ProfileId profile) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(
      impl_->connection->prepare("SELECT id FROM remote_ids WHERE destination = ? AND profile = ?"));
  query->bind(destination).bind(to_column(profile));
  return SLUICE_TRY(query->step()) ? std::string(query->text(0)) : std::string();
}

Status Database::keep_audience(std::string_view destination, std::string_view name, std::string_view id) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  const auto transaction = SLUICE_TRY(Transaction::begin(db));
  SLUICE_TRY(run(db, "INSERT OR REPLACE INTO audiences(destination, name, id) VALUES(?, ?, ?)", destination,
                 name, id));
  return transaction->commit();
}

Result<std::string> Database::audience(std::string_view destination, std::string_view name) {
  const std::lock_guard lock(impl_->mutex);
  const auto query =
      SLUICE_TRY(impl_->connection->prepare("SELECT id FROM audiences WHERE destination = ? AND name = ?"));
  query->bind(destination).bind(name);
  return SLUICE_TRY(query->step()) ? std::string(query->text(0)) : std::string();
}

Status Database::keep_snapshot_part(std::string_view destination, std::string_view snapshot,
                                    const SnapshotPart& part) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  const auto transaction = SLUICE_TRY(Transaction::begin(db));
  if (part.number == 0) {
    SLUICE_TRY(
        run(db, "DELETE FROM snapshot_parts WHERE destination = ? AND snapshot = ?", destination, snapshot));
  } else {
    SLUICE_TRY(run(db,
                   "INSERT OR REPLACE INTO snapshot_parts(destination, snapshot, part, seq, ordinal) "
                   "VALUES(?, ?, ?, ?, ?)",
                   destination, snapshot, std::int64_t{part.number}, to_column(part.last.seq),
                   std::int64_t{part.last.ordinal}));
  }
  return transaction->commit();
}

Result<Database::SnapshotPart> Database::snapshot_part(std::string_view destination,
                                                       std::string_view snapshot) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(impl_->connection->prepare(
      "SELECT part, seq, ordinal FROM snapshot_parts WHERE destination = ? AND snapshot = ?"));
  query->bind(destination).bind(snapshot);
  SnapshotPart out;
  if (!SLUICE_TRY(query->step())) return out;
  out.number = static_cast<std::uint32_t>(query->integer(0));
  out.last = {static_cast<std::uint64_t>(query->integer(1)), static_cast<std::uint32_t>(query->integer(2))};
  return out;
}

Result<bool> Database::has_remote_ids(std::string_view destination) {
  const std::lock_guard lock(impl_->mutex);
  const auto query =
      SLUICE_TRY(impl_->connection->prepare("SELECT 1 FROM remote_ids WHERE destination = ? LIMIT 1"));
  query->bind(destination);
  return SLUICE_TRY(query->step());
}

Status Database::keep_messages(std::string_view destination, const std::vector<MessageRow>& rows) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  const auto transaction = SLUICE_TRY(Transaction::begin(db));
  for (const MessageRow& row : rows) {
    // A message that was held, and then replayed, has a remote id the second time.
    SLUICE_TRY(run(db,
                   "INSERT INTO messages(destination, key, remote_id, profile, name, route, at, progress) "
                   "VALUES(?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT(destination, key) DO UPDATE SET "
                   "remote_id = excluded.remote_id, profile = excluded.profile, at = excluded.at",
                   destination, row.key, row.remote_id, to_column(row.profile), row.name, row.route, row.at));
  }
  return transaction->commit();
}

Result<std::optional<MessageRow>> Database::message(std::string_view destination, std::string_view remote_id,
                                                    std::string_view key) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(impl_->connection->prepare(
      "SELECT remote_id, key, profile, name, route, at, progress FROM messages WHERE destination = ?1 AND "
      "((?2 <> '' AND remote_id = ?2) OR (?3 <> '' AND key = ?3)) LIMIT 1"));
  query->bind(destination).bind(remote_id).bind(key);
  if (!SLUICE_TRY(query->step())) return std::optional<MessageRow>();
  return std::optional(MessageRow{.remote_id = std::string(query->text(0)),
                                  .key = std::string(query->text(1)),
                                  .profile = to_profile(query->integer(2)),
                                  .name = std::string(query->text(3)),
                                  .route = std::string(query->text(4)),
                                  .at = query->integer(5),
                                  .progress = static_cast<int>(query->integer(6))});
}

Status Database::advance_message(std::string_view destination, std::string_view key, int progress) {
  const std::lock_guard lock(impl_->mutex);
  return run(*impl_->connection,
             "UPDATE messages SET progress = max(progress, ?) WHERE destination = ? AND key = ?",
             std::int64_t{progress}, destination, key);
}

Result<std::uint64_t> Database::remove_messages_before(TimeUs at) {
  const std::lock_guard lock(impl_->mutex);
  SLUICE_TRY(run(*impl_->connection, "DELETE FROM messages WHERE at < ?", at));
  return static_cast<std::uint64_t>(impl_->connection->changes());
}

}  // namespace sluice::store
