// Diagnostics as people read them.
#include <algorithm>

#include "config/config.hpp"
#include "config/source_text.hpp"

namespace sluice::config {

namespace {

constexpr int shown_max = 150;    // code points of a source line
constexpr int before_caret = 60;  // what is kept of it before the caret

// The byte at which code point `index` begins, at most the text's end.
std::size_t byte_of(std::string_view text, int index) {
  std::size_t at = 0;
  while (index > 0 && at < text.size()) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    --index;
  }
  return at;
}

}  // namespace

std::string format(const Diagnostic& d) {
  std::string out = d.place.file + ":" + std::to_string(d.place.line) + ":" + std::to_string(d.place.column) +
                    (d.warning ? ": warning: " : ": error: ") + d.what;
  if (d.source_line.empty()) {
    if (!d.help.empty()) out += "\n      help: " + d.help;
    return out + "\n";
  }
  std::string line = d.source_line;
  int caret = d.place.column - 1;
  if (code_points(line) > shown_max) {
    const int skip = std::max(0, caret - before_caret);
    const std::size_t begin = byte_of(line, skip), end = byte_of(line, skip + shown_max);
    line = (skip > 0 ? "…" : "") + line.substr(begin, end - begin) + (end < line.size() ? "…" : "");
    caret -= skip > 0 ? skip - 1 : 0;
  }
  const int room = std::max(1, code_points(line) - caret);
  std::string number = std::to_string(d.place.line);
  if (number.size() < 5) number.insert(0, 5 - number.size(), ' ');
  out += "\n" + number + " | " + line + "\n" + std::string(number.size(), ' ') + " | ";
  // Tabs are repeated, so that the caret stands under its text whatever their width.
  for (std::size_t i = 0; i < byte_of(line, caret);) {
    const std::size_t next = i + byte_of(std::string_view(line).substr(i), 1);
    out.push_back(line[i] == '\t' ? '\t' : ' ');
    i = next;
  }
  out += "^" + std::string(static_cast<std::size_t>(std::clamp(d.length, 1, room) - 1), '~');
  if (!d.help.empty()) out += " " + d.help;
  return out + "\n";
}

}  // namespace sluice::config
