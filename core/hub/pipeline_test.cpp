// Point 5 of the design: the same journal gives the same state and the same effects, however it is cut and
// wherever it is recovered.
#include "hub/pipeline.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>

#include "base/sim_file.hpp"
#include "hub/generated.hpp"
#include "hub/step_thread.hpp"
#include "journal/journal.hpp"

namespace sluice::hub {
namespace {

using testing::Generator;
using testing::StepBench;
using testing::Stored;

using Effects = std::map<EffectKey, std::string>;

// A second time under the same key, after a recovery, must be the same record.
void note(Effects& effects, const std::vector<Effect>& more) {
  for (const Effect& effect : more) {
    std::string bytes = effect.destination + '\n';
    effect.encode(bytes);
    const auto [at, fresh] = effects.try_emplace(effect.key, bytes);
    if (!fresh) REQUIRE(at->second == bytes);
  }
}

// A journal of generated inputs, in memory, and what stepping it one by one gives.
struct Reference {
  static constexpr std::size_t stride = 50;  // how often the hash is noted

  explicit Reference(std::uint32_t seed, std::size_t count) : files(seed), clock(StepBench::start) {
    OpenReport report;
    auto opened = Journal::open(files, clock, journal_options(), report);
    REQUIRE(opened);
    const std::unique_ptr<Journal> journal = std::move(opened).value();
    identity = journal->identity();
    std::vector<Draft> drafts;
    std::vector<Stored> made = Generator(seed).inputs(count, identity.hash_seed);
    for (std::size_t i = 1; i < made.size(); ++i)
      drafts.push_back({made[i].kind, made[i].stamp, std::move(made[i].payload)});
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    REQUIRE(journal->start([](const std::shared_ptr<const Batch>&) {}));
    REQUIRE(journal->submit(std::move(drafts), [&](const Status& status, std::uint64_t) {
      const std::lock_guard lock(mutex);
      done = static_cast<bool>(status);
      changed.notify_all();
    }) == Submit::ok);
    {
      std::unique_lock lock(mutex);
      REQUIRE(changed.wait_for(lock, std::chrono::seconds(30), [&] { return done; }));
    }
    journal->stop();
    REQUIRE(read_journal(files, "data", 1, [&](const Input& input) {
      inputs.push_back({input.stamp, input.kind, std::string(input.payload)});
      return true;
    }));
    World world(identity.hash_seed);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      StepOutput out;
      REQUIRE(world.step(input(i + 1), out));
      note(effects, out.effects);
      if ((i + 1) % stride == 0) hashes[i + 1] = world.state.hash();
    }
    hash = world.state.hash();
    totals = world.state.totals;
    counters = world.pipeline.counters();
  }

  static JournalOptions journal_options() {
    JournalOptions o;
    o.directory = "data";
    o.stamps = StampMode::events;
    o.reserve_bytes = 0;
    o.seed = {1, 2};
    return o;
  }
  Input input(std::uint64_t seq) const {
    const Stored& s = inputs[seq - 1];
    return {seq, s.stamp, s.kind, false, s.payload};
  }

  SimFileSystem files;
  ManualClock clock;
  JournalIdentity identity;
  std::vector<Stored> inputs;
  std::map<std::uint64_t, Hash128> hashes;  // by seq
  Effects effects;
  Hash128 hash;
  state::Totals totals;
  StepCounters counters;
};

std::unique_ptr<Checkpoints> open_checkpoints(FileSystem& files, const Reference& r) {
  auto opened = Checkpoints::open(files, checkpoint_folder("data"), r.identity.id, r.identity.generation);
  REQUIRE(opened);
  return std::move(opened).value();
}

// One life of a hub's real step thread: recovers, steps up to `until` in batches of a size that `batch`
// gives, and stops.
void live(FileSystem& files, const Reference& r, std::uint64_t until, std::uint64_t checkpoint_inputs,
          const std::function<std::size_t()>& batch, Effects& effects, Hash128& hash,
          std::uint64_t memory = 0) {
  const auto checkpoints = open_checkpoints(files, r);
  World world(r.identity.hash_seed);
  if (memory > 0) REQUIRE(world.state.keep_within(memory, files, cold_folder("data")));
  LoadReport report;
  const auto restored = world.restore(*checkpoints, report);
  REQUIRE(restored);
  REQUIRE(report.problems.empty());
  std::string failure;
  Checkpointer checkpointer(*checkpoints, {.sync_lanes = [] { return Status(Done{}); },
                                           .committed = [](const CheckpointInfo&) {},
                                           .failed = [&](const Error& e) { failure = e.detail; }});
  checkpointer.start();
  const ManualClock clock(StepBench::start);
  Effects made;
  StepThread steps(world, *checkpoints, checkpointer, clock,
                   {.checkpoint_inputs = checkpoint_inputs, .ticks = false},
                   {.offer =
                        [&](std::uint64_t, const std::vector<Effect>& more, deliver::Follows) {
                          for (const Effect& effect : more) {
                            std::string bytes = effect.destination + '\n';
                            effect.encode(bytes);
                            made.emplace(effect.key, std::move(bytes));
                          }
                          return Status(Done{});
                        },
                    .gate = [](const std::vector<GateChange>&) {},
                    .tick = [](TimeUs) { return true; },
                    .failed = [&](const Error& e) { failure = e.detail; },
                    .changed = [](ProfileId) {}});
  steps.start();
  for (std::uint64_t seq = restored.value() + 1; seq <= until;) {
    auto group = std::make_shared<Batch>();
    for (std::size_t n = batch(); n > 0 && seq <= until; --n) group->inputs.push_back(r.input(seq++));
    steps.push(std::move(group));
  }
  steps.stop();
  checkpointer.stop();
  REQUIRE(failure.empty());
  for (auto& [key, bytes] : made) {
    const auto [at, fresh] = effects.try_emplace(key, bytes);
    if (!fresh) REQUIRE(at->second == bytes);
  }
  hash = world.state.hash();
}

}  // namespace

TEST_CASE("a generated journal holds all that may happen", "[determinism]") {
  const Reference r(11, 3'000);
  CHECK(r.inputs.size() == 3'000);
  CHECK(r.totals.merges > 20);
  CHECK(r.totals.duplicates > 50);
  CHECK(r.totals.demoted > 20);
  CHECK(r.totals.refused > 0);
  CHECK(r.counters.timers > 500);
  CHECK(r.counters.entered > 200);
  CHECK(r.counters.left > 200);
  CHECK(r.counters.workflows.sent > 100);
  CHECK(r.counters.routes.suppressed > 50);
  std::map<std::string, int> ops;
  for (const auto& [key, bytes] : r.effects) {
    Effect effect;
    REQUIRE(Effect::decode(std::string_view(bytes).substr(bytes.find('\n') + 1), effect));
    ++ops[std::string(name_of(effect.op))];
  }
  for (const char* op : {"event", "upsert", "delete", "enter", "leave", "message", "consent"}) {
    INFO(op);
    CHECK(ops[op] > 0);
  }
}

TEST_CASE("a journal cut into batches of any size gives the same state and the same effects",
          "[determinism]") {
  const Reference r(12, 3'000);
  std::mt19937 random(5);
  const std::vector<std::pair<std::string, std::function<std::size_t()>>> cuts{
      {"1", [] { return std::size_t{1}; }},
      {"7", [] { return std::size_t{7}; }},
      {"1000", [] { return std::size_t{1'000}; }},
      {"random", [&random] { return std::size_t{1} + random() % 200; }}};
  for (const auto& [name, cut] : cuts) {
    INFO("batches of " << name);
    SimFileSystem files(1);
    Effects effects;
    Hash128 hash;
    live(files, r, r.inputs.size(), 100, cut, effects, hash);
    CHECK(hash == r.hash);
    CHECK(effects == r.effects);
  }
}

TEST_CASE("a hub that is stopped and started again and again goes on as if it had lived", "[determinism]") {
  const Reference r(13, 3'000);
  std::mt19937 random(6);
  SimFileSystem files(1);
  Effects effects;
  Hash128 hash;
  for (std::uint64_t until = 0; until < r.inputs.size();) {
    until = std::min<std::uint64_t>(until + 1 + random() % 300, r.inputs.size());
    live(
        files, r, until, 40 + random() % 100, [&random] { return std::size_t{1} + random() % 50; }, effects,
        hash);
    if (const auto known = r.hashes.find(until); known != r.hashes.end()) CHECK(hash == known->second);
  }
  CHECK(hash == r.hash);
  CHECK(effects == r.effects);
}

TEST_CASE(
    "people of whom memory has no room for most give the same state and effects, started again and again",
    "[determinism]") {
  const Reference r(14, 3'000);
  for (const std::uint64_t memory : {1U, 20'000U, 200'000U}) {
    INFO("bound of " << memory << " bytes");
    std::mt19937 random(8);
    SimFileSystem files(1);
    Effects effects;
    Hash128 hash;
    for (std::uint64_t until = 0; until < r.inputs.size();) {
      until = std::min<std::uint64_t>(until + 500 + random() % 700, r.inputs.size());
      live(
          files, r, until, 40 + random() % 100, [&random] { return std::size_t{1} + random() % 50; }, effects,
          hash, memory);
      if (const auto known = r.hashes.find(until); known != r.hashes.end()) CHECK(hash == known->second);
    }
    CHECK(hash == r.hash);
    CHECK(effects == r.effects);
  }
}

TEST_CASE("a hub that crashes at any point recovers to the same state and effects", "[determinism]") {
  for (const std::uint32_t seed : {21U, 22U, 23U}) {
    const Reference r(seed, 3'000);
    std::mt19937 random(seed);
    SimFileSystem files(seed);
    Effects effects;
    std::size_t checked = 0;
    for (std::uint64_t goal = 0; goal < r.inputs.size();) {
      goal = std::min<std::uint64_t>(goal + 1 + random() % 250, r.inputs.size());
      // Checkpoints begun and paced by hand, in the middle of stepping; the crash leaves the one under way
      // behind.
      const auto checkpoints = open_checkpoints(files, r);
      World world(r.identity.hash_seed);
      LoadReport report;
      const auto restored = world.restore(*checkpoints, report);
      REQUIRE(restored);
      REQUIRE(report.problems.empty());
      if (const auto known = r.hashes.find(restored.value()); known != r.hashes.end())
        CHECK(world.state.hash() == known->second);
      std::unique_ptr<CheckpointWriter> writer;
      for (std::uint64_t seq = restored.value() + 1; seq <= goal; ++seq) {
        StepOutput out;
        REQUIRE(world.step(r.input(seq), out));
        note(effects, out.effects);
        if (writer && world.state.continue_checkpoint(1 + random() % 3)) {
          REQUIRE(writer->commit(world.state.profiles()));
          writer.reset();
          ++checked;
        } else if (!writer && seq % Reference::stride == 0) {
          const bool all = !checkpoints->latest() || random() % 8 == 0;
          auto made =
              checkpoints->begin({.seq = seq, .stamp = world.state.now, .rows = 0, .extra = world.epoch},
                                 all ? CheckpointKind::base : CheckpointKind::delta);
          REQUIRE(made);
          writer = std::move(made).value();
          world.state.begin_checkpoint(
              all, [&](state::Table table, std::string_view key, std::string_view value, bool erased) {
                const auto t = static_cast<std::uint8_t>(table);
                REQUIRE((erased ? writer->erase(t, key) : writer->add(t, key, value)));
              });
        }
      }
      if (goal == r.inputs.size()) {
        CHECK(world.state.hash() == r.hash);
      } else {
        files.crash();
        writer.reset();
      }
    }
    CHECK(checked > 10);
    CHECK(effects == r.effects);
  }
}

TEST_CASE("the store is verified against the journal, and a state that is another is found",
          "[determinism]") {
  Reference r(14, 1'000);
  Effects effects;
  Hash128 hash;
  live(r.files, r, 700, 90, [] { return std::size_t{13}; }, effects, hash);
  auto report = verify_store(r.files, "data");
  REQUIRE(report);
  CHECK(report.value().problems.empty());
  CHECK(report.value().checkpoint_seq == 700);
  CHECK(report.value().recomputed == hash);
  auto world = read_world(r.files, "data");
  REQUIRE(world);
  CHECK(world.value()->state.seq == 1'000);
  CHECK(world.value()->state.hash() == r.hash);
  // A checkpoint of a state that the journal does not give.
  const auto checkpoints = open_checkpoints(r.files, r);
  World other(r.identity.hash_seed);
  LoadReport loaded;
  REQUIRE(other.restore(*checkpoints, loaded));
  StepOutput out;
  const std::string payload = testing::event_input(
      "shop", R"({"type":"identify","userId":"nobody","traits":{"a":1}})", StepBench::start);
  REQUIRE(other.step({701, r.input(701).stamp, InputKind::event, false, payload}, out));
  auto writer = checkpoints->begin({.seq = 701, .stamp = other.state.now, .rows = 0, .extra = other.epoch},
                                   CheckpointKind::delta);
  REQUIRE(writer);
  other.state.begin_checkpoint(
      false, [&](state::Table table, std::string_view key, std::string_view value, bool erased) {
        const auto t = static_cast<std::uint8_t>(table);
        REQUIRE((erased ? writer.value()->erase(t, key) : writer.value()->add(t, key, value)));
      });
  while (!other.state.continue_checkpoint(10)) {
  }
  REQUIRE(writer.value()->commit(other.state.profiles()));
  report = verify_store(r.files, "data");
  REQUIRE(report);
  CHECK(report.value().problems ==
        std::vector<std::string>{
            "recomputing the state from the journal gives another hash than the checkpoint has"});
}

}  // namespace sluice::hub
