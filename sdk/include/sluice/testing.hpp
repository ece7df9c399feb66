// sluice/testing.hpp - tests for connectors, without any library but the standard one (and dlopen: link
// ${CMAKE_DL_LIBS}).
//
//   int main(int, char** argv) {                               // argv: NAME.so, exchange.json
//     sluice::sdk::testing::Checks checks;
//     checks.replay(argv[1], argv[2]);                         // what it asks and judges, as it was recorded
//     checks.test("an empty batch asks for nothing", [&] {
//       sluice::sdk::testing::Connector acme(argv[1], "acme", *sluice::sdk::Json::parse(R"({"token":
//       "t"})")); checks.equal(acme.plan({}).requests.size(), 0, "requests");
//     });
//     return checks.result();                                  // 0: all is well
//   }
//
// A recorded exchange is JSON; docs/connectors.md has its members:
//   {"connector": ID, "with": {…}, "routes_url": "…", "exchanges": [
//     {"about": "…", "records": [{"op", "id", "key", "name", "payload", "identifiers", "address",
//     "remote_id", "audience_id"}], "part": 1, "snapshot": "…",
//      "requests": [{"method", "url", "headers", "body"}], "answers": [{"status", "headers", "body"}],
//      "outcomes": [{"record", "status", "reason", "remote_id"}]},
//     {"about": "…", "poll": {"stream", "cursor"}, "requests": […], "answers": […],
//      "rows": [{"key", "entity", "name", "payload"}], "rejected": [REASON], "cursor": "…", "ended": true},
//     {"about": "…", "incoming": {"route", "method", "query", "headers", "body"}, "reply": 204,
//      "rows": [{"op", "key", "name", "payload", "identifiers", "remote_id", "id"}]}]}
// answers[i] is to requests[i], whether plan, fetch or interpret asked for it. Only members that stand there
// are compared.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>

#include "sluice/record_json.hpp"
#include "sluice/testing_connector.hpp"

namespace sluice::sdk::testing {

// "ok", "retry", …: how exchanges write a status.
constexpr std::string_view status_name(sluice_status status) {
  constexpr std::string_view names[] = {"ok",        "retry",    "invalid",     "auth",
                                        "cancelled", "internal", "unsupported", "throttle",
                                        "skipped",   "unknown",  "gone"};
  static_assert(SLUICE_GONE == std::size(names) - 1);
  return status >= 0 && status < static_cast<sluice_status>(std::size(names))
             ? names[static_cast<std::size_t>(status)]
             : "internal";
}

// Equal whatever the order of members.
inline bool same(const Json& a, const Json& b) {
  if (a.type() != b.type() || a.size() != b.size()) return false;
  if (!a.is_object() && !a.is_array()) return a.scalar() == b.scalar();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a.elements()[i], a.is_object() ? b[a.keys()[i]] : b.elements()[i])) return false;
  }
  return true;
}

class Checks {
 public:
  // Runs `body` and prints its name with what failed in it.
  template <typename F>
  void test(std::string_view name, F&& body) {
    const std::size_t before = failures_;
    lines_.clear();
    try {
      body();
    } catch (const std::exception& error) {
      fail(error.what());
    }
    (void)std::printf("%s  %.*s\n", failures_ == before ? "ok  " : "FAIL", static_cast<int>(name.size()),
                      name.data());
    for (const std::string& line : lines_) (void)std::printf("      %s\n", line.c_str());
  }
  void that(bool good, std::string_view what) {
    if (!good) fail("not so: " + std::string(what));
  }
  void equal(std::string_view is, std::string_view wanted, std::string_view what) {
    if (is != wanted)
      fail(std::string(what) + ": is " + std::string(is) + ", should be " + std::string(wanted));
  }
  void equal(std::integral auto is, std::integral auto wanted, std::string_view what) {
    equal(std::to_string(is), std::to_string(wanted), what);
  }
  // A test for each exchange in `file`.
  void replay(const std::string& library, const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const Json root = Json::parse(text).value_or(Json());
    test(file + " holds exchanges",
         [&] { that(root["exchanges"].size() > 0, "it is JSON with a list 'exchanges'"); });
    for (const Json& one : root["exchanges"].elements()) {
      test(one["about"].text_or("an exchange"), [&] {
        Connector connector(library, std::string(root["connector"].text_or("")), root["with"],
                            root["routes_url"].text_or("https://hub.example/in/test"));
        if (one["incoming"]) return replay_incoming(connector, one);
        one["poll"] ? replay_source(connector, one) : replay_destination(connector, one);
      });
    }
  }
  int result() const {
    (void)std::printf(failures_ == 0 ? "all is well\n" : "%zu checks failed\n", failures_);
    return failures_ == 0 ? 0 : 1;
  }

 private:
  void fail(std::string line) {
    ++failures_;
    lines_.push_back(std::move(line));
  }
  // What `wanted` says of `is`; a body that is JSON is compared as such.
  void compare(std::string_view is, const Json& wanted, const std::string& what) {
    if (!wanted) return;
    const std::optional<Json> json = wanted.is_string() ? std::nullopt : Json::parse(is);
    if (wanted.is_string() ? is == wanted.text_or("") : json && same(*json, wanted)) return;
    equal(is, wanted.is_string() ? std::string(wanted.text_or("")) : wanted.text(), what);
  }
  void compare(const Request& is, const Json& wanted, const std::string& what) {
    compare(is.method, wanted["method"], what + ".method");
    compare(is.url, wanted["url"], what + ".url");
    compare(is.body, wanted["body"], what + ".body");
    Json headers = Json::object();
    for (const Header& h : is.headers) headers.set(h.name, Json::string(h.value));
    compare(headers.text(), wanted["headers"], what + ".headers");
  }

  // Answers request after request, also those that the answers lead to, and gathers what came of it.
  template <typename Judge>
  Output follow(Output first, const Json& exchange, const Judge& judge) {
    Output all = std::move(first);
    if (all.status != SLUICE_OK)
      fail("the call ended " + std::string(status_name(all.status)) + ": " + all.why);
    for (std::size_t i = 0; i < all.requests.size(); ++i) {
      const std::string what = "requests[" + std::to_string(i) + "]";
      compare(all.requests[i], exchange["requests"].at(i), what);
      const Json& said = exchange["answers"].at(i);
      if (!said)
        return fail(what + " has no answer: " + all.requests[i].method + ' ' + all.requests[i].url), all;
      Answer answer{.status = static_cast<std::int32_t>(said["status"].integer_value().value_or(200)),
                    .body = said["body"].is_string() ? std::string(said["body"].text_or(""))
                            : said["body"]           ? said["body"].text()
                                                     : std::string()};
      for (std::size_t h = 0; h < said["headers"].size(); ++h)
        answer.headers.push_back(
            {said["headers"].keys()[h], std::string(said["headers"].elements()[h].text_or(""))});
      const Request request = all.requests[i];
      append(all, judge(request, answer));
    }
    equal(all.requests.size(), exchange["requests"].size(), "requests");
    for (const std::string& fault : all.faults) fail(fault);
    return all;
  }
  void append(Output& all, Output more) {
    const auto move = [](auto& to, auto& from) {
      to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    };
    if (more.status != SLUICE_OK)
      fail("interpret ended " + std::string(status_name(more.status)) + ": " + more.why);
    move(all.requests, more.requests);
    move(all.outcomes, more.outcomes);
    move(all.rows, more.rows);
    move(all.rejected, more.rejected);
    move(all.cursors, more.cursors);
    move(all.faults, more.faults);
    all.ended = all.ended || more.ended;
  }

  void replay_destination(Connector& connector, const Json& exchange) {
    std::deque<std::string> texts;
    std::vector<Record> records;
    const auto text = [&](const Json& value) -> std::string_view {
      return value.is_object() ? texts.emplace_back(value.text()) : value.text_or("");
    };
    for (const Json& r : exchange["records"].elements()) {
      std::uint32_t op = SLUICE_EVENT;
      for (std::uint32_t one = SLUICE_EVENT; one <= SLUICE_CONSENT; ++one)
        op = op_name(one) == r["op"].text_or("") ? one : op;
      if (r["op"].text_or("") == "snapshot_begin") op = SLUICE_SNAPSHOT_BEGIN;
      if (r["op"].text_or("") == "snapshot_end") op = SLUICE_SNAPSHOT_END;
      records.push_back({.op = op,
                         .time_us = r["time_us"].integer_value().value_or(SLUICE_NO_TIME),
                         .id = text(r["id"]),
                         .key = text(r["key"]),
                         .name = text(r["name"]),
                         .payload = text(r["payload"]),
                         .identifiers = text(r["identifiers"]),
                         .address = text(r["address"]),
                         .remote_id = text(r["remote_id"]),
                         .audience_id = text(r["audience_id"])});
    }
    const Part part{static_cast<std::uint32_t>(exchange["part"].integer_value().value_or(0)),
                    text(exchange["snapshot"])};
    const Output out =
        follow(connector.plan(records, part), exchange, [&](const Request& request, const Answer& answer) {
          return connector.interpret(records, request, answer);
        });
    if (!exchange["outcomes"]) return;
    equal(out.outcomes.size(), exchange["outcomes"].size(), "outcomes");
    for (const Json& wanted : exchange["outcomes"].elements()) {
      const auto index = static_cast<std::uint32_t>(wanted["record"].integer_value().value_or(0));
      const auto fate = std::ranges::find(out.outcomes, index, &Fate::record);
      const std::string what = "record " + std::to_string(index);
      if (fate == out.outcomes.end()) {
        fail(what + " has no outcome");
        continue;
      }
      compare(status_name(fate->status), wanted["status"], what);
      compare(fate->reason, wanted["reason"], what + "'s reason");
      compare(fate->remote_id, wanted["remote_id"], what + "'s remote_id");
    }
  }

  void compare_rows(const Output& out, const Json& exchange) {
    equal(out.rows.size(), exchange["rows"].size(), "rows");
    for (std::size_t i = 0; i < out.rows.size(); ++i) {
      const Json& wanted = exchange["rows"].at(i);
      const std::string what = "rows[" + std::to_string(i) + "]";
      compare(op_name(out.rows[i].op), wanted["op"], what + ".op");
      compare(out.rows[i].key, wanted["key"], what + ".key");
      compare(out.rows[i].entity, wanted["entity"], what + ".entity");
      compare(out.rows[i].name, wanted["name"], what + ".name");
      compare(out.rows[i].payload, wanted["payload"], what + ".payload");
      compare(out.rows[i].identifiers, wanted["identifiers"], what + ".identifiers");
      compare(out.rows[i].remote_id, wanted["remote_id"], what + ".remote_id");
      compare(out.rows[i].id, wanted["id"], what + ".id");
    }
  }

  void replay_incoming(Connector& connector, const Json& exchange) {
    const Json& in = exchange["incoming"];
    std::vector<Header> headers;
    for (std::size_t h = 0; h < in["headers"].size(); ++h)
      headers.push_back({in["headers"].keys()[h], std::string(in["headers"].elements()[h].text_or(""))});
    const std::string body = in["body"].is_string() ? std::string(in["body"].text_or(""))
                             : in["body"]           ? in["body"].text()
                                                    : std::string();
    const Output out = connector.receive(in["route"].text_or(""), body, in["query"].text_or(""), headers,
                                         in["method"].text_or("POST"));
    equal(status_name(out.status), exchange["status"].text_or("ok"), "status");
    if (const auto reply = exchange["reply"].integer_value()) equal(std::int64_t{out.reply}, *reply, "reply");
    compare_rows(out, exchange);
  }

  void replay_source(Connector& connector, const Json& exchange) {
    const Poll poll{.stream = exchange["poll"]["stream"].text_or(""),
                    .cursor = exchange["poll"]["cursor"].text_or("")};
    const Output out =
        follow(connector.fetch(poll), exchange, [&](const Request& request, const Answer& answer) {
          return connector.interpret(poll, request, answer);
        });
    compare_rows(out, exchange);
    Json rejected = Json::array();
    for (const std::string& reason : out.rejected) rejected.add(Json::string(reason));
    compare(rejected.text(), exchange["rejected"], "rejected");
    compare(out.cursors.empty() ? std::string_view{} : out.cursors.back(), exchange["cursor"], "cursor");
    if (const auto ended = exchange["ended"].boolean_value()) that(out.ended == *ended, "ended");
  }

  std::size_t failures_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace sluice::sdk::testing
