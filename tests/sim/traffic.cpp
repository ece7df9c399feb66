#include "sim/traffic.hpp"

#include "base/json.hpp"
#include "base/time.hpp"
#include "hub/epoch.hpp"
#include "model/event.hpp"

namespace sluice::sim {

namespace {

constexpr const char* file = "/hub/connectors.yaml";
constexpr std::uint64_t people = 14;

const std::string head = R"(
version: 1
hub: { data: /hub/data, dedup: { days: 2 } }
sources:
  shop: { plugin: tracking, with: { write_key: "${K}" }, consent: { newsletter: News, ads: Ads } }
  web: { plugin: tracking, trust: public, with: { write_key: "${W}" }, consent: { newsletter: News } }
  crm:
    plugin: csv
    with: {}
    streams:
      rows:
        as: identify
        ids: { user_id: row.id, email: row.email }
        traits: { city: row.city, points: double(row.points) }
        consent: { ads: row.ads }
consent:
  unknown: denied
  purposes:
    newsletter: { channel: email, basis: consent }
    ads: { channel: ads, basis: consent }
destinations:
  lake: { plugin: file, purpose: internal, with: {} }
  archive: { plugin: file, purpose: internal, with: {} }
  mail: { plugin: smtp, purpose: newsletter, with: {} }
  letters: { plugin: smtp, purpose: newsletter, on_unknown: retry, with: {} }
)";

const std::string rules = R"(
computed:
  orders: events("Order Completed").count()
  revenue_2h: events("Order Completed").within("2h").sum(e, e.properties.total)
audiences:
  spenders: traits.revenue_2h > 60.0
  cart_left: |
    events("Product Added").within("1h").exists() && !events("Order Completed").within("1h").exists()
  bought: events("Product Added").then("Order Completed", "30m").within("3h").exists()
  today: events("Order Completed").within("1 day local").count() >= 2
routes:
  everything: { events: ["*"], to: lake, fields: { id: event.message_id } }
  people: { profiles: has(traits.city), to: archive, fields: { city: traits.city, orders: traits.orders } }
)";

const std::string workflows = R"(
workflows:
  cart_mail:
    trigger: { enters: cart_left }
    where: consent.newsletter
    again: { after: 2h }
    steps: [ { wait: 10m }, { id: first, send: mail, with: { subject: "{{ traits.city }}" } }, { wait: 30m }, { id: second, send: letters } ]
  thanks:
    trigger: { event: Order Completed }
    where: consent.newsletter
    again: { after: 10m }
    steps: [ { id: now, send: letters }, { wait: 5m }, { id: later, send: mail } ]
)";

const std::string ads_routes = R"(
  dear: { events: [Order Completed], where: event.properties.total > 10.0, to: vendor, fields: { total: event.properties.total } }
  ads_people: { profiles: has(traits.points), to: vendor, on_leave: delete, fields: { points: traits.points } }
  carts: { audience: cart_left, to: vendor, list: Carts }
  spending: { audience: spenders, to: lake }
)";

// The rules, and what counts anew in them: a total, a window, a sequence.
std::string with_past(std::uint64_t rounds) {
  std::string out = rules;
  const std::string added = rounds % 2 == 0 ? "\"Product Added\"" : "\"Order Completed\"";
  out.insert(out.find("audiences:"), "  counted: events(" + added + ").count()\n");
  out.insert(out.find("routes:"), "  again: events(" + added +
                                      ").then(\"Order Completed\").within(\"5h\").exists()\n" +
                                      "  keen: traits.counted >= " + std::to_string(1 + rounds % 4) + "\n");
  return out + "  keen: { audience: keen, to: lake }\n";
}

}  // namespace

std::vector<config::ConnectorInfo> connectors() {
  return {{"csv", true, false, R"({"config":{"type":"object"}})"},
          {"file", false, true, R"({"config":{"type":"object"}})"},
          {"smtp", false, true, R"({"channel":"email","config":{"type":"object"}})"}};
}

std::string configuration_text(std::size_t n, std::uint64_t rounds) {
  const std::string rate = std::to_string(20 + rounds % 50) + " per 1s";
  const std::string vendor =
      "  vendor: { plugin: file, purpose: ads, expires: 6h, rate: " + rate + ", with: {} }\n";
  switch (n) {
    case 0:
      return head + vendor + rules + ads_routes + workflows;
    case 1:  // another route, and definitions whose past has to be read, others from time to time
      return head + vendor + with_past(rounds) + ads_routes + "  busy: { profiles: traits.orders > " +
             std::to_string(rounds % 3) +
             ", to: archive, backfill: true, fields: { spent: traits.revenue_2h } }\n" + workflows;
    case 2:  // a destination and a workflow are gone
      return head + rules;
    case 3:
      return head + vendor + "  " + unopenable + ": { plugin: file, purpose: internal, with: {} }\n" + rules +
             ads_routes + workflows;
    default:
      return head + vendor + rules + ads_routes + "  lost: { events: [\"*\"], to: nowhere }\n" + workflows;
  }
}

config::Loaded load_configuration(const std::string& text) {
  config::LoadOptions options;
  options.connectors = connectors();
  options.check_secrets = false;
  options.from_memory = true;
  options.files[file] = text;
  return config::load(file, options);
}

std::string unchecked_epoch(const std::string& text) {
  config::Config config;
  config.file = file;
  config.files[file] = text;
  return hub::epoch_payload(config, connectors());
}

std::string Clients::time() {
  TimeUs t = clock_.wall_us() - random_.between(0, 60) * us_per_s;
  if (random_.once_in(15)) t -= random_.between(1, 24) * us_per_h;  // late
  if (random_.once_in(25)) t += random_.between(1, 48) * us_per_h;  // a clock that is wrong
  return format_time(t);
}

std::string Clients::event() {
  const std::string person = std::to_string(random_.below(people));
  std::string json = R"({"messageId":"m)" + std::to_string(made_++) + R"(","timestamp":")" + time() +
                     R"(","anonymousId":")" + person + "-" + std::to_string(random_.below(3)) + '"';
  if (!random_.once_in(3)) json += R"(,"userId":"u)" + person + '"';
  if (random_.once_in(4)) {
    json += R"(,"context":{"consent":{"categoryPreferences":{")" +
            std::string(random_.once_in(2) ? "News" : "Ads") +
            "\":" + (random_.below(5) < 3 ? "true" : "false") + "}}}";
  }
  switch (random_.below(6)) {
    case 0:
      json += R"(,"type":"identify","traits":{"city":)" +
              (random_.once_in(6) ? "null" : "\"c" + std::to_string(random_.below(4)) + '"');
      if (random_.once_in(2))
        json += R"(,"email":"p)" + std::to_string(random_.below(people + 4)) + R"(@shop.example")";
      json += "}";
      break;
    case 1:
    case 2:
    case 3:
      json += R"(,"type":"track","event":"Order Completed","properties":{"total":)" +
              std::to_string(random_.below(50)) + "." + std::to_string(random_.below(100)) + "}";
      break;
    default:
      json += R"(,"type":"track","event":"Product Added","properties":{"kind":"k)" +
              std::to_string(random_.below(6)) + "\"}";
      break;
  }
  json += '}';
  EventInput input;
  input.source = random_.once_in(3) ? "web" : "shop";
  input.received = clock_.wall_us();
  input.text = json;
  std::string out;
  input.encode(out);
  return out;
}

std::vector<std::string> Clients::next() {
  if (!again_.empty() && random_.below(3) != 0) {
    std::vector<std::string> payloads = std::move(again_.front());
    again_.pop_front();
    return payloads;
  }
  std::vector<std::string> payloads;
  for (std::uint64_t n = random_.once_in(4) ? 1 + random_.below(8) : 1; n > 0; --n) {
    if (!past_.empty() && random_.once_in(12)) {  // of the last hours: the hub remembers it
      payloads.push_back(past_[past_.size() - 1 - random_.below(std::min<std::size_t>(past_.size(), 40))]);
    } else {
      payloads.push_back(event());
      past_.push_back(payloads.back());
    }
  }
  return payloads;
}

void Clients::answered(const std::vector<std::string>& payloads, bool taken) {
  if (!taken) again_.push_back(payloads);
}

std::vector<Draft> rows_from(std::uint64_t first, std::uint64_t count, Random& random, TimeUs now) {
  std::vector<Draft> drafts;
  for (std::uint64_t row = first; row < first + count; ++row) {
    const std::string payload = R"({"id":"u)" + std::to_string(random.below(people + 4)) + R"(","email":"p)" +
                                std::to_string(random.below(people + 4)) + R"(@shop.example","city":"c)" +
                                std::to_string(random.below(4)) + R"(","points":")" +
                                std::to_string(random.below(900)) + R"(","ads":")" +
                                (random.once_in(3) ? "no" : "yes") + "\"}";
    const std::string key = "row " + std::to_string(row), cursor = std::to_string(first + count);
    RecordInput input;
    input.source = "crm";
    input.stream = "rows";
    input.key = key;
    input.time = now;
    input.payload = payload;
    if (row + 1 == first + count) input.cursor = cursor;
    drafts.push_back({.kind = InputKind::record, .event_time = now, .payload = {}});
    input.encode(drafts.back().payload);
  }
  return drafts;
}

}  // namespace sluice::sim
