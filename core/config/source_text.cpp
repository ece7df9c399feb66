#include "config/source_text.hpp"

#include <algorithm>

namespace sluice::config {

namespace {

bool starts_code_point(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

}  // namespace

int code_points(std::string_view utf8) {
  return static_cast<int>(std::count_if(utf8.begin(), utf8.end(), starts_code_point));
}

SourceText::SourceText(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.erase(0, 3);
  lines_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') lines_.push_back(i + 1);
  }
}

std::size_t SourceText::line_of(std::size_t offset) const {
  const auto after = std::upper_bound(lines_.begin(), lines_.end(), offset);
  return static_cast<std::size_t>(after - lines_.begin()) - 1;
}

std::size_t SourceText::line_end(std::size_t line) const {
  std::size_t end = line + 1 < lines_.size() ? lines_[line + 1] - 1 : text_.size();
  if (end > lines_[line] && text_[end - 1] == '\r') --end;
  return end;
}

Place SourceText::place(std::size_t offset) const {
  const std::size_t line = line_of(std::min(offset, text_.size()));
  const std::size_t begin = lines_[line];
  const std::size_t length = std::min(offset, text_.size()) - begin;
  return {name_, static_cast<int>(line) + 1, code_points(text().substr(begin, length)) + 1};
}

std::string SourceText::shown_line(std::size_t line) const {
  const std::size_t begin = line_begin(line), end = line_end(line);
  std::string shown;
  for (std::size_t i = begin; i < end; ++i) {
    const bool hidden = std::any_of(hidden_.begin(), hidden_.end(),
                                    [i](const Hidden& h) { return h.begin <= i && i < h.end; });
    const bool control = static_cast<unsigned char>(text_[i]) < 0x20 && text_[i] != '\t';
    if (!hidden) {
      shown.push_back(control ? ' ' : text_[i]);
    } else if (starts_code_point(text_[i])) {
      shown.push_back('*');
    }
  }
  return shown;
}

std::string SourceText::redacted() const {
  std::string out = text_;
  for (const Hidden& h : hidden_) {
    for (std::size_t i = h.begin; i < std::min(h.end, out.size()); ++i) {
      const char c = out[i];
      const bool edge = i == h.begin || i + 1 == h.end;
      const bool mark = edge && (c == '\'' || c == '"' || c == '|' || c == '>');
      if (!mark && c != ' ' && c != '\n' && c != '\r') out[i] = 'x';
    }
  }
  return out;
}

void SourceText::mask(std::size_t begin, std::size_t end) {
  hidden_.push_back({begin, end});
}

}  // namespace sluice::config
