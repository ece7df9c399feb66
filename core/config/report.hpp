// Collects what is wrong, wherever it is found, and hands it out in the order of the files.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/source_text.hpp"

namespace sluice::config {

inline constexpr std::size_t diagnostics_max = 1'000;

class Report {  // one thread
 public:
  enum class Kind : std::uint8_t { error, warning };

  // `begin` to `end` of a file; the caret stays within the first line.
  void add(Kind kind, const SourceText& file, std::size_t begin, std::size_t end, std::string code,
           std::string what, std::string help = {});
  // About a file that has no text to show.
  void add_file(std::string file, std::string code, std::string what, std::string help = {});

  // After a line that YAML could not read, what else is found on it would be an echo.
  void silence_line(const SourceText& file, std::size_t line) { silenced_.insert({&file, line}); }

  const std::set<std::pair<const SourceText*, std::size_t>>& silenced() const { return silenced_; }

  bool has_errors() const { return errors_; }
  // Sorted by file (in the order in which they were read), line and column; each thing once. Fills in the
  // source lines: everything secret must have been masked by now.
  std::vector<Diagnostic> take(const std::vector<std::unique_ptr<SourceText>>& files);

 private:
  struct Entry {
    const SourceText* file;
    std::size_t begin, end;
    Diagnostic diagnostic;
  };
  std::vector<Entry> entries_;
  std::set<std::pair<const SourceText*, std::size_t>> silenced_;
  bool errors_ = false;
};

}  // namespace sluice::config
