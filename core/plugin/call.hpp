// Inside this room: one call into a connector, and what it emits. The C side of the contract in
// sluice/plugin.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "plugin/host_services.hpp"
#include "plugin/types.hpp"

namespace sluice::plugin {

inline constexpr std::size_t emitted_bytes_max = std::size_t{64} << 20;  // collected in one call
inline constexpr std::size_t state_bytes_max = 64 << 10;
inline constexpr std::size_t text_bytes_max = 1 << 10;  // of a failure's or an outcome's text

inline std::string_view view(sluice_str text) {
  return text.ptr == nullptr ? std::string_view{} : std::string_view{text.ptr, text.len};
}
inline sluice_str str(std::string_view text) {
  return text.empty() ? sluice_str{nullptr, 0} : sluice_str{text.data(), text.size()};
}
Code code_of(sluice_status status);
// Cut to text_bytes_max, control characters blanked.
std::string tidy(std::string_view text);
Request request_of(const sluice_request& request, std::uint32_t purpose);

// Which emitters a call may use.
enum Emits : std::uint32_t {
  emits_requests = 1,
  emits_outcomes = 2,
  emits_records = 4,
  emits_reply = 8,
  emits_always = 16,  // a failure's text
  emits_streams = 32,
  emits_callbacks = 64,  // by receive() of a destination: receipts and consent, by record()
};

// A struct that a plugin of another minor version handed over: what it is too short for is zero, what it has
// beyond ours is left alone. Its size must have been looked at: is_sized().
template <typename T>
T whole(const T& from) {
  T out{};
  std::memcpy(&out, &from, std::min<std::size_t>(from.size, sizeof out));
  out.size = sizeof out;
  return out;
}
// Whoever forgets `size` leaves 0 there, or what lay in memory.
template <typename T>
bool is_sized(const T* from) {
  return from != nullptr && from->size >= 2 * sizeof(std::uint32_t);
}

struct CallContext {
  HostServices& host;
  TimeUs deadline = never;
  std::stop_token stop;
  std::uint32_t emits = 0;
  std::uint32_t purpose = 0;
  // The records whose fate this call decides, out of `records` in the batch.
  std::uint32_t records = 0;
  std::span<const std::uint32_t> asked;
  bool all_asked = false;
  bool may_leave_tail = false;  // of a snapshot: records from some point on may have no fate
  bool may_ask = false;         // of its one record: what is not decided yet is no fault
  Sink* sink = nullptr;         // null: what a source emits is kept until the call has succeeded
};

class Call : public sluice_call {
 public:
  explicit Call(const CallContext& context);

  // What the function returned, with what it said of itself; a failure of the sink comes before it. After a
  // success, what was emitted counts: every asked record has one fate.
  Status finish(sluice_status returned);
  // After finish(): hands what was kept to the sink, in the order in which it was emitted.
  Status deliver_to(Sink& sink);

  Output& output() { return output_; }
  Reply& emitted_reply() { return reply_; }
  std::vector<std::string>& streams() { return streams_; }

 private:
  struct Kept {
    enum class What : std::uint8_t { record, reject, checkpoint, ended } what;
    std::uint32_t op = 0;
    TimeUs time = no_time;
    std::string a = {}, b = {}, c = {}, d = {}, e = {}, f = {}, g = {}, h = {};
  };
  enum class Covered : std::uint8_t { foreign, open, done };

  static Call& self(sluice_call* call) { return *static_cast<Call*>(call); }
  template <typename F>
  static sluice_status emit(sluice_call* call, std::uint32_t emits, F&& body) noexcept;
  template <typename T, typename F>
  static sluice_status emit_sized(sluice_call* call, std::uint32_t emits, const T* emitted,
                                  F&& body) noexcept;
  sluice_status add_request(const sluice_request& request);
  sluice_status add_outcome(std::uint32_t index, const sluice_outcome& outcome);
  sluice_status add_record(const sluice_record& record);
  sluice_status add_callback(const sluice_record& record);
  sluice_status add_reply(const sluice_reply& reply);
  sluice_status add_stream(std::string_view json);
  sluice_status pass(Status status);
  sluice_status keep(Kept kept);
  Status judge(sluice_status returned);
  bool cover(std::uint32_t index);
  void fault(std::string what);
  void fill_source();

  CallContext context_;
  std::vector<Covered> covered_;
  Output output_;
  Reply reply_;
  std::vector<std::string> streams_;
  std::vector<Kept> kept_;
  std::size_t bytes_ = 0;
  std::string why_;
  Status sink_status_ = Done{};
  JsonParser parser_;
};

}  // namespace sluice::plugin
