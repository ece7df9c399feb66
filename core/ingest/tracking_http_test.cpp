#include <condition_variable>
#include <mutex>

#include <catch2/catch.hpp>

#include "ingest/tracking_test_bench.hpp"

namespace sluice::ingest {
namespace {

TEST_CASE("a full queue is a 429 that says when to come back, a full disk or a stopped hub a 503",
          "[ingest]") {
  Bench b;
  b.journal.says = Submit::full;
  const auto full = b.post("/v1/batch", batch_of(user_event));
  CHECK(full.status == 429);
  CHECK(full.retry_after_ms == 2'000);
  CHECK(full.header("x-sluice-queue-percent") == "93");
  for (const Submit says : {Submit::disk_full, Submit::closed}) {
    b.journal.says = says;
    const auto refused = b.post("/v1/batch", batch_of(user_event));
    CHECK(refused.status == 503);
    CHECK(refused.retry_after_ms == 5'000);
  }
  b.journal.says = Submit::ok;
  b.journal.fails = true;
  CHECK(b.post("/v1/batch", batch_of(user_event)).status == 503);
  CHECK(b.door->counters().accepted == 0);
  CHECK(b.door->counters().full == 1);
  CHECK(b.door->counters().unavailable == 3);
}

TEST_CASE("no success is told before the journal has it", "[ingest]") {
  const ManualClock clock(now);
  Journal::Answer done;
  TrackingOptions options;
  options.sources = {{"shop", "key-1", false}};
  std::mutex mutex;
  std::condition_variable came;
  options.submit = [&](const std::vector<Draft>&, Journal::Answer given) {
    const std::lock_guard lock(mutex);
    done = std::move(given);
    came.notify_all();
    return Submit::ok;
  };
  TrackingDoor door(clock, std::move(options));
  auto server = net::HttpServer::listen("127.0.0.1:0", {}, [&](net::Request r, net::Responder to) {
    door.handle(std::move(r), std::move(to));
  });
  REQUIRE(server);
  const auto client = std::move(net::HttpClient::create()).value();
  net::HttpRequest request;
  request.url = "http://" + server.value()->address() + "/v1/batch?writeKey=key-1";
  request.body = batch_of(user_event);
  request.allow_private = true;
  std::vector<int> statuses;
  client->send(request, [&](const net::HttpResponse& r) {
    const std::lock_guard lock(mutex);
    statuses.push_back(r.status);
    came.notify_all();
  });
  std::unique_lock lock(mutex);
  REQUIRE(came.wait_for(lock, std::chrono::seconds(20), [&] { return done != nullptr; }));
  CHECK(statuses.empty());
  CHECK(door.counters().accepted == 0);
  lock.unlock();
  done(Done{}, 1);
  lock.lock();
  CHECK(came.wait_for(lock, std::chrono::seconds(20), [&] { return statuses.size() == 1; }));
  CHECK(statuses == std::vector<int>{200});
}

TEST_CASE("a page of another origin may send, and may read every answer", "[ingest]") {
  Bench b;
  for (const char* path :
       {"/v1/t", "/v1/batch", "/api/s/page", "/v1/projects/key-1/settings", "/sourceConfig"}) {
    const auto preflight = b.ask("OPTIONS", path, "",
                                 {{"Origin", "https://shop.example"},
                                  {"Access-Control-Request-Method", "POST"},
                                  {"Access-Control-Request-Headers", "authorization,x-retry-count"}});
    CHECK(preflight.status == 204);
    CHECK(preflight.header("access-control-allow-origin") == "https://shop.example");
    CHECK(preflight.header("access-control-allow-headers") == "authorization,x-retry-count");
    CHECK(preflight.header("access-control-allow-methods").find("OPTIONS") != std::string::npos);
    CHECK(preflight.header("access-control-max-age") == "86400");
  }
  const auto from_page = [&](const std::string& path, const std::string& body, const char* key) {
    auto headers = Bench::basic(key);
    headers.emplace_back("Origin", "null");
    return b.post(path, body, headers);
  };
  b.journal.says = Submit::full;
  for (const auto& answer :
       {from_page("/v1/batch", batch_of(user_event), "key-1"), from_page("/v1/batch", "{", "key-1"),
        from_page("/v1/batch", "{}", "wrong"), from_page("/nowhere", "{}", "key-1"),
        from_page("/v1/batch", std::string(tracking_body_bytes_max + 1, ' '), "key-1")}) {
    CHECK(answer.status >= 400);
    CHECK_FALSE(answer.header("access-control-allow-origin").empty());
    CHECK(answer.header("access-control-expose-headers") == "retry-after");
  }
}

TEST_CASE("browser SDKs get the answers that they start with", "[ingest]") {
  Bench b;
  JsonParser parser;
  const auto settings = b.ask("GET", "/v1/projects/key-2/settings", "", {});
  CHECK(settings.status == 200);
  const Json segment = parser.parse(settings.body)["integrations"]["Segment.io"];
  CHECK(segment["apiKey"].string() == "key-2");
  CHECK(segment["apiHost"].string() == b.server->address() + "/v1");
  CHECK(segment["protocol"].string() == "http");
  const auto config = b.ask("GET", "/sourceConfig/?p=npm&writeKey=key-2", "", {});
  CHECK(config.status == 200);
  const Json source = parser.parse(config.body)["source"];
  CHECK(source["writeKey"].string() == "key-2");
  CHECK(source["enabled"].boolean() == true);
  CHECK(source["dataplanes"]["US"].at(0)["url"].string() == "http://" + b.server->address());
  CHECK(b.ask("GET", "/v1/projects/wrong/settings", "", {}).status == 401);
  CHECK(b.ask("GET", "/sourceConfig", "", {}).status == 401);
}

TEST_CASE("health is always told, readiness when it is so", "[ingest]") {
  Bench b;
  CHECK(b.ask("GET", "/healthz", "", {}).status == 200);
  CHECK(b.ask("GET", "/readyz", "", {}).status == 200);
  b.ready = false;
  CHECK(b.ask("GET", "/healthz", "", {}).status == 200);
  CHECK(b.ask("GET", "/readyz", "", {}).status == 503);
}

}  // namespace
}  // namespace sluice::ingest
