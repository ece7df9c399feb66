// sluice/record_json.hpp - a record as one JSON object, the form in which destinations of our own making
// (files, webhooks) write it:
//
//   {"key":…,"op":"event","name":…,"time":"2026-03-01T10:00:00.000Z","profile":…   further members
//   ,"payload":{…}}
//
// `time` has microseconds where there are any; `time` and `profile` are null where there is none.
#pragma once

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "sluice/json.hpp"
#include "sluice/time.hpp"
#include "sluice/values.hpp"

namespace sluice::sdk {

// "event", "upsert", …; empty: no operation that a destination is given.
constexpr std::string_view op_name(std::uint32_t op) {
  constexpr std::string_view names[] = {"",      "event",   "upsert", "delete", "enter",
                                        "leave", "message", "merge",  "erase",  "consent"};
  static_assert(SLUICE_EVENT == 1 && SLUICE_CONSENT == std::size(names) - 1);
  return op < std::size(names) ? names[op] : std::string_view{};
}

// From the brace to "profile"; the caller goes on with a comma, or with append_payload().
inline void append_record_head(std::string& out, const Record& record) {
  out += R"({"key":)";
  append_json_string(out, record.id);
  out.append(R"(,"op":")").append(op_name(record.op)).append(R"(","name":)");
  append_json_string(out, record.name);
  out += R"(,"time":)";
  if (record.time_us == SLUICE_NO_TIME) {
    out += "null";
  } else {
    out += '"';
    append_time(out, record.time_us);
    if (const std::int64_t micros = (record.time_us % 1'000 + 1'000) % 1'000; micros != 0) {
      out.pop_back();  // the Z
      append_digits(out, micros, 3);
      out += 'Z';
    }
    out += '"';
  }
  out += R"(,"profile":)";
  record.key.empty() ? void(out += "null") : append_json_string(out, record.key);
}

// The payload, as it is, and the closing brace.
inline void append_payload(std::string& out, const Record& record) {
  out.append(R"(,"payload":)").append(record.payload.empty() ? "{}" : record.payload) += '}';
}

}  // namespace sluice::sdk
