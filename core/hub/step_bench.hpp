// For this room's tests: a configuration, inputs one after the other, and what they cause.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "base/json.hpp"
#include "config/config.hpp"
#include "hub/epoch.hpp"
#include "hub/walk.hpp"
#include "hub/world.hpp"
#include "model/event.hpp"

namespace sluice::hub::testing {

inline std::vector<config::ConnectorInfo> connectors() {
  return {{"csv", true, false, R"({"config":{"type":"object"}})"},
          {"file", false, true, R"({"config":{"type":"object"}})"},
          {"smtp", false, true, R"({"channel":"email","config":{"type":"object"}})"},
          {"ads", false, true,
           R"({"ops":["enter","leave","snapshot_begin","snapshot_end"],"config":{"type":"object"}})"}};
}

// The payload of the epoch that this connectors.yaml makes.
inline std::string epoch_of(const std::string& yaml) {
  config::LoadOptions options;
  options.connectors = connectors();
  options.check_secrets = false;
  options.from_memory = true;
  options.files["/hub/connectors.yaml"] = yaml;
  const config::Loaded loaded = config::load("/hub/connectors.yaml", options);
  std::string why;
  for (const config::Diagnostic& d : loaded.diagnostics) {
    if (!d.warning) why += config::format(d);
  }
  INFO(why);
  REQUIRE(loaded.config);
  return epoch_payload(*loaded.config, options.connectors);
}

inline std::string event_input(std::string_view source, const std::string& json, TimeUs received) {
  EventInput input;
  input.source = source;
  input.received = received;
  input.text = json;
  std::string out;
  input.encode(out);
  return out;
}

// "upsert lake n=1 {…}": what an effect says, without keys and times.
inline std::string brief(const Effect& e) {
  return std::string(name_of(e.op)) + ' ' + e.destination + ' ' + e.name + ' ' + e.payload;
}

// A hub's step without anything around it. Texts are JSON with ' for ".
class StepBench {
 public:
  static constexpr TimeUs start = 1'700'000'000 * us_per_s;

  explicit StepBench(const std::string& yaml) : world(7) { configure(yaml); }

  // And lets it come to everybody.
  void configure(const std::string& yaml) {
    input(InputKind::epoch, epoch_of(yaml));
    while (walk_on(slice_people_max)) {
    }
  }
  // With the next so many people; false: it has come to everybody.
  bool walk_on(std::size_t people) {
    Slice slice = next_slice(world);
    slice.people = people;
    if (slice.epoch != 0) input(InputKind::command, evaluate_command(slice));
    return slice.epoch != 0;
  }
  // A call of the source `shop` (or another) with the fields given; its time is now.
  std::vector<std::string> call(std::string fields, std::string_view source = "shop") {
    for (char& c : fields) {
      if (c == '\'') c = '"';
    }
    const std::string id = std::to_string(world.state.seq);
    return input(InputKind::event, event_input(source, R"({"messageId":")" + id + "\"," + fields + '}', now));
  }
  std::vector<std::string> wait(DurationUs by) {
    now += by;
    return input(InputKind::tick, {});
  }
  std::vector<std::string> input(InputKind kind, const std::string& payload) {
    StepOutput out;
    const Status stepped = world.step({world.state.seq + 1, now, kind, false, payload}, out);
    INFO(world.failure);
    REQUIRE(stepped);
    std::vector<std::string> briefs;
    for (Effect& effect : out.effects) {
      briefs.push_back(brief(effect));
      effects.push_back(std::move(effect));
    }
    gate = std::move(out.gate);
    return briefs;
  }
  const state::Profile* person(std::string_view type, std::string_view value) {
    return world.state.find_by(state::name_id(type), value);
  }
  bool inside(std::string_view type, std::string_view value, std::string_view audience) {
    const state::Profile* p = person(type, value);
    return p != nullptr && p->membership(state::name_id(audience)) != nullptr;
  }

  World world;
  TimeUs now = start;
  std::vector<Effect> effects;   // of all inputs
  std::vector<GateChange> gate;  // of the last input
};

}  // namespace sluice::hub::testing
