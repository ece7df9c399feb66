// One file of configuration: its text, and where in it an offset stands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace sluice::config {

class SourceText {  // [any] after the last mask()
 public:
  // `name` as it is shown to people; a byte order mark is dropped.
  SourceText(std::string name, std::string text);
  SourceText(const SourceText&) = delete;
  SourceText& operator=(const SourceText&) = delete;

  const std::string& name() const { return name_; }
  std::string_view text() const { return text_; }

  // Lines count from 0 here; a line's text is without its line break.
  std::size_t line_of(std::size_t offset) const;
  std::size_t line_begin(std::size_t line) const { return lines_[line]; }
  std::size_t line_end(std::size_t line) const;
  std::size_t line_count() const { return lines_.size(); }
  Place place(std::size_t offset) const;

  // The line as people may see it: what was masked is asterisks, one for a code point, so that columns stay.
  std::string shown_line(std::size_t line) const;
  void mask(std::size_t begin, std::size_t end);
  bool masked() const { return !hidden_.empty(); }
  // The whole text, still YAML: what was masked is x for each byte, within its quotes.
  std::string redacted() const;

 private:
  std::string name_, text_;
  std::vector<std::size_t> lines_;
  struct Hidden {
    std::size_t begin, end;
  };
  std::vector<Hidden> hidden_;
};

int code_points(std::string_view utf8);

}  // namespace sluice::config
