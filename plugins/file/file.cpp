// The destination file: every record one line of JSON. See README.md for its members.
#include <ctime>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

#include "writer.hpp"

namespace file {
namespace {

namespace sdk = sluice::sdk;

struct Settings {
  std::string path;
  std::uint64_t rotate_bytes = 0;
};

std::string path_of(std::string_view path, std::string_view folder) {
  if (path.empty())
    throw sdk::Fail(SLUICE_INVALID, "'path' is missing: the file to write, as in ./out/profiles.jsonl");
  if (path.starts_with('/')) return std::string(path);
  for (std::size_t at = path.find(".."); at != std::string_view::npos; at = path.find("..", at + 1)) {
    const bool begins = at == 0 || path[at - 1] == '/', ends = at + 2 == path.size() || path[at + 2] == '/';
    if (begins && ends) {
      throw sdk::Fail(SLUICE_INVALID,
                      "'path' leaves the folder of the configuration with '..': write the absolute path");
    }
  }
  while (path.starts_with("./")) path.remove_prefix(2);
  return std::string(folder) + '/' + std::string(path);
}

Settings read_settings(const sdk::Open& open) {
  const std::optional<sdk::Json> config = sdk::Json::parse(open.config);
  if (!config) throw sdk::Fail(SLUICE_INVALID, "the settings are no mapping");
  Settings out{.path = path_of((*config)["path"].text_or(""), open.folder), .rotate_bytes = 0};
  if (const sdk::Json& rotate = (*config)["rotate"]) {
    const std::optional<std::int64_t> bytes = rotate.integer_value();
    if (!bytes || *bytes < 1)
      throw sdk::Fail(SLUICE_INVALID, "'rotate' must be a number of bytes, at least 1");
    out.rotate_bytes = static_cast<std::uint64_t>(*bytes);
  }
  return out;
}

std::string_view name_of(std::uint32_t op) {
  switch (op) {
    case SLUICE_EVENT:
      return "event";
    case SLUICE_UPSERT:
      return "upsert";
    case SLUICE_DELETE:
      return "delete";
    case SLUICE_ENTER:
      return "enter";
    case SLUICE_LEAVE:
      return "leave";
    case SLUICE_MESSAGE:
      return "message";
    case SLUICE_MERGE:
      return "merge";
    case SLUICE_ERASE:
      return "erase";
    case SLUICE_CONSENT:
      return "consent";
    default:
      return {};
  }
}

// As JSON: "2026-11-22T15:30:11.722Z", microseconds only where there are any; null where there is no time.
std::string rfc3339(std::int64_t us) {
  std::time_t seconds = us / 1'000'000;
  std::int64_t micros = us % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  std::tm parts{};
  char text[32];
  if (us == SLUICE_NO_TIME || ::gmtime_r(&seconds, &parts) == nullptr) return "null";
  const std::size_t n = std::strftime(text, sizeof text, "\"%Y-%m-%dT%H:%M:%S.", &parts);
  std::string digits = std::to_string(1'000'000 + micros).substr(1);
  if (digits.ends_with("000")) digits.resize(3);
  return std::string(text, n) + digits + "Z\"";
}

void append_line(std::string& out, const sdk::Record& r, std::string_view op) {
  const auto member = [&](const char* name, std::string_view text) {
    out.append(name);
    sdk::append_json_string(out, text);
  };
  member(R"({"key":)", r.id);
  member(R"(,"op":)", op);
  member(R"(,"name":)", r.name);
  out.append(R"(,"time":)").append(rfc3339(r.time_us));
  member(R"(,"profile":)", r.key);
  out.append(R"(,"payload":)").append(r.payload.empty() ? "{}" : r.payload).append("}\n");
}

class File {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "file.lines";

  File(const sdk::Host&, const sdk::Open& open) : File(read_settings(open)) {}

  void deliver(const sdk::Batch& batch, sdk::Call& call) {
    std::string lines;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const sdk::Record record = batch[i];
      const std::string_view op = name_of(record.op);
      if (op.empty() || record.payload.find('\n') != std::string_view::npos) {
        call.outcome(i, {.status = SLUICE_INVALID, .reason = op.empty() ? "unknown_op" : "line_break"});
        continue;
      }
      append_line(lines, record, op);
      call.outcome(i, {});  // counts only if the write below succeeds
    }
    if (!lines.empty()) writer_.write(lines);
  }

 private:
  explicit File(const Settings& settings) : writer_(settings.path, settings.rotate_bytes) {}
  Writer writer_;
};

}  // namespace
}  // namespace file

SLUICE_PLUGIN(R"json({
  "plugin": "file", "version": "1.0.0",
  "connectors": [{
    "id": "file.lines", "kind": "destination", "title": "JSON lines file", "files": true,
    "ops": ["event", "upsert", "delete", "enter", "leave", "message", "merge", "erase", "consent"],
    "batch": {"max_records": 1000, "max_bytes": 4194304},
    "config": {
      "type": "object", "required": ["path"], "additionalProperties": false,
      "properties": {
        "path": {"type": "string", "minLength": 1, "format": "path", "description": "the file to append to"},
        "rotate": {"type": "integer", "minimum": 1, "description": "bytes after which a new file is begun"}
      }
    }
  }]
})json",
              file::File)
