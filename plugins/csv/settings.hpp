// `with:` of a csv source; see README.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dates.hpp"
#include "encoding.hpp"
#include "rows.hpp"

namespace csv {

struct Settings {
  std::string path;    // glob; absolute
  std::string folder;  // of the configuration: places are told relative to it
  Dialect dialect;
  Encoding encoding = Encoding::utf_8;
  bool decimal_comma = false;
  std::vector<DatePattern> dates;
  Zone zone;
  std::vector<std::string> header;   // empty: the first row of each file
  std::vector<std::string> columns;  // empty: all
  bool follow = true;
};

// Throws sdk::Fail (SLUICE_INVALID) that names the field and what it may be.
Settings read_settings(std::string_view config_json, std::string_view folder);

}  // namespace csv
