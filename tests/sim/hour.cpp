// An hour beside sick destinations: what the healthy ones notice of them.
#include "sim/machine.hpp"

namespace sluice::sim {

Hour simulate_hour(const Options& options, bool trouble) {
  Machine machine(options);
  return machine.run_hour(trouble);
}

Hour Machine::run_hour(bool trouble) {
  Hour hour;
  delivered_ = [&](const std::string& destination, const EffectKey& key) {
    hour.took[destination].push_back(clock_.wall_us() - judge_.stamp_of(key.seq));
  };
  for (const char* name : {"vendor", "letters", "archive", "mail"}) network_.set_mood(name, Mood::flawless);
  if (trouble) {
    network_.set_mood("vendor", Mood::dead);
    network_.set_mood("letters", Mood::slow);
    network_.set_mood("archive", Mood::lying);
  }
  calm_ = true;
  if (!boot()) judge_.violated(1, "the hub does not start: " + failure_);
  const DurationUs end = clock_.monotonic_us() + us_per_h;
  DurationUs next_call = clock_.monotonic_us();
  while (!judge_.violation() && clock_.monotonic_us() < end) {
    if (clock_.monotonic_us() >= next_call) {
      call();
      next_call += us_per_s;
    }
    if (!settle()) break;
    jump(next_call - clock_.monotonic_us());
  }
  if (!judge_.violation() && !failure_.empty()) judge_.violated(5, "the hub stopped: " + failure_);
  hour.violation = judge_.violation();
  stop();
  delivered_ = {};
  return hour;
}

}  // namespace sluice::sim
