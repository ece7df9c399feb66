#include <algorithm>
#include <filesystem>

#include "config/reading.hpp"
#include "config/scalars.hpp"
#include "config/secrets.hpp"

namespace sluice::config {

namespace {

bool is_sha256(const std::string& text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string absolute(Reading& reading, const Node* node, const std::string& path) {
  if (node != nullptr && leaves_folder(path)) {
    error(reading.report, *node, "bad-path", "'" + path + "' leaves the folder of this file",
          "relative paths stay under it; for elsewhere write the whole path, from /");
  }
  const std::string& folder =
      node != nullptr ? reading.document_of(*node).folder : reading.documents.front().folder;
  return (std::filesystem::path(folder) / path).lexically_normal().string();
}

constexpr std::int64_t dedup_days_max = 3650;

constexpr std::uint64_t memory_bytes_min = std::uint64_t{16} << 20;

void read_memory(Reading& reading, const Node& memory, Hub& hub) {
  if (memory.bad) return;
  hub.memory_bytes = parse_size(memory.text).value_or(0);
  if (hub.memory_bytes >= memory_bytes_min) return;
  error(reading.report, memory, "out-of-range", "'memory' is at least 16MiB",
        "write what people may take of memory, or leave it out: then there is no bound");
}

void read_dedup(Reading& reading, const Node& dedup, Hub& hub) {
  if (const Node* days = dedup.find("days")) {
    hub.dedup_days = parse_integer(days->text).value_or(hub.dedup_days);
    if (hub.dedup_days > dedup_days_max) {
      error(reading.report, *days, "out-of-range", "'days' is at most " + std::to_string(dedup_days_max),
            "write 7");
    }
  }
  if (const Node* memory = dedup.find("memory"))
    hub.dedup_bytes = parse_size(memory->text).value_or(hub.dedup_bytes);
}

}  // namespace

void read_hub(Reading& reading) {
  Hub& hub = reading.config.hub;
  const Node* node = reading.single("hub");
  const Node none;
  const Node& section = node != nullptr ? *node : none;
  hub.data = absolute(reading, section.find("data"), text_of(section, "data", hub.data));
  hub.listen = text_of(section, "listen", hub.listen);
  hub.listen_written = section.find("listen") != nullptr;
  hub.admin = text_of(section, "admin", hub.admin);
  hub.public_url = text_of(section, "public_url");
  hub.timezone = text_of(section, "timezone", hub.timezone);
  hub.country = text_of(section, "country");
  for (const Node* token : texts_of(section, "tokens")) {
    if (!is_sha256(token->text)) {
      error(reading.report, *token, "bad-value",
            "a token is kept as its SHA-256, 64 hex digits in lower case",
            "write what 'printf %s TOKEN | sha256sum' prints");
    }
    hub.tokens.push_back(token->text);
  }
  const bool tcp = !hub.admin.starts_with("unix:");
  if (const Node* admin = section.find("admin"); admin != nullptr && tcp && hub.tokens.empty()) {
    error(reading.report, *admin, "missing-key", "an admin door over TCP needs 'tokens'",
          "add hub.tokens, or write unix:./data/admin.sock");
  }
  if (!tcp) hub.admin = "unix:" + absolute(reading, section.find("admin"), hub.admin.substr(5));
  if (const Node* memory = section.find("memory")) read_memory(reading, *memory, hub);
  if (const Node* lateness = section.find("lateness")) {
    hub.lateness = parse_duration(lateness->text).value_or(0);
    if (hub.lateness <= 0)
      error(reading.report, *lateness, "out-of-range", "'lateness' is longer than nothing", "write 30d");
  }
  if (const Node* dedup = section.find("dedup")) read_dedup(reading, *dedup, hub);
}

}  // namespace sluice::config
