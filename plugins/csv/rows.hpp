// Splits text into rows and cells, RFC 4180: quoted cells may hold delimiters, doubled quotes and line ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace csv {

struct Cell {
  std::string_view text;  // between the quotes, if there were any
  bool doubled = false;   // holds doubled quotes, which stand for one
};

enum class Split : std::uint8_t {
  row,
  incomplete,  // the text ends before the row does
  bad_quote,   // something other than a delimiter or a line's end follows a closing quote
};

struct Dialect {
  char delimiter = ',';
  char quote = '"';         // '\0': none
  bool whitespace = false;  // runs of blanks and tabs separate; nothing is quoted
};

struct RowSize {
  std::size_t bytes = 0;  // with the line's end
  std::uint64_t lines = 0;
};

// The first row of `text`, which begins at a row. at_end: no more text will come, so its end is a line's end
// too.
Split split_row(const Dialect& dialect, std::string_view text, bool at_end, std::vector<Cell>& cells,
                RowSize& size);

}  // namespace csv
