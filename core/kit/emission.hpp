// Inside this room: one call into a connector, and everything that it emitted, as it said it: nothing is
// mended.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sluice/plugin.h"
#include "sluice/result.hpp"

#include "plugin/types.hpp"

namespace sluice::kit {

enum Emits : std::uint32_t {
  no_emits = 0,
  emits_requests = 1,
  emits_outcomes = 2,
  emits_records = 4,
  emits_reply = 8,
  emits_streams = 16,
  emits_callbacks = 32  // receive() of a destination: receipts and consent, by record()
};

struct Emission {
  struct Row {
    std::uint32_t op = 0;
    TimeUs time = no_time;
    std::string key = {}, entity = {}, name = {}, payload = {}, place = {}, identifiers = {}, remote_id = {},
                id = {};
  };
  sluice_status returned = SLUICE_OK;
  bool threw = false;
  std::string function = {}, why = {};
  std::vector<plugin::Request> requests = {};
  std::vector<plugin::Fate> outcomes = {};
  std::vector<Row> rows = {};
  std::vector<std::string> rejects = {}, cursors = {};  // of a reject its reason
  bool ended = false;
  std::vector<std::string> faults = {};
  std::uint32_t after_stop = 0;  // emitters called after one had said stop

  std::string text() const;  // all that was emitted, to compare two calls
};

// It returned as the contract asks: no exception, no fault, a known status, a text with a failure.
Status well_behaved(const Emission& emission);
// As above, with SLUICE_OK.
Status succeeded(const Emission& emission);
// Each of `asked` got exactly one fate, and no other record one: an outcome, or a request that names it.
Status covered(const Emission& emission, std::span<const std::uint32_t> asked, std::size_t records);
Status covered(const Emission& emission, std::size_t records);  // all of them

struct Knobs {
  bool cancelled = false;              // what cancelled() says
  std::uint32_t stop_at = UINT32_MAX;  // from this emission on the host says SLUICE_CANCELLED
};

class Recorder : public sluice_call {
 public:
  Recorder(Emission& out, std::uint32_t emits, const Knobs& knobs, std::int64_t deadline);

 private:
  static Recorder& self(sluice_call* call) { return *static_cast<Recorder*>(call); }
  sluice_status begin(std::uint32_t emits, const char* emitter);
  void take_request(const sluice_request& request);
  void take_record(const sluice_record& record);
  void take_callback(const sluice_record& record);

  Emission& out_;
  std::uint32_t emits_;
  Knobs knobs_;
  std::uint32_t emitted_ = 0;
};

}  // namespace sluice::kit
