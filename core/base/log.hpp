// The log: for operators. Text on a terminal, one JSON object a line otherwise, on standard error. What is
// logged holds no personal data and no secret: names of the configuration, counts, places, reasons.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

enum class LogLevel { debug, info, warn, error };

void start_log(LogLevel least);  // [main] once; before it, only warnings and errors are logged
// "delivery", "journal": the room; `text` is one line. [any]
void log(LogLevel level, std::string_view room, std::string_view text);

inline void log_info(std::string_view room, std::string_view text) {
  log(LogLevel::info, room, text);
}
inline void log_warn(std::string_view room, std::string_view text) {
  log(LogLevel::warn, room, text);
}
inline void log_error(std::string_view room, std::string_view text) {
  log(LogLevel::error, room, text);
}

}  // namespace sluice
