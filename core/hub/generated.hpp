// For tests: the inputs of a shop's weeks, made up from a seed, with nearly everything that may happen.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "hub/step_bench.hpp"

namespace sluice::hub::testing {

inline const std::string head = R"(
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
        where: row.kind != "skip"
        ids: { user_id: row.id, email: row.email }
        traits: { city: row.city, points: double(row.points) }
        consent: { ads: row.ads }
consent:
  unknown: denied
  purposes:
    newsletter: { channel: email, basis: consent }
    ads: { channel: ads, basis: consent }
    service: { channel: email, basis: contract }
destinations:
  lake: { plugin: file, purpose: internal, with: {} }
  vendor: { plugin: file, purpose: ads, with: {} }
  mail: { plugin: smtp, purpose: newsletter, with: {} }
)";

inline const std::string first_epoch = head + R"(
computed:
  orders: events("Order Completed").count()
  revenue: events("Order Completed").sum(e, e.properties.total)
  revenue_3d: events("Order Completed").within("3d").sum(e, e.properties.total)
  dearest_3d: events("Order Completed").within("3d").max(e, e.properties.total)
  last_kind: events("Product Added").last().properties.kind
  kinds_5d: events("Product Added").within("5d").unique(e, e.properties.kind)
audiences:
  buyers: traits.orders >= 3
  spenders: traits.revenue_3d > 60.0
  cart_left: |
    events("Product Added").within("1d").exists() && !events("Order Completed").within("1d").exists()
  sleepers: audiences.buyers && !audiences.spenders
  readers: consent.newsletter
routes:
  everything: { events: ["*"], to: lake }
  dear: { events: [Order Completed], where: event.properties.total > 20.0, to: vendor, fields: { total: event.properties.total, city: traits.city } }
  people: { profiles: has(traits.city), to: lake, fields: { city: traits.city, spent: traits.revenue_3d, orders: traits.orders } }
  ads_people: { profiles: audiences.spenders, to: vendor, on_leave: delete, fields: { points: traits.points } }
  carts: { audience: cart_left, to: vendor, list: Carts }
  sleeping: { audience: sleepers, to: lake }
workflows:
  cart_mail:
    trigger: { enters: cart_left }
    where: consent.newsletter
    again: { after: 2d }
    steps: [ { wait: 1h }, { id: first, send: mail, with: { subject: "{{ traits.city }}" } }, { wait: 3h }, { id: second, send: mail } ]
  thanks:
    trigger: { event: Order Completed }
    again: { after: 6h }
    steps: [ { wait: 30m }, { id: thanks_mail, send: mail, purpose: service, with: { text: "{{ event.properties.total }}" } } ]
  bye: { trigger: { leaves: spenders }, steps: [ { id: bye_mail, send: mail } ] }
)";

// Another window, audience and route; a workflow and a route are gone, one route asks for the past.
inline const std::string second_epoch = head + R"(
computed:
  orders: events("Order Completed").count()
  revenue: events("Order Completed").sum(e, e.properties.total)
  revenue_3d: events("Order Completed").within("3d").sum(e, e.properties.total)
  adds_2d: events("Product Added").within("2d").count()
audiences:
  buyers: traits.orders >= 2
  spenders: traits.revenue_3d > 60.0
  busy: traits.adds_2d >= 2
  readers: consent.newsletter
routes:
  everything: { events: ["*"], to: lake }
  people: { profiles: has(traits.city), to: lake, fields: { city: traits.city, spent: traits.revenue_3d, adds: traits.adds_2d } }
  silent: { profiles: traits.orders > 0, to: vendor, fields: { orders: traits.orders } }
  past: { profiles: audiences.spenders, to: lake, backfill: true, on_leave: unsubscribe, fields: { orders: traits.orders } }
  busy_ones: { audience: busy, to: vendor }
workflows:
  thanks:
    trigger: { event: Order Completed }
    again: { after: 6h }
    steps: [ { wait: 30m }, { id: thanks_mail, send: mail, purpose: service } ]
)";

struct Stored {
  TimeUs stamp;
  InputKind kind;
  std::string payload;
};

// A shop's weeks: people with several browsers, who become known, order, change their minds and are sent
// twice.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  // The payloads of `count` inputs; they are stepped here too, since a replay of dead letters needs effects
  // that were.
  std::vector<Stored> inputs(std::size_t count, std::uint64_t hash_seed) {
    World scratch(hash_seed);
    std::uint64_t seq = 0;
    const auto add = [&](InputKind kind, std::string payload) {
      inputs_.push_back({now_, kind, std::move(payload)});
      StepOutput out;
      const Status stepped = scratch.step({++seq, now_, kind, false, inputs_.back().payload}, out);
      INFO(scratch.failure);
      REQUIRE(stepped);
      for (Effect& effect : out.effects) {
        if (below(20) == 0) dead_.push_back(std::move(effect));
      }
    };
    add(InputKind::tick, {});  // in the place of the genesis
    add(InputKind::epoch, epoch_of(first_epoch));
    while (inputs_.size() < count) {
      now_ += static_cast<DurationUs>(below(below(10) == 0 ? 300 : 8)) * us_per_min +
              static_cast<DurationUs>(below(1'000'000));
      const std::size_t done = inputs_.size() * 100 / count;
      if (done == 50 && epochs_ == 1) {
        ++epochs_;
        now_ += 5 * us_per_h;  // timers fire with the epoch
        add(InputKind::epoch, epoch_of(second_epoch));
      } else if (done == 80 && epochs_ == 2) {
        ++epochs_;
        add(InputKind::epoch, epoch_of(first_epoch));
      }
      // A configuration is on its way through the people while other things happen.
      if (Slice slice = next_slice(scratch); slice.epoch != 0 && below(4) == 0) {
        slice.people = 1 + below(9);
        add(InputKind::command, evaluate_command(slice));
      }
      const std::size_t kind = below(100);
      if (kind < 75) {
        add(InputKind::event, event());
      } else if (kind < 85) {
        add(InputKind::record, record());
      } else if (kind < 88 && !dead_.empty()) {
        add(InputKind::command, replay(dead_[below(dead_.size())]));
      } else {
        add(InputKind::tick, {});
      }
    }
    return std::move(inputs_);
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  std::string time() {
    const std::size_t how = below(20);
    TimeUs t = now_ - static_cast<DurationUs>(below(60)) * us_per_s;
    if (how == 0) t -= static_cast<DurationUs>(below(5 * 24)) * us_per_h;  // late
    if (how == 1) t += 2 * us_per_min;                                     // early
    if (how == 2) t += 2 * us_per_d;                                       // a clock that is wrong
    return format_time(t);
  }

  std::string event() {
    if (below(12) == 0 && !events_.empty())
      return events_[events_.size() - 1 - below(std::min<std::size_t>(events_.size(), 300))];
    const std::string person = std::to_string(below(60));
    const std::string browser = "\"anonymousId\":\"" + person + "-" + std::to_string(below(3)) + '"';
    std::string json = R"({"messageId":"m)" + std::to_string(events_.size()) + R"(","timestamp":")" + time() +
                       "\"," + browser;
    const bool known = below(3) != 0;
    if (known) json += R"(,"userId":"u)" + person + '"';
    const char* consent = below(2) == 0 ? "true" : "false";
    if (below(6) == 0) {
      json += R"(,"context":{"timezone":"Europe/Paris","consent":{"categoryPreferences":{")" +
              std::string(below(2) == 0 ? "News" : "Ads") + "\":" + consent + "}}}";
    }
    switch (below(6)) {
      case 0:
        json += R"(,"type":"identify","traits":{"city":)" +
                std::string(below(5) == 0 ? "null" : "\"c" + std::to_string(below(4)) + '"');
        if (below(2) == 0) json += R"(,"email":"p)" + std::to_string(below(70)) + R"(@shop.example")";
        json += "}";
        break;
      case 1:
      case 2:
        json += R"(,"type":"track","event":"Order Completed","properties":{"total":)" +
                std::to_string(below(50)) + "." + std::to_string(below(100)) + "}";
        break;
      case 3:
      case 4:
        json += R"(,"type":"track","event":"Product Added","properties":{"kind":"k)" +
                std::to_string(below(6)) + "\"}";
        break;
      default:
        json += R"(,"type":"page","properties":{"path":"/"})";
        break;
    }
    json += '}';
    const char* source = below(50) == 0 ? "gone" : below(3) == 0 ? "web" : "shop";
    events_.push_back(testing::event_input(source, json, now_));
    return events_.back();
  }

  std::string record() {
    const std::string row = R"({"id":"u)" + std::to_string(below(70)) + R"(","email":"p)" +
                            std::to_string(below(70)) + R"(@shop.example","city":"c)" +
                            std::to_string(below(5)) + R"(","points":")" + std::to_string(below(900)) +
                            R"(","ads":")" + (below(2) == 0 ? "yes" : "no") + R"(","kind":")" +
                            (below(5) == 0 ? "skip" : "row") + "\"}";
    const std::string key = "row " + std::to_string(inputs_.size());
    const std::string cursor = below(2) == 0 ? std::to_string(inputs_.size()) : std::string();
    RecordInput input;
    input.source = "crm";
    input.stream = "rows";
    input.key = key;
    input.time = now_;
    input.payload = row;
    input.cursor = cursor;
    std::string out;
    input.encode(out);
    return out;
  }

  static std::string replay(const Effect& effect) {
    std::string bytes;
    effect.encode(bytes);
    return R"({"command":"replay","destination":")" + effect.destination + R"(","record":")" + base64(bytes) +
           "\"}";
  }

  std::mt19937 random_;
  TimeUs now_ = StepBench::start;
  std::vector<Stored> inputs_;
  std::vector<std::string> events_;
  std::vector<Effect> dead_;
  int epochs_ = 1;
};

}  // namespace sluice::hub::testing
