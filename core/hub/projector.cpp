#include "hub/projector.hpp"

#include <algorithm>
#include <ctime>

#include "base/log.hpp"
#include "base/thread_name.hpp"
#include "hub/views.hpp"

namespace sluice::hub {

Projector::Projector(const StepThread& step, store::Database& database, const Clock& clock)
    : step_(step), database_(database), clock_(clock) {}

Projector::~Projector() {
  stop();
}

void Projector::start() {
  thread_ = std::thread([this] {
    name_background_thread("projector");
    run();
  });
}

void Projector::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Projector::changed(ProfileId person) {
  const std::lock_guard lock(mutex_);
  came_.push_back(person);
}

std::vector<ProfileId> Projector::take(std::size_t most) {
  std::vector<ProfileId> came, people;
  std::unique_lock lock(mutex_);
  came.swap(came_);
  lock.unlock();
  waiting_.insert(came.begin(), came.end());
  for (auto at = waiting_.begin(); at != waiting_.end() && people.size() < most;) {
    people.push_back(*at);
    waiting_.erase(at++);
  }
  lock.lock();
  while (people.size() < most && !backlog_.empty()) {
    people.push_back(backlog_.back());
    backlog_.pop_back();
  }
  return people;
}

void Projector::add(std::vector<ProfileId> people) {
  const std::lock_guard lock(mutex_);
  backlog_ = std::move(people);
}

bool Projector::rest() {
  const std::lock_guard lock(mutex_);
  return !waiting_.empty() || !came_.empty() || !backlog_.empty();
}

namespace {

std::chrono::microseconds cpu_of_thread() {
  timespec used{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::microseconds(used.tv_nsec / 1000);
}

}  // namespace

void Projector::run() {
  auto wait = pause;
  std::uint64_t stepped = step_.stepped_seq();
  bool quiet = true;
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, wait, [&] { return stopping_; });
    const bool last = stopping_;
    const auto began = cpu_of_thread();
    lock.unlock();
    const DurationUs until = clock_.monotonic_us() + stop_patience;
    std::size_t left = quiet ? rows_per_round : rows_at_once;
    while (left > 0 || (last && clock_.monotonic_us() < until)) {
      const std::vector<ProfileId> people = take(last ? 2'000 : std::min(left, rows_at_once));
      if (people.empty()) break;
      write(people);
      left -= std::min(left, people.size());
    }
    if (last) return;
    const std::uint64_t seq = step_.stepped_seq();
    quiet = seq == stepped;
    stepped = seq;
    wait = quiet ? pause : std::clamp((cpu_of_thread() - began) * share_of_core, pause_least, pause_max);
  }
}

void Projector::write(const std::vector<ProfileId>& people) {
  std::vector<store::ProfileRow> rows;
  std::uint64_t seq = 0;
  step_.read([&](const World& world) {
    seq = world.state.seq;
    for (const ProfileId id : people) rows.push_back(profile_row(world, id));
  });
  // While others wait, it is as of no input: the next start then writes everybody.
  const Status written = database_.project(rows, rest() ? 0 : seq, clock_.wall_us());
  if (!written) log_error("store", "the projection could not be written: " + written.error().detail);
}

}  // namespace sluice::hub
