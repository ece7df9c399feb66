#include "hub/watcher.hpp"

#include <chrono>
#include <utility>

#include <sys/stat.h>

namespace sluice::hub {

namespace {
constexpr std::int64_t look_every_ms = 500;
constexpr std::int64_t stand_still_ms = 150;
}  // namespace

Watcher::Watcher(Changed changed) : changed_(std::move(changed)) {}

Watcher::~Watcher() {
  stop();
}

void Watcher::start(const std::vector<std::string>& paths) {
  Stamps at;
  for (const std::string& path : paths) at[path] = {};
  seen_ = look(at);
  thread_ = std::thread([this] { run(); });
}

void Watcher::ask() {
  const std::lock_guard lock(mutex_);
  asked_ = true;
  wake_.notify_all();
}

void Watcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Watcher::Stamps Watcher::look(const Stamps& at) {
  Stamps out;
  for (const auto& [path, ignored] : at) {
    struct stat found{};
    Stamp& stamp = out[path];
    if (::stat(path.c_str(), &found) != 0) continue;
    constexpr std::int64_t ns_per_s = 1'000'000'000;
    stamp = {found.st_mtim.tv_sec * ns_per_s + found.st_mtim.tv_nsec,
             found.st_ctim.tv_sec * ns_per_s + found.st_ctim.tv_nsec, static_cast<std::int64_t>(found.st_ino),
             // A folder's size says nothing more, and a file of no bytes is one too.
             S_ISDIR(found.st_mode) ? 1 : found.st_size + 1};
  }
  return out;
}

bool Watcher::pause(std::int64_t ms, bool until_asked) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(ms), [&] { return stopping_ || (until_asked && asked_); });
  return !stopping_;
}

void Watcher::run() {
  while (pause(look_every_ms, true)) {
    bool asked = false;
    {
      const std::lock_guard lock(mutex_);
      asked = std::exchange(asked_, false);
    }
    Stamps now = look(seen_);
    if (!asked && now == seen_) continue;
    for (Stamps before; !asked && before != now;) {
      before = std::move(now);
      if (!pause(stand_still_ms, false)) return;
      now = look(before);
    }
    // What changes from here on is seen next time: the stamps are those of before the files were read.
    Stamps next;
    for (const std::string& path : changed_(asked)) {
      const auto known = now.find(path);
      next[path] = known != now.end() ? known->second : look({{path, {}}})[path];
    }
    seen_ = std::move(next);
  }
}

}  // namespace sluice::hub
