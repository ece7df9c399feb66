#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

#include "journal/log_fixture.hpp"

namespace sluice {
namespace {

using namespace log_fixture;

TEST_CASE("what was appended comes back after a restart", "[log]") {
  SimFileSystem files(1);
  {
    const auto log = reopen(files);
    CHECK(log->next_seq() == 1);
    CHECK(contents(*log).empty());
    put(*log, {"one", "two"});
    put(*log, {"", "four"});
    CHECK(log->durable_seq() == 4);
    CHECK(contents(*log) == Strings{"one", "two", "", "four"});
  }
  OpenReport report;
  const auto log = open(files, report).value();
  CHECK_FALSE(report.created);
  CHECK(report.cut_bytes == 0);
  CHECK(log->next_seq() == 5);
  CHECK(log->durable_seq() == 4);
  CHECK(log->last_stamp() == 40);
  CHECK(contents(*log) == Strings{"one", "two", "", "four"});
  CHECK(contents(*log, 3) == Strings{"", "four"});
}

TEST_CASE("a log may begin at any number", "[log]") {
  SimFileSystem files(1);
  LogOptions options = small();
  options.first_seq = 1000;
  put(*reopen(files, options), {"a"});
  const auto log = reopen(files);
  CHECK(log->first_seq() == 1000);
  CHECK(contents(*log) == Strings{"a"});
}

TEST_CASE("a log goes on in a new segment when one is full, and an append never spans two", "[log]") {
  SimFileSystem files(1);
  Strings all;
  {
    const auto log = reopen(files);
    for (int i = 0; i < 100; ++i) {
      const Strings commit{std::string(static_cast<std::size_t>(i * 13 % 400), 'x'), std::to_string(i)};
      put(*log, commit);
      all.insert(all.end(), commit.begin(), commit.end());
    }
    put(*log, {std::string(10'000, 'g')});  // longer than a segment: gets one of its own size
    all.emplace_back(10'000, 'g');
    CHECK(contents(*log) == all);
  }
  CHECK(files.list("d").value().size() > 5);
  const auto log = reopen(files);
  CHECK(contents(*log) == all);
  for (std::uint64_t from = 1; from <= all.size(); from += 17) {
    CHECK(contents(*log, from) == Strings(all.begin() + static_cast<std::ptrdiff_t>(from - 1), all.end()));
  }
}

TEST_CASE("a reader may stop, and what is no longer kept is said so", "[log]") {
  SimFileSystem files(1);
  const auto log = reopen(files);
  for (int i = 0; i < 60; ++i) put(*log, {std::string(200, 'x')});
  int seen = 0;
  REQUIRE(log->read(1, [&](const Entry&) { return ++seen < 3; }));
  CHECK(seen == 3);
  REQUIRE(log->drop_before(40));
  CHECK(log->first_seq() > 1);
  CHECK(log->first_seq() <= 40);
  const Status read = log->read(1, [](const Entry&) { return true; });
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Code::rejected);
  const std::uint64_t first = log->first_seq();
  CHECK(contents(*reopen(files), first).size() == 61 - first);
  REQUIRE(log->drop_before(10'000));  // the segment that is written to stays
  CHECK(log->next_seq() == 61);
}

TEST_CASE("an entry that is too long is refused and harms nothing", "[log]") {
  SimFileSystem files(1);
  const auto log = reopen(files);
  const std::string giant(frame_payload_bytes_max + 1, 'x');
  const Status refused = append(*log, {giant});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::rejected);
  put(*log, {"after"});
  CHECK(contents(*log) == Strings{"after"});
}

TEST_CASE("a redacted entry keeps its place and loses its content", "[log]") {
  SimFileSystem files(1);
  {
    const auto log = reopen(files);
    for (int i = 0; i < 50; ++i) put(*log, {"secret" + std::to_string(i)});
    const std::vector<std::uint64_t> seqs{49, 3, 3, 20};
    REQUIRE(log->redact(seqs));
    REQUIRE(log->redact(3));
    REQUIRE(append(*log, {"late"}));
    CHECK_FALSE(log->redact(log->next_seq() - 1));  // not synced yet
  }
  const auto log = reopen(files);
  int redacted = 0;
  REQUIRE(log->read(1, [&](const Entry& e) {
    if ((e.flags & frame_redacted) != 0) {
      ++redacted;
      CHECK(e.payload == std::string(e.payload.size(), '\0'));
      CHECK(e.payload.size() == ("secret" + std::to_string(e.seq - 1)).size());
      CHECK((e.flags & frame_commit_end) != 0);
    }
    return true;
  }));
  CHECK(redacted == 3);
  const Strings names = files.list("d").value();
  for (const std::string& name : names) {
    CHECK(files.content("d/" + name).find(std::string("secret2\0", 8)) == std::string::npos);
    CHECK(files.content("d/" + name).find("secret19") == std::string::npos);
  }
}

TEST_CASE("what was redacted is not written again with what comes behind it", "[log]") {
  SimFileSystem files(1);
  const auto log = reopen(files, small(64 * 1024));
  put(*log, {"secret one", "two"});
  REQUIRE(log->redact(1));
  put(*log, {"three"});
  CHECK(contents(*log) == Strings{std::string(10, '\0'), "two", "three"});
  CHECK(files.content(first_file).find("secret") == std::string::npos);
  files.crash();
  CHECK(contents(*reopen(files)) == Strings{std::string(10, '\0'), "two", "three"});
}

TEST_CASE("writes longer than what is written at once stand in one piece", "[log]") {
  SimFileSystem files(1);
  const LogOptions options = small(16 * 1024 * 1024);
  Strings all;
  {
    const auto log = reopen(files, options);
    for (const std::size_t bytes : {10U, 3'000'000U, 4'000U, 1'048'576U, 1U, 300'000U}) {
      all.push_back(std::string(bytes, static_cast<char>('a' + all.size())));
      put(*log, {all.back()});
    }
    CHECK(contents(*log) == all);
  }
  files.crash();
  CHECK(contents(*reopen(files, options)) == all);
}

TEST_CASE("a log opened for reading follows its writer and changes nothing", "[log]") {
  SimFileSystem files(1);
  CHECK_FALSE(Log::open_read_only(files, "d"));
  const auto writer = reopen(files);
  put(*writer, {"one"});
  const auto reader = Log::open_read_only(files, "d").value();
  CHECK(contents(*reader) == Strings{"one"});
  put(*writer, {"two", "three"});
  CHECK(contents(*reader) == Strings{"one"});
  REQUIRE(reader->refresh());
  CHECK(contents(*reader) == Strings{"one", "two", "three"});
  for (int i = 0; i < 60; ++i) put(*writer, {std::string(200, 'x')});
  REQUIRE(reader->refresh());
  CHECK(contents(*reader).size() == 63);
  REQUIRE(writer->drop_before(30));
  REQUIRE(reader->refresh());
  CHECK(reader->first_seq() == writer->first_seq());
  CHECK_FALSE(reader->append({}));
  CHECK_FALSE(reader->sync());
  CHECK_FALSE(reader->redact(40));

  // A torn tail is the end for a reader, and stays for the writer to cut.
  std::string torn = files.content(first_file);
  SimFileSystem other(2);
  const std::string bytes = three_groups(other);
  torn = bytes.substr(0, bytes.find_last_not_of('\0'));
  other.set_content(first_file, torn);
  CHECK(contents(*Log::open_read_only(other, "d").value()).size() == 5);
  CHECK(other.content(first_file) == torn);
}

TEST_CASE("readers, retention and redaction go on beside the writer", "[log][threads]") {
  SimFileSystem files(1);
  const auto log = reopen(files, small(8192));
  put(*log, {"first"});
  std::atomic<bool> writing{true};
  std::thread writer([&] {
    for (int i = 0; i < 1500; ++i) {
      if (!append(*log, {std::string(100, 'x'), "y"}) || !log->sync()) std::abort();
    }
    writing = false;
  });
  std::thread keeper([&] {
    while (writing) {
      const std::uint64_t durable = log->durable_seq();
      if (!log->redact(durable)) std::abort();
      if (durable > 1000 && !log->drop_before(durable - 1000)) std::abort();
    }
  });
  std::uint64_t read_entries = 0;
  std::string trouble;
  do {
    std::uint64_t seq = log->first_seq();
    const Status read = log->read(seq, [&](const Entry& e) {
      if (e.seq != seq++) std::abort();
      return ++read_entries > 0;
    });
    // Only what retention has removed meanwhile may be missing.
    if (!read && (read.error().code != Code::rejected || log->first_seq() <= seq))
      trouble = read.error().detail;
  } while (writing);
  writer.join();
  keeper.join();
  CHECK(trouble.empty());
  CHECK(read_entries > 0);
  CHECK(log->next_seq() == 3002);
}

}  // namespace
}  // namespace sluice
