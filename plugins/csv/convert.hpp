// A row's cells to one JSON object of strings, by the settings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rows.hpp"
#include "settings.hpp"

namespace csv {

class Converter {
 public:
  explicit Converter(const Settings& settings) : settings_(settings), zone_(settings.zone) {}

  // The columns of what follows. False: a name is not valid in the encoding.
  bool set_header(const std::vector<Cell>& cells);
  void set_header(const std::vector<std::string>& names);
  bool has_header() const { return !columns_.empty(); }
  void forget_header() { columns_.clear(); }
  std::size_t width() const { return columns_.size(); }
  // As many cells as columns. False: a cell is not valid in the encoding.
  bool to_json(const std::vector<Cell>& cells, std::string& out);

 private:
  struct Column {
    std::string prefix;  // "\"NAME\":"
    bool wanted = true;
  };
  bool append_cell(std::string& out, const Cell& cell);
  bool append_date(std::string& out, std::string_view text);
  bool append_number(std::string& out, std::string_view text) const;

  const Settings& settings_;
  Zone zone_;
  std::vector<Column> columns_;
  std::string scratch_, utf8_;
};

}  // namespace csv
