#include "net/client.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>

#include <catch2/catch.hpp>

#include "net/net_test_tools.hpp"
#include "net/server.hpp"

namespace sluice::net {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<HttpServer> serve(Handler handler) {
  ServerOptions options;
  options.drain_timeout = 50ms;  // some tests never answer
  auto server = HttpServer::listen("127.0.0.1:0", std::move(options), std::move(handler));
  REQUIRE(server);
  return std::move(server).value();
}

std::unique_ptr<HttpClient> make_client() {
  return std::move(HttpClient::create()).value();
}

HttpRequest to(const HttpServer& server, const std::string& path = "/") {
  HttpRequest request;
  request.url = "http://" + server.address() + path;
  request.allow_private = true;
  return request;
}

TEST_CASE("a request arrives as it was given, and its answer comes back whole", "[net]") {
  const auto server = serve([](const Request& r, const Responder& responder) {
    std::string seen = r.method + r.path + "|" + std::string(r.header("x-a")) + "|" +
                       std::string(r.header("content-type")) + "|" + std::string(r.header("user-agent")) +
                       "|" + r.body;
    responder.send({201, seen, "text/plain", {{"X-Answer", "Yes"}, {"Retry-After", "7"}}});
  });
  const auto client = make_client();
  HttpRequest request = to(*server, "/p");
  request.method = "PATCH";
  request.headers = {{"X-A", "b c"}, {"Content-Type", "application/json"}};
  request.body = std::string("{\0}", 3);
  const HttpResponse response = client->fetch(request);
  CHECK(response.status == 201);
  CHECK(response.error.empty());
  CHECK(response.reached == Reached::yes);
  CHECK(response.body == "PATCH/p|b c|application/json|Sluice|" + request.body);
  CHECK(response.body.capacity() >= response.body.size() + 64);
  CHECK(response.header("x-answer") == "Yes");
  CHECK(response.retry_after_ms == 7'000);
}

TEST_CASE("a connection is used again, and many requests are in flight at once", "[net]") {
  std::mutex mutex;
  std::vector<Responder> waiting;
  const auto server = serve([&](const Request& r, const Responder& responder) {
    if (r.path == "/now") return responder.send({200, "now", "text/plain", {}});
    const std::lock_guard lock(mutex);
    waiting.push_back(responder);
    constexpr std::size_t together = 32;
    if (waiting.size() < together) return;  // only when all have come is any of them answered
    for (const Responder& w : waiting) w.send({200, "together", "text/plain", {}});
  });
  const auto client = make_client();
  for (int i = 0; i < 20; ++i) CHECK(client->fetch(to(*server, "/now")).body == "now");
  CHECK(server->connections() == 1);

  std::condition_variable came;
  int answered = 0;
  for (int i = 0; i < 32; ++i) {
    client->send(to(*server, "/later"), [&](const HttpResponse& r) {
      const std::lock_guard lock(mutex);
      answered += r.body == "together" ? 1 : 0;
      came.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  CHECK(came.wait_for(lock, 20s, [&] { return answered == 32; }));
}

TEST_CASE("a redirect is an answer like any other", "[net]") {
  const auto server = serve([](const Request&, const Responder& responder) {
    responder.send({307, "", "", {{"Location", "http://127.0.0.1:1/elsewhere"}}});
  });
  CHECK(make_client()->fetch(to(*server)).status == 307);
}

TEST_CASE("an answer without a body, or to HEAD, is whole", "[net]") {
  const auto server = serve([](const Request& r, const Responder& responder) {
    responder.send({r.method == "DELETE" ? 204 : 200, "text", "text/plain", {}});
  });
  const auto client = make_client();
  for (const char* method : {"DELETE", "HEAD", "GET", "PUT"}) {
    HttpRequest request = to(*server);
    request.method = method;
    const HttpResponse response = client->fetch(request);
    CHECK(response.reached == Reached::yes);
    CHECK(response.body == (std::string_view(method).size() == 3 ? "text" : ""));
  }
  CHECK(server->connections() == 1);
}

TEST_CASE("where nobody listens, nothing was sent", "[net]") {
  std::uint16_t port = 0;
  {
    const auto gone = serve([](const Request&, const Responder&) {});
    port = gone->port();
  }
  HttpRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(port) + "/?token=secret";
  request.allow_private = true;
  const HttpResponse response = make_client()->fetch(request);
  CHECK(response.status == 0);
  CHECK(response.reached == Reached::no);
  CHECK_FALSE(response.error.empty());
  CHECK(response.error.find("secret") == std::string::npos);
}

TEST_CASE("a request whose answer does not come in time may have arrived", "[net]") {
  std::mutex mutex;
  std::vector<Responder> never;
  const auto server = serve([&](const Request&, const Responder& responder) {
    const std::lock_guard lock(mutex);
    never.push_back(responder);
  });
  HttpRequest request = to(*server);
  request.timeout_ms = 50;
  const HttpResponse response = make_client()->fetch(request);
  CHECK(response.status == 0);
  CHECK(response.reached == Reached::unknown);
}

TEST_CASE("an answer over its limit is an error", "[net]") {
  const auto server = serve([](const Request& r, const Responder& responder) {
    responder.send(
        {200, std::string(response_bytes_max + (r.path == "/over" ? 1 : 0), 'x'), "text/plain", {}});
  });
  const auto client = make_client();
  CHECK(client->fetch(to(*server)).body.size() == response_bytes_max);
  const HttpResponse over = client->fetch(to(*server, "/over"));
  CHECK(over.status == 0);
  CHECK(over.body.empty());
  CHECK(over.error.find("4 MiB") != std::string::npos);
}

TEST_CASE("a request from data reaches no private address, also not over a connection that stands", "[net]") {
  std::atomic<int> requests = 0;
  const auto server = serve([&](const Request&, const Responder& responder) {
    ++requests;
    responder.send({200, "private", "text/plain", {}});
  });
  const auto client = make_client();
  for (const char* host : {"127.0.0.1", "localhost", "127.1"}) {
    HttpRequest request = to(*server);
    request.url = "http://" + std::string(host) + ":" + std::to_string(server->port()) + "/";
    REQUIRE(client->fetch(request).status == 200);
    const int before = requests;
    request.allow_private = false;
    const HttpResponse refused = client->fetch(request);
    CHECK(refused.status == 0);
    CHECK(refused.reached == Reached::no);
    CHECK(refused.error.find("private") != std::string::npos);
    CHECK(requests == before);
  }
}

TEST_CASE("an address is public or it is not", "[net]") {
  for (const char* address : {"8.8.8.8", "100.63.255.255", "172.32.0.1", "192.169.0.1", "223.255.255.255",
                              "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"}) {
    CHECK(is_public_address(address));
  }
  for (const char* address : {"127.0.0.1",
                              "127.255.255.254",
                              "0.0.0.0",
                              "10.0.0.1",
                              "100.64.0.1",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.1.1",
                              "198.18.0.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "fe80::1",
                              "fe80::1%eth0",
                              "fc00::1",
                              "fd12::1",
                              "ff02::1",
                              "::ffff:127.0.0.1",
                              "64:ff9b::a00:1",
                              "2001:db8::1",
                              "2002:7f00:1::",
                              "",
                              "example.com"}) {
    CHECK_FALSE(is_public_address(address));
  }
}

TEST_CASE("a request that would smuggle a header is not sent", "[net]") {
  const auto client = make_client();
  HttpRequest request;
  request.url = "http://127.0.0.1:1/";
  request.allow_private = true;
  request.headers = {{"X", "a\r\nY: b"}};
  CHECK(client->fetch(request).error.find("line break") != std::string::npos);
  request.headers.clear();
  request.url = "file:///etc/passwd";
  CHECK(client->fetch(request).reached == Reached::no);
  request.url = "http://127.0.0.1:1/";
  request.allow_private = false;
  request.proxy = "http://127.0.0.1:1";
  CHECK(client->fetch(request).error.find("proxy") != std::string::npos);
}

TEST_CASE("every request gets its answer when the client stops, also one that comes later", "[net]") {
  std::mutex mutex;
  std::condition_variable came;
  std::vector<Responder> never;
  const auto server = serve([&](const Request&, const Responder& responder) {
    const std::lock_guard lock(mutex);
    never.push_back(responder);
    came.notify_all();
  });
  const auto client = make_client();
  std::vector<Reached> ended;
  const auto note = [&](const HttpResponse& r) {
    const std::lock_guard lock(mutex);
    ended.push_back(r.reached);
  };
  for (int i = 0; i < 3; ++i) client->send(to(*server), note);
  {
    std::unique_lock lock(mutex);
    REQUIRE(came.wait_for(lock, 20s, [&] { return never.size() == 3; }));
  }
  client->stop();
  client->send(to(*server), note);
  CHECK(ended == std::vector<Reached>{Reached::unknown, Reached::unknown, Reached::unknown, Reached::no});
  CHECK(client->in_flight() == 0);
}

}  // namespace
}  // namespace sluice::net
