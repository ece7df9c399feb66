#include "rows.hpp"

#include <algorithm>
#include <cstring>

namespace csv {
namespace {

Split split_blanks(std::string_view text, bool at_end, std::vector<Cell>& cells, RowSize& size) {
  const std::size_t newline = text.find('\n');
  if (newline == std::string_view::npos && !at_end) return Split::incomplete;
  std::string_view line = text.substr(0, newline);
  size = {std::min(line.size() + 1, text.size()), 1};
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return Split::row;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    cells.push_back({line.substr(0, end)});
    line.remove_prefix(end);
  }
}

// After a cell: its delimiter, the line's end, or the text's.
enum class After : std::uint8_t { cell, row, more_needed, other };

class Splitter {
 public:
  Splitter(const Dialect& dialect, std::string_view text, bool at_end)
      : dialect_(dialect), text_(text), at_end_(at_end) {}

  Split run(std::vector<Cell>& cells, RowSize& size) {
    while (true) {
      Cell cell;
      const bool quoted = dialect_.quote != '\0' && at_ < text_.size() && text_[at_] == dialect_.quote;
      if (quoted ? !read_quoted(cell) : !read_plain(cell)) return Split::incomplete;
      cells.push_back(cell);
      switch (separator()) {
        case After::cell:
          continue;
        case After::row:
          size = {at_, lines_};
          return Split::row;
        case After::more_needed:
          return Split::incomplete;
        case After::other:
          return Split::bad_quote;
      }
    }
  }

 private:
  bool read_plain(Cell& cell) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != dialect_.delimiter && text_[at_] != '\n') ++at_;
    if (at_ == text_.size() && !at_end_) return false;
    std::size_t end = at_;
    const bool line_ends = at_ == text_.size() || text_[at_] == '\n';
    if (line_ends && end > begin && text_[end - 1] == '\r') --end;
    cell.text = text_.substr(begin, end - begin);
    return true;
  }

  bool read_quoted(Cell& cell) {
    const std::size_t begin = ++at_;
    while (true) {
      const void* const found =
          at_ < text_.size() ? std::memchr(text_.data() + at_, dialect_.quote, text_.size() - at_) : nullptr;
      if (found == nullptr) return false;
      at_ = static_cast<std::size_t>(static_cast<const char*>(found) - text_.data());
      // A quote at the end of what has come may be the first of two.
      if (at_ + 1 == text_.size() && !at_end_) return false;
      if (at_ + 1 < text_.size() && text_[at_ + 1] == dialect_.quote) {
        cell.doubled = true;
        at_ += 2;
        continue;
      }
      cell.text = text_.substr(begin, at_ - begin);
      lines_ += static_cast<std::uint64_t>(std::count(cell.text.begin(), cell.text.end(), '\n'));
      ++at_;
      return true;
    }
  }

  After separator() {
    if (at_ == text_.size()) return at_end_ ? After::row : After::more_needed;
    if (text_[at_] == '\r') {
      if (at_ + 1 == text_.size() && !at_end_) return After::more_needed;
      if (at_ + 1 == text_.size()) return ++at_, After::row;
      if (text_[at_ + 1] == '\n') return at_ += 2, After::row;
      return After::other;
    }
    const char c = text_[at_];
    if (c != '\n' && c != dialect_.delimiter) return After::other;
    ++at_;
    return c == '\n' ? After::row : After::cell;
  }

  const Dialect& dialect_;
  std::string_view text_;
  bool at_end_;
  std::size_t at_ = 0;
  std::uint64_t lines_ = 1;
};

}  // namespace

Split split_row(const Dialect& dialect, std::string_view text, bool at_end, std::vector<Cell>& cells,
                RowSize& size) {
  cells.clear();
  if (text.empty()) return Split::incomplete;
  if (dialect.whitespace) return split_blanks(text, at_end, cells, size);
  return Splitter(dialect, text, at_end).run(cells, size);
}

}  // namespace csv
