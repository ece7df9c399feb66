// The source csv: files of rows, each row one record. See README.md for the settings.
#include <algorithm>
#include <memory>

#include "sluice/plugin.hpp"

#include "convert.hpp"
#include "files.hpp"
#include "settings.hpp"

namespace csv {
namespace {

namespace sdk = sluice::sdk;

constexpr std::size_t block_bytes = std::size_t{1} << 18;
constexpr std::size_t row_bytes_max = std::size_t{1} << 20;
constexpr std::uint64_t rows_per_checkpoint = 500;

// One pass over one file, from where the cursor stands to the last complete row.
class FileReader {
 public:
  FileReader(const Settings& settings, const std::string& path, Cursor& cursor, bool to_end, sdk::Call& call)
      : settings_(settings),
        file_(path),
        cursor_(cursor),
        progress_(file_.progress_in(cursor)),
        identity_(identity(file_.inode(), progress_)),
        shown_(path.starts_with(settings.folder + '/') ? path.substr(settings.folder.size() + 1) : path),
        to_end_(to_end),
        call_(call),
        converter_(settings) {}

  // False: the host asked to stop.
  bool run() {
    if (progress_.offset >= file_.size()) return true;
    if (!settings_.header.empty()) converter_.set_header(settings_.header);
    if (!converter_.has_header() && progress_.offset > 0) read_known_header();
    while (fill()) {
      if (!take_rows()) return false;
    }
    return true;
  }

 private:
  // The first row is behind the cursor, but its names are needed.
  void read_known_header() {
    std::string first;
    file_.read(0, row_bytes_max, first);
    RowSize size;
    const std::string_view text = without_mark(first);
    if (split_row(settings_.dialect, text, true, cells_, size) == Split::row)
      (void)converter_.set_header(cells_);
  }

  static std::string_view without_mark(std::string_view text) {
    return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
  }

  // More of the file behind what is left of the buffer; false when there is nothing new to split.
  bool fill() {
    buffer_.erase(0, used_);
    used_ = 0;
    const std::size_t had = buffer_.size();
    const std::uint64_t at = progress_.offset + had;
    if (at < file_.size()) {
      file_.read(
          at,
          static_cast<std::size_t>(std::min<std::uint64_t>(std::max(block_bytes, had), file_.size() - at)),
          buffer_);
    }
    last_ = progress_.offset + buffer_.size() >= file_.size();
    return buffer_.size() > had || (had > 0 && last_ && to_end_ && !finished_);
  }

  bool take_rows() {
    if (progress_.offset == 0) skip_mark();
    const bool at_end = last_ && to_end_;
    finished_ = at_end;
    while (used_ < buffer_.size()) {
      const std::string_view text = std::string_view(buffer_).substr(used_);
      RowSize size;
      switch (split_row(settings_.dialect, text, at_end, cells_, size)) {
        case Split::row:
          take_row(text.substr(0, size.bytes), size);
          break;
        case Split::bad_quote:
          reject_line(text, "bad_quote");
          break;
        case Split::incomplete:
          if (at_end) {
            reject_line(text, "unclosed_quote");
          } else if (text.size() >= row_bytes_max) {
            reject_line(text, "row_too_long");
          } else {
            return true;
          }
      }
      if (call_.cancelled()) return false;
    }
    return true;
  }

  void skip_mark() {
    if (buffer_.starts_with("\xFF\xFE") || buffer_.starts_with("\xFE\xFF")) {
      throw sdk::Fail(SLUICE_INVALID, shown_ + " is UTF-16: save it as UTF-8 (in Excel: CSV UTF-8)");
    }
    if (without_mark(buffer_).size() != buffer_.size()) advance({3, 0});
  }

  void advance(RowSize size) {
    used_ += size.bytes;
    progress_.offset += size.bytes;
    progress_.line += size.lines;
  }

  // What cannot be split costs one line: the next may be a row again.
  void reject_line(std::string_view text, const char* reason) {
    const std::size_t newline = text.find('\n');
    const std::size_t bytes = newline == std::string_view::npos ? text.size() : newline + 1;
    reject(text.substr(0, bytes), reason);
    advance({bytes, 1});
    count();
  }

  void reject(std::string_view row, const char* reason) {
    while (!row.empty() && (row.back() == '\n' || row.back() == '\r')) row.remove_suffix(1);
    call_.reject(key(), place(), reason, row.substr(0, row_bytes_max));
  }

  void take_row(std::string_view text, RowSize size) {
    const bool blank = cells_.empty() || (cells_.size() == 1 && cells_.front().text.empty());
    if (blank && converter_.width() != 1) return advance(size);
    if (!converter_.has_header()) {
      if (!converter_.set_header(cells_))
        throw sdk::Fail(SLUICE_INVALID, shown_ + ": its header is not in the encoding that is set");
      return advance(size);
    }
    if (cells_.size() != converter_.width()) {
      // A stray quote makes one row of several lines: give back all but the first.
      if (size.lines > 1) return reject_line(text, "column_count");
      reject(text, "column_count");
    } else if (!converter_.to_json(cells_, json_)) {
      reject(text, "bad_encoding");
    } else {
      const std::string id = key(), where = place();
      call_.record({.key = id, .name = "rows", .payload = json_, .place = where});
    }
    advance(size);
    count();
  }

  void count() {
    if (++rows_ % rows_per_checkpoint == 0) call_.checkpoint(cursor_.text());
  }

  std::string key() const { return identity_ + ':' + std::to_string(progress_.offset); }
  std::string place() const { return shown_ + ':' + std::to_string(progress_.line); }

  const Settings& settings_;
  OpenFile file_;
  Cursor& cursor_;
  Progress& progress_;
  std::string identity_, shown_;
  bool to_end_;
  sdk::Call& call_;
  Converter converter_;
  std::string buffer_, json_;
  std::size_t used_ = 0;
  bool last_ = false, finished_ = false;
  std::uint64_t rows_ = 0;
  std::vector<Cell> cells_;
};

class Csv {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
  static constexpr char id[] = "csv.rows";

  Csv(const sdk::Host& host, const sdk::Open& open)
      : host_(host), settings_(read_settings(open.config, open.folder)) {}

  void read(const sdk::Poll& poll, sdk::Call& call) {
    Cursor cursor = Cursor::parse(poll.cursor);
    const bool to_end = poll.until_idle || !settings_.follow;
    const std::vector<std::string> paths = find_files(settings_.path);
    if (paths.empty() && !has_wildcards(settings_.path))
      throw sdk::Fail(SLUICE_INVALID, "there is no file " + settings_.path + ", which 'path' names");
    if (paths.empty() && to_end) host_.log(SLUICE_WARN, "no file matches 'path'");
    for (const std::string& path : paths) {
      if (!FileReader(settings_, path, cursor, to_end, call).run()) break;
    }
    const std::string reached = cursor.text();
    if (reached != poll.cursor) call.checkpoint(reached);
    if (to_end && !call.cancelled()) call.ended();
  }

 private:
  sdk::Host host_;
  Settings settings_;
};

}  // namespace
}  // namespace csv

SLUICE_PLUGIN(R"json({
  "plugin": "csv", "version": "1.0.0",
  "connectors": [{
    "id": "csv.rows", "kind": "source", "title": "CSV files", "files": true,
    "streams": [{"name": "rows"}],
    "poll": {"every_s": 1},
    "sample": {"with": {"path": "rows.csv"}, "files": {"rows.csv": "id,city\n1,Lyon\n2,Nice\n3\n"}},
    "config": {
      "type": "object", "required": ["path"], "additionalProperties": false,
      "properties": {
        "path": {"type": "string", "minLength": 1, "format": "path", "description": "a file, or several by * and ?"},
        "delimiter": {"type": "string", "default": ",", "pattern": "^([ !#-~\t]|\\\\t|tab|whitespace)$", "description": "one character, \"\\t\" or whitespace"},
        "quote": {"type": "string", "maxLength": 1, "default": "\""},
        "encoding": {"type": "string", "enum": ["utf-8", "windows-1252", "iso-8859-1", "iso-8859-15"], "default": "utf-8"},
        "decimal": {"type": "string", "enum": [".", ","], "default": "."},
        "dates": {"description": "pattern or patterns of dates, as in dd/MM/yyyy HH:mm[:ss]",
                  "anyOf": [{"type": "string", "pattern": "y.*M.*d|y.*d.*M|M.*y.*d|M.*d.*y|d.*M.*y|d.*y.*M",
                             "description": "year, month and day, as in dd/MM/yyyy HH:mm[:ss]"},
                            {"type": "array", "minItems": 1, "items": {
                             "type": "string", "pattern": "y.*M.*d|y.*d.*M|M.*y.*d|M.*d.*y|d.*M.*y|d.*y.*M",
                             "description": "year, month and day, as in dd/MM/yyyy HH:mm[:ss]"}}]},
        "timezone": {"type": "string", "default": "UTC", "format": "timezone", "description": "IANA zone of the dates in the file"},
        "header": {"description": "true: the first row; or the names of the columns",
                   "anyOf": [{"const": true}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
        "columns": {"type": "array", "items": {"type": "string"}, "description": "only these are read"},
        "follow": {"type": "boolean", "default": true, "description": "go on with appended rows and new files"}
      }
    }
  }]
})json",
              csv::Csv)
