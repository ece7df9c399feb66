// The destination file: every record one line of JSON. See README.md for its members.
#include "sluice/json.hpp"
#include "sluice/plugin.hpp"
#include "sluice/record_json.hpp"

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

class File {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "file.lines";

  File(const sdk::Host&, const sdk::Open& open) : File(read_settings(open)) {}

  void deliver(const sdk::Batch& batch, sdk::Call& call) {
    std::string lines;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const sdk::Record record = batch[i];
      const std::string_view op = sdk::op_name(record.op);
      if (op.empty() || record.payload.find('\n') != std::string_view::npos) {
        call.outcome(i, {.status = SLUICE_INVALID, .reason = op.empty() ? "unknown_op" : "line_break"});
        continue;
      }
      sdk::append_record_head(lines, record);
      sdk::append_payload(lines, record);
      lines += '\n';
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
    "batch": {"max_records": 1000, "max_bytes": 4194304, "all_or_nothing": true},
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
