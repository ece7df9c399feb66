// What pages may read of their visitors (GET /v1/decide): who asks waits in a short queue, and one thread
// answers all that wait with one look at the state, as the profile API does. Neither the door's threads nor
// the step wait.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "hub/step_thread.hpp"
#include "hub/world.hpp"
#include "ingest/tracking.hpp"

namespace sluice::hub {

// {"audiences":["vip"],"traits":{"last_category":"shoes"}}: what is marked public, of the visitor with this
// anonymous id, at `now`. Empty lists: nobody has it, the visitor has not allowed the purpose of `decide`, or
// is a known person and only a page says so (see config::Decide). Nothing: the configuration has no `decide`.
// [a reader of the world]
std::optional<std::string> decision_json(const World& world, std::string_view anonymous_id, TimeUs now);

class Decisions {
 public:
  using Told = ingest::TrackingOptions::Told;
  // Both outlive it. `wall`: time is the wall's, else the state's.
  Decisions(const StepThread& step, const Clock& clock, bool wall)
      : step_(step), clock_(clock), wall_(wall) {}
  ~Decisions() { stop(); }
  void start();  // [main]
  void stop();   // [main] answers who waits; nobody may ask afterwards

  // False: too many wait. [any]
  bool ask(std::string anonymous_id, Told told);

 private:
  static constexpr std::size_t waiting_max = 4'096;
  static constexpr std::size_t glance = 64;  // answered with one look: the step waits for it

  struct Question {
    std::string anonymous_id;
    Told told;
    std::optional<std::string> answer = {};
  };
  void run();
  void answer(std::vector<Question>& questions) const;

  const StepThread& step_;
  const Clock& clock_;
  const bool wall_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable asked_;
  std::vector<Question> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::hub
