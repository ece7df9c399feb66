// Inside this room: how calls cross to a connector in a process of its own. Private to one build of the hub:
// both ends are always of the same version.
//
// Two shared areas and a socket that rings (bell.hpp). The hub writes a call's arguments into `arguments`
// (read-only over there) and sends a message; the connector's process writes what is emitted into `emissions`
// and sends one back, once at the end, or earlier with a question. Whoever reads takes nothing for granted: a
// Reader never leaves its area.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/plugin.h"

namespace sluice::plugin::wire {

inline constexpr std::size_t area_bytes = std::size_t{128} << 20;  // reserved; memory is taken as it is used
inline constexpr std::size_t head_bytes = 128;                     // of each area: bell.hpp
inline constexpr int socket_fd = 3, arguments_fd = 4, emissions_fd = 5, library_fd = 6;

// What a message says.
enum class Say : std::uint32_t { call = 1, answer = 2, done = 3, ask = 4 };

enum class Function : std::uint8_t {
  create = 1,
  check,
  plan,
  interpret,
  fetch,
  receive,
  deliver,
  read,
  discover,
  provision,
  subscribe,
  unsubscribe,
};
constexpr std::uint32_t bit(Function f) {
  return 1U << static_cast<std::uint32_t>(f);
}

// A question that the hub answers before the call goes on. All emissions before it are taken first.
enum class Ask : std::uint8_t { flush = 1, get, put, secret, http };

enum class Emission : std::uint8_t {
  fail = 1,
  request,
  outcome,
  record,
  reject,
  checkpoint,
  ended,
  reply,
  limit,
  describe,
  log,
  metric,
};

struct Message {
  Say say = Say::call;
  std::uint32_t what = 0;      // Function or Ask
  std::int32_t status = 0;     // done, answer: a SLUICE_* status
  std::uint32_t extra = 0;     // done of create: the functions that are there, as bits
  std::uint64_t sequence = 0;  // of the call
  std::uint64_t offset = 0;    // answer: where it stands in `arguments`
  std::uint64_t bytes = 0;     // how much of the area is written
};

// How a connector's process is held. Crosses with create().
struct Confinement {
  std::uint64_t memory_bytes = std::uint64_t{512} << 20;  // of address space beside the areas
  std::uint32_t network = 0, files = 0;                   // booleans: what the manifest asks for
};

// Appends to an area of fixed size. Past its end nothing is written and ok() is false. Numbers take 8 bytes,
// texts a length and their bytes, filled up to 8: what is read in place is aligned. Copied for a run of many
// things, as a TextReader.
class Writer {
 public:
  explicit Writer(std::span<char> area) : area_(area) {}
  bool ok() const { return ok_; }
  std::size_t size() const { return at_; }
  void rewind(std::size_t at) { at_ = at, ok_ = true; }

  void number(std::uint64_t value) {
    if (!ok_ || sizeof value > area_.size() - at_) {
      ok_ = false;
      return;
    }
    std::memcpy(area_.data() + at_, &value, sizeof value);
    at_ += sizeof value;
  }
  template <typename T>
  void operator()(const T& value) {
    if constexpr (sizeof(T) == sizeof(std::int64_t) && std::is_floating_point_v<T>) {
      raw(&value, sizeof value);
    } else {
      number(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
    }
  }
  void operator()(const sluice_str& text) { write(text, 0); }
  void padded(const sluice_str& text) { write(text, SLUICE_PADDING); }
  void headers(const sluice_header* const& headers, const std::uint32_t& count) {
    number(count);
    for (const sluice_header& h : std::span(headers, count)) write(h.name, 0), write(h.value, 0);
  }
  void indexes(const std::uint32_t* const& indexes, const std::uint32_t& count) {
    number(count);
    raw(indexes, count * sizeof(std::uint32_t));
  }
  void texts(const sluice_str* const& texts, const std::uint32_t& count) {
    number(count);
    for (const sluice_str& text : std::span(texts, count)) write(text, 0);
  }

 private:
  static constexpr std::uint64_t absent = UINT64_MAX;
  void write(sluice_str text, std::size_t padding) {
    number(text.ptr == nullptr ? absent : text.len);
    if (text.ptr != nullptr) raw(text.ptr, text.len, padding);
  }
  void raw(const void* bytes, std::size_t count, std::size_t padding = 0) {  // 0 or SLUICE_PADDING
    const std::size_t room = (count + padding + 7) & ~std::size_t{7};
    if (!ok_ || room < count || room > area_.size() - at_) {
      ok_ = false;
      return;
    }
    if (room == 0) return;
    constexpr std::uint64_t nothing = 0;  // what fills up is zero: its last word before what overlaps it
    std::memcpy(area_.data() + at_ + room - sizeof nothing, &nothing, sizeof nothing);
    if (padding > 0) std::memset(area_.data() + at_ + count, 0, SLUICE_PADDING);
    if (count > 0) std::memcpy(area_.data() + at_, bytes, count);
    at_ += room;
  }
  std::span<char> area_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// Reads what a Writer wrote, in place: texts point into the area. Lengths are looked at once, so that an area
// which changes under it misleads nobody. After the first thing that does not fit ok() is false and all is
// zero or absent. Copied for a run of many things: what is a local stays in registers.
class TextReader {
 public:
  explicit TextReader(std::span<const char> area) : area_(area) {}
  bool ok() const { return ok_; }
  bool at_end() const { return !ok_ || at_ >= area_.size(); }

  std::uint64_t number() {
    std::uint64_t value = 0;
    if (const char* const from = take(sizeof value)) std::memcpy(&value, from, sizeof value);
    return value;
  }
  template <typename T>
  void operator()(T& value) {
    if constexpr (sizeof(T) == sizeof(std::int64_t) && std::is_floating_point_v<T>) {
      if (const char* const from = take(sizeof value)) std::memcpy(&value, from, sizeof value);
    } else {
      value = static_cast<T>(number());
    }
  }
  void operator()(sluice_str& text) { text = read(0); }
  void padded(sluice_str& text) { text = read(SLUICE_PADDING); }

 protected:
  // A number of things of at least so many bytes each: never more than can still stand there.
  std::uint64_t counted(std::size_t each) {
    const std::uint64_t count = number();
    if (count <= (area_.size() - at_) / each) return count;
    ok_ = false;
    return 0;
  }
  sluice_str read(std::size_t padding) {
    const std::uint64_t length = number();
    if (length == UINT64_MAX || !ok_) return {nullptr, 0};
    if (length > area_.size()) {
      ok_ = false;
      return {nullptr, 0};
    }
    const char* const from = take(length + padding);
    return {from, from == nullptr ? 0 : static_cast<std::size_t>(length)};
  }
  const char* take(std::size_t count) {
    const std::size_t room = (count + 7) & ~std::size_t{7};
    if (!ok_ || room > area_.size() - at_) {
      ok_ = false;
      return nullptr;
    }
    const char* const from = area_.data() + at_;
    at_ += room;
    return from;
  }

 private:
  std::span<const char> area_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

// And lists, which it keeps.
class Reader : public TextReader {
 public:
  using TextReader::TextReader;

  void headers(const sluice_header*& headers, std::uint32_t& count) {
    auto& list = headers_.emplace_back();
    for (std::uint64_t left = counted(2 * sizeof(std::uint64_t)); left > 0; --left) {
      const sluice_str name = read(0), value = read(0);
      list.push_back({name, value});
    }
    headers = list.data();
    count = static_cast<std::uint32_t>(list.size());
  }
  void indexes(const std::uint32_t*& indexes, std::uint32_t& count) {
    count = static_cast<std::uint32_t>(counted(sizeof(std::uint32_t)));
    const char* const from = take(count * sizeof(std::uint32_t));
    indexes = static_cast<const std::uint32_t*>(static_cast<const void*>(from));
    if (from == nullptr) count = 0;
  }
  void texts(const sluice_str*& texts, std::uint32_t& count) {
    auto& list = texts_.emplace_back();
    for (std::uint64_t left = counted(sizeof(std::uint64_t)); left > 0; --left) list.push_back(read(0));
    texts = list.data();
    count = static_cast<std::uint32_t>(list.size());
  }

 private:
  std::list<std::vector<sluice_header>> headers_;  // their places stay; an empty one costs nothing
  std::list<std::vector<sluice_str>> texts_;
};

// The fields of each struct, in one order for both ends. `size` is set by whoever reads.
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_record>
{
  io(s.op), io(s.attempt), io(s.time_us), io(s.id), io(s.key), io(s.entity), io(s.name);
  io.padded(s.payload), io.padded(s.identifiers), io(s.address), io(s.remote_id);
  io(s.audience_id), io(s.place);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_outcome>
{
  io(s.status), io(s.receiver), io(s.retry_after_ms), io(s.reason), io(s.detail), io(s.remote_id);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_request>
{
  io(s.purpose), io(s.timeout_ms), io(s.delay_ms), io(s.flags), io(s.method), io(s.url);
  io.headers(s.headers, s.header_count), io.indexes(s.records, s.record_count);
  io(s.body), io(s.state), io(s.bucket);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_response>
{
  io(s.purpose), io(s.status), io(s.retry_after_ms), io(s.received_us), io.padded(s.body), io(s.state);
  io(s.error);
  io.headers(s.headers, s.header_count), io.indexes(s.records, s.record_count);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_incoming>
{
  io(s.route), io(s.method), io(s.path), io(s.query), io.padded(s.body), io(s.peer), io(s.received_us);
  io.headers(s.headers, s.header_count);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_reply>
{
  io(s.status), io(s.content_type), io(s.body), io.headers(s.headers, s.header_count);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_open>
{
  io(s.kind), io(s.config), io(s.name), io(s.folder), io(s.routes_url);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_poll>
{
  io(s.mode), io(s.flags), io(s.stream), io(s.cursor), io(s.since_us), io.texts(s.fields, s.field_count);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_discover>
{
  io(s.stream);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_provision>
{
  io(s.kind), io(s.name), io(s.remote_id);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, sluice_subscribe>
{
  io(s.route), io(s.url), io(s.remote_id);
}
template <typename IO, typename T>
void pass(IO& io, T& s)
  requires std::is_same_v<std::remove_const_t<T>, Confinement>
{
  io(s.memory_bytes), io(s.network), io(s.files);
}

template <typename T, typename R>
T read(R& r) {
  T s{};
  if constexpr (requires { s.size; }) s.size = sizeof s;
  pass(r, s);
  return s;
}

}  // namespace sluice::plugin::wire
