#include "journal/journal.hpp"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/sim_file.hpp"
#include "journal/lock.hpp"

namespace sluice {
namespace {

// Counts answers, and lets a test wait for them.
class Answers {
 public:
  Journal::Answer next() {
    return [this](const Status& status, std::uint64_t first_seq) {
      const std::lock_guard lock(mutex_);
      (status ? good_ : bad_).push_back(first_seq);
      changed_.notify_all();
    };
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return good_.size() + bad_.size() >= count; });
  }
  std::vector<std::uint64_t> good() {
    const std::lock_guard lock(mutex_);
    return good_;
  }
  std::size_t bad() {
    const std::lock_guard lock(mutex_);
    return bad_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> good_, bad_;
};

// Holds the writer's thread in the sink, so that a test decides when it goes on.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_until_held() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

JournalOptions options_for_test() {
  JournalOptions o;
  o.directory = "data";
  o.segment_bytes = 64 * 1024;
  o.reserve_bytes = 0;
  o.seed = {1, 2};
  return o;
}

std::unique_ptr<Journal> open(FileSystem& files, const Clock& clock,
                              JournalOptions options = options_for_test()) {
  OpenReport report;
  Result<std::unique_ptr<Journal>> journal = Journal::open(files, clock, std::move(options), report);
  if (!journal) FAIL(journal.error().detail);
  return std::move(journal).value();
}

std::vector<Draft> event(std::string payload, TimeUs time = no_time) {
  std::vector<Draft> drafts;
  drafts.push_back({InputKind::event, time, std::move(payload)});
  return drafts;
}

struct Seen {
  std::uint64_t seq;
  TimeUs stamp;
  InputKind kind;
  std::string payload;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> everything(const Journal& journal, std::uint64_t from = 2) {
  std::vector<Seen> out;
  const Status read = journal.replay(from, [&](const Input& i) {
    out.push_back({i.seq, i.stamp, i.kind, std::string(i.payload)});
    return true;
  });
  REQUIRE(read);
  return out;
}

TEST_CASE("a new journal has an identity of its own, which stays", "[journal]") {
  SimFileSystem files(1);
  const ManualClock clock(500);
  JournalIdentity identity;
  {
    const auto journal = open(files, clock);
    identity = journal->identity();
    CHECK(identity.id.size() == 26);
    CHECK(identity.generation == 1);
    const std::vector<Seen> inputs = everything(*journal, 1);
    REQUIRE(inputs.size() == 1);
    CHECK(inputs[0].kind == InputKind::genesis);
    CHECK(inputs[0].stamp == 500);
    JournalIdentity genesis;
    REQUIRE(JournalIdentity::decode(inputs[0].payload, genesis));
    CHECK(genesis.id == identity.id);
    CHECK(genesis.hash_seed == identity.hash_seed);
  }
  files.crash();
  JournalOptions other = options_for_test();
  other.seed = {3, 4};
  const auto journal = open(files, clock, other);
  CHECK(journal->identity().id == identity.id);
  CHECK(journal->identity().hash_seed == identity.hash_seed);
  CHECK(identity.key_of(12, 3) == identity.id + ".1.12.3");
  SimFileSystem elsewhere(2);
  CHECK(open(elsewhere, clock, other)->identity().id != identity.id);
}

TEST_CASE("a journal whose making is interrupted anywhere is made by the next start", "[journal][crash]") {
  const ManualClock clock(500);
  for (std::uint64_t at = 0; at < 20; ++at) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SimFileSystem files(seed);
      files.stop_after(at);
      OpenReport report;
      (void)Journal::open(files, clock, options_for_test(), report);
      files.crash();
      const auto journal = open(files, clock);
      CHECK(everything(*journal, 1).size() == 1);
      CHECK(journal->identity().id.size() == 26);
    }
  }
}

TEST_CASE("an identity that is lost is read from genesis, and a foreign one is refused", "[journal]") {
  SimFileSystem files(1);
  SimFileSystem foreign(2);
  const ManualClock clock(500);
  const std::string id = open(files, clock)->identity().id;
  REQUIRE(files.remove("data/journal/identity"));
  CHECK(open(files, clock)->identity().id == id);
  JournalOptions other = options_for_test();
  other.seed = {3, 4};
  (void)open(foreign, clock, other);
  files.set_content("data/journal/identity", foreign.content("data/journal/identity"));
  OpenReport report;
  const auto refused = Journal::open(files, clock, options_for_test(), report);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::misconfigured);
}

TEST_CASE("submitted inputs are durable and with the sink before they are answered, in order", "[journal]") {
  SimFileSystem files(1);
  const ManualClock clock(500);
  Answers answers;
  std::vector<Seen> sunk;
  {
    const auto journal = open(files, clock);
    REQUIRE(journal->start([&](const std::shared_ptr<const Batch>& batch) {
      for (const Input& i : batch->inputs) sunk.push_back({i.seq, i.stamp, i.kind, std::string(i.payload)});
    }));
    for (int i = 0; i < 100; ++i) {
      std::vector<Draft> drafts = event("event " + std::to_string(i));
      if (i % 3 == 0) drafts.push_back({InputKind::record, no_time, "record"});
      CHECK(journal->submit(std::move(drafts), answers.next()) == Submit::ok);
    }
    answers.wait_for(100);
    CHECK(journal->queued_bytes() == 0);
    files.crash();  // whatever was answered is there, without another sync
  }
  const auto journal = open(files, clock);
  CHECK(sunk.size() == 134);
  CHECK(everything(*journal) == sunk);
  const std::vector<std::uint64_t> firsts = answers.good();
  REQUIRE(firsts.size() == 100);
  CHECK(firsts[0] == 2);
  for (std::size_t i = 1; i < firsts.size(); ++i) CHECK(firsts[i] == firsts[i - 1] + (i % 3 == 1 ? 2 : 1));
}

TEST_CASE("what waits while a group is written goes out as one group", "[journal]") {
  SimFileSystem files(1);
  const ManualClock clock(500);
  Answers answers;
  Gate gate;
  std::vector<std::size_t> groups;
  const auto journal = open(files, clock);
  REQUIRE(journal->start([&](const std::shared_ptr<const Batch>& batch) {
    groups.push_back(batch->inputs.size());
    gate.wait();
  }));
  CHECK(journal->submit(event("first"), answers.next()) == Submit::ok);
  gate.wait_until_held();
  for (int i = 0; i < 50; ++i) CHECK(journal->submit(event("x"), answers.next()) == Submit::ok);
  gate.open();
  answers.wait_for(51);
  CHECK(groups == std::vector<std::size_t>{1, 50});
  journal->stop();
  CHECK(journal->submit(event("late"), answers.next()) == Submit::closed);
}

TEST_CASE("stop writes all that waits", "[journal]") {
  SimFileSystem files(1);
  const ManualClock clock(500);
  Answers answers;
  const auto journal = open(files, clock);
  for (int i = 0; i < 10; ++i) CHECK(journal->submit(event("x"), answers.next()) == Submit::ok);
  REQUIRE(journal->start({}));
  journal->stop();
  CHECK(answers.good().size() == 10);
  CHECK(everything(*journal).size() == 10);
}

TEST_CASE("a full queue is said so, and what comes from inside still has room", "[journal]") {
  SimFileSystem files(1);
  const ManualClock clock(500);
  Answers answers;
  JournalOptions options = options_for_test();
  options.queue_bytes_max = 1000;
  const auto journal = open(files, clock, options);
  CHECK(journal->submit(event(std::string(1000, 'x')), answers.next()) == Submit::ok);
  CHECK(journal->percent_used() >= 100);
  CHECK(journal->submit(event("x"), answers.next()) == Submit::full);
  std::vector<Draft> outcome;
  outcome.push_back({InputKind::outcome, no_time, std::string(1000, 'o')});
  CHECK(journal->submit(outcome, answers.next()) == Submit::ok);
  CHECK(journal->submit(outcome, answers.next()) == Submit::full);
  REQUIRE(journal->start({}));
  answers.wait_for(2);
  CHECK(journal->queued_bytes() == 0);
  CHECK(journal->submit(event("x"), answers.next()) == Submit::ok);
}

TEST_CASE("with the disk nearly full events are refused and outcomes go on", "[journal]") {
  SimFileSystem files(1);
  const ManualClock clock(500);
  Answers answers;
  JournalOptions options = options_for_test();
  options.reserve_bytes = 100'000;
  files.set_capacity(150'000);  // of which the first segment takes 64 KiB
  const auto journal = open(files, clock, options);
  REQUIRE(journal->start({}));
  CHECK(journal->submit(event("x"), answers.next()) == Submit::disk_full);
  std::vector<Draft> outcome;
  outcome.push_back({InputKind::outcome, no_time, "o"});
  CHECK(journal->submit(outcome, answers.next()) == Submit::ok);
  answers.wait_for(1);
  files.set_capacity(1'000'000);
  CHECK(journal->submit(event("x"), answers.next()) == Submit::ok);
  answers.wait_for(2);
  CHECK(answers.bad() == 0);
}

TEST_CASE("wall stamps follow the clock and never go back; a tick carries its own", "[journal]") {
  SimFileSystem files(1);
  ManualClock clock(500);
  Answers answers;
  {
    const auto journal = open(files, clock);
    REQUIRE(journal->start({}));
    const auto put = [&](std::vector<Draft> drafts) {
      const std::size_t before = answers.good().size();
      CHECK(journal->submit(std::move(drafts), answers.next()) == Submit::ok);
      answers.wait_for(before + 1);
    };
    put(event("a", 9999));
    clock.set(700);
    put(event("b"));
    clock.set(600);
    put(event("c"));
    put({{InputKind::tick, 800, ""}});
    put({{InputKind::tick, 10, ""}});
  }
  clock.set(100);
  const auto journal = open(files, clock);
  REQUIRE(journal->start({}));
  CHECK(journal->submit(event("d"), answers.next()) == Submit::ok);
  answers.wait_for(6);
  std::vector<TimeUs> stamps;
  for (const Seen& s : everything(*journal)) stamps.push_back(s.stamp);
  CHECK(stamps == std::vector<TimeUs>{500, 700, 700, 800, 800, 800});
}

TEST_CASE("with the clock of events a stamp is the newest event time seen", "[journal]") {
  SimFileSystem files(1);
  const ManualClock clock(1'000'000);
  Answers answers;
  JournalOptions options = options_for_test();
  options.stamps = StampMode::events;
  const auto journal = open(files, clock, options);
  REQUIRE(journal->start({}));
  std::vector<Draft> drafts = event("a", 50);
  drafts.push_back({InputKind::event, 40, "older"});
  drafts.push_back({InputKind::command, no_time, "timeless"});
  drafts.push_back({InputKind::event, 60, "newer"});
  drafts.push_back({InputKind::tick, 70, ""});
  CHECK(journal->submit(std::move(drafts), answers.next()) == Submit::ok);
  answers.wait_for(1);
  std::vector<TimeUs> stamps;
  for (const Seen& s : everything(*journal)) stamps.push_back(s.stamp);
  CHECK(stamps == std::vector<TimeUs>{50, 50, 50, 60, 70});
}

TEST_CASE("a failed sync ends the journal: nothing is answered as stored", "[journal][crash]") {
  SimFileSystem files(1);
  const ManualClock clock(500);
  Answers answers;
  int fatal = 0;
  JournalOptions options = options_for_test();
  options.fatal = [&](const Error&) { ++fatal; };
  const auto journal = open(files, clock, options);
  files.fail_sync_after(0);
  CHECK(journal->submit(event("lost"), answers.next()) == Submit::ok);
  REQUIRE(
      journal->start([](const std::shared_ptr<const Batch>&) { FAIL("a sink got what is not durable"); }));
  answers.wait_for(1);
  CHECK(answers.bad() == 1);
  CHECK(journal->submit(event("late"), answers.next()) == Submit::closed);
  journal->stop();
  CHECK(fatal == 1);
}

TEST_CASE("a data directory has one owner, and the second is told who", "[journal]") {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("sluice-lock-test-" + std::to_string(::getpid()));
  {
    const auto first = DirectoryLock::take(directory.string());
    REQUIRE(first);
    const auto second = DirectoryLock::take(directory.string());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Code::misconfigured);
    CHECK(second.error().detail.find("process " + std::to_string(::getpid())) != std::string::npos);
  }
  CHECK(DirectoryLock::take(directory.string()));
  std::filesystem::remove_all(directory);
}

TEST_CASE("a journal on the real disk comes back after a restart", "[journal]") {
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("sluice-journal-test-" + std::to_string(::getpid()));
  const std::unique_ptr<FileSystem> files = make_file_system();
  const SystemClock clock;
  Answers answers;
  JournalOptions options = options_for_test();
  options.directory = directory.string();
  {
    const auto journal = open(*files, clock, options);
    REQUIRE(journal->start({}));
    for (int i = 0; i < 1000; ++i)
      CHECK(journal->submit(event(std::string(500, 'x')), answers.next()) == Submit::ok);
    answers.wait_for(1000);
    const std::vector<std::uint64_t> seqs{7};
    REQUIRE(journal->redact(seqs));
    REQUIRE(journal->drop_before(5));
  }
  const auto journal = open(*files, clock, options);
  CHECK(everything(*journal, journal->log().first_seq()).size() == 1002 - journal->log().first_seq());
  const auto perms = std::filesystem::status(directory / "journal" / "identity").permissions();
  CHECK(perms == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace sluice
