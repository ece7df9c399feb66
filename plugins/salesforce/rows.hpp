// Records as the hub reads them: one JSON object a row, with the names that Salesforce gives its fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/json.hpp"

#include "position.hpp"

namespace sluice::salesforce {

struct Row {
  std::string id;                       // empty: it has none
  std::optional<std::int64_t> changed;  // its time field
  bool deleted = false;
  sdk::Json fields;  // without "attributes", which only says where the record is
};

// Of a query's answer.
Row row_of(const sdk::Json& record, std::string_view time_field);

// CSV as the Bulk API writes it (RFC 4180): quotes around what needs them, doubled within; an empty cell is
// null. One pass through `text`, which outlives it.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {}
  // The next line's cells; false at the end. `broken()` then says whether the text ended inside of quotes.
  bool next(std::vector<std::string>& cells);
  bool broken() const { return broken_; }

 private:
  std::string_view rest_;
  bool broken_ = false;
};

// Cells get back the types that the object's description gives; "Account.Name" stands in an object "Account".
Row row_of(const std::vector<std::string>& header, const std::vector<std::string>& cells,
           const Position& position);

}  // namespace sluice::salesforce
