// What the lanes' files say when no hub runs.
#include "deliver/delivery.hpp"
#include "deliver/lane_log.hpp"

namespace sluice::deliver {

namespace {

Status read_lane(FileSystem& files, const std::string& directory, LaneStatus& status) {
  Result<std::unique_ptr<LaneLog>> log = LaneLog::open_read_only(files, directory);
  if (!log) {
    if (log.error().code == Code::misconfigured) return Done{};  // a destination that never had a record
    return log.error();
  }
  status.outcomes = log.value()->outcomes();
  SLUICE_TRY(log.value()->read(log.value()->first_frame(), [&](const LaneLog::Stored& stored, const Effect&) {
    if (status.backlog_records++ == 0) status.oldest = stored.offered;
    status.backlog_bytes += stored.bytes;
    return true;
  }));
  return Done{};
}

}  // namespace

Result<std::vector<LaneStatus>> read_lanes(FileSystem& files, const std::string& directory,
                                           const config::Config& config) {
  std::vector<LaneStatus> all;
  for (const config::Destination& destination : config.destinations) {
    LaneStatus& status = all.emplace_back();
    status.name = destination.name;
    status.state = LaneState::stopped;
    SLUICE_TRY(read_lane(files, directory + "/" + destination.name, status));
  }
  return all;
}

}  // namespace sluice::deliver
