#include <condition_variable>
#include <mutex>

#include <catch2/catch.hpp>

#include "ingest/source_runner.hpp"
#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;
using ingest::Feed;
using ingest::FeedStatus;
using ingest::SourceRunner;

namespace {

constexpr DurationUs patience = 20 * us_per_s;

struct Taken {
  std::string source, key, payload, cursor;
  TimeUs time = no_time;
};

// Stands in for the journal: takes everything, or says full a few times first; answers at once.
class FakeJournal {
 public:
  SourceRunner::SubmitFn submit() {
    return [this](std::vector<Draft> drafts, const Journal::Answer& answer) {
      const std::lock_guard lock(mutex_);
      if (closed) return Submit::closed;
      if (full_for > 0) return --full_for, Submit::full;
      commits.push_back(drafts.size());
      for (const Draft& draft : drafts) {
        RecordInput input;
        CHECK(RecordInput::decode(draft.payload, input));
        taken.push_back({std::string(input.source), std::string(input.key), std::string(input.payload),
                         std::string(input.cursor), draft.event_time});
      }
      changed_.notify_all();
      answer(Done{}, taken.size());
      return Submit::ok;
    };
  }
  // Waits until so many records with a payload are there.
  bool wait_for(std::size_t records) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::microseconds(patience), [&] { return count() >= records; });
  }
  std::size_t count() const {
    std::size_t n = 0;
    for (const Taken& t : taken) n += t.payload.empty() ? 0U : 1U;
    return n;
  }
  std::vector<Taken> taken;
  std::vector<std::size_t> commits;
  int full_for = 0;
  bool closed = false;

 private:
  std::mutex mutex_;  // guards all of it while the runner runs
  std::condition_variable changed_;
};

struct Fixture {
  Feed csv(const std::string& source, const std::string& file, std::string cursor = "") {
    return {
        .source = source,
        .stream = "rows",
        .cursor = std::move(cursor),
        .every = 1'000,
        .connector =
            open_built("csv", SLUICE_SOURCE, R"({"path": ")" + file + R"("})", folder.path(), host).value(),
        .host = &host,
        .event_time = {}};
  }
  std::string rejects(const std::string& source) const { return folder.read("rejects/" + source + ".jsonl"); }
  ingest::RunnerOptions options(bool merge = false) const {
    return {.rejects_folder = folder.at("rejects"), .until_idle = true, .merge_by_time = merge};
  }
  Folder folder;
  PluginHost host;
  FakeJournal journal;
};

// {"t": "12"}: the number of seconds.
Result<TimeUs> seconds_of(const RecordInput& record) {
  JsonParser parser;
  const std::optional<double> t = parse_number(parser.parse(record.payload)["t"].string_or(""));
  if (!t) return Error{Code::rejected, "bad_time"};
  return static_cast<TimeUs>(*t) * us_per_s;
}

std::string numbers(int from, int to) {
  std::string out;
  for (int i = from; i < to; ++i) out += std::to_string(i) + '\n';
  return out;
}

}  // namespace

TEST_CASE("a source is read to its end, in commits that end with a cursor") {
  Fixture f;
  f.folder.write("a.csv", "t\n" + numbers(0, 1'200));
  SourceRunner runner(f.options(), f.journal.submit());
  runner.add(f.csv("orders", "a.csv"));
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  REQUIRE(f.journal.taken.size() == 1'200);
  CHECK(f.journal.taken[0].source == "orders");
  CHECK(f.journal.taken[0].payload == R"({"t":"0"})");
  CHECK(f.journal.commits == std::vector<std::size_t>{500, 500, 200});
  CHECK_FALSE(f.journal.taken[499].cursor.empty());
  CHECK_FALSE(f.journal.taken.back().cursor.empty());
  CHECK(f.journal.taken[498].cursor.empty());
  const FeedStatus status = runner.status().at(0);
  CHECK((status.records == 1'200 && status.ended && status.error.empty()));
}

TEST_CASE("from any cursor that the journal has, the rest comes and nothing twice") {
  Fixture f;
  f.folder.write("a.csv", "t\n" + numbers(0, 1'200));
  {
    SourceRunner runner(f.options(), f.journal.submit());
    runner.add(f.csv("orders", "a.csv"));
    runner.start();
    REQUIRE(runner.wait_ended(patience));
  }
  FakeJournal rest;
  SourceRunner runner(f.options(), rest.submit());
  runner.add(f.csv("orders", "a.csv", f.journal.taken[499].cursor));
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  REQUIRE(rest.taken.size() == 700);
  CHECK(rest.taken[0].key == f.journal.taken[500].key);
}

TEST_CASE("a full journal makes the source wait, and loses nothing") {
  Fixture f;
  f.folder.write("a.csv", "t\n" + numbers(0, 1'200));
  f.journal.full_for = 3;
  SourceRunner runner(f.options(), f.journal.submit());
  runner.add(f.csv("orders", "a.csv"));
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  CHECK(f.journal.count() == 1'200);
}

TEST_CASE("a journal that takes nothing any more ends the source with the reason") {
  Fixture f;
  f.folder.write("a.csv", "t\n1\n");
  f.journal.closed = true;
  SourceRunner runner(f.options(), f.journal.submit());
  runner.add(f.csv("orders", "a.csv"));
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  CHECK_FALSE(runner.status().at(0).error.empty());
}

TEST_CASE(
    "bad rows, and rows without a time that can be read, go to the rejects file that others cannot read") {
  Fixture f;
  f.folder.write("a.csv", "t,u\n1,a\nx,b\n2\n3,c\n");
  SourceRunner runner(f.options(), f.journal.submit());
  Feed feed = f.csv("orders", "a.csv");
  feed.event_time = seconds_of;
  runner.add(std::move(feed));
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  REQUIRE(f.journal.taken.size() == 2);
  CHECK(f.journal.taken[1].time == 3 * us_per_s);
  CHECK(f.rejects("orders") ==
        "{\"place\":\"a.csv:3\",\"reason\":\"bad_time\",\"row\":\"{\\\"t\\\":\\\"x\\\",\\\"u\\\":\\\"b\\\"}"
        "\"}\n"
        "{\"place\":\"a.csv:4\",\"reason\":\"column_count\",\"row\":\"2\"}\n");
  CHECK(runner.status().at(0).rejected == 2);
  namespace fs = std::filesystem;
  CHECK((fs::status(f.folder.at("rejects/orders.jsonl")).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a stretch of nothing but rejected rows moves the cursor all the same") {
  Fixture f;
  f.folder.write("a.csv", "a,b\n1\n2\n");
  SourceRunner runner(f.options(), f.journal.submit());
  runner.add(f.csv("orders", "a.csv"));
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  REQUIRE(f.journal.taken.size() == 1);
  CHECK((f.journal.taken[0].payload.empty() && f.journal.taken[0].key.empty()));
  CHECK_FALSE(f.journal.taken[0].cursor.empty());
}

TEST_CASE("with merge by time several sources come out in one order, and one bad row does not move time") {
  Fixture f;
  f.folder.write("a.csv", "t\n" + numbers(0, 900) + "4000000000\n" + numbers(900, 1'000));
  f.folder.write("b.csv", "t\n" + numbers(100, 2'000));
  SourceRunner runner(f.options(true), f.journal.submit());
  for (const char* const name : {"a", "b"}) {
    Feed feed = f.csv(name, std::string(name) + ".csv");
    feed.event_time = seconds_of;
    runner.add(std::move(feed));
  }
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  CHECK(f.journal.taken.size() == 2'900);
  CHECK(std::is_sorted(f.journal.taken.begin(), f.journal.taken.end(),
                       [](const Taken& x, const Taken& y) { return x.time < y.time; }));
  CHECK(
      f.rejects("a") ==
      "{\"place\":\"a.csv:902\",\"reason\":\"time_far_ahead\",\"row\":\"{\\\"t\\\":\\\"4000000000\\\"}\"}\n");
  for (const std::size_t records : f.journal.commits) CHECK(records <= ingest::commit_records_max);
  CHECK(runner.status().at(0).records == 1'000);
  CHECK(runner.status().at(0).rejected == 1);
}

TEST_CASE("while following, rows that are appended come, and stop() ends it") {
  Fixture f;
  f.folder.write("a.csv", "t\n1\n");
  ingest::RunnerOptions options = f.options();
  options.until_idle = false;
  SourceRunner runner(options, f.journal.submit());
  runner.add(f.csv("orders", "a.csv"));
  runner.start();
  REQUIRE(f.journal.wait_for(1));
  f.folder.append("a.csv", "2\n");
  REQUIRE(f.journal.wait_for(2));
  CHECK_FALSE(runner.ended());
  runner.stop();
  CHECK(runner.ended());
}

TEST_CASE("while following with merge by time, a quiet source does not hold the others back") {
  Fixture f;
  f.folder.write("a.csv", "t\n1\n");
  f.folder.write("b.csv", "t\n");
  ingest::RunnerOptions options = f.options(true);
  options.until_idle = false;
  SourceRunner runner(options, f.journal.submit());
  for (const char* const name : {"a", "b"}) {
    Feed feed = f.csv(name, std::string(name) + ".csv");
    feed.event_time = seconds_of;
    runner.add(std::move(feed));
  }
  runner.start();
  REQUIRE(f.journal.wait_for(1));
  f.folder.append("b.csv", "5\n");
  CHECK(f.journal.wait_for(2));
}

TEST_CASE("a source that fetches sends its requests through the host and takes the pages") {
  Fixture f;
  const char* const planted = ::getenv("SLUICE_PLANTED");
  const plugin::Registry all = plugin::Registry::scan(
      {std::string(planted == nullptr ? "build/dev/tests/planted" : planted) + "/good"});
  f.host.answer = {.status = 200, .body = R"({"name":"Ada"})"};
  const std::string config = R"({"endpoint": "https://api.example.com", "token": "t"})";
  Feed feed{
      .source = "crm",
      .stream = "rows",
      .cursor = "c0",
      .connector =
          plugin::Connector::open(all.entries().at(0), {.name = "crm", .config = config}, f.host).value(),
      .host = &f.host,
      .event_time = {}};
  SourceRunner runner(f.options(), f.journal.submit());
  runner.add(std::move(feed));
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  REQUIRE(f.host.requests.size() == 1);
  CHECK(f.host.requests[0].url == "https://api.example.com/list?after=c0");
  REQUIRE(f.journal.taken.size() == 1);
  CHECK((f.journal.taken[0].payload == R"({"name":"Ada"})" && f.journal.taken[0].cursor == "c1"));
}

TEST_CASE("a source that cannot be read ends with its error when everything is to be read once") {
  Fixture f;
  SourceRunner runner(f.options(), f.journal.submit());
  runner.add(f.csv("orders", "missing.csv"));
  runner.start();
  REQUIRE(runner.wait_ended(patience));
  CHECK(runner.status().at(0).error.find("there is no file") != std::string::npos);
}
