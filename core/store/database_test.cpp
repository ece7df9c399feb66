#include "store/database.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "store/sqlite.hpp"

namespace sluice::store {
namespace {

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-database-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file() const { return path + "/hub.db"; }
  std::string path;
};

std::unique_ptr<Database> open(const Folder& folder, Access access = Access::write) {
  auto opened = Database::open(folder.file(), access);
  REQUIRE(opened);
  return std::move(opened).value();
}

DeadLetter letter(std::uint64_t seq, const std::string& destination, const std::string& reason,
                  ProfileId person = 5) {
  DeadLetter l;
  l.effect.key = {seq, 1};
  l.effect.destination = destination;
  l.effect.person = person;
  l.effect.name = "Order Completed";
  l.effect.payload = R"({"total":3})";
  l.idempotency_key = "j.1." + std::to_string(seq) + ".1";
  l.kind = "rejected";
  l.reason = reason;
  l.request = "POST /x";
  l.response = "HTTP 400";
  l.at = static_cast<TimeUs>(seq);
  return l;
}

TEST_CASE("dead letters are grouped by reason, listed, shown and taken once", "[database]") {
  const Folder folder;
  const auto db = open(folder);
  REQUIRE(db->add_dead_letters(
      {letter(1, "braze", "bad_email"), letter(2, "braze", "bad_email"), letter(3, "mail", "bounced")}));
  const auto groups = db->dead_groups({}).value();
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].reason == "bad_email");
  CHECK(groups[0].count == 2);
  CHECK(groups[0].last == 2);
  const auto listed =
      db->dead_letters({.destination = "braze", .reason = "", .kind = "", .replayed_too = false}, 10).value();
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].effect.key.seq == 2);
  const auto shown = db->dead_letter(listed[1].id).value();
  REQUIRE(shown);
  CHECK(shown->request == "POST /x");
  CHECK(shown->effect.payload == R"({"total":3})");
  const auto taken = db->take_dead_letters({listed[0].id, listed[1].id, 999}).value();
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].key.seq == 1);
  CHECK(taken[0].destination == "braze");
  CHECK(db->take_dead_letters({listed[0].id}).value().empty());
  CHECK(db->dead_letters({}, 10).value().size() == 1);
  CHECK(db->dead_letters({.destination = "", .reason = "", .kind = "", .replayed_too = true}, 10)
            .value()
            .size() == 3);
}

TEST_CASE("one record makes one dead letter, open again when it is refused again", "[database]") {
  const Folder folder;
  const auto db = open(folder);
  REQUIRE(db->add_dead_letters({letter(1, "braze", "a")}));
  REQUIRE(db->add_dead_letters({letter(1, "braze", "b")}));
  auto all = db->dead_letters({}, 10).value();
  REQUIRE(all.size() == 1);
  CHECK(all[0].reason == "a");
  CHECK(db->take_dead_letters({all[0].id}).value().size() == 1);
  REQUIRE(db->add_dead_letters({letter(1, "braze", "b")}));
  all = db->dead_letters({}, 10).value();
  REQUIRE(all.size() == 1);
  CHECK(all[0].reason == "b");
}

TEST_CASE("an exchange is cut to its limit, between characters", "[database]") {
  const Folder folder;
  const auto db = open(folder);
  DeadLetter exact = letter(1, "a", "r"), longer = letter(2, "a", "r");
  exact.request = std::string(exchange_bytes_max, 'x');
  longer.request = std::string(exchange_bytes_max - 1, 'x') + "é";
  REQUIRE(db->add_dead_letters({exact, longer}));
  const auto all = db->dead_letters({}, 10).value();
  CHECK(db->dead_letter(all[1].id).value()->request.size() == exchange_bytes_max);
  CHECK(db->dead_letter(all[0].id).value()->request.size() == exchange_bytes_max - 1);
}

TEST_CASE("dead letters go when their retention is over", "[database]") {
  const Folder folder;
  const auto db = open(folder);
  REQUIRE(db->add_dead_letters({letter(10, "a", "r"), letter(20, "a", "r")}));
  CHECK(db->remove_dead_letters_before(20).value() == 1);
  CHECK(db->dead_letters({}, 10).value().size() == 1);
}

TEST_CASE("a projection replaces what stood there for a person, and says how far it reaches", "[database]") {
  const Folder folder;
  const auto db = open(folder);
  CHECK(db->projected_seq().value() == 0);
  const ProfileId high = 0xF000000000000001ULL;
  REQUIRE(db->project(
      {{1, "{\"a\":1}", {{"email", "ada@example.com"}, {"user_id", "u1"}}, {{"vip", 7}, {"all", 3}}},
       {high, "{}", {{"user_id", "u2"}}, {{"vip", 5}}}},
      10, 0));
  CHECK(db->find("email", "ada@example.com").value() == std::vector<ProfileId>{1});
  auto vips = db->members("vip").value();
  REQUIRE(vips.size() == 2);
  CHECK(vips[0].profile == high);
  CHECK(vips[1].entered_at == 7);
  REQUIRE(db->project({{1, "{\"a\":2}", {{"user_id", "u1"}}, {{"all", 3}}}}, 11, 0));
  CHECK(db->projected_seq().value() == 11);
  CHECK(db->profile(1).value() == std::string("{\"a\":2}"));
  CHECK(db->find("email", "ada@example.com").value().empty());
  CHECK(db->members("vip").value().size() == 1);
  CHECK(db->audience_sizes().value() ==
        std::vector<std::pair<std::string, std::uint64_t>>{{"all", 1}, {"vip", 1}});
  REQUIRE(db->project({{1, "{}", {{"phone", "+33612345678"}, {"user_id", "u1"}}, {{"all", 9}, {"vip", 8}}}},
                      11, 0));
  CHECK(db->find("phone", "+33612345678").value() == std::vector<ProfileId>{1});
  CHECK(db->find("user_id", "u1").value() == std::vector<ProfileId>{1});
  CHECK(db->members("all").value().at(0).entered_at == 9);  // left and entered again in between
  CHECK(db->members("vip").value().size() == 2);
  REQUIRE(db->project({{1, "", {}, {}}}, 12, 0));
  CHECK(db->find("user_id", "u1").value().empty());
  CHECK(db->profile_count().value() == 1);
  CHECK_FALSE(db->profile(1).value());
  REQUIRE(db->clear_projection());
  CHECK(db->profile_count().value() == 0);
  CHECK(db->projected_seq().value() == 0);
}

TEST_CASE("the history of a person is bounded, newest first", "[database]") {
  const Folder folder;
  const auto db = open(folder);
  std::vector<DeliveryRow> rows;
  for (TimeUs at = 1; at <= 150; ++at)
    rows.push_back({7, at, "braze", "r", "event", "n", "delivered", "", "k"});
  rows.push_back({8, 1, "mail", "", "message", "", "rejected", "bounced", "k"});
  REQUIRE(db->record_deliveries(rows));
  const auto history = db->deliveries(7, 1'000).value();
  REQUIRE(history.size() == history_rows_max);
  CHECK(history.front().at == 150);
  CHECK(history.back().at == 51);
  CHECK(db->deliveries(8, 10).value().front().reason == "bounced");
}

TEST_CASE("erasure leaves nothing of a person, in no file", "[database]") {
  const Folder folder;
  const auto db = open(folder);
  const std::string secret = "ada.lovelace.unmistakable@example.com";
  DeadLetter l = letter(1, "braze", "r", 7);
  l.effect.payload = "{\"email\":\"" + secret + "\"}";
  REQUIRE(db->add_dead_letters({l}));
  REQUIRE(db->project({{7, "{\"email\":\"" + secret + "\"}", {{"email", secret}}, {}}}, 1, 0));
  REQUIRE(db->record_deliveries({{7, 1, "braze", "", "message", secret, "delivered", "", "k"}}));
  REQUIRE(db->erase(7));
  CHECK_FALSE(db->profile(7).value());
  CHECK(db->dead_letters({}, 10).value().empty());
  for (const auto& entry : std::filesystem::directory_iterator(folder.path)) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    CHECK(text.str().find(secret) == std::string::npos);
  }
}

TEST_CASE("a reader sees what a writer committed, and changes nothing", "[database]") {
  const Folder folder;
  CHECK(Database::open(folder.file(), Access::read).error().code == Code::misconfigured);
  const auto writer = open(folder);
  REQUIRE(writer->audit({1, "cli", "apply", "connectors.yaml", ""}));
  const auto reader = open(folder, Access::read);
  CHECK(reader->audits(5).value().size() == 1);
  CHECK_FALSE(reader->put_meta("a", "b"));
  REQUIRE(writer->put_meta("a", "b"));
  CHECK(reader->meta("a").value() == std::string("b"));
  CHECK((std::filesystem::status(folder.file()).permissions() & std::filesystem::perms(077)) ==
        std::filesystem::perms::none);
}

TEST_CASE("a newer schema is refused with its number", "[database]") {
  const Folder folder;
  open(folder).reset();
  {
    const auto raw = Connection::open(folder.file(), false);
    REQUIRE(raw);
    REQUIRE(raw.value()->execute("PRAGMA user_version = 99"));
  }
  const auto refused = Database::open(folder.file());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::misconfigured);
  CHECK(refused.error().detail.find("schema 99") != std::string::npos);
}

}  // namespace
}  // namespace sluice::store
