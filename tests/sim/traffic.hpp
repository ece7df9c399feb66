// What comes to the simulated hub: its configurations, and sources that behave as the real ones do. A client
// of the HTTP door sends again what was not acknowledged; a connector that reads rows goes on where the
// journal has it.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "config/config.hpp"
#include "journal/journal.hpp"
#include "sim/random.hpp"

namespace sluice::sim {

std::vector<config::ConnectorInfo> connectors();

inline constexpr std::size_t configurations = 4;  // the last has a destination that cannot be opened
// The n-th; `rounds` makes texts that differ each time. n = configurations: one with a mistake.
std::string configuration_text(std::size_t n, std::uint64_t rounds);
config::Loaded load_configuration(const std::string& text);
// The payload of an epoch that nobody checked.
std::string unchecked_epoch(const std::string& text);

inline constexpr const char* unopenable = "unopenable";  // a destination of this name has no connector

class Clients {
 public:
  Clients(Random& random, const Clock& clock) : random_(random), clock_(clock) {}

  // The next request of the HTTP door: new events, or those that had no answer.
  std::vector<std::string> next();
  void answered(const std::vector<std::string>& payloads, bool taken);
  bool waiting() const { return !again_.empty(); }
  std::uint64_t made() const { return made_; }

 private:
  std::string event();
  std::string time();

  Random& random_;
  const Clock& clock_;
  std::deque<std::vector<std::string>> again_;
  std::vector<std::string> past_;  // what was sent, for clients that send twice
  std::uint64_t made_ = 0;
};

// Rows from `first` on, the last with the cursor behind it.
std::vector<Draft> rows_from(std::uint64_t first, std::uint64_t count, Random& random, TimeUs now);

}  // namespace sluice::sim
