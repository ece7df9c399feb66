#include <catch2/catch.hpp>

#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

struct Destination {
  explicit Destination(std::string config = R"({"path": "./out.jsonl"})") : config_(std::move(config)) {
    open();
  }
  void open() { connector = open_built("file", SLUICE_DESTINATION, config_, folder.path(), host).value(); }
  std::vector<plugin::Outcome> deliver(const std::vector<plugin::Record>& records) {
    return connector->deliver(records).value();
  }
  Folder folder;
  PluginHost host;
  std::unique_ptr<plugin::Connector> connector;

 private:
  std::string config_;
};

plugin::Record record(std::string id) {
  return {.id = std::move(id), .payload = "{}"};
}

}  // namespace

TEST_CASE("each record is a line with key, op, name, time, profile and payload") {
  Destination file;
  const auto outcomes = file.deliver({{.op = SLUICE_ENTER,
                                       .time = 1'763'825'411'722'000,
                                       .id = "j.1.42.0",
                                       .key = "p0",
                                       .name = "vip \"A\"",
                                       .payload = R"({"city":"Nîmes"})"},
                                      {.op = SLUICE_EVENT, .time = 1, .id = "j.1.43.0", .payload = ""}});
  CHECK(outcomes.size() == 2);
  CHECK(outcomes[0].status == SLUICE_OK);
  CHECK(
      file.folder.read("out.jsonl") ==
      R"({"key":"j.1.42.0","op":"enter","name":"vip \"A\"","time":"2025-11-22T15:30:11.722Z","profile":"p0","payload":{"city":"Nîmes"}})"
      "\n"
      R"({"key":"j.1.43.0","op":"event","name":"","time":"1970-01-01T00:00:00.000001Z","profile":null,"payload":{}})"
      "\n");
}

TEST_CASE("times before 1970 are right, and no time is null") {
  Destination file;
  file.deliver({{.time = -1, .id = "a"}, {.id = "b"}});
  CHECK(file.folder.read("out.jsonl").find(R"("time":"1969-12-31T23:59:59.999999Z")") != std::string::npos);
  CHECK(file.folder.read("out.jsonl").find(R"("time":null)") != std::string::npos);
}

TEST_CASE("every operation has its word, one that it does not know is refused") {
  Destination file;
  const std::vector<std::string> words{"event",   "upsert", "delete", "enter",  "leave",
                                       "message", "merge",  "erase",  "consent"};
  std::vector<plugin::Record> all;
  for (std::uint32_t op = SLUICE_EVENT; op <= SLUICE_CONSENT; ++op)
    all.push_back({.op = op, .payload = "{}"});
  all.push_back({.op = 77, .payload = "{}"});
  const auto outcomes = file.deliver(all);
  CHECK(outcomes.back().status == SLUICE_INVALID);
  CHECK(outcomes.back().reason == "unknown_op");
  const std::string text = file.folder.read("out.jsonl");
  for (const std::string& word : words) CHECK(text.find("\"op\":\"" + word + '"') != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 9);
}

TEST_CASE("a line torn by a crash is ended before the next batch, and whole lines are left alone") {
  Destination file;
  file.folder.write("out.jsonl", "{\"key\":\"whole\"}\n{\"key\":\"to");
  file.deliver({record("next")});
  CHECK(file.folder.read("out.jsonl").starts_with("{\"key\":\"whole\"}\n{\"key\":\"to\n{\"key\":\"next\""));
  file.open();
  file.deliver({record("last")});
  CHECK(file.folder.read("out.jsonl").find("}\n{\"key\":\"last\"") != std::string::npos);
}

TEST_CASE("a file that was moved away is begun anew") {
  Destination file;
  file.deliver({record("first")});
  std::filesystem::rename(file.folder.at("out.jsonl"), file.folder.at("old"));
  file.deliver({record("second")});
  CHECK(file.folder.read("old").find("second") == std::string::npos);
  CHECK(file.folder.read("out.jsonl").starts_with("{\"key\":\"second\""));
}

TEST_CASE("a file that is full is put aside under the next number") {
  Destination file(R"({"path": "out.jsonl", "rotate": 10})");
  for (const char* const id : {"a", "b", "c"}) file.deliver({record(id)});
  CHECK(file.folder.read("out.jsonl.1").find("\"a\"") != std::string::npos);
  CHECK(file.folder.read("out.jsonl.2").find("\"b\"") != std::string::npos);
  CHECK(file.folder.read("out.jsonl").find("\"c\"") != std::string::npos);
}

TEST_CASE("folders that are missing are made, for the hub's user alone") {
  Destination file(R"({"path": "./lake/sub/out.jsonl"})");
  file.deliver({record("a")});
  CHECK(file.folder.read("lake/sub/out.jsonl").starts_with("{\"key\":\"a\""));
  namespace fs = std::filesystem;
  CHECK((fs::status(file.folder.at("lake")).permissions() & fs::perms::mask) == fs::perms::owner_all);
}

TEST_CASE("where no file can be made it is tried again later, and then nothing is lost") {
  Destination file(R"({"path": "sub/out.jsonl"})");
  file.folder.write("sub", "a file in the way");
  const std::vector<plugin::Record> one{record("a")};
  const auto failed = file.connector->deliver(one);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Code::transient);
  std::filesystem::remove(file.folder.at("sub"));
  CHECK(file.connector->deliver(one));
  CHECK(file.folder.read("sub/out.jsonl").starts_with("{\"key\":\"a\""));
}

TEST_CASE("only the hub's user can read what is written") {
  Destination file;
  file.deliver({record("a")});
  namespace fs = std::filesystem;
  CHECK((fs::status(file.folder.at("out.jsonl")).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a path that leaves the configuration's folder is refused") {
  PluginHost host;
  const auto opened =
      open_built("file", SLUICE_DESTINATION, R"({"path": "../../etc/x"})", "/nonexistent", host);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().detail.find("write the absolute path") != std::string::npos);
}
