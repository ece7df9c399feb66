// Inside this room: a connector in a process of its own, behind the same table of functions that a library in
// the hub's process has. Whatever happens over there - a crash, an endless loop, garbage - is the failure of
// one call here, with SLUICE_INTERNAL and a text; the next call has a new process. [serial]
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sluice/plugin.h"
#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/child_process.hpp"
#include "plugin/library_copy.hpp"
#include "plugin/wire.hpp"

namespace sluice::plugin {

struct RemoteSpec {
  std::string program;  // the path of sluice-connector
  std::shared_ptr<const LibraryCopy> library;
  std::string id;
  std::uint32_t kind = 0;
  wire::Confinement confinement;
  DurationUs timeout = 30 * us_per_s;                 // of CPU time, for a read() that says nothing
  std::function<void(const std::string& how)> ended;  // before its time, after it was created; may be empty
};

class Remote {
 public:
  Remote(RemoteSpec spec, const sluice_host& host);

  // Starts the process and calls create() there. Afterwards table() and instance() may be used.
  sluice_status create(const sluice_open& open, sluice_call* call);
  const sluice_connector* table() const { return &table_; }
  sluice_instance* instance() { return static_cast<sluice_instance*>(static_cast<void*>(this)); }

 private:
  using Encode = std::function<void(wire::Writer&)>;

  static Remote& self(sluice_instance* instance) {
    return *static_cast<Remote*>(static_cast<void*>(instance));
  }
  void offer(std::uint32_t functions);
  sluice_status begin(sluice_call* call);
  void wait_after_deaths(sluice_call* call) const;
  // One call over there, with a process that is started if there is none.
  sluice_status call(wire::Function function, const Encode& encode, sluice_call* call);
  sluice_status exchange(wire::Function function, const Encode& encode, sluice_call* call,
                         std::uint32_t& extra);
  sluice_status await(wire::Function function, wire::Writer& arguments, sluice_call* call,
                      std::uint32_t& extra);
  struct Quiet {  // since when nothing was heard
    std::chrono::steady_clock::time_point from;
    DurationUs cpu = 0;
  };
  bool hangs(std::optional<Quiet>& quiet) const;
  sluice_status serve(wire::Ask ask, wire::Reader& question, wire::Writer& answer);
  void tell(const std::string& how) const {
    if (spec_.ended && table_.size != 0) spec_.ended(how);
  }
  sluice_status bury(const std::string& how, wire::Function function, sluice_call* call);

  RemoteSpec spec_;
  const sluice_host& host_;
  sluice_connector table_{};
  std::string config_, name_, folder_, routes_url_;  // of create(): for each new process
  std::uint32_t kind_ = 0;
  std::unique_ptr<ChildProcess> child_;
  std::uint64_t sequence_ = 0;  // of calls
  std::uint32_t deaths_ = 0;    // in a row: a call that ended well forgives half of them
};

}  // namespace sluice::plugin
