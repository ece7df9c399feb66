#include <algorithm>

#include <catch2/catch.hpp>

#include "journal/log_fixture.hpp"

namespace sluice {
namespace {

using namespace log_fixture;

TEST_CASE("a log cut at any byte keeps whole commits from its front", "[log][crash]") {
  SimFileSystem source(1);
  const std::string bytes = three_groups(source);
  std::size_t longest = 0;
  for (std::size_t cut = 0; cut <= 600; ++cut) {
    SimFileSystem files(2);
    REQUIRE(files.make_directory("d"));
    files.set_content(first_file, bytes.substr(0, cut));
    const auto log = reopen(files);
    const Strings found = contents(*log);
    CHECK(is_prefix(found, six));
    CHECK(
        (found.empty() || found.size() == 2 || found.size() == 3 || found.size() == 5 || found.size() == 6));
    CHECK(found.size() >= longest);
    longest = found.size();
    put(*log, {"new"});
    Strings expected = found;
    expected.emplace_back("new");
    CHECK(contents(*reopen(files)) == expected);
  }
  CHECK(longest == 6);
}

TEST_CASE("what is synced after a process died in the middle of a new segment survives a loss of power",
          "[log][crash]") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    for (std::uint64_t calls = 0; calls <= 60; ++calls) {
      CAPTURE(seed, calls);
      SimFileSystem files(seed);
      {
        const auto log = reopen(files, small(512));
        files.stop_after(calls);
        while (append(*log, {std::string(150, 'x')}) && log->sync()) {
        }
      }
      files.restart();
      Strings kept;
      {
        const auto log = reopen(files, small(512));
        put(*log, {"new"});
        kept = contents(*log);
      }
      files.crash();
      CHECK(contents(*reopen(files, small(512))) == kept);
    }
  }
}

TEST_CASE("a byte flipped anywhere never gives a wrong entry, nor takes one that is known to be synced",
          "[log][crash]") {
  SimFileSystem source(1);
  const std::string bytes = three_groups(source);
  const std::size_t end = bytes.find_last_not_of('\0') + 1;
  std::size_t refused = 0;
  for (std::size_t at = 0; at < end; ++at) {
    for (const unsigned bit : {0U, 7U}) {
      std::string bad = bytes;
      bad[at] = static_cast<char>(bad[at] ^ static_cast<char>(1U << bit));
      SimFileSystem files(2);
      REQUIRE(files.make_directory("d"));
      files.set_content(first_file, bad);
      OpenReport report;
      const auto log = open(files, report);
      if (!log) {
        ++refused;
        CHECK(log.error().code == Code::corrupt);
        CHECK(files.content(first_file) == bad);  // nothing was cut
        continue;
      }
      const Strings found = contents(*log.value());
      CHECK(is_prefix(found, six));
      // Only the last group lacks a later frame that proves it.
      CHECK(found.size() >= 5);
      if (found.size() < 6) CHECK(report.cut_bytes > 0);
    }
  }
  CHECK(refused > end);
}

TEST_CASE("damage before synced entries names its place and the command that mends it", "[log][crash]") {
  SimFileSystem files(1);
  std::string bytes = three_groups(files);
  bytes[64 + 40] ^= 1;
  files.set_content(first_file, bytes);
  OpenReport report;
  const auto log = open(files, report);
  REQUIRE_FALSE(log);
  CHECK(log.error().detail.find(first_file + " is damaged at byte 64 (entry 1)") == 0);
  CHECK(log.error().detail.find("sluice journal repair") != std::string::npos);
}

TEST_CASE("what was cut never comes back", "[log][crash]") {
  SimFileSystem files(1);
  {
    const auto log = reopen(files);
    put(*log, {"one"});
    REQUIRE(append(*log, {"bad"}));
    REQUIRE(append(*log, {"after"}));  // of the same length as what will be written, so that it would line up
  }
  std::string bytes = files.content(first_file);
  bytes[64 + 48 + 41] ^= 1;
  files.set_content(first_file, bytes);
  {
    OpenReport report;
    const auto log = open(files, report).value();
    CHECK(report.cut_bytes > 0);
    CHECK(report.cut_place == first_file + " at byte 112");
    put(*log, {"new"});
  }
  CHECK(contents(*reopen(files)) == Strings{"one", "new"});
}

TEST_CASE("the cut itself is durable before the log goes on", "[log][crash]") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimFileSystem files(seed);
    {
      const auto log = reopen(files);
      put(*log, {"one"});
      REQUIRE(append(*log, {std::string(700, 'b')}));
      REQUIRE(append(*log, {std::string(700, 'c')}));
    }
    std::string bytes = files.content(first_file);
    bytes[64 + 48 + 41] ^= 1;
    files.set_content(first_file, bytes);
    {
      const auto log = reopen(files);
      REQUIRE(append(*log, {std::string(700, 'n')}));
    }
    files.crash();
    const Strings found = contents(*reopen(files));
    CHECK(is_prefix(found, Strings{"one", std::string(700, 'n')}));
  }
}

TEST_CASE("bytes of another segment or another log are never valid", "[log][crash]") {
  SimFileSystem files(1);
  {
    const auto log = reopen(files);
    for (int i = 0; i < 30; ++i) put(*log, {std::string(200, 'x')});
  }
  const std::string first = files.content(first_file);
  const std::string second = files.content(second_file);
  const std::size_t frames = first.size() - 64;
  // The old frames stand where the new segment has written nothing yet, as in a file that is used again.
  SimFileSystem recycled(2);
  REQUIRE(recycled.make_directory("d"));
  recycled.set_content(second_file, second.substr(0, 64) + first.substr(64, frames));
  const auto log = reopen(recycled);
  CHECK(contents(*log).empty());

  LogOptions other = small();
  other.salt = 78;
  SimFileSystem foreign(3);
  put(*reopen(foreign, other), {"mine"});
  foreign.set_content(first_file, foreign.content(first_file).substr(0, 64) + first.substr(64));
  CHECK(contents(*reopen(foreign, other)).empty());
}

TEST_CASE("a missing or renamed segment stops the start", "[log][crash]") {
  SimFileSystem files(1);
  {
    const auto log = reopen(files);
    for (int i = 0; i < 60; ++i) put(*log, {std::string(200, 'x')});
  }
  const std::string first = files.content(first_file);
  const std::string second = files.content(second_file);
  OpenReport report;
  files.set_content(second_file, first);
  CHECK_FALSE(open(files, report));
  REQUIRE(files.remove(second_file));
  const auto log = open(files, report);
  REQUIRE_FALSE(log);
  CHECK(log.error().detail.find(second_file + " is missing") == 0);
  files.set_content(second_file, second);
  CHECK(open(files, report));
}

TEST_CASE("after a failed write or sync the log is poisoned, and a restart recovers what was synced",
          "[log][crash]") {
  for (const bool fail_sync : {true, false}) {
    SimFileSystem files(9);
    {
      const auto log = reopen(files);
      put(*log, {"one"});
      if (fail_sync) {
        REQUIRE(append(*log, {"two"}));
        files.fail_sync_after(0);
        CHECK_FALSE(log->sync());
      } else {
        files.set_capacity(10);
        CHECK_FALSE(append(*log, {std::string(5000, 'x')}));
        files.set_capacity(1U << 30);
      }
      CHECK_FALSE(append(*log, {"three"}));
      CHECK_FALSE(log->sync());
      CHECK_FALSE(log->drop_before(1));
      CHECK(log->durable_seq() == 1);
    }
    CHECK(is_prefix({"one"}, contents(*reopen(files))));
  }
}

TEST_CASE("what a failed sync left in memory alone is on the disk once the log was opened again",
          "[log][crash]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimFileSystem files(seed);
    {
      const auto log = reopen(files);
      put(*log, {"one"});
      REQUIRE(append(*log, {std::string(1000, 't')}));
      files.fail_sync_after(0);
      CHECK_FALSE(log->sync());
    }
    const std::uint64_t durable = reopen(files)->durable_seq();
    CHECK(durable == 2);  // it reads well, so it is counted
    files.crash();
    CHECK(contents(*reopen(files)).size() == durable);
  }
}

TEST_CASE("a redaction that loses power at any point is finished or not begun", "[log][crash]") {
  std::uint64_t finished = 0;
  for (std::uint64_t at = 0; at < 24; ++at) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      SimFileSystem files(seed);
      const std::vector<std::uint64_t> seqs{2, 3, 12};
      bool done = false;
      {
        const auto log = reopen(files);
        for (int i = 0; i < 20; ++i) put(*log, {std::string(900, 'x')});
        files.stop_after(at);
        done = static_cast<bool>(log->redact(seqs));
      }
      files.crash();
      std::vector<std::uint64_t> redacted;
      const auto log = reopen(files);
      REQUIRE(log->read(1, [&](const Entry& e) {
        if ((e.flags & frame_redacted) != 0) redacted.push_back(e.seq);
        return true;
      }));
      CHECK((redacted.empty() || redacted == seqs));
      if (done) CHECK(redacted == seqs);
      CHECK(log->next_seq() == 21);
      if (!redacted.empty()) ++finished;
    }
  }
  CHECK(finished > 20);
}

// Random appends, syncs, redactions, drops, crashes and reopenings; what must hold is checked after each
// crash.
void random_life(std::uint64_t seed) {
  SimFileSystem files(seed);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  const auto draw = [&](std::uint64_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % below;
  };
  Strings written;                     // entry n at n - 1
  std::vector<std::uint64_t> commits;  // next_seq after each
  std::uint64_t durable = 0;
  auto log = reopen(files, small(2048));
  for (int step = 0; step < 60; ++step) {
    const std::uint64_t what = draw(10);
    if (what < 5) {
      Strings commit;
      for (std::uint64_t n = 1 + draw(3); n > 0; --n) {
        commit.push_back(std::to_string(draw(1000)) +
                         std::string(draw(700), static_cast<char>('a' + draw(26))));
      }
      REQUIRE(append(*log, commit));
      written.insert(written.end(), commit.begin(), commit.end());
      commits.push_back(log->next_seq());
      durable = std::max(durable, log->durable_seq());
    } else if (what < 7) {
      REQUIRE(log->sync());
      durable = log->durable_seq();
    } else if (what == 7) {
      REQUIRE(log->drop_before(durable > 10 ? durable - 10 : 1));
    } else {
      if (draw(2) == 0) {
        files.stop_after(draw(6));
        (void)append(*log, {std::string(draw(3000), 'l')});
        (void)log->sync();
        (void)append(*log, {"lost"});
      }
      log.reset();
      files.crash();
      log = reopen(files, small(2048));
      const std::uint64_t next = log->next_seq();
      CHECK(next > durable);
      // Entries that only the failed calls above know of may have survived, whole.
      Strings found = contents(*log);
      const std::uint64_t first = log->first_seq();
      CHECK(first <= std::max<std::uint64_t>(durable, 1));
      for (std::size_t i = 0; i < found.size() && first - 1 + i < written.size(); ++i) {
        CHECK(found[i] == written[first - 1 + i]);
      }
      if (next <= written.size()) {
        CHECK((next == 1 || std::find(commits.begin(), commits.end(), next) != commits.end()));
      }
      written.resize(first - 1);
      written.insert(written.end(), found.begin(), found.end());
      std::erase_if(commits, [&](std::uint64_t c) { return c >= next; });
      commits.push_back(next);
      durable = log->durable_seq();
    }
  }
}

TEST_CASE("a log lives through any crash: what was synced stays, commits are whole", "[log][crash]") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    random_life(seed);
  }
}

}  // namespace
}  // namespace sluice
