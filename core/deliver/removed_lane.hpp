// The lane of a destination that no longer stands in the configuration. Nothing leaves; its records wait for
// the destination to come back, and end `expired` when they are too old for that. Then its files go.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "base/clock.hpp"
#include "base/file.hpp"
#include "deliver/delivery.hpp"
#include "deliver/lane_log.hpp"

namespace sluice::deliver {

class History;

class RemovedLane {  // [any]
 public:
  struct Options {
    FileSystem& files;
    const Clock& clock;
    std::string name, directory;
    std::uint64_t salt = 0, segment_bytes = 0;
    History* history = nullptr;  // may be null
  };
  static Result<std::unique_ptr<RemovedLane>> open(Options options);

  const std::string& name() const { return options_.name; }
  // Records of inputs from before the removal that a recovery steps again.
  Status offer(std::uint64_t seq, std::vector<Effect> effects);
  Status sync();
  // Ends what was offered before this time. Where nothing is left the files go: call it only when a
  // checkpoint holds all that was stepped with the old configuration.
  Status expire(TimeUs before);
  LaneStatus status() const;

 private:
  explicit RemovedLane(Options options) : options_(std::move(options)) {}
  Status count();
  Status remove_files();

  Options options_;
  mutable std::mutex mutex_;      // guards what follows
  std::unique_ptr<LaneLog> log_;  // null once the files are gone
  std::uint64_t from_ = 1;        // the first frame that has not ended
  std::uint64_t records_ = 0, bytes_ = 0, expired_ = 0;
  TimeUs oldest_ = 0;
};

}  // namespace sluice::deliver
