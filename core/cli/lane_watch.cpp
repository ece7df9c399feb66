#include "cli/lane_watch.hpp"

#include <chrono>
#include <utility>

#include "base/log.hpp"

namespace sluice::cli {

namespace {

constexpr std::int64_t trouble_s_min = 2;    // a shorter pause is every day's
constexpr std::int64_t refusals_s_min = 10;  // between two lines about what a destination refuses

std::string records(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " record" : " records");
}

}  // namespace

std::vector<LaneStory::Line> LaneStory::look(const deliver::LaneStatus& lane, std::int64_t now_s, bool last) {
  std::vector<Line> lines;
  tell_trouble(lane, now_s, lines);
  const auto count = [&](deliver::OutcomeKind kind) { return lane.outcomes[static_cast<std::size_t>(kind)]; };
  const std::uint64_t refused = count(deliver::OutcomeKind::rejected);
  const std::uint64_t held = count(deliver::OutcomeKind::held);
  const bool is_news = refused != told_refused_ || held != told_held_;
  if (!is_news || (!last && now_s - told_s_ < refusals_s_min)) return lines;
  if (refused != told_refused_) {
    lines.push_back({true, lane.name + ": " + records(refused - told_refused_) +
                               " refused: `sluice dead list --destination " + lane.name + "` tells why"});
  }
  if (held != told_held_) {
    lines.push_back(
        {true, lane.name + ": " + records(held - told_held_) +
                   " held: sent, and nobody knows whether it arrived; decide with `sluice dead`"});
  }
  told_refused_ = refused;
  told_held_ = held;
  told_s_ = now_s;
  return lines;
}

void LaneStory::tell_trouble(const deliver::LaneStatus& lane, std::int64_t now_s, std::vector<Line>& lines) {
  const bool live = lane.state == deliver::LaneState::live || lane.backlog_records == 0;
  if (live) {
    troubled_s_ = -1;
    if (std::exchange(in_trouble_, false)) {
      lines.push_back(
          {false, lane.name + ": takes records again; " + records(lane.backlog_records) + " to go"});
    }
    return;
  }
  if (troubled_s_ < 0) troubled_s_ = now_s;
  if (in_trouble_ || now_s - troubled_s_ < trouble_s_min) return;
  in_trouble_ = true;
  const bool says_what_to_do = lane.last_error.find("run 'sluice ") != std::string::npos;
  const bool refuses_us = lane.state == deliver::LaneState::paused;
  lines.push_back({true, lane.name + ": " + lane.last_error + "; " + records(lane.backlog_records) +
                             (says_what_to_do ? " waiting"
                              : refuses_us    ? " waiting: look at its address, key and permissions"
                                              : " waiting to be tried again")});
}

LaneWatch::LaneWatch(hub::Hub& hub) : hub_(hub) {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; })) look(false);
    look(true);
  });
}

LaneWatch::~LaneWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void LaneWatch::look(bool last) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t now_s = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  for (const ingest::FeedStatus& feed : hub_.feeds()) {
    std::string& told = source_errors_[feed.source + '/' + feed.stream];
    if (last || told == feed.error) continue;
    const std::string name = feed.source + (feed.stream.empty() ? "" : " (" + feed.stream + ")");
    feed.error.empty() ? log_info("sources", name + ": can be read again")
                       : log_warn("sources", name + ": " + feed.error);
    told = feed.error;
  }
  for (const deliver::LaneStatus& lane : hub_.delivery().status()) {
    if (lane.state == deliver::LaneState::removed) continue;  // told when it was taken out
    for (const LaneStory::Line& line : stories_[lane.name].look(lane, now_s, last)) {
      line.warning ? log_warn("delivery", line.text) : log_info("delivery", line.text);
    }
  }
}

}  // namespace sluice::cli
