// Serves the calls that the hub rings for, one after the other, until the hub hangs up.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/plugin.h"

#include "plugin/bell.hpp"
#include "plugin/wire.hpp"

namespace sluice::connector {

inline constexpr std::size_t overheard_max = 1'000;  // lines and counts, between two calls

class Session {
 public:
  // The two areas of plugin/wire.hpp, of wire::area_bytes each.
  Session(const char* arguments, char* emissions);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  void run();

 private:
  struct Call;
  struct Host;
  friend struct Call;
  friend struct Host;

  sluice_status serve(plugin::wire::Function function, plugin::wire::Reader& arguments,
                      std::uint32_t& offered);
  sluice_status create(plugin::wire::Reader& arguments, std::uint32_t& offered);
  // One emission; what does not fit is not there.
  template <typename F>
  sluice_status emit(plugin::wire::Emission what, F&& write);
  // Hands the emissions over with a question and waits for the answer.
  template <typename T, typename F>
  sluice_status emit_sized(plugin::wire::Emission what, const T* emitted, F&& before);
  template <typename F>
  sluice_status ask(plugin::wire::Ask what, F&& write, std::span<const char>& answer);
  sluice_status flush();
  bool hear(plugin::wire::Message& message);
  // get() and secret().
  sluice_status fetch(plugin::wire::Ask what, sluice_str key, sluice_sink sink, void* arg);
  std::int64_t now_us() const;
  // What threads of the connector's own log and count: it is passed on at the end of the next call.
  struct Overheard {
    bool log = false;
    std::int32_t number = 0;  // level or kind
    std::string text = {};
    double value = 0;
  };
  bool here() const { return std::this_thread::get_id() == thread_; }
  void overheard(Overheard said) noexcept;
  void pass_overheard();

  const char* arguments_;
  plugin::wire::Writer out_;
  plugin::wire::Bell bell_;
  const sluice_connector* table_ = nullptr;
  sluice_instance* instance_ = nullptr;
  std::unique_ptr<Host> host_;
  const std::thread::id thread_ = std::this_thread::get_id();  // of the calls
  std::mutex mutex_;                                           // guards overheard_
  std::vector<Overheard> overheard_;
  std::uint64_t sequence_ = 0;                 // of the call
  std::atomic<std::int64_t> hub_us_ = 0;       // the hub's clock when the call began ...
  std::atomic<std::int64_t> began_us_ = 0;     // ... and ours
  std::atomic<std::int64_t> deadline_us_ = 0;  // on our clock; INT64_MAX: none
};

}  // namespace sluice::connector
