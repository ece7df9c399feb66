#include "convert.hpp"

#include <algorithm>
#include <array>

#include "sluice/json.hpp"

namespace csv {
namespace {

// Bytes that stand for themselves in a JSON string and in every encoding.
constexpr std::array<bool, 256> plain_bytes = [] {
  std::array<bool, 256> out{};
  for (std::size_t c = 0x20; c < 0x80; ++c) out[c] = c != '"' && c != '\\';
  return out;
}();

bool all_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return plain_bytes[static_cast<unsigned char>(c)]; });
}

bool digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

bool Converter::set_header(const std::vector<Cell>& cells) {
  std::vector<std::string> names;
  for (const Cell& cell : cells) {
    std::string name;
    if (!append_utf8(name, cell.text, settings_.encoding)) return false;
    const std::size_t begin = name.find_first_not_of(" \t"), end = name.find_last_not_of(" \t");
    names.push_back(begin == std::string::npos ? "" : name.substr(begin, end - begin + 1));
  }
  set_header(names);
  return true;
}

// A column without a name is column_N; the second of a name is NAME_2, so that no cell is lost.
void Converter::set_header(const std::vector<std::string>& names) {
  columns_.clear();
  std::vector<std::string> taken;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string base = names[i].empty() ? "column_" + std::to_string(i + 1) : names[i];
    std::string name = base;
    for (int n = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++n)
      name = base + '_' + std::to_string(n);
    taken.push_back(name);
    const std::vector<std::string>& wanted = settings_.columns;
    columns_.push_back({sluice::sdk::json_string(name) + ':',
                        wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end()});
  }
}

bool Converter::append_date(std::string& out, std::string_view text) {
  if (text.empty() || !digit(text.front())) return false;
  for (const DatePattern& pattern : settings_.dates) {
    if (const std::optional<LocalTime> time = pattern.match(text)) {
      zone_.append_utc(out, *time);
      return true;
    }
  }
  return false;
}

// "1234,5", "-1.234,50", "1 234,5": an optional sign, digits (in groups of three by one separator), a comma,
// digits.
bool Converter::append_number(std::string& out, std::string_view text) const {
  static constexpr std::array<std::string_view, 4> separators{".", " ", "\xC2\xA0", "\xE2\x80\xAF"};
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || comma + 1 == text.size() || text.size() > 64) return false;
  const std::string_view fraction = text.substr(comma + 1);
  std::string_view whole = text.substr(0, comma);
  std::string number;
  if (whole.starts_with('-') || whole.starts_with('+')) {
    if (whole.front() == '-') number = "-";
    whole.remove_prefix(1);
  }
  if (whole.empty() || !std::all_of(fraction.begin(), fraction.end(), digit)) return false;
  std::string_view separator;
  std::size_t group = 0;
  while (!whole.empty()) {
    if (digit(whole.front())) {
      number += whole.front();
      whole.remove_prefix(1);
      ++group;
      continue;
    }
    const auto* const found =
        std::find_if(separators.begin(), separators.end(), [&](auto s) { return whole.starts_with(s); });
    if (found == separators.end() || (!separator.empty() && separator != *found)) return false;
    if (separator.empty() ? group == 0 || group > 3 : group != 3) return false;
    separator = *found;
    group = 0;
    whole.remove_prefix(separator.size());
  }
  if (!separator.empty() && group != 3) return false;
  out.append(number).append(1, '.').append(fraction);
  return true;
}

bool Converter::append_cell(std::string& out, const Cell& cell) {
  std::string_view text = cell.text;
  if (cell.doubled) {
    scratch_.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
      scratch_ += text[i];
      if (text[i] == settings_.dialect.quote) ++i;
    }
    text = scratch_;
  }
  const bool plain = all_plain(text);
  if (!plain) {
    utf8_.clear();
    if (!append_utf8(utf8_, text, settings_.encoding)) return false;
    text = utf8_;
  }
  out += '"';
  const bool converted = append_date(out, text) || (settings_.decimal_comma && append_number(out, text));
  if (converted) {
    out += '"';
  } else if (plain) {
    out.append(text).append(1, '"');
  } else {
    out.pop_back();
    sluice::sdk::append_json_string(out, text);
  }
  return true;
}

bool Converter::to_json(const std::vector<Cell>& cells, std::string& out) {
  out.assign(1, '{');
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!columns_[i].wanted) continue;
    if (out.size() > 1) out += ',';
    out += columns_[i].prefix;
    if (!append_cell(out, cells[i])) return false;
  }
  out += '}';
  return true;
}

}  // namespace csv
