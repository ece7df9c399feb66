// SQLite's C API with owners, for this room's .cpp files alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <sqlite3.h>

#include "sluice/result.hpp"

namespace sluice::store {

struct Blob {  // bound as bytes
  std::string_view bytes;
};

class Statement {  // one thread at a time; reset when it dies or steps to its end
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  ~Statement() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Parameters are bound in order. Texts are borrowed until the Statement dies.
  Statement& bind(std::int64_t value) { return sqlite3_bind_int64(statement_, ++bound_, value), *this; }
  Statement& bind(std::string_view text) {
    const char* data = text.data() != nullptr ? text.data() : "";
    return sqlite3_bind_text64(statement_, ++bound_, data, text.size(), SQLITE_STATIC, SQLITE_UTF8), *this;
  }
  Statement& bind(Blob blob) {
    const char* data = blob.bytes.data() != nullptr ? blob.bytes.data() : "";
    return sqlite3_bind_blob64(statement_, ++bound_, data, blob.bytes.size(), SQLITE_STATIC), *this;
  }

  Result<bool> step();  // true: a row
  Status run();         // to the end

  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return data != nullptr ? std::string(data, size) : std::string();
  }

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

class Connection {  // one thread at a time
 public:
  static Result<std::unique_ptr<Connection>> open(const std::string& path, bool read_only);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Status execute(const char* sql);  // one or more statements without parameters
  // Prepared once for each text; the text must be a literal.
  Result<std::unique_ptr<Statement>> prepare(const char* sql);
  int changes() const { return sqlite3_changes(handle_); }

 private:
  explicit Connection(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

// Runs a statement that gives no rows, with its parameters in order.
template <typename... Parameters>
Status run(Connection& connection, const char* sql, const Parameters&... parameters) {
  const std::unique_ptr<Statement> statement = SLUICE_TRY(connection.prepare(sql));
  (statement->bind(parameters), ...);
  return statement->run();
}

Error sqlite_error(sqlite3* handle, std::string_view doing);

// Rolls back what was not committed.
class Transaction {
 public:
  static Result<std::unique_ptr<Transaction>> begin(Connection& connection);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  Status commit();

 private:
  explicit Transaction(Connection& connection) : connection_(connection) {}
  Connection& connection_;
  bool open_ = true;
};

}  // namespace sluice::store
