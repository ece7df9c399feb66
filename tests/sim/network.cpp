#include "sim/network.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace sluice::sim {

namespace {

constexpr DurationUs timeout = 30 * us_per_s;

// Some records are never wanted, however often they come.
bool refused_for_good(const std::string& destination, const EffectKey& key) {
  return destination == "vendor" && hash64_pair(key.seq, key.ordinal) % 25 == 0;
}

}  // namespace

bool Network::once(const std::string& destination, Operation op) {
  return destination == "mail" && op == Operation::message;
}

bool Network::in_trouble() const {
  return std::any_of(moods_.begin(), moods_.end(), [](const auto& m) { return m.second != Mood::healthy; });
}

void Network::heal() {
  moods_.clear();
}

void Network::leave(const std::vector<Letter>& letters) const {
  if (!leaving || (dark && dark())) return;
  for (const Letter& letter : letters) leaving(letter.effect);
}

void Network::send(const std::string& destination, std::vector<Letter> letters,
                   std::function<void(deliver::CourierResponse)> done) {
  leave(letters);
  Flight flight;
  flight.destination = destination;
  flight.letters = std::move(letters);
  flight.done = std::move(done);
  choose_fate(flight);
  flights_.push_back(std::move(flight));
}

void Network::choose_fate(Flight& flight) {
  const auto after = [&](DurationUs low, DurationUs high) {
    flight.due = clock_.monotonic_us() + random_.between(low, high);
  };
  const auto fails = [&](int status) {
    flight.arrives = false;
    flight.status = status;
  };
  after(5 * us_per_ms, 200 * us_per_ms);
  if (dark && dark()) {
    flight.sent = flight.arrives = flight.answered = false;
    return;
  }
  if (flight.destination == "lake") return;
  switch (moods_[flight.destination]) {
    case Mood::healthy: {
      const std::uint64_t chance = random_.below(100);
      if (chance < 4) fails(500);
      if (chance == 4) flight.sent = flight.arrives = flight.answered = false;
      if (chance == 5 || chance == 6) {
        after(timeout, timeout);
        flight.answered = false;
        flight.arrives = chance == 5;
      }
      if (chance == 7 || chance == 8) flight.repeated = true;
      break;
    }
    case Mood::dead:
      fails(503);
      if (random_.once_in(2)) flight.sent = flight.answered = false;
      break;
    case Mood::silent:
      after(timeout, timeout);
      flight.answered = false;
      flight.arrives = random_.once_in(2);
      break;
    case Mood::throttling:
      fails(429);
      flight.retry_after = random_.between(1, 60) * us_per_s;
      break;
    case Mood::slow:
      after(us_per_s, timeout);
      break;
    case Mood::lying:
      flight.lies = true;
      if (random_.once_in(3)) {
        fails(429);
        flight.retry_after = us_per_h;
      }
      break;
    case Mood::flawless:
      break;
  }
}

Answered Network::take(const Flight& flight) {
  Answered answer;
  const bool together = flight.destination == "lake";
  std::vector<bool> wanted;
  bool bad = false;
  for (const Letter& letter : flight.letters) {
    wanted.push_back(!refused_for_good(flight.destination, letter.effect.key));
    bad |= !wanted.back();
  }
  if (bad && flight.letters.size() > 1 && random_.once_in(2)) {
    answer.status = 400;  // which record it is nobody says
    return answer;
  }
  for (std::size_t i = 0; i < flight.letters.size(); ++i) {
    const Letter& letter = flight.letters[i];
    deliver::Verdict verdict;
    if (!wanted[i]) {
      verdict.fate = deliver::Fate::rejected;
      verdict.reason = "not_wanted";
    } else if (!together && moods_[flight.destination] != Mood::flawless && random_.once_in(40)) {
      verdict.fate = deliver::Fate::retry;
    } else {
      judge_.arrived(
          {flight.destination, letter.id, letter.effect, once(flight.destination, letter.effect.op)});
      if (flight.lies && random_.once_in(2)) verdict.fate = deliver::Fate::retry;
    }
    answer.each.push_back(std::move(verdict));
  }
  return answer;
}

void Network::finish(Flight flight) {
  Answered answer;
  answer.status = flight.status;
  answer.retry_after = flight.retry_after;
  if (flight.arrives) answer = take(flight);
  const bool safe = std::none_of(flight.letters.begin(), flight.letters.end(), [&](const Letter& letter) {
    return once(flight.destination, letter.effect.op);
  });
  if (flight.arrives && flight.repeated && safe) (void)take(flight);
  if (flight.own) return;
  deliver::CourierResponse response;
  response.sent = flight.sent;
  response.status = flight.answered ? answer.status : 0;
  response.retry_after = answer.retry_after;
  if (!flight.answered) response.error = "no answer";
  if (plant_ == Plant::own_retries && safe && response.status == 0) {
    Flight again{.destination = flight.destination, .letters = flight.letters, .done = {}};
    again.own = true;
    again.due = clock_.monotonic_us() + 10 * us_per_min;
    flights_.push_back(std::move(again));
  }
  response.what = std::make_shared<Answered>(std::move(answer));
  flight.done(std::move(response));
}

Answered Network::call(const std::string& destination, const std::vector<Letter>& letters) {
  leave(letters);
  Flight flight{.destination = destination, .letters = letters, .done = {}};
  choose_fate(flight);
  Answered answer;
  answer.status = flight.status;
  if (flight.arrives) answer = take(flight);
  if (!flight.answered) answer.status = 0;
  return answer;
}

DurationUs Network::next_due() const {
  DurationUs due = never;
  for (const Flight& flight : flights_) due = std::min(due, flight.due);
  return due;
}

bool Network::step() {
  const DurationUs now = clock_.monotonic_us();
  const auto next = std::min_element(flights_.begin(), flights_.end(),
                                     [](const Flight& a, const Flight& b) { return a.due < b.due; });
  if (next == flights_.end() || next->due > now) return false;
  Flight flight = std::move(*next);
  flights_.erase(next);
  if (flight.own) leave(flight.letters);
  finish(std::move(flight));
  return true;
}

void Network::cut(const std::string& destination, bool answer) {
  std::vector<Flight> ending;
  for (auto at = flights_.begin(); at != flights_.end();) {
    if (destination.empty() || at->destination == destination) {
      ending.push_back(std::move(*at));
      at = flights_.erase(at);
    } else {
      ++at;
    }
  }
  for (Flight& flight : ending) {
    if (flight.own) continue;
    if (flight.arrives && random_.once_in(2)) (void)take(flight);
    if (!answer) continue;
    deliver::CourierResponse response;
    response.status = 0;
    response.error = "cancelled";
    response.what = std::make_shared<Answered>();
    flight.done(std::move(response));
  }
}

namespace {

class SimCourier final : public deliver::Courier {
 public:
  SimCourier(Network& network, std::string destination, Plant plant)
      : network_(network), destination_(std::move(destination)), plant_(plant) {
    limits_.records_max = 10;
    limits_.parallel = 3;
    if (destination_ == "lake") {
      limits_.records_max = 30;
      limits_.all_or_nothing = true;
      per_request_ = 12;
    } else if (destination_ == "vendor") {
      limits_.all_or_nothing = plant_ == Plant::impatient_connector;
      per_request_ = 5;
    } else if (destination_ == "archive") {
      limits_.blocking = true;
    } else {
      limits_.unsafe_operations = 1U << static_cast<unsigned>(Operation::message);
    }
  }
  const deliver::CourierLimits& limits() const override { return limits_; }

  Result<deliver::Answer> plan(std::span<const deliver::Parcel> parcels, const deliver::Part&) override {
    deliver::Answer answer;
    for (std::uint32_t i = 0; i < parcels.size(); ++i) {
      if (i % per_request_ == 0)
        answer.requests.emplace_back().what = std::make_shared<std::vector<Letter>>();
      answer.requests.back().records.push_back(i);
      letters_of(answer.requests.back()).push_back(letter(parcels[i]));
    }
    return answer;
  }

  Result<deliver::Answer> interpret(const deliver::CourierRequest& request,
                                    const deliver::CourierResponse& response) override {
    return judged(request.records, *std::static_pointer_cast<Answered>(response.what), response.status);
  }

  Result<deliver::Answer> deliver(std::span<const deliver::Parcel> parcels, const deliver::Part&) override {
    std::vector<Letter> letters;
    std::vector<std::uint32_t> records;
    for (const deliver::Parcel& parcel : parcels) {
      records.push_back(static_cast<std::uint32_t>(records.size()));
      letters.push_back(letter(parcel));
    }
    const Answered answer = network_.call(destination_, letters);
    if (answer.status == 0) return Error{Code::transient, "no answer"};
    return judged(records, answer, answer.status);
  }

  void send(const deliver::CourierRequest& request,
            std::function<void(deliver::CourierResponse)> done) override {
    network_.send(destination_, letters_of(request), std::move(done));
  }
  Exchange describe(const deliver::CourierRequest&, const deliver::CourierResponse&) const override {
    return {};
  }
  void cancel() override { network_.cut(destination_, true); }

 private:
  static std::vector<Letter>& letters_of(const deliver::CourierRequest& request) {
    return *static_cast<std::vector<Letter>*>(request.what.get());
  }
  Letter letter(const deliver::Parcel& parcel) const {
    const bool other = plant_ == Plant::other_key && parcel.attempt > 1;
    Letter letter{parcel.id + (other ? "." + std::to_string(parcel.attempt) : ""), *parcel.effect};
    letter.effect.destination = destination_;
    return letter;
  }
  static deliver::Answer judged(const std::vector<std::uint32_t>& records, const Answered& said, int status) {
    deliver::Answer answer;
    for (std::size_t i = 0; i < records.size(); ++i) {
      deliver::Verdict verdict;
      if (status == 0 || status >= 500) verdict.fate = deliver::Fate::retry;
      if (status == 429) verdict.fate = deliver::Fate::throttle;
      if (status == 400) verdict.fate = deliver::Fate::unclear;
      if (status == 200 && !said.each.empty()) verdict = said.each[i];
      if (status == 429) verdict.retry_after = said.retry_after;
      verdict.reason = verdict.fate == deliver::Fate::delivered ? "" : "status_" + std::to_string(status);
      answer.verdicts.push_back({records[i], std::move(verdict)});
    }
    return answer;
  }

  Network& network_;
  std::string destination_;
  Plant plant_;
  deliver::CourierLimits limits_;
  std::uint32_t per_request_ = 1'000;
};

}  // namespace

std::unique_ptr<deliver::Courier> make_courier(Network& network, const std::string& destination,
                                               Plant plant) {
  return std::make_unique<SimCourier>(network, destination, plant);
}

}  // namespace sluice::sim
