// For tests of connectors: a host that keeps what it is given, a sink that records, a folder that goes away.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <stdlib.h>
#include <string>
#include <vector>

#include "plugin/connector.hpp"

namespace sluice::testing {

class PluginHost final : public plugin::HostServices {
 public:
  void log(std::int32_t level, std::string_view text) override {
    if (level >= SLUICE_WARN) complaints.emplace_back(text);
  }
  TimeUs now_us() override { return now; }
  void metric(std::int32_t, std::string_view name, double value) override {
    metrics[std::string(name)] += value;
  }
  Result<std::optional<std::string>> get(std::string_view key) override {
    const auto found = state.find(std::string(key));
    return found == state.end() ? std::optional<std::string>() : std::optional(found->second);
  }
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    if (value) {
      state[std::string(key)] = *value;
    } else {
      state.erase(std::string(key));
    }
    return Done{};
  }
  plugin::Response http(const plugin::HttpRequest& request) override {
    requests.push_back(request);
    return answer;
  }

  TimeUs now = 0;
  std::vector<std::string> complaints;  // warnings and errors
  std::map<std::string, double> metrics;
  std::map<std::string, std::string> state;
  std::vector<plugin::HttpRequest> requests;
  plugin::Response answer;
};

class RecordingSink final : public plugin::Sink {
 public:
  struct Row {
    std::uint32_t op;
    std::string key, name, payload, place, identifiers, remote_id, id;
  };
  struct Bad {
    std::string key, place, reason, text;
  };
  Status record(const plugin::Emitted& r) override {
    if (fail_at && rows.size() == *fail_at) return Error{Code::cancelled, "stopped by the test"};
    rows.push_back({r.op, std::string(r.key), std::string(r.name), std::string(r.payload),
                    std::string(r.place), std::string(r.identifiers), std::string(r.remote_id),
                    std::string(r.id)});
    return Done{};
  }
  Status reject(const plugin::Rejected& r) override {
    bad.push_back({std::string(r.key), std::string(r.place), std::string(r.reason), std::string(r.text)});
    return Done{};
  }
  Status checkpoint(std::string_view at) override {
    cursors.emplace_back(at);
    return Done{};
  }
  void ended() override { has_ended = true; }

  std::vector<Row> rows;
  std::vector<Bad> bad;
  std::vector<std::string> cursors;
  bool has_ended = false;
  std::optional<std::size_t> fail_at;
};

class Folder {
 public:
  Folder() {
    std::string made = (std::filesystem::temp_directory_path() / "sluice_test_XXXXXX").string();
    path_ = ::mkdtemp(made.data()) == nullptr ? std::string() : made;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string at(const std::string& name) const { return path_ + '/' + name; }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(at(name), std::ios::binary | std::ios::trunc) << text;
  }
  void append(const std::string& name, std::string_view text) const {
    std::ofstream(at(name), std::ios::binary | std::ios::app) << text;
  }
  std::string read(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(at(name), std::ios::binary).rdbuf();
    return out.str();
  }

 private:
  std::string path_;
};

// The connectors that were built, from the folder that ctest names.
inline const plugin::Registry& built_plugins() {
  static const plugin::Registry all = [] {
    const char* const folder = ::getenv("SLUICE_PLUGINS");
    return plugin::Registry::scan({folder == nullptr ? "build/dev/plugins" : folder});
  }();
  return all;
}

// SLUICE_CONNECTOR, the path of sluice-connector: the same tests with each connector in a process of its own.
inline std::string connector_program() {
  const char* const program = ::getenv("SLUICE_CONNECTOR");
  return program == nullptr ? "" : program;
}

inline Result<std::unique_ptr<plugin::Connector>> open_built(std::string_view name, std::uint32_t kind,
                                                             std::string config, const std::string& folder,
                                                             plugin::HostServices& host) {
  const plugin::Entry* const entry = built_plugins().find(name, kind);
  if (entry == nullptr) return Error{Code::misconfigured, "the plugin was not built"};
  return plugin::Connector::open(
      *entry, {.name = "test", .config = std::move(config), .folder = folder, .program = connector_program()},
      host);
}

}  // namespace sluice::testing
