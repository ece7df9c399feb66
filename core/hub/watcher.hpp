// Sees that files change. Editors replace a file by another of its name, or write it in pieces: so names are
// looked at, not open files, and what has changed counts when it has stood still for a moment.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sluice::hub {

class Watcher {
 public:
  // `changed` reads the files again and returns the paths (of files and folders) to look at from now on;
  // `asked`: somebody wants it, whether they have changed or not. [watcher]
  using Changed = std::function<std::vector<std::string>(bool asked)>;
  explicit Watcher(Changed changed);
  ~Watcher();  // stop()

  void start(const std::vector<std::string>& paths);  // [main]
  void ask();                                         // [any] as if something had changed
  void stop();                                        // [main] waits for a `changed` that runs

 private:
  using Stamp = std::array<std::int64_t, 4>;  // of a file as it is; all zero: there is none
  using Stamps = std::map<std::string, Stamp>;
  static Stamps look(const Stamps& at);
  void run();
  bool pause(std::int64_t ms, bool until_asked);  // false: stopping

  Changed changed_;
  Stamps seen_;       // the watcher's
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool asked_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::hub
