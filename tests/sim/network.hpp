// Vendors, and the network between them and the hub's lanes: it refuses, loses, delays, repeats and forgets
// to answer. Vendors outlive the hub, and know what they have taken.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "deliver/courier.hpp"
#include "sim/judge.hpp"
#include "sim/plant.hpp"
#include "sim/random.hpp"

namespace sluice::sim {

// A healthy one fails now and then. One that lies takes records and says that it did not, or answers only to
// say that one should come again in an hour.
enum class Mood : std::uint8_t { healthy, dead, silent, throttling, slow, lying, flawless };
inline constexpr std::uint64_t moods = 5;  // that come by chance: the first ones

struct Letter {  // a record on its way
  std::string id;
  Effect effect;
};

struct Answered {  // what became of a request, by record
  int status = 200;
  DurationUs retry_after = -1;
  std::vector<deliver::Verdict> each;  // empty: all share what the status says
};

class Network {
 public:
  Network(Random& random, const ManualClock& clock, Judge& judge, Plant plant)
      : random_(random), clock_(clock), judge_(judge), plant_(plant) {}

  // [lane] The hub's end of a request. `done` is called from step() or cut().
  void send(const std::string& destination, std::vector<Letter> letters,
            std::function<void(deliver::CourierResponse)> done);
  // A connector that does its own I/O: the answer is there when this returns.
  Answered call(const std::string& destination, const std::vector<Letter>& letters);

  // Requests whose time has come arrive and are answered. False: there was none.
  bool step();
  DurationUs next_due() const;
  // The destination's requests end here (all of them: ""): each has arrived or not, and no answer is known.
  void cut(const std::string& destination, bool answer);
  void set_mood(const std::string& destination, Mood mood) { moods_[destination] = mood; }
  bool in_trouble() const;
  void heal();

  // What the configuration says of this operation there.
  static bool once(const std::string& destination, Operation op);
  // Says whether a record may leave the hub as things are; null: nobody runs.
  std::function<void(const Effect&)> leaving;
  // The hub's machine has lost its power, and the hub does not know yet: nothing leaves any more.
  std::function<bool()> dark;

 private:
  struct Flight {
    std::string destination;
    std::vector<Letter> letters;
    std::function<void(deliver::CourierResponse)> done;
    DurationUs due = 0;
    bool arrives = true, answered = true, sent = true, repeated = false, lies = false, own = false;
    int status = 200;
    DurationUs retry_after = -1;
  };
  void choose_fate(Flight& flight);
  Answered take(const Flight& flight);
  void leave(const std::vector<Letter>& letters) const;
  void finish(Flight flight);

  Random& random_;
  const ManualClock& clock_;
  Judge& judge_;
  Plant plant_;
  std::vector<Flight> flights_;
  std::map<std::string, Mood> moods_;
};

// The connector of a destination, as its lane knows it.
std::unique_ptr<deliver::Courier> make_courier(Network& network, const std::string& destination, Plant plant);

}  // namespace sluice::sim
