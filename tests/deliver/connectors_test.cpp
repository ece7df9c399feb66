#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

#include "base/json.hpp"
#include "deliver/connector_courier.hpp"
#include "net/server.hpp"
#include "store/database.hpp"

namespace sluice::deliver {
namespace {

constexpr const char* secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

// A receiver of webhooks that answers as it is told.
struct Receiver {
  Receiver() {
    server = std::move(net::HttpServer::listen("127.0.0.1:0", {},
                                               [this](net::Request request, net::Responder responder) {
                                                 responder.send(take(request));
                                               }))
                 .value();
  }
  net::Response take(const net::Request& request) {
    const std::lock_guard lock(mutex);
    ++requests;
    net::Response response = answer(requests, request);
    if (response.status == 200) {
      JsonParser parser;
      parser.parse(request.body).elements([&](Json record) {
        keys.insert(std::string(record["key"].string_or("")));
      });
    }
    return response;
  }
  std::mutex mutex;  // guards what follows
  std::function<net::Response(std::size_t, const net::Request&)> answer =
      [](std::size_t, const net::Request&) { return net::Response{}; };
  std::size_t requests = 0;
  std::set<std::string> keys;  // of records taken
  std::unique_ptr<net::HttpServer> server;
};

struct World {
  World() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-connectors-XXXXXX").string();
    path = mkdtemp(name.data());
    const char* plugins = std::getenv("SLUICE_PLUGINS");
    REQUIRE(plugins != nullptr);
    registry = plugin::Registry::scan({plugins});
    http = std::move(net::HttpClient::create()).value();
    database = std::move(store::Database::open(path + "/hub.db")).value();
    config::Destination shop;
    shop.name = "shop";
    shop.plugin = "webhook";
    shop.with = R"({"url":"http://)" + receiver.server->address() + R"(/hook","secret":"${HOOK}"})";
    config.destinations.push_back(shop);
    config::Destination lake;
    lake.name = "lake";
    lake.plugin = "file";
    lake.with = R"({"path":"./lake.jsonl"})";
    config.destinations.push_back(lake);
  }
  ~World() { std::filesystem::remove_all(path); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Result<std::unique_ptr<Delivery>> open() {
    DeliveryOptions options{
        .files = *files, .clock = clock, .directory = path + "/lanes", .journal = "j.1", .gate = gate};
    options.database = database.get();
    Connections connections{.registry = registry,
                            .http = *http,
                            .clock = clock,
                            .folder = path,
                            .expand_secrets =
                                [](const std::string& json) {
                                  std::string out = json;
                                  const std::size_t at = out.find("${HOOK}");
                                  if (at != std::string::npos) out.replace(at, 7, secret);
                                  return Result<std::string>(std::move(out));
                                },
                            .database = database.get(),
                            .log = {}};
    return Delivery::open(std::move(options), config, make_couriers(std::move(connections)));
  }
  static std::vector<Effect> effects(std::uint64_t seq) {
    std::vector<Effect> both;
    for (const char* destination : {"shop", "lake"}) {
      Effect e;
      e.key = {seq, static_cast<std::uint32_t>(both.size())};
      e.destination = destination;
      e.person = seq % 50 + 1;
      e.purpose = "internal";
      e.name = "Order Completed";
      e.identifiers = R"({"email":["ada@example.com"]})";
      e.payload = R"({"total":)" + std::to_string(seq) + "}";
      both.push_back(std::move(e));
    }
    return both;
  }
  void play(std::uint64_t inputs) {
    auto delivery = open();
    REQUIRE(delivery);
    delivery.value()->start();
    for (std::uint64_t seq = 1; seq <= inputs; ++seq) REQUIRE(delivery.value()->offer(seq, effects(seq)));
    REQUIRE(delivery.value()->drain(60 * us_per_s));
    CHECK(delivery.value()->idle());
    delivery.value()->stop();
    status = delivery.value()->status();
  }

  std::string path;
  std::unique_ptr<FileSystem> files = make_file_system();
  SystemClock clock;
  Gate gate;
  Receiver receiver;
  plugin::Registry registry;
  std::unique_ptr<net::HttpClient> http;
  std::unique_ptr<store::Database> database;
  config::Config config;
  std::vector<LaneStatus> status;
};

TEST_CASE("records reach a webhook and a file through their connectors, each once", "[deliver]") {
  World w;
  w.play(1'000);
  CHECK(w.receiver.keys.size() == 1'000);
  CHECK(w.receiver.keys.contains("j.1.7.0"));
  std::ifstream lake(w.path + "/lake.jsonl");
  std::string line;
  std::size_t lines = 0;
  JsonParser parser;
  while (std::getline(lake, line)) {
    ++lines;
    CHECK(parser.parse(line)["profile"].string_or("") != "");
  }
  CHECK(lines == 1'000);
}

TEST_CASE("a receiver that fails and throttles gets everything in the end", "[deliver]") {
  World w;
  w.receiver.answer = [](std::size_t n, const net::Request&) {
    net::Response response;
    response.status = n == 1 ? 503 : n == 2 ? 429 : 200;
    if (n == 2) response.headers.emplace_back("retry-after", "1");
    return response;
  };
  w.play(300);
  CHECK(w.receiver.keys.size() == 300);
  CHECK(w.status[0].retries > 0);
}

TEST_CASE("a dead letter shows what was sent and answered, and no secret", "[deliver]") {
  World w;
  w.receiver.answer = [](std::size_t, const net::Request& request) {
    net::Response response;
    const bool bad = request.body.find("\"total\":5}") != std::string::npos;
    response.status = bad ? 400 : 200;
    response.body = bad ? std::string("{\"error\":\"no total of 5, dear ") + secret + "\"}" : "{}";
    return response;
  };
  w.play(40);
  CHECK(w.receiver.keys.size() == 39);
  const auto letters = w.database->dead_letters({}, 10).value();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].effect.key.seq == 5);
  const auto letter = w.database->dead_letter(letters[0].id).value();
  CHECK(letter->request.find("\"total\":5}") != std::string::npos);
  CHECK(letter->response.find("no total of 5") != std::string::npos);
  CHECK((letter->request + letter->response + letter->detail).find(secret) == std::string::npos);
}

TEST_CASE("refused credentials pause the lane and reject nothing", "[deliver]") {
  World w;
  w.receiver.answer = [](std::size_t, const net::Request&) {
    net::Response response;
    response.status = 403;
    return response;
  };
  auto opened = w.open();
  REQUIRE(opened);
  Delivery& delivery = *opened.value();
  delivery.start();
  REQUIRE(delivery.offer(1, World::effects(1)));
  while (delivery.status()[0].state != LaneState::paused || delivery.status()[1].backlog_records > 0) {
    std::this_thread::yield();
  }
  CHECK(delivery.status()[0].backlog_records == 1);
  CHECK(w.database->dead_letters({}, 10).value().empty());
}

TEST_CASE("a plugin that is not installed is named", "[deliver]") {
  World w;
  w.config.destinations[0].plugin = "nowhere";
  const auto refused = w.open();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::misconfigured);
  CHECK(refused.error().detail == "destination 'shop': no installed plugin is named 'nowhere'");
}

}  // namespace
}  // namespace sluice::deliver
