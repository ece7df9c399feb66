#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <sys/wait.h>

#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized =
    true;  // its reports end a process by exit codes, and need what a connector must not have
#else
constexpr bool sanitized = false;
#endif

class WallHost final : public plugin::HostServices {
 public:
  void log(std::int32_t, std::string_view text) override { lines.emplace_back(text); }
  TimeUs now_us() override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  void metric(std::int32_t, std::string_view name, double value) override {
    counted[std::string(name)] += value;
  }
  Result<std::optional<std::string>> get(std::string_view key) override {
    const auto found = state.find(std::string(key));
    return found == state.end() ? std::nullopt : std::optional(found->second);
  }
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    state[std::string(key)] = value.value_or("");
    return Done{};
  }
  plugin::Response http(const plugin::HttpRequest&) override { return {}; }
  std::vector<std::string> lines;
  std::map<std::string, std::string> state;
  std::map<std::string, double> counted;
};

struct Faulty {
  Faulty() {
    static const plugin::Registry all = plugin::Registry::scan({::getenv("SLUICE_FAULTY")});
    connector =
        plugin::Connector::open(
            all.entries().at(0),
            {.name = "faulty", .program = connector_program(), .memory_bytes = std::uint64_t{256} << 20},
            host)
            .value();
  }
  Result<plugin::PlanOutput> plan(const std::vector<std::string>& names) {
    std::vector<plugin::Record> records;
    for (const std::string& name : names) records.push_back({.name = name, .payload = R"({"a":1})"});
    return connector->plan(records, {.timeout = 300 * us_per_ms, .stop = {}});
  }
  // What it said of a record that did what its name says.
  std::string says(const std::string& name) {
    const auto out = plan({name});
    if (!out) return out.error().detail;
    return out.value().outcomes.at(0).outcome.detail;
  }
  WallHost host;
  std::unique_ptr<plugin::Connector> connector;
};

}  // namespace

TEST_CASE(
    "whatever a connector does to its process fails that call alone, and the next one has a new process") {
  struct Case {
    const char* name;
    const char* how;
  };
  Faulty faulty;
  for (const Case& one : std::initializer_list<Case>{{"segfault", "SIGSEGV"},
                                                     {"abort", "SIGABRT"},
                                                     {"exit", "ended with exit code 0"},
                                                     {"overflow", "SIGSEGV"},
                                                     {"scribble", "SIGSEGV"},
                                                     {"loop", "did not end in its time"},
                                                     {"garbage", "cannot be read"},
                                                     {"asks", "did not end in its time"},
                                                     {"rings", "in plan()"}}) {
    INFO(one.name);
    const auto failed = faulty.plan({"well", one.name});
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Code::transient);
    const std::string how = one.how;
    const bool its_end = how.starts_with("SIG") || how.starts_with("ended");  // a sanitizer has its own
    if (!sanitized || !its_end) CHECK(failed.error().detail.find(one.how) != std::string::npos);
    CHECK(faulty.says("well") == "nothing");
  }
}

TEST_CASE("a process that hangs up is replaced") {
  Faulty faulty;
  (void)faulty.plan({"hang_up"});  // what it said before counts
  (void)faulty.plan({"well"});
  CHECK(faulty.says("well") == "nothing");
}

TEST_CASE("a process that has nothing to do costs no CPU time, also after calls that came densely") {
  Faulty faulty;
  for (int i = 0; i < 5'000; ++i) REQUIRE(faulty.says("well") == "nothing");
  pid_t child = 0;
  std::ifstream("/proc/self/task/" + std::to_string(::getpid()) + "/children") >> child;
  clockid_t clock{};
  REQUIRE(::clock_getcpuclockid(child, &clock) == 0);
  const auto spent_ms = [clock] {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * 1'000 + time.tv_nsec / 1'000'000;
  };
  bool idle = false;
  for (int i = 0; i < 50 && !idle; ++i) {
    const auto before = spent_ms();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // measured, not waited for
    idle = spent_ms() - before <= 2;
  }
  CHECK(idle);
}

TEST_CASE("memory that a connector takes is bounded, and given back with its process") {
  if (sanitized) return;
  Faulty faulty;
  const auto failed = faulty.plan({"leak"});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Code::transient);
  CHECK(faulty.says("well") == "nothing");
}

TEST_CASE(
    "a connector reaches no file, no network, no process, no code and no secret that it was not given") {
  Faulty faulty;
  for (const char* const forbidden : {"socket", "passwd", "environment", "fork", "kill_parent"}) {
    INFO(forbidden);
    CHECK(faulty.says(forbidden).starts_with("refused: "));
  }
  if (!sanitized) CHECK(faulty.says("map_code").starts_with("refused: "));
  CHECK(faulty.says("secret_variable") == "empty");
  CHECK(std::stoi(faulty.says("descriptors")) < 64);
  CHECK(faulty.says("host") == "kept");
  CHECK(faulty.host.state.at("k") == "kept");
}

TEST_CASE("outcomes that lie are the connector's fault and harm no record of another") {
  Faulty faulty;
  const plugin::PlanOutput out = faulty.plan({"twice", "none", "foreign", "well"}).value();
  REQUIRE(out.outcomes.size() == 4);
  CHECK(out.outcomes[0].outcome.status == SLUICE_OK);
  CHECK(out.outcomes[1].outcome.status == SLUICE_INTERNAL);
  CHECK(out.outcomes[2].outcome.status == SLUICE_OK);
  CHECK(out.outcomes[3].outcome.status == SLUICE_OK);
  CHECK(out.faults.size() == 3);
}

TEST_CASE("a call that is stopped ends by itself when the connector listens") {
  Faulty faulty;
  const auto out = faulty.plan({"wait"});  // until its deadline
  REQUIRE(out);
  CHECK(out.value().outcomes.at(0).outcome.status == SLUICE_OK);
}

TEST_CASE("what a thread of a connector's own logs and counts reaches the hub, and disturbs no call") {
  Faulty faulty;
  const std::string said = faulty.says("thread");
  CHECK(std::count_if(faulty.host.lines.begin(), faulty.host.lines.end(),
                      [](const std::string& line) { return line.starts_with("said aside"); }) == 50);
  CHECK(std::to_string(static_cast<int>(faulty.host.counted["here"])) == said);
  CHECK(faulty.host.counted["aside"] > 0);  // what does not fit until the call ends is left out
  CHECK(faulty.says("well") == "nothing");
}

TEST_CASE("a process leaves nothing behind: no descriptor, no zombie") {
  const auto descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  Faulty first;
  const auto before = descriptors();
  for (int i = 0; i < 20; ++i) {
    Faulty faulty;
    CHECK_FALSE(faulty.plan({"abort"}));
    CHECK(faulty.says("well") == "nothing");
  }
  CHECK(descriptors() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == 0);  // the first one lives, and no other is waited for
}
