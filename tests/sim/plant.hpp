// Bugs that the simulation has to find: each breaks one promise, by what stands around the product's code.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::sim {

enum class Plant : std::uint8_t {
  none,
  unsynced_answers,     // the disk says that the journal's bytes are stored, and they are not
  retried_sync,         // a sync that failed is tried again, and taken for good
  time_of_batch,        // inputs get the time of the last one that was written with them
  forgotten_records,    // lanes' records count as stored before they are
  forgotten_intents,    // likewise intents and outcomes
  other_key,            // a repeat carries another idempotency key
  impatient_connector,  // records of one person go out together, and are answered one by one
  shared_thread,        // while one destination is in trouble no other lane runs
  own_retries,          // a connector repeats by itself what did not get through, and asks nobody
  applies_anyway,       // a configuration with mistakes is applied
  recovers_otherwise,   // a restart gives a little more than there was
};

struct Planted {
  Plant plant;
  std::string_view name;
  int promise;  // of docs/architecture.md, that it breaks
};

inline constexpr std::array planted = {
    Planted{Plant::unsynced_answers, "unsynced_answers", 1},
    Planted{Plant::retried_sync, "retried_sync", 1},
    Planted{Plant::time_of_batch, "time_of_batch", 2},
    Planted{Plant::forgotten_records, "forgotten_records", 3},
    Planted{Plant::forgotten_intents, "forgotten_intents", 3},
    Planted{Plant::other_key, "other_key", 3},
    Planted{Plant::impatient_connector, "impatient_connector", 4},
    Planted{Plant::shared_thread, "shared_thread", 5},
    Planted{Plant::own_retries, "own_retries", 6},
    Planted{Plant::applies_anyway, "applies_anyway", 7},
    Planted{Plant::recovers_otherwise, "recovers_otherwise", 8},
};

inline std::optional<Plant> plant_named(std::string_view name) {
  for (const Planted& p : planted) {
    if (p.name == name) return p.plant;
  }
  return std::nullopt;
}

}  // namespace sluice::sim
