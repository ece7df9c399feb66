// Runs plugin sources: each feed (a source's stream with a connector of its own) on a thread reads, or polls,
// and turns what is emitted into journal drafts. A commit ends where the connector made a checkpoint, so that
// its cursor and the records before it are durable together; a row that cannot be read, or whose time cannot,
// goes to the rejects file.
//
// A draft is an encoded RecordInput. One with an empty key and payload only carries a cursor (what came
// before it was rejected): it changes nothing else.
//
// With merge_by_time (`--clock events`) records are released in the order of their times across all feeds: a
// feed that has more to read but nothing read yet holds the others back, one that waits for new rows or has
// ended does not. A record far ahead of its neighbours is rejected as `time_far_ahead` (see time_merge.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "journal/journal.hpp"
#include "model/event.hpp"
#include "plugin/connector.hpp"

namespace sluice::ingest {

inline constexpr std::size_t commit_records_max = 500;
inline constexpr std::size_t commit_bytes_max = std::size_t{1} << 20;
// What a connector may emit between two checkpoints, and how many commits wait for the journal at a time.
inline constexpr std::size_t uncommitted_bytes_max = std::size_t{64} << 20;
inline constexpr std::size_t commits_in_flight_max = 16;

struct Feed {
  std::string source;                    // name in connectors.yaml
  std::string stream;                    // of the connector; empty: its only one
  std::string cursor;                    // where to go on; empty: from the start
  std::vector<std::string> fields = {};  // that the configuration reads of a row; none: all
  DurationUs every = us_per_s;           // between two polls
  std::unique_ptr<plugin::Connector> connector;
  plugin::HostServices* host = nullptr;  // sends what fetch() asks for; outlives the runner
  // The record's event time by the stream's `time:`; `no_time` where it has none. An error's text is the
  // reject's reason. [the feed's thread]
  std::function<Result<TimeUs>(const RecordInput&)> event_time;
};

struct FeedStatus {
  std::string source, stream;
  std::uint64_t records = 0, rejected = 0;  // since the start
  bool ended = false;
  std::string error;  // of the last read or poll, or why it waits; empty: it went well
};

struct RunnerOptions {
  std::string
      rejects_folder;       // `<data>/rejects`: SOURCE.jsonl in it, {"place", "reason", "row"} a line, 0600
  bool until_idle = false;  // feeds say when they have read everything there is, and end
  bool merge_by_time = false;
  DurationUs far_ahead = us_per_d;
};

class SourceRunner {
 public:
  // As Journal::submit. [a thread of the runner]
  using SubmitFn = std::function<Submit(std::vector<Draft>, Journal::Answer)>;

  SourceRunner(RunnerOptions options, SubmitFn submit);
  ~SourceRunner();  // stop()
  SourceRunner(const SourceRunner&) = delete;
  SourceRunner& operator=(const SourceRunner&) = delete;

  void add(Feed feed);  // [main] before start()
  void start();         // [main]
  // [main] Ends all reading, and waits for the threads. What was submitted stays submitted.
  void stop();

  // [any] The source's credentials are there: its feeds ask for them anew, at once.
  void renew(const std::string& source);

  // [any] All feeds have ended and all that they gave is durable, or lost to an error in their status.
  bool ended() const;
  // [any] Waits for that, at most so long; true if it is so.
  bool wait_ended(DurationUs at_most) const;
  std::vector<FeedStatus> status() const;  // [any]

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::ingest
