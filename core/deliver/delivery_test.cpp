#include "deliver/delivery.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <mutex>

#include <catch2/catch.hpp>

#include "base/hash.hpp"
#include "deliver/connector_courier.hpp"
#include "deliver/scripted.hpp"
#include "store/database.hpp"

namespace sluice::deliver {
namespace {

// Answers each request at once, on the lane's thread, unless it hangs.
class Quick final : public Courier {
 public:
  // `stuck`: its second plan() comes back when it is cancelled, and is counted down to as it begins.
  Quick(Vendor& vendor, bool hangs, std::latch* stuck = nullptr)
      : inner_(vendor, clock_, {}, 1'000), hangs_(hangs), stuck_(stuck) {}
  const CourierLimits& limits() const override { return inner_.limits(); }
  Result<Answer> plan(std::span<const Parcel> parcels, const Part& part) override {
    if (stuck_ != nullptr && ++plans_ == 2) {
      stuck_->count_down();
      cancelled_.wait();
    }
    return inner_.plan(parcels, part);
  }
  Result<Answer> interpret(const CourierRequest& request, const CourierResponse& response) override {
    return inner_.interpret(request, response);
  }
  Result<Answer> deliver(std::span<const Parcel> parcels, const Part& part) override {
    return inner_.deliver(parcels, part);
  }
  void send(const CourierRequest& request, std::function<void(CourierResponse)> done) override {
    const std::lock_guard lock(mutex_);
    inner_.send(request, std::move(done));
    if (!hangs_) inner_.answer(0);
  }
  Exchange describe(const CourierRequest& request, const CourierResponse& response) const override {
    return inner_.describe(request, response);
  }
  void cancel() override {
    {
      const std::lock_guard lock(mutex_);
      while (!inner_.pending.empty()) inner_.answer(0);
    }
    if (!cancelled_.try_wait()) cancelled_.count_down();
  }

 private:
  SystemClock clock_;
  std::mutex mutex_;  // guards what is under way
  ScriptedCourier inner_;
  bool hangs_;
  std::latch* stuck_;
  std::latch cancelled_{1};
  int plans_ = 0;
};

struct World {
  World() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-delivery-XXXXXX").string();
    path = mkdtemp(name.data());
    database = std::move(store::Database::open(path + "/hub.db")).value();
    for (const char* destination : {"braze", "mail"}) {
      config.destinations.emplace_back().name = destination;
    }
  }
  ~World() { std::filesystem::remove_all(path); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::unique_ptr<Delivery> open() {
    DeliveryOptions options{
        .files = *files, .clock = clock, .directory = path + "/lanes", .journal = "j.1", .gate = gate};
    options.database = database.get();
    options.stop_patience = stop_patience;
    options.memory_bytes = memory_bytes;
    options.segment_bytes = 1 << 20;
    options.on_outcome = [this](const std::string& destination, const Effect&, const Outcome&) {
      const std::lock_guard lock(mutex);
      ++ended[destination];
      changed.notify_all();
    };
    auto opened = Delivery::open(std::move(options), config, [this](const config::Destination& d) {
      const bool hangs = d.name == hanging;
      return Result<std::unique_ptr<Courier>>(
          std::make_unique<Quick>(vendors[d.name], hangs, hangs ? stuck : nullptr));
    });
    REQUIRE(opened);
    return std::move(opened).value();
  }
  // Waits without a thread of lanes losing its turn to it. False: not within a minute.
  bool wait_ended(const std::string& destination, std::uint64_t count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::minutes(1), [&] { return ended[destination] >= count; });
  }
  static Effect effect(std::uint64_t seq, std::uint32_t ordinal, const char* destination) {
    Effect e = LaneWorld::effect(seq, ordinal, seq % 100 + 1);
    e.destination = destination;
    return e;
  }

  std::string path, hanging;
  std::latch* stuck = nullptr;  // of the hanging one's
  std::uint64_t memory_bytes = 1 << 20;
  DurationUs stop_patience = 0;
  std::unique_ptr<FileSystem> files = make_file_system();
  SystemClock clock;
  Gate gate;
  std::unique_ptr<store::Database> database;
  config::Config config;
  std::map<std::string, Vendor> vendors;
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::map<std::string, std::uint64_t> ended;  // outcomes by destination
};

TEST_CASE("a destination that hangs leaves the others at their pace", "[delivery]") {
  World w;
  w.hanging = "mail";
  const auto delivery = w.open();
  delivery->start();
  for (std::uint64_t seq = 1; seq <= 5'000; ++seq) {
    REQUIRE(delivery->offer(seq, {World::effect(seq, 1, "braze"), World::effect(seq, 2, "mail")}));
  }
  REQUIRE(w.wait_ended("braze", 5'000));
  CHECK(delivery->status()[1].backlog_records == 5'000);
  CHECK_FALSE(delivery->idle());
  CHECK(w.vendors["braze"].accepted.size() == 5'000);
  CHECK(delivery->applied("braze") == 5'000);
  CHECK(delivery->applied("nowhere") == 0);
}

TEST_CASE("a lane whose connector is stuck is stopped, and what comes back as it is cancelled counts",
          "[delivery]") {
  World w;
  std::latch stuck{1};
  w.hanging = "mail";
  w.stuck = &stuck;
  w.config.destinations.back().batch_records = 1;
  w.config.destinations.back().parallel = 2;
  const auto delivery = w.open();
  delivery->start();
  for (std::uint64_t seq = 1; seq <= 2; ++seq) REQUIRE(delivery->offer(seq, {World::effect(seq, 1, "mail")}));
  stuck.wait();  // the first is on its way, the second is planned
  delivery->stop();
  const LaneStatus lane = delivery->status()[1];
  CHECK(lane.outcomes[static_cast<std::size_t>(OutcomeKind::delivered)] == 1);
  CHECK(lane.backlog_records == 1);
  CHECK(w.vendors["mail"].accepted.size() == 1);
}

TEST_CASE("records that spill while others are read back arrive once, in order", "[delivery]") {
  World w;
  w.memory_bytes = 2 * 1024;
  const auto delivery = w.open();
  delivery->start();
  std::uint64_t seq = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 50; ++i) {
      ++seq;
      REQUIRE(delivery->offer(seq, {World::effect(seq, 1, "braze")}));
    }
    // Let the lane run dry now and then, so that it changes between its memory and its log again and again.
    if (round % 3 == 0) REQUIRE(w.wait_ended("braze", seq));
  }
  REQUIRE(delivery->drain(60 * us_per_s));
  delivery->stop();
  CHECK(w.vendors["braze"].accepted.size() == seq);
  std::map<ProfileId, EffectKey> last;
  bool in_order = true;
  for (const Seen& seen : w.vendors["braze"].accepted) {
    in_order = in_order && last[seen.person] < seen.key;
    last[seen.person] = seen.key;
  }
  CHECK(in_order);
}

TEST_CASE("what was delivered before a stop is not delivered after it", "[delivery]") {
  World w;
  for (int life = 0; life < 3; ++life) {
    const auto delivery = w.open();
    delivery->start();
    for (std::uint64_t seq = 1; seq <= 1'000; ++seq) {
      REQUIRE(delivery->offer(seq, {World::effect(seq, 1, "braze"), World::effect(seq, 2, "mail")}));
    }
    REQUIRE(delivery->drain(60 * us_per_s));
    CHECK(delivery->idle());
    delivery->stop();
    CHECK(delivery->status()[0].state == LaneState::stopped);
  }
  CHECK(w.vendors["braze"].accepted.size() == 1'000);
  CHECK(w.vendors["mail"].accepted.size() == 1'000);
}

TEST_CASE(
    "a destination that was taken out of the configuration keeps its records until it is back or too late",
    "[delivery]") {
  for (const bool comes_back : {true, false}) {
    World w;
    {
      const auto delivery = w.open();  // not started: what it takes waits
      for (std::uint64_t seq = 1; seq <= 10; ++seq)
        REQUIRE(delivery->offer(seq, {World::effect(seq, 0, "mail"), World::effect(seq, 1, "braze")}));
      REQUIRE(delivery->sync());
    }
    REQUIRE(w.vendors["mail"].accepted.empty());
    const config::Destination mail = w.config.destinations.back();
    w.config.destinations.pop_back();
    {
      const auto delivery = w.open();
      // A recovery steps once more what was stepped with the old configuration, and a little that is new.
      for (std::uint64_t seq = 9; seq <= 12; ++seq)
        REQUIRE(delivery->offer(seq, {World::effect(seq, 0, "mail"), World::effect(seq, 1, "braze")}));
      delivery->start();
      REQUIRE(delivery->drain(10 * us_per_s));
      CHECK(delivery->idle());
      const std::vector<LaneStatus> lanes = delivery->status();
      REQUIRE(lanes.size() == 2);
      CHECK((lanes[1].name == "mail" && lanes[1].state == LaneState::removed));
      CHECK(lanes[1].backlog_records == 12);
      REQUIRE(delivery->expire_removed(w.clock.wall_us() - us_per_h));
      CHECK(delivery->status()[1].backlog_records == 12);
      if (!comes_back) {
        REQUIRE(delivery->expire_removed(w.clock.wall_us() + us_per_s));
        CHECK(delivery->status().size() == 1);
      }
    }
    CHECK(w.open()->status().size() == (comes_back ? 2 : 1));
    w.config.destinations.push_back(mail);
    const auto delivery = w.open();
    delivery->start();
    REQUIRE(delivery->drain(10 * us_per_s));
    CHECK(delivery->idle());
    CHECK(w.vendors["mail"].accepted.size() == (comes_back ? 12 : 0));
    CHECK(w.vendors["braze"].accepted.size() == 12);
  }
}

TEST_CASE("retention wins over a destination's patience", "[delivery]") {
  World w;
  w.config.retention.events = Span{0, 0};
  {
    const auto delivery = w.open();
    REQUIRE(delivery->offer(1, {World::effect(1, 0, "mail")}));
    REQUIRE(delivery->sync());
  }
  const auto delivery = w.open();
  delivery->start();
  REQUIRE(delivery->drain(10 * us_per_s));
  CHECK(delivery->status()[1].outcomes[static_cast<std::size_t>(OutcomeKind::expired)] == 1);
}

TEST_CASE("what a replay has for a destination that is gone waits until that is back", "[delivery]") {
  World w;
  const config::Config both = w.config;
  w.config.destinations.pop_back();
  for (int again = 0; again < 2; ++again) {
    const auto delivery = w.open();
    for (std::uint64_t seq = 1; seq <= 10; ++seq) {
      REQUIRE(delivery->offer(seq, {World::effect(seq, 1, "braze"), World::effect(seq, 2, "mail")}));
    }
    REQUIRE(delivery->sync());
  }
  w.config = both;
  const auto delivery = w.open();
  delivery->start();
  REQUIRE(delivery->drain(60 * us_per_s));
  CHECK(w.vendors["mail"].accepted.size() == 10);
}

TEST_CASE("destinations come, change and go while others deliver, and no record is without its lane",
          "[delivery]") {
  World w;
  w.stop_patience = 60 * us_per_s;
  const auto delivery = w.open();
  delivery->start();
  std::uint64_t seq = 0;
  const auto offer = [&](const char* destination) {
    ++seq;
    REQUIRE(delivery->offer(seq, {World::effect(seq, 1, destination)}));
  };
  offer("mail");
  config::Config next = w.config;
  next.destinations.erase(next.destinations.begin());
  next.destinations.emplace_back().name = "hook";
  auto change = delivery->prepare(next, {"mail"});
  REQUIRE(change);
  REQUIRE(delivery->begin(change.value()));
  offer("hook");
  offer("braze");  // still of the configuration before
  delivery->finish(std::move(change).value());
  offer("mail");
  REQUIRE(delivery->drain(60 * us_per_s));
  const auto lanes = delivery->status();
  REQUIRE(lanes.size() >= 2);  // what braze had not taken by then stands behind them
  CHECK((lanes[0].name == "mail" && lanes[1].name == "hook"));
  CHECK(w.vendors["mail"].accepted.size() == 2);
  CHECK(w.vendors["hook"].accepted.size() == 1);
  CHECK(lanes[0].outcomes[static_cast<std::size_t>(OutcomeKind::delivered)] == 2);
  CHECK(w.vendors["braze"].accepted.size() == 1);  // it took what it had before it went
  delivery->stop();
}

TEST_CASE("a file that fails while a destination is removed stops the process", "[delivery][crash]") {
  bool stops = false;
  // The power goes at the n-th change of a file; returns how many there were.
  const auto remove_mail = [&stops](std::uint64_t n) {
    SimFileSystem files(1);
    const ManualClock clock(1'000'000'000);
    Gate gate;
    std::map<std::string, Vendor> vendors;
    config::Config config;
    for (const char* name : {"braze", "mail"}) config.destinations.emplace_back().name = name;
    stops = false;
    DeliveryOptions options{
        .files = files, .clock = clock, .directory = "/lanes", .journal = "j.1", .gate = gate};
    options.segment_bytes = 4'096;
    options.stop_patience = 0;
    options.on_fatal = [&](const Error&) { stops = true; };
    const auto delivery =
        std::move(Delivery::open(std::move(options), config, [&](const config::Destination& d) {
          return Result<std::unique_ptr<Courier>>(std::make_unique<Quick>(vendors[d.name], false));
        })).value();
    REQUIRE(delivery->offer(1, {World::effect(1, 1, "mail")}));
    config.destinations.pop_back();
    auto change = delivery->prepare(config, {});
    REQUIRE(change);
    REQUIRE(delivery->begin(change.value()));
    const std::uint64_t before = files.changes();
    files.stop_after(n);
    delivery->finish(std::move(change).value());
    return files.changes() - before;
  };
  const std::uint64_t all = remove_mail(1'000'000);
  CHECK_FALSE(stops);
  CHECK(all >= 5);
  for (std::uint64_t n = 0; n < all; ++n) {
    CAPTURE(n);
    remove_mail(n);
    CHECK(stops);
  }
}

TEST_CASE("what is rejected stands among the dead letters, and messages in the person's history",
          "[delivery]") {
  World w;
  w.vendors["mail"].answer = [](const std::vector<Seen>& records) {
    return Vendor::all(records, 200, Fate::rejected);
  };
  const auto delivery = w.open();
  delivery->start();
  Effect message = World::effect(1, 1, "mail");
  message.op = Operation::message;
  REQUIRE(delivery->offer(1, {message, World::effect(1, 2, "braze")}));
  REQUIRE(delivery->drain(60 * us_per_s));
  delivery->stop();
  const auto letters = w.database->dead_letters({}, 10).value();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].idempotency_key == "j.1.1.1");
  CHECK(w.database->dead_letter(letters[0].id).value()->request == "the request");
  CHECK(w.database->deliveries(message.person, 10).value().size() == 2);
}

TEST_CASE("what people read of an exchange holds no secret, in no form", "[delivery]") {
  const Redactor redact(R"({"api_key":"${KEY}","list":["${OTHER}"],"endpoint":"https://x.test"})",
                        R"({"api_key":"k\"ey 1/2","list":["s3cr3t!"],"endpoint":"https://x.test"})",
                        {"api_key"});
  CHECK(redact(R"(GET https://x.test?k=k%22ey%201%2F2 {"a":"k\"ey 1/2"} s3cr3t! k"ey 1/2)") ==
        R"(GET https://x.test?k=*** {"a":"***"} *** ***)");
  CHECK(redact("nothing") == "nothing");
  // Nor what was worked out of one.
  CHECK(redact("POST https://x.test/42/users?page=2&appsecret_proof=e941&sig=9 {}") ==
        "POST https://x.test/42/users?page=2&appsecret_proof=***&sig=*** {}");
  CHECK(redact("access_token=ab&tokens=3&a=b") == "access_token=***&tokens=3&a=b");
}

TEST_CASE("a lane whose log is of a newer version is refused, and nothing is touched", "[delivery]") {
  World w;
  {
    const auto delivery = w.open();
    REQUIRE(delivery->offer(1, {World::effect(1, 1, "braze"), World::effect(1, 2, "mail")}));
    REQUIRE(delivery->sync());
  }
  const std::string log = w.path + "/lanes/mail/outcomes/00000001.log";
  std::string bytes = read_file(*w.files, log).value();
  bytes[8] = 9;
  const std::uint64_t sum = hash64(std::string_view(bytes).substr(0, 56));
  for (std::size_t i = 0; i < 8; ++i) bytes[56 + i] = static_cast<char>(sum >> (8 * i));
  REQUIRE(replace_file(*w.files, log, bytes));
  DeliveryOptions options{
      .files = *w.files, .clock = w.clock, .directory = w.path + "/lanes", .journal = "j.1", .gate = w.gate};
  const auto refused = Delivery::open(std::move(options), w.config, [&](const config::Destination& d) {
    return Result<std::unique_ptr<Courier>>(std::make_unique<Quick>(w.vendors[d.name], false));
  });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail.find("lane 'mail'") != std::string::npos);
  CHECK(refused.error().detail.find("later version") != std::string::npos);
  CHECK(read_file(*w.files, log).value() == bytes);
}

}  // namespace
}  // namespace sluice::deliver
