#include "plugin/bell.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <sys/socket.h>

namespace sluice::plugin::wire {
namespace {

using std::chrono::microseconds;

constexpr auto look_at_most = microseconds(100);   // twice what waking a core that idles takes
constexpr auto dense = microseconds(250);          // from message to message, with the waking in it
constexpr int dense_least = 4, dense_most = 1024;  // so many in a row before an end looks
constexpr int looks_on_another_core = 128;         // before it makes way to whoever may want this one

using Words = std::array<std::uint64_t, sizeof(Message) / sizeof(std::uint64_t)>;

std::uint32_t core() {
  return static_cast<std::uint32_t>(::sched_getcpu());
}

void pause_a_little() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb");
#endif
}

}  // namespace

Bell::Bell(End end, int socket, Head& ours, const Head& theirs)
    : end_(end), socket_(socket), ours_(ours), theirs_(theirs) {}

bool Bell::send(const Message& message) {
  const auto words = std::bit_cast<Words>(message);
  for (std::size_t i = 0; i < words.size(); ++i) ours_.message[i].store(words[i], std::memory_order_relaxed);
  // Either they see the new count before they sleep, or we see that they sleep.
  ours_.core.store(core(), std::memory_order_relaxed);
  ours_.count.fetch_add(1, std::memory_order_seq_cst);
  if (theirs_.sleeps.load(std::memory_order_seq_cst) == 0) return true;
  const char ring = 0;
  // A connector may not call send(). When the socket is full there are rings that nobody has heard yet.
  const ssize_t sent =
      end_ == End::hub ? ::send(socket_, &ring, 1, MSG_NOSIGNAL | MSG_DONTWAIT) : ::write(socket_, &ring, 1);
  return sent == 1 || errno == EAGAIN;
}

bool Bell::take(Message& message) {
  const std::uint64_t count = theirs_.count.load(std::memory_order_seq_cst);
  if (count == heard_) return false;
  heard_ = count;
  ++messages_;
  Words words;
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = theirs_.message[i].load(std::memory_order_relaxed);
  message = std::bit_cast<Message>(words);
  return true;
}

bool Bell::look_for_a_moment(Message& message) {
  const auto until = Clock::now() + look_at_most;
  do {
    // Where one core has both, the other end needs it.
    const std::uint32_t here = core();
    ours_.core.store(here, std::memory_order_relaxed);
    const int looks = theirs_.core.load(std::memory_order_relaxed) == here ? 1 : looks_on_another_core;
    for (int i = 0; i < looks; ++i) {
      if (take(message)) {
        wanted_ = std::max(dense_least, wanted_ / 2);
        return true;
      }
      pause_a_little();
    }
    ::sched_yield();
  } while (Clock::now() < until);
  if (take(message)) return true;
  // In vain: the other end takes longer, or does not run on a machine that has other work.
  wanted_ = std::min(dense_most, wanted_ * 2);
  dense_ = 0;
  return false;
}

Bell::Heard Bell::hear(Message& message, int timeout_ms) {
  Heard heard = Heard::message;
  if (dense_ < wanted_ || !look_for_a_moment(message)) {
    ours_.sleeps.store(1, std::memory_order_seq_cst);
    heard = sleep(message, timeout_ms);
    ours_.sleeps.store(0, std::memory_order_relaxed);
  }
  if (heard == Heard::message) {
    const auto now = Clock::now();
    dense_ = now - last_ < dense ? std::min(dense_ + 1, dense_most) : 0;
    last_ = now;
  }
  return heard;
}

Bell::Heard Bell::sleep(Message& message, int timeout_ms) {
  for (;;) {
    if (take(message)) return Heard::message;
    pollfd wait{socket_, POLLIN, 0};
    const int ready = ::poll(&wait, 1, timeout_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return Heard::nothing;
    std::array<char, 64> rings;
    const ssize_t got = ready < 0 ? -1 : ::read(socket_, rings.data(), rings.size());
    // What was said before the end is heard.
    if (got <= 0) return take(message) ? Heard::message : Heard::death;
    rings_ += static_cast<std::uint64_t>(got);
    if (take(message)) return Heard::message;
    // One that is left over from a message that was seen before it rang is none too many.
    if (rings_ > messages_) return Heard::garbage;
  }
}

}  // namespace sluice::plugin::wire
