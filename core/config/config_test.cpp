#include "config/config.hpp"

#include <algorithm>
#include <stdlib.h>

#include <catch2/catch.hpp>

#include "base/json.hpp"
#include "config/fields.hpp"
#include "config/load.hpp"
#include "config/test_support.hpp"

using namespace sluice;
using namespace sluice::config;
using sluice::config::testing::check_text;
using sluice::config::testing::Folder;
using sluice::config::testing::shown;

namespace {

// The example of the language's description, without what is not supported yet.
constexpr const char* example = R"(# yaml-language-server: $schema=./connectors.schema.json
version: 1

hub:
  data: ./data
  listen: 127.0.0.1:8080
  admin: unix:./data/admin.sock
  public_url: https://hub.acme.test
  timezone: Europe/Paris
  country: FR

sources:
  website:
    plugin: tracking
    trust: public
    with: { write_key: "${WEBSITE_WRITE_KEY}" }
    consent: { ads: Publicité, analytics: Mesure }
  crm:
    plugin: salesforce
    every: 5m
    with: { instance: acme }
    streams:
      Contact:
        as: identify
        time: row.SystemModstamp
        ids: { user_id: row.Numero_Client__c, email: row.Email, phone: row.MobilePhone }
        traits: { first_name: row.FirstName, city: row.MailingCity }
        consent: { newsletter: row.Optin_Email__c }
  panel:
    plugin: csv
    party: third
    anonymous: true
    with: { path: ./panel/*.csv, delimiter: ";", encoding: windows-1252, decimal: ",", dates: dd/MM/yyyy }
    streams:
      rows: { as: identify, ids: { cookie: row.cookie_id }, traits: { interest: row.segment } }
  orders:
    plugin: csv
    with: { path: ./orders.csv, timezone: Europe/London }
    streams:
      rows:
        as: event
        name: Order Line
        where: row.CustomerID != "NA"
        time: row.InvoiceDate
        ids: { user_id: row.CustomerID }
        properties: { invoice: row.InvoiceNo, quantity: int(row.Quantity), price: double(row.UnitPrice) }

identity:
  - { id: user_id, at_most: 1 }
  - { id: email, at_most: 5, normalize: email, never: ["test@test.com", "re:^noreply@"] }
  - { id: phone, at_most: 5, normalize: phone, only: mobile }
  - { id: anonymous_id, at_most: 100 }
  - { id: cookie, at_most: 20 }

consent:
  unknown: denied
  purposes:
    newsletter:  { channel: email, basis: consent }
    service:     { channel: email, basis: contract }
    sms_offers:  { channel: sms,   basis: consent }
    push_offers: { channel: push,  basis: consent }
    ads:         { channel: ads,   basis: consent }
    analytics:   { basis: consent }

retention:
  events: 25mo
  dead_letters: 30d

computed:
  orders_90d:    events("Order Completed").within("90d").count()
  revenue:       events("Order Completed").sum(e, e.properties.total)
  last_category: events("Product Viewed").last().properties.category

audiences:
  vip: traits.revenue > 1000.0 && traits.orders_90d >= 3
  cart_left: |
    events("Product Added").within("1d").exists() &&
    !events("Order Completed").within("1d").exists()

routes:
  contacts_to_braze:
    profiles: has(traits.email)
    to: braze
    fields: { first_name: traits.first_name, home_city: traits.city, market: { value: FR } }
    on_leave: keep
  orders_to_braze:
    events: [Order Completed, Subscription Started]
    where: event.properties.total > 0.0
    to: braze
  vip_ads: { audience: vip, to: meta, list: "VIP France" }

workflows:
  cart_reminder:
    trigger: { enters: cart_left }
    where: consent.newsletter
    again: { after: 7d }
    steps:
      - wait: 1h
      - { id: gentle_mail, send: mail, with: { subject: "Toujours à vous, {{ traits.first_name }}", html: "file:mail/cart.html" } }
      - { send: sms, with: { text: "Votre panier vous attend" } }

destinations:
  braze:  { plugin: braze, purpose: newsletter, region: EU, with: { endpoint: "https://rest.fra-01.braze.eu", api_key: "${BRAZE_KEY}" }, rate: 250 per 1s }
  meta:   { plugin: meta_audiences, purpose: ads, region: US, with: { ad_account: "123", token: "${META_TOKEN}" } }
  mail:   { plugin: smtp, purpose: newsletter, with: { server: "smtp://127.0.0.1:2525", from: "Acme <bonjour@acme.test>" } }
  sms:    { plugin: twilio, purpose: sms_offers, with: { account: "${TWILIO_SID}", token: "${TWILIO_TOKEN}" } }
  lake:   { plugin: file, purpose: internal, with: { path: ./lake/events.jsonl } }
)";

Loaded load_example(const Folder& folder) {
  for (const char* name : {"WEBSITE_WRITE_KEY", "BRAZE_KEY", "META_TOKEN", "TWILIO_SID", "TWILIO_TOKEN"}) {
    ::setenv(name, "s3cr3t-value", 1);
  }
  folder.write("mail/cart.html", "<p>Bonjour {{ traits.first_name }}</p>\n");
  LoadOptions options;
  options.connectors = config::testing::connectors();
  return load(folder.write("connectors.yaml", example), options);
}

}  // namespace

TEST_CASE("the example of the language's description loads without a diagnostic") {
  const Folder folder;
  const Loaded loaded = load_example(folder);
  INFO(shown(loaded));
  CHECK(loaded.diagnostics.empty());
  REQUIRE(loaded.config);
  const Config& c = *loaded.config;
  CHECK(c.hub.data == folder.path() + "/data");
  CHECK(c.hub.admin == "unix:" + folder.path() + "/data/admin.sock");
  REQUIRE(c.sources.size() == 4);
  CHECK(c.sources[0].trust == Trust::publik);
  CHECK(c.sources[0].consent_categories.at("Publicité") == "ads");
  CHECK(c.sources[1].every == 5 * us_per_min);
  CHECK(c.sources[1].streams[0].ids.size() == 3);
  CHECK(c.sources[2].anonymous);
  CHECK(
      c.sources[2].with ==
      R"({"path":"./panel/*.csv","delimiter":";","encoding":"windows-1252","decimal":",","dates":"dd/MM/yyyy"})");
  CHECK(c.sources[3].streams[0].event_name == "Order Line");
  REQUIRE(c.identity.size() == 5);
  CHECK(c.identity[1].never == std::vector<std::string>{"test@test.com"});
  CHECK(c.identity[1].never_patterns == std::vector<std::string>{"^noreply@"});
  CHECK(c.identity[2].only == PhoneKind::mobile);
  CHECK(c.purpose("internal") != nullptr);
  CHECK(c.retention.events->months == 25);
  CHECK(c.audiences[1].condition->text().starts_with("events(\"Product Added\")"));
  CHECK(c.routes[0].fields[2].program->text() == "\"FR\"");
  CHECK(c.routes[1].events.size() == 2);
  CHECK(c.routes[2].list == "VIP France");
  const Workflow& w = c.workflows[0];
  CHECK(w.trigger == Workflow::Trigger::enters);
  CHECK(w.again->us == 7 * us_per_d);
  CHECK(w.steps[0].wait->us == us_per_h);
  CHECK(w.steps[1].with[1].second->text() == "<p>Bonjour {{ traits.first_name }}</p>\n");
  CHECK(w.steps[2].id == "steps[2]");
  CHECK(c.destination("braze")->rate->first == 250.0);
}

TEST_CASE(
    "the resolved configuration is the same wherever the file lies, and another when it says something "
    "else") {
  const Folder here, there;
  const Loaded a = load_example(here), b = load_example(there);
  REQUIRE(a.config);
  REQUIRE(b.config);
  CHECK(a.config->resolved == b.config->resolved);
  JsonParser parser;
  CHECK(parser.parse(a.config->resolved).is_object());
  CHECK(check_text("version: 1\n").config->resolved !=
        check_text("version: 1\naudiences: { a: traits.x == 1 }\n").config->resolved);
}

TEST_CASE("a secret's value is in no resolved configuration and no diagnostic") {
  const Folder folder;
  const Loaded loaded = load_example(folder);
  REQUIRE(loaded.config);
  CHECK(loaded.config->resolved.find("s3cr3t") == std::string::npos);
  CHECK(loaded.config->resolved.find("${BRAZE_KEY}") != std::string::npos);
}

TEST_CASE("a secret written out is a warning that does not show it") {
  const Loaded loaded = check_text(
      "version: 1\ndestinations:\n  b: { plugin: braze, purpose: internal, "
      "with: { endpoint: \"https://x.test\", api_key: \"plain-s3cr3t\" } }\n");
  REQUIRE(loaded.config);
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(loaded.diagnostics[0].code == "literal-secret");
  CHECK(shown(loaded).find("s3cr3t") == std::string::npos);
  CHECK(loaded.config->resolved.find("s3cr3t") == std::string::npos);
  CHECK(loaded.config->destinations[0].with.find("plain-s3cr3t") != std::string::npos);
}

TEST_CASE("the files that an epoch keeps hold no secret and load as before") {
  const Folder folder;
  const std::string file = folder.write("c.yaml", R"(version: 1
destinations:
  a: { plugin: braze, purpose: internal, with: { endpoint: "https://x.test", api_key: 's3cr3t ''one''' } }
  b:
    plugin: braze
    purpose: internal
    with:
      endpoint: https://x.test
      api_key: |
        s3cr3t
        two
)");
  LoadOptions options;
  options.connectors = config::testing::connectors();
  const Loaded loaded = load(file, options);
  INFO(shown(loaded));
  REQUIRE(loaded.config);
  REQUIRE(loaded.config->files.size() == 1);
  CHECK(loaded.config->files.at(file).find("s3cr3t") == std::string::npos);
  CHECK(loaded.config->files.at(file).find("two") == std::string::npos);
  options.from_memory = true;
  options.files = loaded.config->files;
  const Loaded again = load(file, options);
  INFO(shown(again));
  REQUIRE(again.config);
  CHECK(again.config->resolved == loaded.config->resolved);
}

TEST_CASE("what sounds like a secret is hidden even where nobody says so") {
  for (const char* text :
       {"version: 1\ndestinations:\n  b: { plugin: nope, purpose: interna, with: { api_key: s3cr3t } }\n",
        "version: 1\nsources: { s: { with: { api_key: s3cr3t } } ]\n",
        "version: 1\ndestinations:\n  m: { plugin: smtp, with: { server: \"smtp://me:s3cr3t@x\" } }\n"}) {
    const Loaded loaded = check_text(text);
    INFO(shown(loaded));
    CHECK_FALSE(loaded.diagnostics.empty());
    CHECK(shown(loaded).find("s3cr3t") == std::string::npos);
  }
}

TEST_CASE("secrets are expanded from the environment and from files, for the connector alone") {
  const Folder folder;
  folder.write("keys/braze", "from-a-file\n");
  ::setenv("SLUICE_TEST_KEY", "of \"the\" environment", 1);
  const auto expanded = expand_secrets(
      R"({"a":"Bearer ${SLUICE_TEST_KEY}","b":["${file:keys/braze}",1],"c":true})", folder.path());
  REQUIRE(expanded);
  CHECK(expanded.value() == R"({"a":"Bearer of \"the\" environment","b":["from-a-file",1],"c":true})");
  CHECK_FALSE(expand_secrets(R"({"a":"${SLUICE_TEST_NONE}"})", folder.path()));
  CHECK_FALSE(expand_secrets(R"({"a":"${file:../other}"})", folder.path()));
}

TEST_CASE("scalars are read by the type that is expected") {
  const Loaded loaded = check_text(
      "version: 1\nsources:\n  s:\n    plugin: csv\n    owner: no\n    with: { path: 06, decimal: no, skip: "
      "12, header: true }\n"
      "    streams: { rows: { as: event, name: 21:00, ids: { user_id: row.id }, properties: { a: { value: 01 "
      "}, b: { value: 12 } } } }\n");
  INFO(shown(loaded));
  REQUIRE(loaded.config);
  const Source& s = loaded.config->sources[0];
  CHECK(s.with == R"({"path":"06","decimal":"no","skip":12,"header":true})");
  CHECK(s.streams[0].event_name == "21:00");
  CHECK(s.streams[0].properties[0].program->text() == "\"01\"");
  CHECK(s.streams[0].properties[1].program->text() == "12");
}

TEST_CASE("a setting with alternatives is read as the one that fits") {
  const auto with = [](const std::string& dates) {
    const Loaded loaded =
        check_text("version: 1\nsources:\n  s:\n    plugin: csv\n    with: { path: x, dates: " + dates +
                   " }\n    streams: { rows: { as: identify, ids: { user_id: row.id } } }\n");
    return loaded.config ? loaded.config->sources[0].with : shown(loaded);
  };
  CHECK(with("2026") == R"({"path":"x","dates":"2026"})");
  CHECK(with("[yyyy, MM]") == R"({"path":"x","dates":["yyyy","MM"]})");
}

TEST_CASE("a name that begins with = is an expression") {
  const Loaded loaded = check_text(
      "version: 1\nsources:\n  s:\n    plugin: csv\n    with: { path: x }\n"
      "    streams: { rows: { as: event, name: \"=row.kind\", ids: { user_id: row.id } } }\n");
  REQUIRE(loaded.config);
  CHECK(loaded.config->sources[0].streams[0].event_name_program->text() == "row.kind");
}

TEST_CASE("audiences are ordered after those that they read") {
  const Loaded loaded =
      check_text("version: 1\naudiences:\n  a: audiences.b\n  b: audiences.c\n  c: traits.x == 1\n");
  INFO(shown(loaded));
  REQUIRE(loaded.config);
  CHECK(loaded.config->audience_order == std::vector<std::size_t>{2, 1, 0});
}

TEST_CASE(
    "an audience says whether whom a change finds is triggered, and is warned about where nothing would be") {
  const auto check = [](const std::string& backfill, const std::string& trigger) {
    return check_text("version: 1\naudiences:\n  a: { where: traits.x == 1" + backfill +
                      " }\nworkflows:\n  w: { trigger: { " + trigger + ": a }, steps: [ { wait: 1h } ] }\n");
  };
  const Loaded triggers = check(", backfill: trigger", "enters"),
               silent = check(", backfill: silent", "enters"), plain = check("", "enters");
  REQUIRE((triggers.config && silent.config && plain.config));
  CHECK(triggers.diagnostics.empty());
  CHECK(triggers.config->audiences[0].backfill_triggers);
  CHECK_FALSE(silent.config->audiences[0].backfill_triggers);
  CHECK(triggers.config->resolved != plain.config->resolved);
  CHECK(silent.config->resolved == plain.config->resolved);
  const Loaded idle = check(", backfill: trigger", "leaves");
  REQUIRE(idle.config);
  REQUIRE(idle.diagnostics.size() == 1);
  CHECK(idle.diagnostics[0].warning);
  CHECK(idle.diagnostics[0].code == "no-effect");
}

TEST_CASE(
    "without identity the usual four identifiers hold, without consent each destination is warned about") {
  const Loaded loaded = check_text("version: 1\ndestinations:\n  m: { plugin: smtp, purpose: news }\n");
  REQUIRE(loaded.config);
  REQUIRE(loaded.config->identity.size() == 4);
  CHECK(loaded.config->identity[0].at_most == 1);
  CHECK(loaded.config->identity[1].normalize == Normalize::email);
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(loaded.diagnostics[0].warning);
  CHECK(loaded.diagnostics[0].code == "no-consent");
}

TEST_CASE("what is switched off is checked and left out") {
  CHECK(check_text("version: 1\naudiences:\n  a: { where: traits.x == 1, enabled: false }\n")
            .config->audiences.empty());
  CHECK_FALSE(check_text("version: 1\naudiences:\n  a: { where: traits., enabled: false }\n").config);
}

namespace {

void collect(const Section& section, std::vector<std::string>& names) {
  for (const Field& f : section.fields) {
    names.emplace_back(f.name);
    if (f.of != nullptr) collect(*f.of, names);
  }
}

}  // namespace

TEST_CASE("the schema for editors is JSON and knows every key of the tables and of the connectors") {
  const std::string text = schema(config::testing::connectors());
  JsonParser parser;
  const Json root = parser.parse(text);
  REQUIRE(root.is_object());
  CHECK(root["additionalProperties"].boolean() == false);
  std::vector<std::string> names{"description", "owner", "enabled", "endpoint", "delimiter"};
  collect(root_section(), names);
  for (const std::string& name : names) {
    if (name == "until") continue;  // the long form of wait
    INFO(name);
    CHECK(text.find("\"" + name + "\":{") != std::string::npos);
  }
}
