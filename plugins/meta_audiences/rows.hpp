// The rows of a request: one a person, of the columns that any of them fills.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/values.hpp"

namespace sluice::meta {

struct Settings {
  std::string country;  // of people of whom the record says none; empty: none
  std::uint32_t rows_max = 10'000;
  std::size_t bytes_max = 60'000;  // of "data"
};

inline constexpr std::size_t columns = 14;

struct Row {
  std::array<std::string, columns> cells;  // empty: unknown
  bool names_somebody() const;             // by more than what many people share
  std::size_t bytes() const;               // as JSON
};

// Nobody's: for a request that must be made though there is nobody to name. Meta documents no empty list.
Row nobody();
// A person: the first row with the e-mail address, number and user_id that the hub puts first and all that is
// known beside; then one for each further address, number and user_id, which shares what identifies with the
// first. Who enters is so the same entry as by an older identifier, and who leaves leaves by each.
std::vector<Row> rows_of(const sdk::Record& record, const Settings& settings);

// {"schema": [...], "data": [...]}
class Payload {
 public:
  explicit Payload(const Settings& settings) : settings_(&settings) {}  // borrowed
  bool empty() const { return rows_.empty(); }
  std::size_t rows() const { return rows_.size(); }
  bool fits(const std::vector<Row>& rows) const;
  void add(std::vector<Row> rows);
  std::string json() const;

 private:
  const Settings* settings_;
  std::vector<Row> rows_;
  std::size_t bytes_ = 0;
};

}  // namespace sluice::meta
