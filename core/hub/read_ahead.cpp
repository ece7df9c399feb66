#include "hub/read_ahead.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::hub {

namespace {

constexpr std::size_t batch_bytes = 1024 * 1024;

// Inputs with payloads of their own.
class Some {
 public:
  bool empty() const { return inputs_.empty(); }
  std::span<const Input> inputs() const { return inputs_; }
  // False: it is full.
  bool add(const Input& input) {
    if (!empty() && bytes_.size() + input.payload.size() > bytes_.capacity()) return false;
    bytes_.reserve(std::max(batch_bytes, input.payload.size()));  // from then on it stays where it is
    inputs_.push_back(input);
    inputs_.back().payload = {bytes_.data() + bytes_.size(), input.payload.size()};
    bytes_.append(input.payload);
    return true;
  }
  void clear() {
    inputs_.clear();
    bytes_.clear();
  }

 private:
  std::vector<Input> inputs_;
  std::string bytes_;
};

using Take = std::function<bool(Some&)>;  // false: no more is wanted. What is left in it is not looked at

Status read(const Journal& journal, std::uint64_t from, const Take& take) {
  Some some;
  bool wanted = true;
  SLUICE_TRY(journal.replay(from, [&](const Input& input) {
    if (some.add(input)) return true;
    wanted = take(some);
    some.clear();
    return wanted && some.add(input);
  }));
  if (wanted && !some.empty()) (void)take(some);
  return Done{};
}

// One batch on its way from the thread that reads to the one that works.
class Handover {
 public:
  bool give(Some& some) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !full_ || closed_; });
    if (closed_) return false;
    std::swap(some, on_its_way_);
    full_ = true;
    changed_.notify_all();
    return true;
  }
  // False: the last one was taken.
  bool take(Some& some) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return full_ || closed_; });
    if (!full_) return false;
    std::swap(some, on_its_way_);
    full_ = false;
    changed_.notify_all();
    return true;
  }
  void close() {  // by either: what is on its way can still be taken
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Some on_its_way_;
  bool full_ = false, closed_ = false;
};

}  // namespace

Status read_ahead(const Journal& journal, std::uint64_t from, bool thread,
                  const std::function<bool(std::span<const Input>)>& each) {
  if (!thread) return read(journal, from, [&](Some& some) { return each(some.inputs()); });
  Handover handover;
  Status status = Done{};
  std::thread reader([&] {
    status = read(journal, from, [&](Some& some) { return handover.give(some); });
    handover.close();
  });
  Some some;
  while (handover.take(some) && each(some.inputs())) {
  }
  handover.close();
  reader.join();
  return status;
}

}  // namespace sluice::hub
