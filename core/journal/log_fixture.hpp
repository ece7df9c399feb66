// What the tests of the Log share: a small log on a simulated disk, and its contents as texts.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

#include "base/sim_file.hpp"
#include "journal/log.hpp"

namespace sluice::log_fixture {

using Strings = std::vector<std::string>;

inline Entry entry(std::uint64_t seq, std::string_view payload, std::uint8_t flags = 0) {
  return {seq, static_cast<TimeUs>(seq * 10), 3, flags, payload};
}

inline Status append(Log& log, const Strings& commit) {
  std::vector<Entry> entries;
  for (const std::string& payload : commit)
    entries.push_back(entry(log.next_seq() + entries.size(), payload));
  return log.append(entries);
}

inline void put(Log& log, const Strings& commit) {
  REQUIRE(append(log, commit));
  REQUIRE(log.sync());
}

inline LogOptions small(std::uint64_t segment_bytes = 4096) {
  LogOptions o;
  o.directory = "d";
  o.segment_bytes = segment_bytes;
  o.salt = 77;
  o.direct = true;
  return o;
}

inline Result<std::unique_ptr<Log>> open(FileSystem& files, OpenReport& report,
                                         LogOptions options = small()) {
  return Log::open(files, std::move(options), report);
}

inline std::unique_ptr<Log> reopen(FileSystem& files, LogOptions options = small()) {
  OpenReport report;
  Result<std::unique_ptr<Log>> log = Log::open(files, std::move(options), report);
  if (!log) FAIL(log.error().detail);
  return std::move(log).value();
}

inline Strings contents(const Log& log, std::uint64_t from = 0) {
  Strings out;
  std::uint64_t seq = from == 0 ? log.first_seq() : from;
  const Status read = log.read(seq, [&](const Entry& e) {
    CHECK(e.seq == seq++);
    CHECK(e.stamp == static_cast<TimeUs>(e.seq * 10));
    out.emplace_back(e.payload);
    return true;
  });
  if (!read) FAIL(read.error().detail);
  return out;
}

inline const std::string first_file = "d/00000001.log";
inline const std::string second_file = "d/00000002.log";

// A small log of three synced groups; the second has two commits.
inline std::string three_groups(SimFileSystem& files) {
  const auto log = reopen(files);
  put(*log, {"one", "two"});
  const std::vector<Entry> two{entry(3, "three", frame_commit_end), entry(4, "four"), entry(5, "five")};
  REQUIRE(log->append(two));
  REQUIRE(log->sync());
  put(*log, {"six"});
  return files.content(first_file);
}

inline const Strings six{"one", "two", "three", "four", "five", "six"};

inline bool is_prefix(const Strings& part, const Strings& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

}  // namespace sluice::log_fixture
