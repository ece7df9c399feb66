#include "base/log.hpp"

#include <memory>
#include <unistd.h>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/json.hpp"

namespace sluice {

namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

bool on_terminal() {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return terminal;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> made = [] {
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (on_terminal()) {
      sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
    auto log = std::make_shared<spdlog::logger>("sluice", std::move(sink));
    // With JSON the message is the object's inside, made below: spdlog itself does not escape.
    log->set_pattern(
        on_terminal() ? "%H:%M:%S %^%-5l%$ %v" : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})",
        on_terminal() ? spdlog::pattern_time_type::local : spdlog::pattern_time_type::utc);
    log->set_level(spdlog::level::warn);
    log->flush_on(spdlog::level::info);
    return log;
  }();
  return *made;
}

}  // namespace

void start_log(LogLevel least) {
  logger().set_level(level_of(least));
}

void log(LogLevel level, std::string_view room, std::string_view text) {
  spdlog::logger& out = logger();
  if (!out.should_log(level_of(level))) return;
  std::string line;
  if (on_terminal()) {
    line.append(room).append(": ").append(text);
  } else {
    line += R"("room":)";
    append_json_string(line, room);
    line += R"(,"message":)";
    append_json_string(line, text);
  }
  out.log(level_of(level), "{}", line);
}

}  // namespace sluice
