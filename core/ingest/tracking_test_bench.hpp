// A tracking door behind a real server, with a journal that keeps what it is given: for the door's tests.
#pragma once

#include <mutex>

#include <catch2/catch.hpp>

#include "base/hash.hpp"
#include "ingest/tracking.hpp"
#include "net/client.hpp"
#include "net/server.hpp"

namespace sluice::ingest {

inline constexpr TimeUs now = 1'800'000'000 * us_per_s;
inline const std::string user_event = R"({"type":"track","event":"Order","userId":"u1","messageId":"m1"})";

// A journal that keeps what it is given; answers at once unless it is told otherwise.
class FakeJournal {
 public:
  Submit submit(std::vector<Draft> drafts, const Journal::Answer& done) {
    const std::lock_guard lock(mutex_);
    if (says != Submit::ok) return says;
    for (Draft& draft : drafts) kept.push_back(std::move(draft));
    done(fails ? Status(Error{Code::transient, "disk"}) : Status(Done{}), kept.size());
    return Submit::ok;
  }
  EventInput event(std::size_t i) const {
    EventInput input;
    REQUIRE(i < kept.size());
    REQUIRE(EventInput::decode(kept[i].payload, input));
    return input;
  }

  Submit says = Submit::ok;
  bool fails = false;
  std::vector<Draft> kept;

 private:
  std::mutex mutex_;
};

struct Bench {
  Bench() {
    TrackingOptions options;
    options.sources = {{"shop", "key-1", false}, {"site", "key-2", true}, {"jitsu", "id:secret", false}};
    options.submit = [this](std::vector<Draft> drafts, const Journal::Answer& done) {
      return journal.submit(std::move(drafts), done);
    };
    options.percent_used = [] { return 93U; };
    options.ready = [this] { return ready; };
    door = std::make_unique<TrackingDoor>(clock, std::move(options));
    net::ServerOptions server_options;
    server_options.body_bytes_max = tracking_body_bytes_max;
    server_options.error_headers = TrackingDoor::cors_headers();
    auto made = net::HttpServer::listen(
        "127.0.0.1:0", server_options,
        [this](net::Request r, net::Responder to) { door->handle(std::move(r), std::move(to)); });
    REQUIRE(made);
    server = std::move(made).value();
    client = std::move(net::HttpClient::create()).value();
  }

  using Headers = std::vector<std::pair<std::string, std::string>>;
  net::HttpResponse ask(const std::string& method, const std::string& path, const std::string& body,
                        Headers headers) {
    net::HttpRequest request;
    request.method = method;
    request.url = "http://" + server->address() + path;
    request.body = body;
    request.headers = std::move(headers);
    request.allow_private = true;
    return client->fetch(std::move(request));
  }
  net::HttpResponse post(const std::string& path, const std::string& body,
                         Headers headers = basic("key-1:")) {
    return ask("POST", path, body, std::move(headers));
  }
  static Headers basic(const std::string& user) { return {{"Authorization", "Basic " + base64(user)}}; }

  ManualClock clock{now};
  FakeJournal journal;
  bool ready = true;
  std::unique_ptr<TrackingDoor> door;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<net::HttpClient> client;
};

inline std::string batch_of(const std::string& events) {
  return R"({"batch":[)" + events + "]}";
}

}  // namespace sluice::ingest
