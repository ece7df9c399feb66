// The thread that owns the state, driven by hand.
#include "hub/step_thread.hpp"

#include <memory>
#include <string>
#include <vector>

#include "base/sim_file.hpp"
#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

struct StoppedClock final : Clock {
  DurationUs now = us_per_s;
  TimeUs wall_us() const override { return testing::StepBench::start + now; }
  DurationUs monotonic_us() const override { return now; }
};

StepThread::Hooks no_hooks() {
  StepThread::Hooks hooks;
  hooks.offer = [](std::uint64_t, std::vector<Effect>, deliver::Follows) { return Status(Done{}); };
  hooks.gate = [](const std::vector<GateChange>&) {};
  hooks.tick = [](TimeUs) { return true; };
  hooks.failed = [](const Error& error) { FAIL(error.detail); };
  hooks.changed = [](ProfileId) {};
  return hooks;
}

struct Inputs {
  std::uint64_t seq = 0;
  std::shared_ptr<const Batch> make(InputKind kind, std::vector<std::string> payloads) {
    auto batch = std::make_shared<Batch>();
    auto& drafts = batch->owned.emplace_back();
    for (std::string& payload : payloads) drafts.push_back({kind, no_time, std::move(payload)});
    for (const Draft& d : drafts)
      batch->inputs.push_back({++seq, testing::StepBench::start, kind, false, d.payload});
    return batch;
  }
};

TEST_CASE("where the disk does not take a checkpoint's rows they wait, and inputs are stepped", "[step]") {
  SimFileSystem files(1);
  REQUIRE(files.make_directory("/checkpoints"));
  const auto checkpoints = Checkpoints::open(files, "/checkpoints", "journal", 1).value();
  World world(7);
  std::uint64_t committed = 0;
  Checkpointer checkpointer(*checkpoints,
                            {.sync_lanes = [] { return Status(Done{}); },
                             .committed = [&](const CheckpointInfo& info) { committed = info.seq; },
                             .failed = [](const Error& error) { FAIL(error.detail); }});
  const StoppedClock clock;
  StepThread step(world, *checkpoints, checkpointer, clock, {.checkpoint_inputs = 4'900, .ticks = false},
                  no_hooks());
  Inputs inputs;
  step.push(inputs.make(InputKind::epoch, {testing::epoch_of(R"(
version: 1
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
)")}));
  // Some 100 MB of rows, which nobody takes from the checkpointer.
  const std::string story(20'000, 's');
  const auto people = [&](int first, const std::string& again = "") {
    std::vector<std::string> some;
    for (int i = first; i < first + 100; ++i) {
      const std::string id = std::to_string(i);
      some.push_back(testing::event_input("shop",
                                          R"({"messageId":"m)" + again + id +
                                              R"(","type":"identify","userId":")" + id +
                                              R"(","traits":{"story":")" + story + "\"}}",
                                          testing::StepBench::start));
    }
    return some;
  };
  int first = 0;
  for (; first < 5'000; first += 100) {
    step.push(inputs.make(InputKind::event, people(first)));
    REQUIRE(step.pump());
    REQUIRE(step.pump() == (first == 0));  // the epoch came before
  }
  for (int quiet = 0; quiet < 200; ++quiet) (void)step.pump();
  CHECK(checkpointer.full());
  CHECK(world.state.checkpointing());
  step.push(inputs.make(InputKind::event, people(first)));
  REQUIRE(step.pump());
  CHECK(step.stepped_seq() == inputs.seq);
  // Also those whose rows the checkpoint still owes.
  for (int known = 0; known < 5'000; known += 1'000) {
    step.push(inputs.make(InputKind::event, people(known, "again")));
    REQUIRE(step.pump());
  }
  CHECK(step.stepped_seq() == inputs.seq);
  CHECK(world.state.checkpointing());
  while (world.state.checkpointing() || committed == 0) {
    while (checkpointer.pump()) {
    }
    (void)step.pump();
  }
  CHECK(committed >= 4'900);
}

TEST_CASE("a checkpoint is taken where many inputs wait for one and none has come for a second", "[step]") {
  SimFileSystem files(1);
  REQUIRE(files.make_directory("/checkpoints"));
  const auto checkpoints = Checkpoints::open(files, "/checkpoints", "journal", 1).value();
  World world(7);
  Checkpointer checkpointer(*checkpoints, {.sync_lanes = [] { return Status(Done{}); },
                                           .committed = [](const CheckpointInfo&) {},
                                           .failed = [](const Error& error) { FAIL(error.detail); }});
  StoppedClock clock;
  StepThread step(world, *checkpoints, checkpointer, clock, {.quiet_inputs = 3, .ticks = false}, no_hooks());
  Inputs inputs;
  const auto steps = [&](std::vector<std::string> payloads) {
    step.push(inputs.make(InputKind::event, std::move(payloads)));
    REQUIRE(step.pump());
  };
  steps({"a", "b"});
  clock.now += us_per_min;
  CHECK_FALSE(step.pump());
  CHECK_FALSE(world.state.checkpointing());  // few
  steps({"c"});
  clock.now += us_per_s - 1;
  CHECK_FALSE(step.pump());
  CHECK_FALSE(world.state.checkpointing());  // just now
  clock.now += 1;
  CHECK_FALSE(step.pump());
  while (step.pump() || world.state.checkpointing()) {
  }
  while (checkpointer.pump()) {
  }
  REQUIRE(checkpoints->latest());
  CHECK(checkpoints->latest()->seq == inputs.seq);
  clock.now += us_per_min;
  CHECK_FALSE(step.pump());
  CHECK_FALSE(world.state.checkpointing());  // nothing new
}

}  // namespace
}  // namespace sluice::hub
