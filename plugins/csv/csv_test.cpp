#include <catch2/catch.hpp>

#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

struct Source {
  explicit Source(std::string config) : config_(std::move(config)) {}
  // Reads from the last cursor on, as a restarted hub would.
  RecordingSink& read(bool until_idle = true) {
    std::unique_ptr<plugin::Connector> connector =
        open_built("csv", SLUICE_SOURCE, config_, folder.path(), host).value();
    return read_with(*connector, until_idle);
  }
  RecordingSink& read_with(plugin::Connector& connector, bool until_idle) {
    const std::string cursor = sink.cursors.empty() ? "" : sink.cursors.back();
    sink = {};
    const Status done = connector.read({.stream = "rows", .cursor = cursor, .until_idle = until_idle}, sink);
    error = done ? "" : done.error().detail;
    if (sink.cursors.empty()) sink.cursors.push_back(cursor);
    return sink;
  }
  Folder folder;
  PluginHost host;
  RecordingSink sink;
  std::string error;

 private:
  std::string config_;
};

std::vector<std::string> payloads(const RecordingSink& sink) {
  std::vector<std::string> out;
  for (const auto& row : sink.rows) out.push_back(row.payload);
  return out;
}

std::string only_payload(std::string config, std::string_view file) {
  Source source(std::move(config));
  source.folder.write("a.csv", file);
  const RecordingSink& sink = source.read();
  INFO(source.error);
  REQUIRE(sink.rows.size() == 1);
  return sink.rows[0].payload;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a row becomes one object of texts, named by the header") {
  Source source(R"({"path": "a.csv"})");
  source.folder.write("a.csv", "InvoiceNo,Quantity\n536365,6\n");
  const RecordingSink& sink = source.read();
  REQUIRE(sink.rows.size() == 1);
  CHECK(sink.rows[0].payload == R"({"InvoiceNo":"536365","Quantity":"6"})");
  CHECK(sink.rows[0].name == "rows");
  CHECK(sink.rows[0].place == "a.csv:2");
  CHECK(sink.has_ended);
}

TEST_CASE("quoted cells hold delimiters, doubled quotes and line ends") {
  CHECK(only_payload(R"({"path": "a.csv"})", "a,b\r\n\"x, \"\"y\"\"\",\"1\n2\"\r\n") ==
        R"({"a":"x, \"y\"","b":"1\n2"})");
}

TEST_CASE("a byte order mark is no part of the first column's name") {
  CHECK(only_payload(R"({"path": "a.csv"})", "\xEF\xBB\xBF\"a\",b\n1,2\n") == R"({"a":"1","b":"2"})");
}

TEST_CASE("UTF-16 is refused with the mend") {
  Source source(R"({"path": "a.csv"})");
  source.folder.write("a.csv", std::string_view("\xFF\xFE"
                                                "a\0\n\0",
                                                6));
  source.read();
  CHECK(source.error.find("save it as UTF-8") != std::string::npos);
}

TEST_CASE("a French export is read: semicolons, windows-1252, decimal comma, day first, local time") {
  const std::string config =
      R"({"path": "a.csv", "delimiter": ";", "encoding": "windows-1252", "decimal": ",",
                                 "dates": "dd/MM/yyyy HH:mm", "timezone": "Europe/Paris"})";
  CHECK(only_payload(config, "Prenom;Total;Le\nAgn\xE8s \x80;1 234,50;01/07/2026 14:05\n") ==
        R"({"Prenom":"Agnès €","Total":"1234.50","Le":"2026-07-01T12:05:00Z"})");
}

TEST_CASE("with a decimal comma only whole numbers get a point") {
  const std::string config = R"({"path": "a.csv", "delimiter": ";", "decimal": ","})";
  CHECK(only_payload(config, "a;b;c;d;e;f\n-1.234.567,8;12,5,6;1.23,4;a,5;,5;7\n") ==
        R"({"a":"-1234567.8","b":"12,5,6","c":"1.23,4","d":"a,5","e":",5","f":"7"})");
}

TEST_CASE("date-times become UTC by the zone, dates alone stay unless a pattern is a date alone") {
  CHECK(
      only_payload(R"({"path": "a.csv", "timezone": "America/New_York"})",
                   "a,b,c,d\n2010-12-01 08:26:00,2010-12-01T08:26,2010-12-01,2010-12-01 08:26:00Z\n") ==
      R"({"a":"2010-12-01T13:26:00Z","b":"2010-12-01T13:26:00Z","c":"2010-12-01","d":"2010-12-01 08:26:00Z"})");
  CHECK(
      only_payload(R"({"path": "a.csv", "timezone": "Europe/Paris", "dates": ["yyyyMMdd", "d.M.yy h:mm a"]})",
                   "a,b,c\n20260701,1.7.26 3:05 PM,20260732\n") ==
      R"({"a":"2026-06-30T22:00:00Z","b":"2026-07-01T13:05:00Z","c":"20260732"})");
}

TEST_CASE("an hour that the clocks skip is the moment of the jump, one that comes twice is the first") {
  CHECK(only_payload(R"({"path": "a.csv", "timezone": "Europe/Paris"})",
                     "a,b\n2026-03-29 02:30,2026-10-25 02:30\n") ==
        R"({"a":"2026-03-29T01:00:00Z","b":"2026-10-25T00:30:00Z"})");
}

TEST_CASE("columns by blanks, named in the settings, are read without a header row") {
  const std::string config =
      R"({"path": "a.csv", "delimiter": "whitespace", "header": ["id", "date", "n", "value"],
                                 "columns": ["id", "value"]})";
  CHECK(only_payload(config, " 00001 19970101  1   11.77\n") == R"({"id":"00001","value":"11.77"})");
}

TEST_CASE("columns without a name and with the same name keep their cells") {
  CHECK(only_payload(R"({"path": "a.csv"})", "a,,a\n1,2,3\n") == R"({"a":"1","column_2":"2","a_2":"3"})");
}

TEST_CASE("rows that cannot be read are rejected by file and line, the others go on") {
  Source source(R"({"path": "a.csv"})");
  source.folder.write("a.csv", "a,b\n1,2\n3\n\"x\"y,4\nb\xFF,5\n\n6,7\n\"open,8\n9,10\n");
  const RecordingSink& sink = source.read();
  CHECK(payloads(sink) == Texts{R"({"a":"1","b":"2"})", R"({"a":"6","b":"7"})", R"({"a":"9","b":"10"})"});
  REQUIRE(sink.bad.size() == 4);
  CHECK((sink.bad[0].place == "a.csv:3" && sink.bad[0].reason == "column_count" && sink.bad[0].text == "3"));
  CHECK((sink.bad[1].place == "a.csv:4" && sink.bad[1].reason == "bad_quote"));
  CHECK((sink.bad[2].place == "a.csv:5" && sink.bad[2].reason == "bad_encoding"));
  CHECK((sink.bad[3].place == "a.csv:8" && sink.bad[3].reason == "unclosed_quote" &&
         sink.bad[3].text == "\"open,8"));
}

TEST_CASE("a restart goes on behind the last row that was read, with the same keys") {
  Source source(R"({"path": "a.csv"})");
  source.folder.write("a.csv", "a\n1\n2\n");
  const std::string key = source.read().rows[1].key;
  source.folder.append("a.csv", "3\n");
  const RecordingSink& sink = source.read();
  CHECK(payloads(sink) == Texts{R"({"a":"3"})"});
  CHECK(sink.rows[0].place == "a.csv:4");
  CHECK(sink.rows[0].key != key);
  CHECK(source.read().rows.empty());
}

TEST_CASE("while following, a last line without its end waits until it is whole") {
  Source source(R"({"path": "*.csv"})");
  source.folder.write("a.csv", "a,b\n1,2\n3,");
  const auto connector =
      open_built("csv", SLUICE_SOURCE, R"({"path": "*.csv"})", source.folder.path(), source.host).value();
  CHECK(payloads(source.read_with(*connector, false)) == Texts{R"({"a":"1","b":"2"})"});
  CHECK_FALSE(source.sink.has_ended);
  source.folder.append("a.csv", "4\n\"5\n");
  CHECK(payloads(source.read_with(*connector, false)) == Texts{R"({"a":"3","b":"4"})"});
  CHECK(source.sink.bad.empty());
  source.folder.append("a.csv", "6\",7\n");
  source.folder.write("b.csv", "a\nnew\n");
  CHECK(payloads(source.read_with(*connector, false)) == Texts{R"({"a":"5\n6","b":"7"})", R"({"a":"new"})"});
  source.folder.append("a.csv", "8,9");
  CHECK(payloads(source.read_with(*connector, true)) == Texts{R"({"a":"8","b":"9"})"});
  CHECK(source.sink.has_ended);
}

TEST_CASE("a renamed file stays the same, a replaced or shortened one starts over under other keys") {
  Source source(R"({"path": "*.csv"})");
  source.folder.write("a.csv", "a\n1\n2\n");
  const std::string key = source.read().rows[0].key;
  std::filesystem::rename(source.folder.at("a.csv"), source.folder.at("b.csv"));
  CHECK(source.read().rows.empty());
  source.folder.write("b.csv", "a\n1\n");  // the same inode, cut short
  const RecordingSink& cut = source.read();
  REQUIRE(cut.rows.size() == 1);
  CHECK(cut.rows[0].key != key);
  source.folder.write("c.csv", "a\n1\n2\n");
  std::filesystem::rename(source.folder.at("c.csv"), source.folder.at("b.csv"));
  const RecordingSink& replaced = source.read();
  CHECK(replaced.rows.size() == 2);
  CHECK(replaced.rows[0].key != key);
}

TEST_CASE("a checkpoint comes at least every 500 rows, and any of them is a place to go on from") {
  Source source(R"({"path": "a.csv"})");
  std::string text = "n\n";
  for (int i = 0; i < 1'234; ++i) text += std::to_string(i) + '\n';
  source.folder.write("a.csv", text);
  const RecordingSink first = source.read();
  REQUIRE(first.rows.size() == 1'234);
  REQUIRE(first.cursors.size() == 3);
  source.sink.cursors = {first.cursors[0]};
  const RecordingSink& again = source.read();
  REQUIRE(again.rows.size() == 734);
  CHECK(again.rows[0].payload == R"({"n":"500"})");
  CHECK(again.rows[0].key == first.rows[500].key);
}

TEST_CASE("rows longer than the blocks they are read in, and than the longest row, are handled") {
  Source source(R"({"path": "a.csv"})");
  const std::string wide(700'000, 'x'), endless(1'300'000, 'y');
  source.folder.write("a.csv", "a\n" + wide + "\n\"" + endless + "\n1\n");
  const RecordingSink& sink = source.read(false);
  REQUIRE(sink.rows.size() == 2);
  CHECK(sink.rows[0].payload.size() == wide.size() + 8);
  CHECK(sink.rows[1].payload == R"({"a":"1"})");
  REQUIRE(sink.bad.size() == 1);
  CHECK(sink.bad[0].reason == "row_too_long");
}

TEST_CASE("when the host stops taking records the read ends and reads them again later") {
  Source source(R"({"path": "a.csv"})");
  source.folder.write("a.csv", "a\n1\n2\n3\n");
  const auto connector =
      open_built("csv", SLUICE_SOURCE, R"({"path": "a.csv"})", source.folder.path(), source.host).value();
  RecordingSink sink;
  sink.fail_at = 2;
  const Status done = connector->read({.until_idle = true}, sink);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::cancelled);
  CHECK(sink.cursors.empty());
  CHECK(source.read().rows.size() == 3);
}

TEST_CASE("settings that cannot be are refused with the mend") {
  const auto why = [](std::string config) {
    PluginHost host;
    const Folder folder;
    const auto opened = open_built("csv", SLUICE_SOURCE, std::move(config), folder.path(), host);
    return opened ? std::string("fine") : opened.error().detail;
  };
  CHECK(why(R"({})").find("'path' is missing") == 0);
  CHECK(why(R"({"path": "../a.csv"})").find("write the absolute path") != std::string::npos);
  CHECK(why(R"({"path": "a", "encoding": "utf-7"})").find("'encoding' must be") == 0);
  CHECK(why(R"({"path": "a", "timezone": "Europe/Pariss"})").find("IANA zone") != std::string::npos);
  CHECK(why(R"({"path": "a", "dates": "dd/QQ/yyyy"})").find("must hold year, month and day") !=
        std::string::npos);
  CHECK(why(R"({"path": "a", "delimiter": "ab"})").find("'delimiter' must be") == 0);
}

TEST_CASE("a file that is not there is an error, a pattern without matches is not") {
  Source missing(R"({"path": "a.csv"})");
  missing.read();
  CHECK(missing.error.find("there is no file") != std::string::npos);
  Source none(R"({"path": "*.csv"})");
  CHECK(none.read().has_ended);
  CHECK(none.error.empty());
}
