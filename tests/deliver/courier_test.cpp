// What the courier makes of a connector's answers.
#include <cstdlib>
#include <future>

#include <catch2/catch.hpp>

#include "deliver/connector_courier.hpp"
#include "net/server.hpp"

namespace sluice::deliver {
namespace {

struct World {
  World() {
    const char* callers = std::getenv("SLUICE_CALLERS");
    REQUIRE(callers != nullptr);
    registry = plugin::Registry::scan({std::string(callers) + "/sends", std::string(callers) + "/plans"});
    http = std::move(net::HttpClient::create()).value();
    server = std::move(net::HttpServer::listen("127.0.0.1:0", {},
                                               [this](net::Request request, net::Responder responder) {
                                                 body = request.body;
                                                 net::Response response;
                                                 response.status = status;
                                                 response.headers = headers;
                                                 responder.send(std::move(response));
                                               }))
                 .value();
  }
  std::unique_ptr<Courier> open(const std::string& plugin, const std::string& address, bool apart = false) {
    Connections connections{
        .registry = registry,
        .http = *http,
        .clock = clock,
        .folder = "/",
        .expand_secrets = [](const std::string& json) { return Result<std::string>(json); },
        .database = nullptr,
        .log = [this](std::int32_t, std::string_view, std::string_view text) { logged += text; }};
    config::Destination destination;
    destination.name = "there";
    destination.plugin = plugin;
    destination.isolation.process = apart;
    destination.with = R"({"url":"http://)" + address + R"("})";
    auto made = make_couriers(std::move(connections))(destination);
    INFO((made ? "" : made.error().detail));
    REQUIRE(made);
    return std::move(made).value();
  }
  std::vector<Parcel> parcels(const std::vector<std::string>& names) {
    effects.assign(names.size(), Effect{});
    std::vector<Parcel> out;
    for (std::size_t i = 0; i < names.size(); ++i) {
      effects[i].name = names[i];
      effects[i].op = Operation::message;
      effects[i].payload = "{}";
      out.push_back({"j.1." + std::to_string(i) + ".0", 1, &effects[i], "known as " + names[i]});
    }
    return out;
  }
  // Sends a planned request; its answer, read.
  static Answer ask(Courier& courier, const CourierRequest& request) {
    std::promise<CourierResponse> done;
    courier.send(request, [&](CourierResponse response) { done.set_value(std::move(response)); });
    auto answer = courier.interpret(request, done.get_future().get());
    REQUIRE(answer);
    return std::move(answer).value();
  }

  int status = 200;
  decltype(net::Response::headers) headers;
  std::string body, logged;
  SystemClock clock;
  plugin::Registry registry;
  std::unique_ptr<net::HttpClient> http;
  std::unique_ptr<net::HttpServer> server;
  std::vector<Effect> effects;
};

TEST_CASE("a deliver() that failed without reaching anybody may be repeated, each record of it",
          "[courier]") {
  World w;
  const auto courier = w.open("sends", "127.0.0.1:1");  // nobody listens
  const auto answer = courier->deliver(w.parcels({"a", "b"}));
  REQUIRE(answer);
  REQUIRE(answer.value().verdicts.size() == 2);
  for (const Judged& judged : answer.value().verdicts) CHECK(judged.verdict.fate == Fate::retry);
}

TEST_CASE("a deliver() that failed after it reached somebody is in doubt as a whole", "[courier]") {
  World w;
  w.status = 500;
  CHECK_FALSE(w.open("sends", w.server->address())->deliver(w.parcels({"a", "b"})));
}

TEST_CASE("a connector that breaks in deliver() says so of each record, and whether any may have left",
          "[courier]") {
  World w;
  for (const bool apart : {false, true}) {
    const auto courier = w.open("sends", w.server->address(), apart);
    for (const std::string& how :
         apart ? std::vector<std::string>{"die", "throw"} : std::vector<std::string>{"throw"}) {
      for (const bool reached : {false, true}) {
        const auto parcels = w.parcels(reached ? std::vector<std::string>{"fine", how, "fine"}
                                               : std::vector<std::string>{how, "fine", "fine"});
        const Answer answer = courier->deliver(parcels).value();
        REQUIRE(answer.verdicts.size() == 3);
        for (const Judged& judged : answer.verdicts) {
          CHECK(judged.verdict.bug);
          CHECK(judged.verdict.fate == (reached ? Fate::unknown : Fate::retry));
          CHECK(judged.verdict.reason == "connector_failed");
        }
      }
    }
  }
}

TEST_CASE("a record that a connector sent by itself and gave no outcome is in doubt", "[courier]") {
  World w;
  const auto answer = w.open("sends", w.server->address())->deliver(w.parcels({"a", "leave_out"}));
  REQUIRE(answer);
  REQUIRE(answer.value().verdicts.size() == 2);
  CHECK(answer.value().verdicts[0].verdict.fate == Fate::delivered);
  CHECK(answer.value().verdicts[1].verdict.fate == Fate::unknown);
}

TEST_CASE("a request takes from the bucket that it names, and a vendor's limit stops that bucket alone",
          "[courier]") {
  World w;
  const auto courier = w.open("plans", w.server->address());
  CHECK(courier->limits().rates.size() == 2);
  CHECK_FALSE(courier->limits().all_or_nothing);
  const auto planned = courier->plan(w.parcels({"slow", "fast", "", "nowhere"}));
  REQUIRE(planned);
  const std::vector<CourierRequest>& requests = planned.value().requests;
  REQUIRE(requests.size() == 4);
  CHECK((requests[0].bucket == 1 && requests[1].bucket == 0));
  CHECK((requests[2].bucket == 0 && requests[3].bucket == 0));
  CHECK(w.logged.find("no bucket 'nowhere'") != std::string::npos);
  const Answer answer = World::ask(*courier, requests[0]);
  CHECK(w.body == "known as slow");
  CHECK(answer.pause == 0);
  REQUIRE(answer.bucket_pauses.size() == 1);
  CHECK((answer.bucket_pauses[0].bucket == 1 && answer.bucket_pauses[0].pause > 0));
  REQUIRE(answer.verdicts.size() == 1);
  CHECK(answer.verdicts[0].verdict.remote_id == "made");
  w.status = 500;
  CHECK(World::ask(*courier, requests[1]).verdicts.at(0).verdict.fate == Fate::unknown);
}

TEST_CASE("a limit that the vendor announces in headers stops the bucket that the manifest names",
          "[courier]") {
  World w;
  const auto courier = w.open("plans", w.server->address());
  const auto planned = courier->plan(w.parcels({"slow"}));
  REQUIRE(planned);
  w.headers = {{"x-left", "0"}, {"x-left-in", "30"}};
  const Answer answer = World::ask(*courier, planned.value().requests.at(0));
  REQUIRE(answer.bucket_pauses.size() == 2);  // the connector's own, and the announced one
  CHECK(answer.bucket_pauses[1].bucket == 0);
  CHECK(answer.bucket_pauses[1].pause > 29 * us_per_s);
  CHECK(answer.bucket_pauses[1].pause <= 30 * us_per_s);
  w.headers = {{"x-left", "1"}, {"x-left-in", "30"}};
  CHECK(World::ask(*courier, planned.value().requests.at(0)).bucket_pauses.size() == 1);
}

}  // namespace
}  // namespace sluice::deliver
