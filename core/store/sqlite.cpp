#include "store/sqlite.hpp"

#include <sys/stat.h>

namespace sluice::store {

Error sqlite_error(sqlite3* handle, std::string_view doing) {
  const int code = sqlite3_errcode(handle) & 0xFF;
  const Code what = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? Code::corrupt : Code::transient;
  std::string text = "database: ";
  text += doing;
  text += ": ";
  text += sqlite3_errstr(sqlite3_extended_errcode(handle));
  return {what, std::move(text)};
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return sqlite_error(sqlite3_db_handle(statement_), "a statement failed");
}

Status Statement::run() {
  while (SLUICE_TRY(step())) {
  }
  return Done{};
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, bool read_only) {
  sqlite3* handle = nullptr;
  const int flags =
      (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_NOMUTEX;
  const mode_t mask = umask(0077);  // new files are 0600; SQLite gives its WAL the mode of the database
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  umask(mask);
  std::unique_ptr<Connection> connection(new Connection(handle));
  if (code != SQLITE_OK) {
    Error error = sqlite_error(handle, "'" + path + "' cannot be opened");
    if (read_only) error.code = Code::misconfigured;
    return error;
  }
  sqlite3_busy_timeout(handle, 10'000);
  sqlite3_extended_result_codes(handle, 1);
  return connection;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Status Connection::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return Done{};
  return sqlite_error(handle_, "a statement failed");
}

Result<std::unique_ptr<Statement>> Connection::prepare(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr &&
      sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return sqlite_error(handle_, "a statement cannot be prepared");
  }
  return std::make_unique<Statement>(statement);
}

Result<std::unique_ptr<Transaction>> Transaction::begin(Connection& connection) {
  SLUICE_TRY(connection.execute("BEGIN IMMEDIATE"));
  return std::unique_ptr<Transaction>(new Transaction(connection));
}

Transaction::~Transaction() {
  // A rollback that fails leaves nothing either: the connection's next BEGIN says so.
  if (open_) static_cast<void>(static_cast<bool>(connection_.execute("ROLLBACK")));
}

Status Transaction::commit() {
  SLUICE_TRY(connection_.execute("COMMIT"));
  open_ = false;
  return Done{};
}

}  // namespace sluice::store
