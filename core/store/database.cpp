#include "store/database.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "store/database_impl.hpp"

namespace sluice::store {

namespace {

constexpr std::int64_t schema_version = 4;

// From schema N - 1 to N. An entry that has been released is never changed.
constexpr const char* migrations[] = {R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters(
  id INTEGER PRIMARY KEY, destination TEXT NOT NULL, route TEXT NOT NULL, op INTEGER NOT NULL,
  name TEXT NOT NULL, profile INTEGER NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT NOT NULL, request TEXT NOT NULL, response TEXT NOT NULL, record BLOB NOT NULL,
  attempts INTEGER NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, UNIQUE(destination, key)) STRICT;
CREATE INDEX dead_letters_by_profile ON dead_letters(profile);
CREATE INDEX dead_letters_by_time ON dead_letters(at);
CREATE TABLE deliveries(
  id INTEGER PRIMARY KEY, profile INTEGER NOT NULL, at INTEGER NOT NULL, destination TEXT NOT NULL,
  route TEXT NOT NULL, op TEXT NOT NULL, name TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
  key TEXT NOT NULL) STRICT;
CREATE INDEX deliveries_by_profile ON deliveries(profile);
CREATE TABLE profiles(id INTEGER PRIMARY KEY, document TEXT NOT NULL, updated INTEGER NOT NULL) STRICT;
CREATE TABLE identifiers(
  type TEXT, value TEXT, profile INTEGER, PRIMARY KEY(type, value, profile)) STRICT, WITHOUT ROWID;
CREATE INDEX identifiers_by_profile ON identifiers(profile);
CREATE TABLE memberships(
  audience TEXT, profile INTEGER, entered_at INTEGER NOT NULL, PRIMARY KEY(audience, profile))
  STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_profile ON memberships(profile);
CREATE TABLE audit(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  subject TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
)sql",
                                      R"sql(
CREATE TABLE remote_ids(
  destination TEXT, profile INTEGER, id TEXT NOT NULL, PRIMARY KEY(destination, profile)) STRICT, WITHOUT ROWID;
CREATE INDEX remote_ids_by_profile ON remote_ids(profile);
)sql",
                                      R"sql(
CREATE TABLE messages(
  destination TEXT, key TEXT, remote_id TEXT NOT NULL, profile INTEGER NOT NULL, name TEXT NOT NULL,
  route TEXT NOT NULL, at INTEGER NOT NULL, progress INTEGER NOT NULL, PRIMARY KEY(destination, key))
  STRICT, WITHOUT ROWID;
CREATE INDEX messages_by_remote_id ON messages(destination, remote_id);
CREATE INDEX messages_by_profile ON messages(profile);
CREATE INDEX messages_by_time ON messages(at);
)sql",
                                      R"sql(
CREATE TABLE audiences(
  destination TEXT, name TEXT, id TEXT NOT NULL, PRIMARY KEY(destination, name)) STRICT, WITHOUT ROWID;
CREATE TABLE snapshot_parts(
  destination TEXT, snapshot TEXT, part INTEGER NOT NULL, seq INTEGER NOT NULL, ordinal INTEGER NOT NULL,
  PRIMARY KEY(destination, snapshot)) STRICT, WITHOUT ROWID;
)sql"};

Status prepare_file(Connection& db, const std::string& path) {
  std::int64_t version = 0;
  {
    const auto read = SLUICE_TRY(db.prepare("PRAGMA user_version"));
    if (SLUICE_TRY(read->step())) version = read->integer(0);
  }
  if (version > schema_version) {
    return Error{Code::misconfigured, "database '" + path + "' has schema " + std::to_string(version) +
                                          ", written by a newer version; this one knows schemas up to " +
                                          std::to_string(schema_version) + ": run the newer version"};
  }
  if (version == schema_version) return Done{};
  const auto transaction = SLUICE_TRY(Transaction::begin(db));
  for (std::int64_t v = version; v < schema_version; ++v) {
    SLUICE_TRY(db.execute(migrations[static_cast<std::size_t>(v)]));
  }
  SLUICE_TRY(db.execute(("PRAGMA user_version = " + std::to_string(schema_version)).c_str()));
  return transaction->commit();
}

Status run_for_profile(Connection& db, const char* sql, ProfileId profile) {
  return run(db, sql, to_column(profile));
}

Status remove_projection(Connection& db, ProfileId profile) {
  SLUICE_TRY(run_for_profile(db, "DELETE FROM profiles WHERE id = ?", profile));
  SLUICE_TRY(run_for_profile(db, "DELETE FROM identifiers WHERE profile = ?", profile));
  return run_for_profile(db, "DELETE FROM memberships WHERE profile = ?", profile);
}

// What is there already is not written again: each row is a page of several trees, and few of them change.
Status project_identifiers(Connection& db, const ProfileRow& row) {
  std::set<std::pair<std::string, std::string>> missing(row.identifiers.begin(), row.identifiers.end()), over;
  {
    const auto there = SLUICE_TRY(db.prepare("SELECT type, value FROM identifiers WHERE profile = ?"));
    there->bind(to_column(row.id));
    while (SLUICE_TRY(there->step())) {
      std::pair<std::string, std::string> one(there->text(0), there->text(1));
      if (missing.erase(one) == 0) over.insert(std::move(one));
    }
  }
  for (const auto& [type, value] : over) {
    SLUICE_TRY(run(db, "DELETE FROM identifiers WHERE type = ? AND value = ? AND profile = ?", type, value,
                   to_column(row.id)));
  }
  for (const auto& [type, value] : missing) {
    SLUICE_TRY(run(db, "INSERT INTO identifiers(type, value, profile) VALUES(?, ?, ?)", type, value,
                   to_column(row.id)));
  }
  return Done{};
}

Status project_memberships(Connection& db, const ProfileRow& row) {
  std::map<std::string, TimeUs> missing(row.memberships.begin(), row.memberships.end());
  std::set<std::string> over;
  {
    const auto there =
        SLUICE_TRY(db.prepare("SELECT audience, entered_at FROM memberships WHERE profile = ?"));
    there->bind(to_column(row.id));
    while (SLUICE_TRY(there->step())) {
      std::string audience = there->text(0);
      const auto wanted = missing.find(audience);
      if (wanted == missing.end()) {
        over.insert(std::move(audience));
      } else if (wanted->second == there->integer(1)) {
        missing.erase(wanted);
      }
    }
  }
  for (const std::string& audience : over) {
    SLUICE_TRY(
        run(db, "DELETE FROM memberships WHERE audience = ? AND profile = ?", audience, to_column(row.id)));
  }
  for (const auto& [audience, entered_at] : missing) {
    SLUICE_TRY(run(db, "INSERT OR REPLACE INTO memberships(audience, profile, entered_at) VALUES(?, ?, ?)",
                   audience, to_column(row.id), entered_at));
  }
  return Done{};
}

Status project_row(Connection& db, const ProfileRow& row, TimeUs now) {
  if (row.document.empty()) return remove_projection(db, row.id);
  SLUICE_TRY(run(db,
                 "INSERT INTO profiles(id, document, updated) VALUES(?, ?, ?) ON CONFLICT(id) "
                 "DO UPDATE SET document = excluded.document, updated = excluded.updated",
                 to_column(row.id), row.document, now));
  SLUICE_TRY(project_identifiers(db, row));
  return project_memberships(db, row);
}

Status write_meta(Connection& db, std::string_view key, std::string_view value) {
  return run(db, "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", key, value);
}

Result<std::optional<std::string>> one_text(const std::unique_ptr<Statement>& statement) {
  if (!SLUICE_TRY(statement->step())) return std::optional<std::string>();
  return std::optional<std::string>(statement->text(0));
}

}  // namespace

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Access access) {
  auto impl = std::make_unique<Impl>();
  impl->connection = SLUICE_TRY(Connection::open(path, access == Access::read));
  Connection& db = *impl->connection;
  if (access == Access::write) {
    // NORMAL: a loss of power may take the last transactions of what the journal gives again; dead letters
    // ask for more. FAST overwrites what is deleted where that costs no further writes; erase() overwrites
    // everything.
    SLUICE_TRY(db.execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = FAST;"
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; PRAGMA journal_size_limit = 67108864;"
        // Few pages go over into the file at a time: the journal waits for the disk meanwhile.
        "PRAGMA wal_autocheckpoint = 100"));
    SLUICE_TRY(prepare_file(db, path));
  } else {
    const auto read = SLUICE_TRY(db.prepare("PRAGMA user_version"));
    const bool known = SLUICE_TRY(read->step()) && read->integer(0) == schema_version;
    if (!known) {
      return Error{Code::misconfigured,
                   "database '" + path + "' has another schema than this version; start the hub once"};
    }
  }
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Status Database::project(const std::vector<ProfileRow>& rows, std::uint64_t seq, TimeUs now) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  const auto transaction = SLUICE_TRY(Transaction::begin(db));
  for (const ProfileRow& row : rows) SLUICE_TRY(project_row(db, row, now));
  SLUICE_TRY(write_meta(db, "projected_seq", std::to_string(seq)));
  return transaction->commit();
}

Result<std::uint64_t> Database::projected_seq() {
  const std::optional<std::string> text = SLUICE_TRY(meta("projected_seq"));
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

Status Database::clear_projection() {
  const std::lock_guard lock(impl_->mutex);
  const auto transaction = SLUICE_TRY(Transaction::begin(*impl_->connection));
  SLUICE_TRY(
      impl_->connection->execute("DELETE FROM profiles; DELETE FROM identifiers; DELETE FROM memberships;"
                                 "DELETE FROM meta WHERE key = 'projected_seq'"));
  return transaction->commit();
}

Result<std::optional<std::string>> Database::profile(ProfileId id) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(impl_->connection->prepare("SELECT document FROM profiles WHERE id = ?"));
  query->bind(to_column(id));
  return one_text(query);
}

Result<std::vector<ProfileId>> Database::find(std::string_view type, std::string_view value) {
  const std::lock_guard lock(impl_->mutex);
  const auto query =
      SLUICE_TRY(impl_->connection->prepare("SELECT profile FROM identifiers WHERE type = ? AND value = ?"));
  query->bind(type).bind(value);
  std::vector<ProfileId> found;
  while (SLUICE_TRY(query->step())) found.push_back(to_profile(query->integer(0)));
  std::sort(found.begin(), found.end());
  return found;
}

Result<std::vector<MemberRow>> Database::members(std::string_view audience) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(
      impl_->connection->prepare("SELECT profile, entered_at FROM memberships WHERE audience = ?"));
  query->bind(audience);
  std::vector<MemberRow> rows;
  while (SLUICE_TRY(query->step())) rows.push_back({to_profile(query->integer(0)), query->integer(1)});
  std::sort(rows.begin(), rows.end(), [](const MemberRow& a, const MemberRow& b) {
    return a.entered_at != b.entered_at ? a.entered_at < b.entered_at : a.profile < b.profile;
  });
  return rows;
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> Database::audience_sizes() {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(impl_->connection->prepare(
      "SELECT audience, count(*) FROM memberships GROUP BY audience ORDER BY audience"));
  std::vector<std::pair<std::string, std::uint64_t>> sizes;
  while (SLUICE_TRY(query->step())) {
    sizes.emplace_back(query->text(0), static_cast<std::uint64_t>(query->integer(1)));
  }
  return sizes;
}

Result<std::uint64_t> Database::profile_count() {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(impl_->connection->prepare("SELECT count(*) FROM profiles"));
  SLUICE_TRY(query->step());
  return static_cast<std::uint64_t>(query->integer(0));
}

Status Database::erase(ProfileId profile) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  SLUICE_TRY(db.execute("PRAGMA secure_delete = ON; PRAGMA synchronous = FULL"));
  {
    const auto transaction = SLUICE_TRY(Transaction::begin(db));
    SLUICE_TRY(remove_projection(db, profile));
    SLUICE_TRY(run_for_profile(db, "DELETE FROM deliveries WHERE profile = ?", profile));
    SLUICE_TRY(run_for_profile(db, "DELETE FROM dead_letters WHERE profile = ?", profile));
    SLUICE_TRY(run_for_profile(db, "DELETE FROM remote_ids WHERE profile = ?", profile));
    SLUICE_TRY(run_for_profile(db, "DELETE FROM messages WHERE profile = ?", profile));
    SLUICE_TRY(transaction->commit());
  }
  // The write-ahead log still holds older pages: bring it into the file and cut it.
  return db.execute(
      "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA secure_delete = FAST; PRAGMA synchronous = NORMAL");
}

Status Database::audit(const AuditRow& row) {
  const std::lock_guard lock(impl_->mutex);
  return run(*impl_->connection,
             "INSERT INTO audit(at, actor, action, subject, detail) VALUES(?, ?, ?, ?, ?)", row.at, row.actor,
             row.action, row.subject, row.detail);
}

Result<std::vector<AuditRow>> Database::audits(std::size_t limit) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(impl_->connection->prepare(
      "SELECT at, actor, action, subject, detail FROM audit ORDER BY id DESC LIMIT ?"));
  query->bind(static_cast<std::int64_t>(limit));
  std::vector<AuditRow> rows;
  while (SLUICE_TRY(query->step())) {
    rows.push_back({query->integer(0), query->text(1), query->text(2), query->text(3), query->text(4)});
  }
  return rows;
}

Status Database::put_meta(std::string_view key, std::string_view value) {
  const std::lock_guard lock(impl_->mutex);
  return write_meta(*impl_->connection, key, value);
}

Status Database::keep_meta(std::string_view key, std::string_view value) {
  const std::lock_guard lock(impl_->mutex);
  Connection& db = *impl_->connection;
  SLUICE_TRY(db.execute("PRAGMA synchronous = FULL"));
  Status written = write_meta(db, key, value);
  SLUICE_TRY(db.execute("PRAGMA synchronous = NORMAL"));
  return written;
}

Status Database::remove_meta(std::string_view key) {
  const std::lock_guard lock(impl_->mutex);
  return run(*impl_->connection, "DELETE FROM meta WHERE key = ?", key);
}

Result<std::optional<std::string>> Database::meta(std::string_view key) {
  const std::lock_guard lock(impl_->mutex);
  const auto query = SLUICE_TRY(impl_->connection->prepare("SELECT value FROM meta WHERE key = ?"));
  query->bind(key);
  return one_text(query);
}

}  // namespace sluice::store
