#include <algorithm>

#include <catch2/catch.hpp>

#include "config/load.hpp"
#include "config/source_text.hpp"
#include "config/test_support.hpp"

using namespace sluice::config;
using sluice::config::testing::check_text;
using sluice::config::testing::Folder;
using sluice::config::testing::shown;

namespace {

// A configuration without mistakes, to plant one in.
constexpr const char* sound = R"(version: 1
hub:
  data: ./data
  listen: 127.0.0.1:8080
  timezone: Europe/Paris
  country: FR
sources:
  shop:
    plugin: csv
    with: { path: ./shop.csv }
    streams:
      rows:
        as: identify
        ids: { user_id: row.id }
        traits: { city: row.city }
consent:
  unknown: denied
  purposes:
    newsletter: { channel: email, basis: consent }
computed:
  revenue: events("Order").sum(e, e.properties.total)
audiences:
  vip: traits.revenue > 1000.0
  near: audiences.vip && traits.city == "Lyon"
routes:
  people:
    profiles: has(traits.city)
    to: braze
    fields: { city: traits.city }
workflows:
  hello:
    trigger: { enters: vip }
    again: { after: 7d }
    steps:
      - wait: 1h
      - { id: mail, send: braze, with: { subject: "Bonjour {{ traits.city }}" } }
destinations:
  post: { plugin: smtp, purpose: newsletter, with: { server: "smtp://mail.test", from: me } }
  braze:
    plugin: braze
    purpose: newsletter
    with: { endpoint: "https://rest.test", api_key: "${SLUICE_TEST_KEY}" }
    rate: 250 per 1s
)";

struct Mistake {
  const char* from;  // this part of the sound file…
  const char* to;    // …becomes this; the first @ marks where the diagnostic must point, and is taken out
  const char* code;
  const char* word;  // of what is said or of the help; "a|b" is either
};

const Mistake mistakes[] = {
    // YAML's own traps
    {"  unknown: denied", "  unknown: denied\n  @unknown: granted", "duplicate-key", "line 17, column 3"},
    {"  listen: 127.0.0.1:8080", "  @<<: x", "merge-key", "written out|write the values"},
    {"vip: traits.revenue > 1000.0", "vip: @!has(traits.x) && true", "tag", "single quotes"},
    {"profiles: has(traits.city)", "profiles: @!(traits.a)", "tag", "quotes"},
    {"profiles: has(traits.city)", "profiles: @!has(traits[\"x\"])", "tag", "quotes"},
    {"data: ./data", "data: @&d ./data", "anchor", "anchor"},
    {"data: ./data", "data: @*d", "anchor", "alias"},
    {"country: FR", "country: FR\n@---\nversion: 1", "several-documents", "include"},
    {"    rate: 250 per 1s\n", "    region: @'EU", "unfinished-quote", "close"},
    {"    rate: 250 per 1s\n", "    region: @\"EU\n", "unfinished-quote", "close"},
    {"    plugin: csv", "    plugin: @\"csv", "unfinished-quote", "close"},
    {"  data: ./data", "@\tdata: ./data", "tab", "spaces"},
    {"vip: traits.revenue > 1000.0", "vip: traits.a ? 1 @: 2", "quoting", "key"},
    {"vip: traits.revenue > 1000.0", "vip: \"a\" @== traits.a", "quoting", "closing quote"},
    {"ids: { user_id: row.id }", "ids: { user_id: row@[\"id\"] }", "quoting", "quotes"},
    {"ids: { user_id: row.id }", "ids: @{ user_id: row.id", "unclosed-bracket", "not closed"},
    {"vip: traits.revenue > 1000.0", "vip: @@", "quoting", "begin with"},
    {"vip: traits.revenue > 1000.0", "vip: @-traits.a > 5", "quoting", "must begin"},
    {"  country: FR", "  country: FR\n   @region: EU", "indentation", "line up"},
    // keys and shapes
    {"    rate: 250 per 1s", "    @rte: 250 per 1s", "unknown-key", "did you mean 'rate'?"},
    {"audiences:", "@audience:", "unknown-key", "did you mean 'audiences'?"},
    {"    plugin: csv", "    @plgin: csv", "unknown-key", "did you mean 'plugin'?"},
    {"  hello:", "  @bad name:", "bad-name", "letters"},
    {"    plugin: braze\n", "", "missing-key", "'plugin'"},
    {"  hello:\n    trigger: { enters: vip }", "  @hello:", "missing-key", "'trigger'"},
    {"    to: braze", "    @to:", "empty-value", "no value"},
    {"    to: braze", "    to: @[braze]", "wrong-type", "one value"},
    {"    steps:\n      - wait: 1h", "    steps:\n      - @oops", "wrong-type", "keys with values"},
    {"again: { after: 7d }", "again: { after: @7 }", "missing-unit", "unit"},
    {"again: { after: 7d }", "again: { after: @7 dayz }", "bad-value", "length of time"},
    {"rate: 250 per 1s", "rate: @250", "missing-unit", "250 per 1s"},
    {"rate: 250 per 1s", "linger: @1mo", "bad-value", "length of time"},
    {"rate: 250 per 1s", "parallel: @0", "out-of-range", "between 1"},
    {"rate: 250 per 1s", "parallel: @many", "wrong-type", "whole number"},
    {"rate: 250 per 1s", "parallel: @012", "wrong-type", "whole number"},
    {"rate: 250 per 1s", "allow_private: @yes", "wrong-type", "write true"},
    {"rate: 250 per 1s", "allow_hosts: [@\"http://x.test\"]", "bad-host", "without a scheme"},
    {"  vip: traits.revenue > 1000.0", "  vip: { where: traits.revenue > 1000.0, backfill: @triger }",
     "bad-value", "did you mean 'trigger'?"},
    {"  vip: traits.revenue > 1000.0", "  vip: { where: traits.revenue > 1000.0, backfill: @true }",
     "bad-value", "silent, trigger"},
    {"rate: 250 per 1s", "mode: @shadw", "bad-value", "did you mean 'shadow'?"},
    {"version: 1\n", "version: @2\n", "bad-version", "version: 1"},
    {"version: 1\n", "description: x\n", "missing-key", "'version'"},
    // the hub
    {"listen: 127.0.0.1:8080", "listen: @127.0.0.1", "bad-address", "HOST:PORT"},
    {"listen: 127.0.0.1:8080", "listen: @127.0.0.999:80", "bad-address", "HOST:PORT"},
    {"listen: 127.0.0.1:8080", "listen: @localhost:99999", "bad-address", "HOST:PORT"},
    {"listen: 127.0.0.1:8080", "admin: @127.0.0.1:8081", "missing-key", "tokens"},
    {"listen: 127.0.0.1:8080", "admin: @/run/sluice", "bad-address", "unix:PATH"},
    {"listen: 127.0.0.1:8080", "tokens: [@abc]", "bad-value", "SHA-256"},
    {"listen: 127.0.0.1:8080", "public_url: @hub.test", "bad-url", "https://"},
    {"listen: 127.0.0.1:8080", "public_url: @\"${HUB_URL}\"", "bad-url", "URL"},
    {"listen: 127.0.0.1:8080", "dedup: { days: @0 }", "out-of-range", "between 1"},
    {"listen: 127.0.0.1:8080", "dedup: { days: @7d }", "wrong-type", "whole number"},
    {"listen: 127.0.0.1:8080", "dedup: { days: @4000 }", "out-of-range", "at most 3650"},
    {"listen: 127.0.0.1:8080", "dedup: { memory: @512 }", "missing-unit", "MiB"},
    {"listen: 127.0.0.1:8080", "memory: @4", "missing-unit", "MiB"},
    {"listen: 127.0.0.1:8080", "memory: @4MiB", "out-of-range", "at least 16MiB"},
    {"listen: 127.0.0.1:8080", "lateness: @30", "missing-unit", "7d"},
    {"listen: 127.0.0.1:8080", "lateness: @1mo", "bad-value", "7d"},
    {"listen: 127.0.0.1:8080", "lateness: @0s", "out-of-range", "longer than nothing"},
    {"timezone: Europe/Paris", "timezone: @Europe/Pariss", "bad-value", "did you mean 'Europe/Paris'?"},
    {"country: FR", "country: @UK", "bad-value", "did you mean 'GB'?"},
    {"country: FR", "country: @France", "bad-value", "ISO 3166"},
    {"listen: 127.0.0.1:8080", "@journal: nats://a", "not-supported-yet", "not supported yet"},
    // names of other things
    {"    to: braze", "    to: @braz", "unknown-name", "did you mean 'braze'?"},
    {"{ enters: vip }", "{ enters: @vipp }", "unknown-name", "did you mean 'vip'?"},
    {"purpose: newsletter", "purpose: @newsleter", "unknown-name", "did you mean 'newsletter'?"},
    {"send: braze", "send: @brazen", "unknown-name", "did you mean 'braze'?"},
    {"ids: { user_id: row.id }", "ids: { @userid: row.id }", "unknown-name", "did you mean 'user_id'?"},
    {"        ids: { user_id: row.id }",
     "        ids: { user_id: row.id }\n        consent: { @news: row.x }", "unknown-name", "purpose"},
    {"    plugin: csv", "    plugin: @cvs", "unknown-plugin", "did you mean 'csv'?"},
    {"    plugin: csv", "    plugin: @braze", "unknown-plugin", "is no source"},
    {"{ city: row.city }", "{ @revenue: row.city }", "reserved-name", "computed"},
    {"    plugin: braze\n", "    plugin: braze\n    enabled: false\n", "switched-off", "switched off"},
    // what goes together
    {"    purpose: newsletter\n", "", "missing-key", "'purpose'"},
    {"    profiles: has(traits.city)\n", "", "missing-key", "'profiles', 'audience' or 'events'"},
    {"    profiles: has(traits.city)\n", "    profiles: has(traits.city)\n    @audience: vip\n", "conflict",
     "not both"},
    {"    to: braze", "    to: braze\n    @where: traits.a == 1", "conflict", "goes with events"},
    {"    to: braze", "    to: braze\n    @resync: 7d", "conflict", "goes with audience"},
    {"    profiles: has(traits.city)\n    to: braze\n    fields: { city: traits.city }\n",
     "    audience: vip\n    to: braze\n    resync: @5m\n", "out-of-range", "once an hour"},
    {"    profiles: has(traits.city)\n    to: braze\n    fields: { city: traits.city }\n",
     "    audience: vip\n    to: braze\n    resync: @7d\n", "unsupported", "takes no full refreshes"},
    {"      - wait: 1h", "      - wait: 1h\n        @send: braze", "conflict", "not both"},
    {"      - wait: 1h", "      - @id: x", "missing-key", "'wait' or 'send'"},
    {"      - wait: 1h", "      - { id: mail, wait: 1h }", "duplicate-name", "two steps"},
    {"trigger: { enters: vip }", "@trigger: {}", "missing-key", "'event', 'enters' or 'leaves'"},
    {"trigger: { enters: vip }", "trigger: { enters: vip, @event: X }", "conflict", "not both"},
    {"        as: identify", "        as: identify\n        @name: X", "conflict", "for events"},
    {"as: identify", "as: event", "missing-key", "'name'"},
    {"    plugin: csv", "    plugin: csv\n    anonymous: true", "conflict", "anonymous source"},
    {"    plugin: csv\n", "    plugin: csv\n    every: @100ms\n", "out-of-range", "second"},
    // identity
    {"consent:\n", "identity:\n  - { id: user_id }\n  - { id: @user_id }\nconsent:\n", "duplicate-name",
     "twice"},
    {"consent:\n", "identity:\n  - { id: user_id, at_most: @0 }\nconsent:\n", "out-of-range", "between 1"},
    {"consent:\n", "identity:\n  - { id: user_id, only: @mobile }\nconsent:\n", "conflict", "phones"},
    {"consent:\n", "identity:\n  - { id: user_id, never: [@\"re:(\"] }\nconsent:\n", "bad-pattern",
     "regular expression"},
    {"consent:\n", "identity: @user_id\nconsent:\n", "wrong-type", "list"},
    // settings of connectors
    {"endpoint: \"https://rest.test\", ", "", "missing-key", "'endpoint'"},
    {"endpoint: \"https://rest.test\"", "endpoint: @rest.test", "bad-url", "scheme"},
    {"endpoint: \"https://rest.test\"", "@endpont: \"https://rest.test\"", "unknown-key",
     "did you mean 'endpoint'?"},
    {"api_key: \"${SLUICE_TEST_KEY}\"", "api_key: \"@${SLUICE_TEST_NONE}\"", "missing-secret",
     "SLUICE_TEST_NONE"},
    {"api_key: \"${SLUICE_TEST_KEY}\"", "api_key: \"@${file:none.txt}\"", "missing-secret", "cannot be read"},
    {"api_key: \"${SLUICE_TEST_KEY}\"", "api_key: \"@${file:../../x}\"", "missing-secret", "not under"},
    {"api_key: \"${SLUICE_TEST_KEY}\"", "api_key: @\"${oh no}\"", "bad-secret", "${NAME}"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, delimiter: @\";;\" }", "bad-value", "one character"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, skip: @-1 }", "out-of-range", "from 0"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, skip: @two }", "wrong-type", "whole number"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, header: @no }", "wrong-type", "true or false"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, encoding: @utf9 }", "bad-value", "did you mean 'utf8'?"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, quote: @ab }", "out-of-range", "too long"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, columns: @[] }", "empty-value", "at least 1"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, dates: @{ a: b } }", "wrong-type", "forms"},
    {"{ path: ./shop.csv }", "{ path: @../shop.csv }", "bad-path", "leaves the folder"},
    {"{ path: ./shop.csv }", "{ path: @a/../../shop.csv }", "bad-path", "whole path"},
    {"{ path: ./shop.csv }", "{ path: ./shop.csv, timezone: @Europe/Lodnon }", "bad-value",
     "did you mean 'Europe/London'?"},
    {"data: ./data", "data: @../data", "bad-path", "leaves the folder"},
    {"data: ./data", "admin: @unix:../admin.sock", "bad-path", "leaves the folder"},
    {"      rows:", "      @row:", "unknown-name", "did you mean 'rows'?"},
    {"  shop:\n",
     "  a: { plugin: tracking, with: { write_key: \"${SLUICE_TEST_KEY}\" } }\n"
     "  b: { plugin: tracking, with: { write_key: @\"${SLUICE_TEST_KEY}\" } }\n  shop:\n",
     "duplicate-name", "line 8"},
    {"destinations:\n",
     "destinations:\n  n: { plugin: nope, purpose: internal, with: { k: \"@${SLUICE_TEST_NONE}\" } }\n",
     "missing-secret", "SLUICE_TEST_NONE"},
    {"api_key: \"${SLUICE_TEST_KEY}\"", "api_key: \"@${SLUICE_TEST_EMPTY}\"", "missing-secret", "is empty"},
    {"again: { after: 7d }", "again: @7d", "bad-value", "{ after: 7d }"},
    {"trigger: { enters: vip }", "trigger: { event: @\"*\" }", "bad-value", "one event"},
    {"rate: 250 per 1s", "expires: @0s", "out-of-range", "nothing would ever be sent"},
    {"send: braze, with: { subject:", "send: post, with: { text: a, @subjekt:", "unknown-key",
     "did you mean 'subject'?"},
    {"send: braze, with: { subject: \"Bonjour {{ traits.city }}\" }", "send: post, @with: { html: a }",
     "missing-key", "needs 'subject'"},
    {"send: braze, with: { subject:", "send: post, @with: { subject:", "missing-key", "'text' or 'html'"},
    {"consent:\n", "retention: { events: @0d }\nconsent:\n", "out-of-range", "nothing would be kept"},
    {"    rate: 250 per 1s", "    isolation: @container", "bad-value", "process"},
    {"    rate: 250 per 1s", "    isolation: process\n    memory: @4MiB", "out-of-range",
     "between 16MiB and 64GiB"},
    // what comes later
    {"again: { after: 7d }", "again: @always", "not-supported-yet", "never"},
    {"again: { after: 7d }", "@exit: [ { event: X } ]", "not-supported-yet", "exit"},
    {"again: { after: 7d }", "@goal: { event: X }", "not-supported-yet", "goal"},
    {"      - wait: 1h", "      - @split: []", "not-supported-yet", "split"},
    {"      - wait: 1h", "      - wait: { @until: { clicked: [mail] } }", "not-supported-yet", "until"},
    {"trigger: { enters: vip }", "trigger: { @schedule: daily }", "not-supported-yet", "schedule"},
    {"        as: identify", "        as: identify\n        deleted: @erase", "not-supported-yet", "ignore"},
    {"audiences:\n", "@limits: {}\naudiences:\n", "not-supported-yet", "limits"},
    {"audiences:\n", "@scores: {}\naudiences:\n", "not-supported-yet", "scores"},
    // expressions
    {"traits.revenue > 1000.0", "@traitz.revenue > 1000.0", "bad-expression", ""},
    {"traits.revenue > 1000.0", "traits.revenue >@", "bad-expression", ""},
    {"audiences.vip && ", "audiences.@vop && ", "bad-expression", "vip"},
    {"near: audiences.vip && traits.city == \"Lyon\"", "near: audiences.@near", "circle", "reads itself"},
    {"vip: traits.revenue > 1000.0", "vip: audiences.near", "circle", "circle"},
    {"revenue: events(\"Order\").sum(e, e.properties.total)", "revenue: traits.@revenue + 1.0", "circle",
     "reads itself"},
    {"revenue: events(\"Order\").sum(e, e.properties.total)", "revenue: @audiences.vip", "bad-expression",
     ""},
    {"ids: { user_id: row.id }", "ids: { user_id: @traits.id }", "bad-expression", ""},
    {"city: traits.city }", "city: @event.name }", "bad-expression", ""},
    // what pages may read
    {"  vip: traits.revenue > 1000.0", "  vip: { where: traits.revenue > 1000.0, public: @true }",
     "missing-key", "decide: { purpose"},
    {"routes:", "decide: { purpose: @ads }\ntraits: { city: { public: true } }\nroutes:", "unknown-name",
     "newsletter"},
    {"routes:", "decide: { purpose: internal, @audience: vip }\ntraits: { city: { public: true } }\nroutes:",
     "unknown-key", "purpose"},
    {"routes:", "decide: { purpose: internal }\ntraits: { @revenue: { public: true } }\nroutes:",
     "reserved-name", "computed: revenue"},
    {"routes:", "traits: { city: { @prefer: [shop] } }\nroutes:", "not-supported-yet", "prefer"},
    // what the door finds out, and identifiers that join
    {"    with: { path: ./shop.csv }\n", "    with: { path: ./shop.csv }\n    @derive: { device: true }\n",
     "conflict", "for tracking"},
    {"sources:\n",
     "sources:\n  web: { plugin: tracking, with: { write_key: \"${SLUICE_TEST_KEY}\" }, derive: { location: "
     "@city.mmdb } }\n",
     "no-file", "MaxMind"},
    {"sources:\n",
     "sources:\n  web: { plugin: tracking, with: { write_key: \"${SLUICE_TEST_KEY}\" }, derive: { "
     "categories: { @\"https://a.test/x\": X } } }\n",
     "bad-pattern", "a path"},
    {"routes:", "identity: [ { id: user_id, joins: @20000 per 1d } ]\nroutes:", "out-of-range", "1 to 10000"},
    {"routes:", "identity: [ { id: user_id, joins: @5 per 9d } ]\nroutes:", "out-of-range", "seven days"},
};

bool says(const Diagnostic& d, std::string_view words) {
  for (std::size_t bar; (bar = words.find('|')) != std::string_view::npos; words.remove_prefix(bar + 1)) {
    const std::string_view word = words.substr(0, bar);
    if (d.what.find(word) != std::string::npos || d.help.find(word) != std::string::npos) return true;
  }
  return d.what.find(words) != std::string::npos || d.help.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("the sound file has no mistake") {
  const Loaded loaded = check_text(sound);
  INFO(shown(loaded));
  CHECK(loaded.diagnostics.empty());
  REQUIRE(loaded.config);
}

TEST_CASE("each mistake is reported at its place, with its code and a mend") {
  int planted = 0;
  for (const Mistake& m : mistakes) {
    std::string text(sound);
    const std::size_t from = text.find(m.from);
    INFO(m.from << "  ->  " << m.to);
    REQUIRE(from != std::string::npos);
    text.replace(from, std::string_view(m.from).size(), m.to);
    const std::size_t caret = text.find('@');
    if (caret != std::string::npos) text.erase(caret, 1);
    const Loaded loaded = check_text(text);
    INFO(shown(loaded));
    CHECK_FALSE(loaded.config);
    const auto found =
        std::find_if(loaded.diagnostics.begin(), loaded.diagnostics.end(),
                     [&m](const Diagnostic& d) { return d.code == m.code && says(d, m.word); });
    REQUIRE(found != loaded.diagnostics.end());
    CHECK_FALSE(found->warning);
    if (caret != std::string::npos) {
      const SourceText source("", text);
      const Place place = source.place(caret);
      CHECK(found->place.line == place.line);
      CHECK(found->place.column == place.column);
    }
    ++planted;
  }
  CHECK(planted >= 60);
}

TEST_CASE("one mistake is one error, not a cascade") {
  for (const Mistake& m : mistakes) {
    const std::string_view code = m.code;
    // What takes a name away is an error at each place that uses it.
    if (code == "switched-off" || code == "several-documents" || code == "conflict") continue;
    std::string text(sound);
    text.replace(text.find(m.from), std::string_view(m.from).size(), m.to);
    if (const std::size_t caret = text.find('@'); caret != std::string::npos) text.erase(caret, 1);
    const Loaded loaded = check_text(text);
    INFO(m.to << "\n" << shown(loaded));
    CHECK(loaded.diagnostics.size() <= 2);
  }
}

TEST_CASE("all mistakes of a file are reported in one run, in its order") {
  const Loaded loaded = check_text(R"(version: 1
hub: { listen: 127.0.0.1, country: fr }
audiences:
  a: !has(traits.x)
  b: traits.x ? 1 : 2
  c: traits.x ==
destinations:
  file: { plugin: file, purpose: internl, wiht: {} }
routes:
  r: { audience: d, to: fil }
)");
  INFO(shown(loaded));
  std::vector<int> lines;
  for (const Diagnostic& d : loaded.diagnostics) lines.push_back(d.place.line);
  CHECK(std::is_sorted(lines.begin(), lines.end()));
  for (const int line : {2, 4, 5, 6, 8, 10}) CHECK(std::count(lines.begin(), lines.end(), line) >= 1);
  CHECK(loaded.diagnostics.size() >= 9);
}

TEST_CASE("columns count code points, and the caret stands under what is meant") {
  const Loaded loaded = check_text("version: 1\nroutes:\n  r: { list: été, audience: vup, to: x }\n");
  const auto found =
      std::find_if(loaded.diagnostics.begin(), loaded.diagnostics.end(),
                   [](const Diagnostic& d) { return d.what.find("vup") != std::string::npos; });
  REQUIRE(found != loaded.diagnostics.end());
  CHECK(found->place.column == 29);
  CHECK(found->length == 3);
}

TEST_CASE("text behind the end of the file's map is a mistake, however it goes on") {
  const Loaded loaded = check_text("{\"a\":\"$NE}\"},\"decim:206\",\"decimval\"idsstinaalirp");
  INFO(shown(loaded));
  CHECK_FALSE(loaded.config);
  CHECK_FALSE(loaded.diagnostics.empty());
}

TEST_CASE("a path in an included file starts at that file") {
  const Folder folder;
  folder.write("parts/lake.yaml",
               "destinations:\n  lake: { plugin: file, purpose: internal, with: { path: ./lake.jsonl } }\n");
  LoadOptions options;
  options.connectors = sluice::config::testing::connectors();
  const Loaded loaded =
      load_text("version: 1\ninclude: [parts/lake.yaml]\n", folder.path() + "/c.yaml", options);
  INFO(shown(loaded));
  REQUIRE(loaded.config);
  CHECK(loaded.config->destinations.at(0).with == R"({"path":"parts/./lake.jsonl"})");
}
