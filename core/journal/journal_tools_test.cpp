#include <future>

#include <catch2/catch.hpp>

#include "base/json.hpp"
#include "base/sim_file.hpp"
#include "journal/journal.hpp"
#include "model/event.hpp"

namespace sluice {
namespace {

const std::string first_file = "data/journal/00000001.log";

JournalOptions options_for_test() {
  JournalOptions o;
  o.directory = "data";
  o.segment_bytes = 16 * 1024;
  o.reserve_bytes = 0;
  o.seed = {1, 2};
  return o;
}

std::string event_payload(const std::string& text) {
  EventInput event;
  event.source = "shop";
  event.received = 1'000'000;
  event.ip = "192.0.2.7";
  event.text = text;
  std::string out;
  event.encode(out);
  return out;
}

// A journal of genesis and `count` groups of one commit of two events.
void write_journal(FileSystem& files, int count) {
  const ManualClock clock(500);
  OpenReport report;
  const auto journal = Journal::open(files, clock, options_for_test(), report).value();
  REQUIRE(journal->start({}));
  for (int i = 0; i < count; ++i) {
    std::vector<Draft> drafts;
    drafts.push_back(
        {InputKind::event, no_time, event_payload(R"({"email":"jane)" + std::to_string(i) + "\"}")});
    drafts.push_back({InputKind::event, no_time, event_payload(R"({"n":)" + std::to_string(i) + "}")});
    std::promise<void> answered;
    REQUIRE(journal->submit(std::move(drafts), [&](const Status&, std::uint64_t) { answered.set_value(); }) ==
            Submit::ok);
    answered.get_future().wait();
  }
}

// The offset of entry `seq` in the first segment.
std::size_t offset_of(const std::string& bytes, std::uint64_t seq) {
  std::size_t at = Log::header_bytes;
  for (std::uint64_t s = 1; s < seq; ++s)
    at += parse_frame(std::string_view(bytes).substr(at), 0, false).frame.bytes;
  return at;
}

Result<std::unique_ptr<Journal>> open(FileSystem& files) {
  static const ManualClock clock(500);
  OpenReport report;
  return Journal::open(files, clock, options_for_test(), report);
}

TEST_CASE("a journal whose time comes with its events begins at the first of them", "[journal]") {
  SimFileSystem files(1);
  const ManualClock clock(500);
  OpenReport opened;
  JournalOptions options = options_for_test();
  options.stamps = StampMode::events;
  const auto journal = Journal::open(files, clock, std::move(options), opened).value();
  REQUIRE(journal->start({}));
  for (const TimeUs time : {no_time, TimeUs{7'000'000}, TimeUs{9'000'000}}) {
    std::vector<Draft> drafts(1);
    drafts[0].kind = time == no_time ? InputKind::epoch : InputKind::event;
    drafts[0].event_time = time;
    drafts[0].payload = event_payload("{}");
    REQUIRE(journal->submit(std::move(drafts), {}) == Submit::ok);
  }
  journal->stop();
  const JournalReport report = verify_journal(files, "data").value();
  CHECK(report.first_stamp == 7'000'000);
  CHECK(report.last_stamp == 9'000'000);
}

TEST_CASE("verify counts a whole journal and finds nothing", "[journal]") {
  SimFileSystem files(1);
  CHECK_FALSE(verify_journal(files, "data"));
  write_journal(files, 20);
  const JournalReport report = verify_journal(files, "data").value();
  CHECK(report.problems.empty());
  CHECK(report.entries == 41);
  CHECK(report.first_seq == 1);
  CHECK(report.next_seq == 42);
  CHECK(report.by_kind[static_cast<std::size_t>(InputKind::event)] == 40);
  CHECK(report.identity.id.size() == 26);
}

TEST_CASE("verify tells damage and changes nothing", "[journal]") {
  SimFileSystem files(1);
  write_journal(files, 20);
  std::string bytes = files.content(first_file);
  bytes[offset_of(bytes, 1) + 45] ^= 1;
  files.set_content(first_file, bytes);
  REQUIRE(files.remove("data/journal/identity"));
  const JournalReport report = verify_journal(files, "data").value();
  REQUIRE(report.problems.size() == 2);
  CHECK(report.problems[1].find("byte 64 (entry 1)") != std::string::npos);
  CHECK(files.content(first_file) == bytes);
}

TEST_CASE("a dump masks what people sent unless it is asked for", "[journal]") {
  SimFileSystem files(1);
  write_journal(files, 1);
  std::vector<std::string> masked, plain;
  REQUIRE(read_journal(files, "data", 0, [&](const Input& input) {
    masked.push_back(dump_line(input, false));
    plain.push_back(dump_line(input, true));
    return true;
  }));
  REQUIRE(masked.size() == 3);
  JsonParser parser;
  Json json = parser.parse(masked[1]);
  CHECK(json["kind"].string() == "event");
  CHECK(json["seq"].integer() == 2);
  CHECK(json["source"].string() == "shop");
  CHECK(masked[1].find("jane") == std::string::npos);
  CHECK(masked[1].find("192.0.2.7") == std::string::npos);
  json = parser.parse(plain[1]);
  CHECK(json["payload"]["email"].string() == "jane0");
  CHECK(json["ip"].string() == "192.0.2.7");
  json = parser.parse(dump_line({7, 0, InputKind::command, false, "\x01\xff"}, true));
  CHECK(json["payload_base64"].string() == "Af8=");
  CHECK(dump_line({7, 0, InputKind::command, false, "jane"}, false).find("jane") == std::string::npos);
  CHECK(parser.parse(dump_line({7, 0, InputKind::event, false, "jane"}, false)));
  CHECK(parser.parse(dump_line({7, 0, InputKind::event, true, "\0\0"}, true))["redacted"].boolean() == true);
}

// Entries of the journal, and how many of them hold nothing any more.
std::pair<std::uint64_t, std::vector<std::uint64_t>> entries_of(const Journal& journal) {
  std::uint64_t count = 0;
  std::vector<std::uint64_t> lost;
  REQUIRE(journal.replay(1, [&](const Input& input) {
    ++count;
    if (input.redacted) lost.push_back(input.seq);
    return true;
  }));
  return {count, lost};
}

TEST_CASE("repair replaces what is lost, keeps a copy and raises the generation", "[journal][crash]") {
  for (const std::size_t place : {std::size_t{0}, std::size_t{8}, std::size_t{16}, std::size_t{50}}) {
    SimFileSystem files(1);
    write_journal(files, 100);
    const std::string good = files.content(first_file);
    std::string bytes = good;
    bytes[offset_of(bytes, 5) + place] ^= 1;
    files.set_content(first_file, bytes);
    if (files.exists("data/journal/00000002.log").value()) {
      CHECK(verify_journal(files, "data").value().problems.size() == 1);
    } else {
      CHECK_FALSE(open(files));
    }
    const std::vector<LogDamage> damages = repair_journal(files, "data").value();
    REQUIRE(damages.size() == 1);
    CHECK(damages[0].first_seq == 5);
    CHECK(damages[0].entries == 1);
    CHECK(damages[0].offset == offset_of(good, 5));
    CHECK(files.content(damages[0].copy) == bytes);
    const auto journal = open(files);
    REQUIRE(journal);
    CHECK(journal.value()->identity().generation == 2);
    const auto [count, lost] = entries_of(*journal.value());
    CHECK(count == 201);
    CHECK(lost == std::vector<std::uint64_t>{5});
    CHECK(verify_journal(files, "data").value().problems.empty());
  }
}

TEST_CASE("repair mends a hole of many entries, and a full segment whose end is lost", "[journal][crash]") {
  SimFileSystem files(1);
  write_journal(files, 300);
  REQUIRE(files.exists("data/journal/00000003.log").value());
  std::string bytes = files.content(first_file);
  const std::size_t end = offset_of(bytes, 20);
  for (std::size_t at = offset_of(bytes, 10); at < end; ++at) bytes[at] = '#';
  files.set_content(first_file, bytes);
  const std::string second = files.content("data/journal/00000002.log");
  files.set_content("data/journal/00000002.log", second.substr(0, second.size() - 3));
  CHECK(repair_journal(files, "data").value().size() == 2);
  const auto journal = open(files);
  REQUIRE(journal);
  const auto [count, lost] = entries_of(*journal.value());
  CHECK(count == 601);
  CHECK(lost.size() == 11);
  CHECK(lost[0] == 10);
  CHECK(lost[9] == 19);
}

TEST_CASE("a repair of a whole journal changes nothing, not its generation either", "[journal][repair]") {
  SimFileSystem files(1);
  {
    REQUIRE(open(files));
  }
  const std::string before = files.content("data/journal/identity");
  CHECK(repair_journal(files, "data").value().empty());
  CHECK(files.content("data/journal/identity") == before);
}

TEST_CASE("an identity that a newer version wrote is refused as such", "[journal]") {
  SimFileSystem files(1);
  {
    REQUIRE(open(files));
  }
  std::string bytes = files.content("data/journal/identity");
  bytes[8] = 9;
  files.set_content("data/journal/identity", bytes);
  const auto journal = open(files);
  REQUIRE_FALSE(journal);
  CHECK(journal.error().code == Code::misconfigured);
  CHECK(journal.error().detail.find("newer version") != std::string::npos);
}

}  // namespace
}  // namespace sluice
