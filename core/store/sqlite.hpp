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
  explicit Statement(sqlite3_stmt* statement) : x_statement(statement) {}
  ~Statement() {
    sqlite3_reset(x_statement);
    sqlite3_clear_bindings(x_statement);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Parameters are bound in order. Texts are borrowed until the Statement dies.
  Statement& bind(std::int64_t value) { return sqlite3_bind_int64(x_statement, ++x_bound, value), *this; }
  Statement& bind(std::string_view text) {
    const char* data = text.data() != nullptr ? text.data() : "";
    return sqlite3_bind_text64(x_statement, ++x_bound, data, text.size(), SQLITE_STATIC, SQLITE_UTF8), *this;
  }
  Statement& bind(Blob blob) {
    const char* data = blob.bytes.data() != nullptr ? blob.bytes.data() : "";
    return sqlite3_bind_blob64(x_statement, ++x_bound, data, blob.bytes.size(), SQLITE_STATIC), *this;
  }

  Result<bool> step();  // true: a row
  Status run();         // to the end

  std::int64_t integer(int column) const { return sqlite3_column_int64(x_statement, column); }
  std::string text(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(x_statement, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(x_statement, column));
    return data != nullptr ? std::string(data, size) : std::string();
  }

 private:
  sqlite3_stmt* x_statement;
  int x_bound = 0;
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
  int changes() const { return sqlite3_changes(x_handle); }

 private:
  explicit Connection(sqlite3* handle) : x_handle(handle) {}
  sqlite3* x_handle;
  std::unordered_map<const char*, sqlite3_stmt*> x_statements;
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
  explicit Transaction(Connection& connection) : x_connection(connection) {}
  Connection& x_connection;
  bool x_open = true;
};

}  // namespace sluice::store
