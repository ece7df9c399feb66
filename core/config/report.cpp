#include "config/report.hpp"

#include <algorithm>
#include <tuple>

namespace sluice::config {

void Report::add(Kind kind, const SourceText& file, std::size_t begin, std::size_t end, std::string code,
                 std::string what, std::string help) {
  if (kind == Kind::error) errors_ = true;
  if (silenced_.contains({&file, file.line_of(begin)}) || entries_.size() >= diagnostics_max) return;
  Diagnostic diagnostic;
  diagnostic.warning = kind == Kind::warning;
  diagnostic.code = std::move(code);
  diagnostic.what = std::move(what);
  diagnostic.help = std::move(help);
  entries_.push_back({&file, begin, end, std::move(diagnostic)});
}

void Report::add_file(std::string file, std::string code, std::string what, std::string help) {
  errors_ = true;
  Diagnostic diagnostic;
  diagnostic.place = {std::move(file), 1, 1};
  diagnostic.code = std::move(code);
  diagnostic.what = std::move(what);
  diagnostic.help = std::move(help);
  entries_.push_back({nullptr, 0, 0, std::move(diagnostic)});
}

std::vector<Diagnostic> Report::take(const std::vector<std::unique_ptr<SourceText>>& files) {
  const auto rank = [&files](const SourceText* file) {
    const auto same = [file](const std::unique_ptr<SourceText>& f) { return f.get() == file; };
    return file == nullptr ? -1 : std::find_if(files.begin(), files.end(), same) - files.begin();
  };
  std::stable_sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) {
    return std::tuple(rank(a.file), a.begin) < std::tuple(rank(b.file), b.begin);
  });
  std::vector<Diagnostic> all;
  for (Entry& e : entries_) {
    if (e.file != nullptr) {
      const std::size_t line = e.file->line_of(e.begin);
      const std::size_t end = std::clamp(e.end, e.begin, std::max(e.begin, e.file->line_end(line)));
      e.diagnostic.place = e.file->place(e.begin);
      e.diagnostic.source_line = e.file->shown_line(line);
      e.diagnostic.length = std::max(1, code_points(e.file->text().substr(e.begin, end - e.begin)));
    }
    const Diagnostic& d = e.diagnostic;
    const bool again = std::any_of(all.begin(), all.end(), [&d](const Diagnostic& o) {
      return o.place.line == d.place.line && o.place.column == d.place.column &&
             o.place.file == d.place.file && o.what == d.what;
    });
    if (!again) all.push_back(std::move(e.diagnostic));
  }
  entries_.clear();
  return all;
}

}  // namespace sluice::config
