#include "store/checkpoint.hpp"

#include <map>
#include <set>
#include <utility>

#include <catch2/catch.hpp>

#include "base/sim_file.hpp"

namespace sluice {
namespace {

const std::string journal_id = "0123456789abcdefghjkmnpqrs";

using Key = std::pair<std::uint8_t, std::string>;
using Rows = std::map<Key, std::string>;

std::unique_ptr<Checkpoints> open(FileSystem& files,
                                  Checkpoints::Access access = Checkpoints::Access::read_write) {
  auto set = Checkpoints::open(files, "cp", journal_id, 1, access);
  if (!set) FAIL(set.error().detail);
  return std::move(set).value();
}

Checkpoints::EachRow into(Rows& rows) {
  return [&rows](std::uint8_t table, std::string_view key, std::string_view value, bool erased) {
    if (erased) {
      rows.erase({table, std::string(key)});
    } else {
      rows[{table, std::string(key)}] = std::string(value);
    }
  };
}

CheckpointInfo info_at(std::uint64_t seq, const Rows& rows) {
  CheckpointInfo info;
  info.seq = seq;
  info.stamp = static_cast<TimeUs>(seq * 1000);
  info.rows = rows.size();
  info.extra = "extra " + std::to_string(seq);
  return info;
}

Status write_base(Checkpoints& set, std::uint64_t seq, const Rows& rows) {
  const auto writer = SLUICE_TRY(set.begin(info_at(seq, rows), CheckpointKind::base));
  for (const auto& [key, value] : rows) SLUICE_TRY(writer->add(key.first, key.second, value));
  return writer->commit(rows.size());
}

Status write_delta(Checkpoints& set, std::uint64_t seq, const Rows& before, const Rows& after) {
  const auto writer = SLUICE_TRY(set.begin(info_at(seq, after), CheckpointKind::delta));
  for (const auto& [key, value] : before) {
    if (!after.contains(key)) SLUICE_TRY(writer->erase(key.first, key.second));
  }
  for (const auto& [key, value] : after) {
    const auto old = before.find(key);
    if (old == before.end() || old->second != value) SLUICE_TRY(writer->add(key.first, key.second, value));
  }
  return writer->commit(after.size());
}

// The state as of `seq`: some rows stay, some change, some go.
Rows rows_at(std::uint64_t seq) {
  Rows rows;
  for (std::uint64_t i = 0; i < 30; ++i) {
    if ((i + seq) % 7 == 0) continue;
    const std::uint64_t version = i % 3 == 0 ? seq : i;
    const std::string key = (i % 2 == 0 ? "of eight" : "key") + std::to_string(i);
    rows[{static_cast<std::uint8_t>(i % 4), i % 2 == 0 ? key.substr(key.size() - 8) : key}] =
        std::string(version % 50, 'v') + std::to_string(version);
  }
  return rows;
}

struct Loaded {
  Rows rows;
  std::optional<CheckpointInfo> info;
  LoadReport report;
  std::uint64_t expected = 0;  // rows, as told before the first of them
};

Loaded load(Checkpoints& set, bool threads = false) {
  Loaded out;
  std::set<Key> given;
  const Checkpoints::EachRow put = into(out.rows);
  const Checkpoints::EachRow once = [&](std::uint8_t table, std::string_view key, std::string_view value,
                                        bool erased) {
    if (!given.emplace(table, key).second) FAIL("a row that a later one replaces was given");
    put(table, key, value, erased);
  };
  auto info = set.load(
      once, out.report,
      [&](std::uint64_t rows) {
        CHECK(out.rows.empty());
        out.expected = rows;
      },
      threads);
  if (!info) FAIL(info.error().detail);
  out.info = info.value();
  return out;
}

std::string base_path(std::uint64_t seq) {
  return "cp/" + std::string(18, '0') + std::to_string(seq) + ".base";
}
std::string delta_path(std::uint64_t seq) {
  return "cp/" + std::string(18, '0') + std::to_string(seq) + ".delta";
}

void write_chain(FileSystem& files) {
  const auto set = open(files);
  REQUIRE(write_base(*set, 10, rows_at(10)));
  REQUIRE(write_delta(*set, 20, rows_at(10), rows_at(20)));
  REQUIRE(write_delta(*set, 30, rows_at(20), rows_at(30)));
}

TEST_CASE("without a checkpoint there is none", "[checkpoint]") {
  SimFileSystem files(1);
  const auto set = open(files);
  const Loaded loaded = load(*set);
  CHECK_FALSE(loaded.info);
  CHECK(loaded.rows.empty());
  CHECK_FALSE(set->latest());
}

TEST_CASE("a base and its deltas give the state as of the newest", "[checkpoint]") {
  SimFileSystem files(1);
  write_chain(files);
  files.crash();  // all of it was durable
  const auto set = open(files);
  const Loaded loaded = load(*set, GENERATE(false, true));
  REQUIRE(loaded.info);
  CHECK(loaded.info->seq == 30);
  CHECK(loaded.info->stamp == 30'000);
  CHECK(loaded.info->rows == rows_at(30).size());
  CHECK(loaded.expected == rows_at(30).size());
  CHECK(loaded.info->extra == "extra 30");
  CHECK(loaded.rows == rows_at(30));
  CHECK(loaded.report.problems.empty());
  CHECK(set->base_bytes() == files.content(base_path(10)).size());
  CHECK(set->delta_bytes() == files.content(delta_path(20)).size() + files.content(delta_path(30)).size());
  CHECK(open(files, Checkpoints::Access::read_only)->bases().value().size() == 1);
}

TEST_CASE("a new base replaces what was before it, but for the base that the journal's tail needs",
          "[checkpoint]") {
  SimFileSystem files(1);
  write_chain(files);
  const auto set = open(files);
  (void)load(*set);
  set->keep_base_at_or_after(5);
  REQUIRE(write_base(*set, 40, rows_at(40)));
  CHECK(files.list("cp").value().size() == 2);
  CHECK(set->oldest_base() == 10U);
  CHECK(set->delta_bytes() == 0);
  Rows old;
  CHECK(set->load_base(10, into(old)).value().seq == 10);
  CHECK(old == rows_at(10));
  set->keep_base_at_or_after(11);
  REQUIRE(write_base(*set, 50, rows_at(50)));
  CHECK(set->oldest_base() == 40U);
  CHECK(load(*open(files)).rows == rows_at(50));
}

TEST_CASE("many rows, large rows and empty rows come back", "[checkpoint]") {
  SimFileSystem files(1);
  const auto set = open(files);
  Rows rows;
  rows[{0, ""}] = "";
  rows[{255, std::string(3'000'000, 'k')}] = std::string(5'000'000, 'v');
  for (int i = 0; i < 40'000; ++i) rows[{1, std::to_string(i)}] = std::string(60, 'x');
  REQUIRE(write_base(*set, 1, rows));
  CHECK(load(*open(files)).rows == rows);
  const auto writer = set->begin(info_at(2, rows), CheckpointKind::delta).value();
  CHECK_FALSE(writer->add(1, "giant", std::string(70'000'000, 'g')));
}

TEST_CASE("a delta of the same sequence number is refused", "[checkpoint]") {
  SimFileSystem files(1);
  write_chain(files);
  const auto set = open(files);
  (void)load(*set);
  const auto writer = set->begin(info_at(30, {}), CheckpointKind::delta);
  REQUIRE_FALSE(writer);
  CHECK(writer.error().code == Code::rejected);
  REQUIRE(write_base(*set, 30, rows_at(30)));  // a base of it is no contradiction
  CHECK(load(*open(files)).rows == rows_at(30));
}

TEST_CASE("a checkpoint that is given up leaves nothing", "[checkpoint]") {
  SimFileSystem files(1);
  write_chain(files);
  const auto set = open(files);
  (void)load(*set);
  {
    const auto writer = set->begin(info_at(40, {}), CheckpointKind::delta).value();
    REQUIRE(writer->add(1, "a", "b"));
  }
  CHECK(files.list("cp").value().size() == 3);
  REQUIRE(write_delta(*set, 40, rows_at(30), rows_at(40)));
  CHECK(load(*open(files)).rows == rows_at(40));
}

TEST_CASE("files of another journal or a later generation are refused", "[checkpoint]") {
  SimFileSystem files(1);
  write_chain(files);
  const auto other = Checkpoints::open(files, "cp", std::string(26, 'z'), 1).value();
  Rows rows;
  LoadReport report;
  const auto loaded = other->load(into(rows), report);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == Code::misconfigured);
  CHECK(rows.empty());
  CHECK(files.list("cp").value().size() == 3);
  const auto raised = Checkpoints::open(files, "cp", journal_id, 2).value();
  REQUIRE(raised->load(into(rows), report));
  CHECK(rows == rows_at(30));
  REQUIRE(write_base(*raised, 40, rows_at(40)));
  CHECK_FALSE(open(files)->load(into(rows), report));
}

TEST_CASE("a damaged file, at any byte, is passed over for the checkpoint before it", "[checkpoint][crash]") {
  SimFileSystem source(1);
  write_chain(source);
  const std::vector<std::pair<std::string, std::uint64_t>> cases{
      {delta_path(30), 20}, {delta_path(20), 10}, {base_path(10), 0}};
  for (const auto& [path, left] : cases) {
    const std::string good = source.content(path);
    for (std::size_t at = 0; at < good.size(); ++at) {
      if (at >= 8 && at < 16) continue;  // the format's version: said to be from a later program
      for (const bool cut : {false, true}) {
        SimFileSystem files(2);
        REQUIRE(files.make_directory("cp"));
        for (const std::string& p : {base_path(10), delta_path(20), delta_path(30)})
          files.set_content(p, source.content(p));
        std::string bad = cut ? good.substr(0, at) : good;
        if (!cut) bad[at] ^= 0x10;
        files.set_content(path, bad);
        const auto set = open(files);
        const Loaded loaded = load(*set, at % 2 == 0);
        CHECK(loaded.report.problems.size() == 1);
        CHECK((loaded.info ? loaded.info->seq : 0) == left);
        CHECK(loaded.rows == (left == 0 ? Rows() : rows_at(left)));
        CHECK(loaded.expected == loaded.rows.size());
        CHECK(files.exists(path + ".damaged").value());
      }
    }
  }
}

TEST_CASE("what is read ahead is what stands there, in files of several pieces, too", "[checkpoint]") {
  SimFileSystem files(1);
  Rows before, after;
  for (std::uint64_t i = 0; i < 40'000; ++i) {
    const Key key{1, std::to_string(10'000'000 + i)};
    before[key] = std::string(300, static_cast<char>('a' + i % 26));
    if (i % 10 != 0) after[key] = i % 2 == 0 ? before[key] : std::string(500 + i % 7, 'z');
  }
  {
    const auto set = open(files);
    REQUIRE(write_base(*set, 10, before));
    REQUIRE(write_delta(*set, 20, before, after));
  }
  REQUIRE(files.content(base_path(10)).size() > 12'000'000);
  CHECK(load(*open(files), true).rows == after);
  std::string bad = files.content(delta_path(20));
  bad[bad.size() - 2'000'000] ^= 1;
  files.set_content(delta_path(20), bad);
  const Loaded loaded = load(*open(files), true);
  CHECK(loaded.rows == before);
  CHECK(loaded.report.problems.size() == 1);
}

TEST_CASE("a delta that builds on one that is missing is passed over", "[checkpoint][crash]") {
  SimFileSystem files(1);
  write_chain(files);
  REQUIRE(files.remove(delta_path(20)));
  const auto set = open(files);
  const Loaded loaded = load(*set);
  CHECK(loaded.info->seq == 10);
  CHECK(loaded.rows == rows_at(10));
  CHECK(loaded.report.problems.size() == 1);
}

TEST_CASE("after a fall back the chain goes on from there", "[checkpoint][crash]") {
  SimFileSystem files(1);
  write_chain(files);
  files.set_content(delta_path(20), "damaged");
  {
    const auto set = open(files);
    CHECK(load(*set).info->seq == 10);
    REQUIRE(write_delta(*set, 25, rows_at(10), rows_at(25)));
    REQUIRE(write_delta(*set, 30, rows_at(25), rows_at(30)));
  }
  {
    const auto set = open(files);
    CHECK(load(*set).rows == rows_at(30));
    REQUIRE(write_base(*set, 40, rows_at(40)));
  }
  CHECK(files.list("cp").value() == std::vector<std::string>{base_path(40).substr(3)});
}

TEST_CASE("a base that is damaged falls back to the older base that is kept", "[checkpoint][crash]") {
  SimFileSystem files(1);
  {
    const auto set = open(files);
    REQUIRE(write_base(*set, 10, rows_at(10)));
    set->keep_base_at_or_after(1);
    REQUIRE(write_base(*set, 20, rows_at(20)));
    REQUIRE(write_delta(*set, 30, rows_at(20), rows_at(30)));
  }
  files.set_content(base_path(20), files.content(base_path(20)).substr(0, 40));
  const auto set = open(files, Checkpoints::Access::read_only);
  const Loaded loaded = load(*set);
  CHECK(loaded.info->seq == 10);
  CHECK(loaded.rows == rows_at(10));
  CHECK(files.list("cp").value().size() == 3);  // read only: nothing was renamed
}

TEST_CASE("a checkpoint that loses power at any point is whole or not there", "[checkpoint][crash]") {
  for (const bool base : {true, false}) {
    for (std::uint64_t at = 0; at < 16; ++at) {
      for (std::uint64_t seed = 1; seed <= 15; ++seed) {
        SimFileSystem files(seed);
        write_chain(files);
        bool done = false;
        {
          const auto set = open(files);
          (void)load(*set);
          files.stop_after(at);
          done = static_cast<bool>(base ? write_base(*set, 40, rows_at(40))
                                        : write_delta(*set, 40, rows_at(30), rows_at(40)));
        }
        files.crash();
        const auto set = open(files);
        const Loaded loaded = load(*set);
        REQUIRE(loaded.info);
        const std::uint64_t seq = loaded.info->seq;
        CHECK((seq == 30 || seq == 40));
        if (done) CHECK(seq == 40);
        CHECK(loaded.rows == rows_at(seq));
        CHECK(loaded.report.problems.empty());
        REQUIRE(write_delta(*set, 50, rows_at(seq), rows_at(50)));
        CHECK(load(*open(files)).rows == rows_at(50));
      }
    }
  }
}

TEST_CASE("a base made of a base and its deltas is the state as of the newest of them", "[checkpoint]") {
  SimFileSystem files(1);
  write_chain(files);
  const auto set = open(files);
  (void)load(*set);
  REQUIRE(set->merge([] { return true; }));
  CHECK(files.list("cp").value() == std::vector<std::string>{base_path(30).substr(3)});
  CHECK(set->delta_bytes() == 0);
  CHECK(set->base_bytes() == files.content(base_path(30)).size());
  const Loaded loaded = load(*open(files));
  CHECK(loaded.info->seq == 30);
  CHECK(loaded.info->extra == "extra 30");
  CHECK(loaded.rows == rows_at(30));
  CHECK(loaded.expected == loaded.rows.size());
  REQUIRE(write_delta(*set, 40, rows_at(30), rows_at(40)));
  CHECK(load(*open(files)).rows == rows_at(40));
  REQUIRE(set->merge([] { return true; }));
  CHECK(load(*open(files)).rows == rows_at(40));
  REQUIRE(set->merge([] { return true; }));  // nothing to do
}

TEST_CASE("what is committed while files are merged goes on from them, or takes their place",
          "[checkpoint]") {
  for (const bool base : {false, true}) {
    SimFileSystem files(1);
    Rows large = rows_at(30);
    for (int i = 0; i < 40; ++i) large[{9, std::to_string(i)}] = std::string(100'000, 'x');
    write_chain(files);
    const auto set = open(files);
    (void)load(*set);
    REQUIRE(write_delta(*set, 35, rows_at(30), large));
    bool once = true;
    REQUIRE(set->merge([&] {
      if (!std::exchange(once, false)) return true;
      REQUIRE((base ? write_base(*set, 40, rows_at(40)) : write_delta(*set, 40, large, rows_at(40))));
      return true;
    }));
    CHECK_FALSE(once);
    CHECK(set->latest()->seq == 40);
    CHECK(files.list("cp").value().size() == (base ? 1 : 2));
    CHECK(load(*open(files)).rows == rows_at(40));
    REQUIRE(write_delta(*set, 50, rows_at(40), rows_at(50)));
    CHECK(load(*open(files)).rows == rows_at(50));
  }
}

TEST_CASE("merging that is given up, or finds a damaged file, leaves all as it was", "[checkpoint][crash]") {
  SimFileSystem files(1);
  Rows large = rows_at(30);
  for (int i = 0; i < 20; ++i) large[{9, std::to_string(i)}] = std::string(100'000, 'x');
  write_chain(files);
  const auto set = open(files);
  (void)load(*set);
  REQUIRE(write_delta(*set, 40, rows_at(30), large));
  const auto before = files.list("cp").value();
  const Status given_up = set->merge([] { return false; });
  REQUIRE_FALSE(given_up);
  CHECK(given_up.error().code == Code::cancelled);
  CHECK(files.list("cp").value() == before);
  CHECK_FALSE(set->wants_base());
  std::string bad = files.content(delta_path(20));
  bad[bad.size() / 2] ^= 1;
  files.set_content(delta_path(20), bad);
  CHECK_FALSE(set->merge([] { return true; }));
  CHECK(files.list("cp").value() == before);
  CHECK(set->wants_base());
  REQUIRE(write_base(*set, 50, rows_at(50)));
  CHECK_FALSE(set->wants_base());
}

TEST_CASE("merging that loses power at any point loses nothing", "[checkpoint][crash]") {
  bool done = false;
  for (std::uint64_t at = 0; !done; ++at) {
    for (std::uint64_t seed = 1; seed <= 15; ++seed) {
      SimFileSystem files(seed);
      write_chain(files);
      {
        const auto set = open(files);
        (void)load(*set);
        files.stop_after(at);
        done = static_cast<bool>(set->merge([] { return true; }));
      }
      files.crash();
      const auto set = open(files);
      const Loaded loaded = load(*set);
      REQUIRE(loaded.info);
      CHECK(loaded.info->seq == 30);
      CHECK(loaded.rows == rows_at(30));
      CHECK(loaded.report.problems.empty());
      REQUIRE(write_delta(*set, 50, rows_at(30), rows_at(50)));
      CHECK(load(*open(files)).rows == rows_at(50));
    }
    REQUIRE(at < 100);
  }
}

}  // namespace
}  // namespace sluice
