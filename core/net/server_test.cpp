#include "net/server.hpp"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include "net/client.hpp"
#include "net/net_test_tools.hpp"

namespace sluice::net {
namespace {

using namespace std::chrono_literals;

// Answers with what it was asked: "POST /path?query:body".
void echo(Request request, const Responder& responder) {
  std::string text = request.method + " " + request.path;
  if (!request.query_text.empty()) text += "?" + request.query_text;
  responder.send({200, text + ":" + request.body, "text/plain", {}});
}

std::unique_ptr<HttpServer> serve(Handler handler, ServerOptions options = {}) {
  auto server = HttpServer::listen("127.0.0.1:0", std::move(options), std::move(handler));
  REQUIRE(server);
  return std::move(server).value();
}

std::string body_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

// Keeps responders until the test answers them.
class Keeper {
 public:
  Handler handler() {
    return [this](Request request, Responder responder) {
      const std::lock_guard lock(mutex_);
      requests_.emplace_back(std::move(request), std::move(responder));
      came_.notify_all();
    };
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return came_.wait_for(lock, 20s, [&] { return requests_.size() >= count; });
  }
  Request& request(std::size_t i) { return requests_.at(i).first; }
  Responder& responder(std::size_t i) { return requests_.at(i).second; }
  void clear() {
    const std::lock_guard lock(mutex_);
    requests_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<std::pair<Request, Responder>> requests_;
};

TEST_CASE("a connection serves one request after the other, sized and chunked", "[net]") {
  const auto server = serve(echo);
  RawClient client(server->port());
  REQUIRE(client.send("POST /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"));
  CHECK(body_of(client.answer()) == "POST /a b?x=1:hello");
  REQUIRE(client.send("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
  REQUIRE(client.send("2\r\nde\r\n0\r\n\r\n"));
  CHECK(body_of(client.answer()) == "POST /c:abcde");
  REQUIRE(client.send("GET http://h/d?q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  const std::string last = client.read_to_end();
  CHECK(last.find("Connection: close\r\n") != std::string::npos);
  CHECK(body_of(last) == "GET /d?q:");
}

TEST_CASE("headers, queries and the peer are there to ask for, and a body leaves room for the JSON parser",
          "[net]") {
  Keeper keeper;
  const auto server = serve(keeper.handler());
  RawClient client(server->port());
  REQUIRE(
      client.send("POST /?writeKey=a%2Bb+c&x&y=%zz HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nx-one: 2\r\n"
                  "Content-Length: 3\r\n\r\n{ }"));
  REQUIRE(keeper.wait_for(1));
  const Request& request = keeper.request(0);
  CHECK(request.header("x-ONE") == "1");
  CHECK(request.header("absent").empty());
  CHECK(request.query("writeKey") == "a+b c");
  CHECK(request.query("x").empty());
  CHECK(request.query("y") == "%zz");
  CHECK(request.peer == "127.0.0.1");
  CHECK(request.body.capacity() >= request.body.size() + 64);
}

TEST_CASE("pipelined requests are answered in their order, whatever the order of the answers", "[net]") {
  Keeper keeper;
  const auto server = serve(keeper.handler());
  RawClient client(server->port());
  REQUIRE(client.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"));
  REQUIRE(keeper.wait_for(3));
  std::thread other([&] {
    for (const std::size_t i : {2U, 1U, 0U}) {
      keeper.responder(i).send({200, "answer " + std::to_string(i + 1), "text/plain", {}});
      keeper.responder(i).send({500, "a second answer counts for nothing", "text/plain", {}});
    }
  });
  for (const char* expected : {"answer 1", "answer 2", "answer 3"})
    CHECK(body_of(client.answer()) == expected);
  other.join();
}

TEST_CASE("a long pipeline is taken in parts and answered whole", "[net]") {
  ServerOptions options;
  options.pipelined_max = 4;
  const auto server = serve(echo, options);
  RawClient client(server->port());
  std::string all;
  constexpr int count = 1'000;
  for (int i = 0; i < count; ++i)
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nContent-Length: 1\r\n\r\nx";
  std::thread sender([&] { CHECK(client.send(all)); });
  for (int i = 0; i < count; ++i) REQUIRE(body_of(client.answer()) == "POST /" + std::to_string(i) + ":x");
  sender.join();
}

TEST_CASE("what is over a limit is answered and the connection closed, even while the peer goes on sending",
          "[net]") {
  ServerOptions options;
  options.body_bytes_max = 1'000;
  options.header_bytes_max = 500;
  options.error_headers = {{"Access-Control-Allow-Origin", "*"}};
  const auto server = serve(echo, options);
  const auto ask = [&](const std::string& bytes) {
    RawClient client(server->port());
    (void)client.send(bytes);
    return client.read_to_end();
  };
  const std::string head = "POST / HTTP/1.1\r\nContent-Length: ";
  CHECK(
      ask(head + "1000\r\nConnection: close\r\n\r\n" + std::string(1'000, 'x')).starts_with("HTTP/1.1 200 "));
  const std::string refused = ask(head + "1001\r\n\r\n" + std::string(1'001, 'x'));
  CHECK(refused.starts_with("HTTP/1.1 413 "));
  CHECK(refused.find("Access-Control-Allow-Origin: *") != std::string::npos);
  CHECK(ask(head + "3000000\r\n\r\n" + std::string(3'000'000, 'x')).starts_with("HTTP/1.1 413 "));
  std::string chunks = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 11; ++i) chunks += "64\r\n" + std::string(100, 'x') + "\r\n";
  CHECK(ask(chunks + "0\r\n\r\n").starts_with("HTTP/1.1 413 "));
  CHECK(ask("GET / HTTP/1.1\r\nX: " + std::string(600, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
}

TEST_CASE("what is not HTTP/1.1 is answered 400", "[net]") {
  const auto server = serve(echo);
  for (const char* bad :
       {"nonsense\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawClient client(server->port());
    REQUIRE(client.send(bad));
    CHECK(client.read_to_end().starts_with("HTTP/1.1 400 "));
  }
}

TEST_CASE("a request that trickles in is cut off, and so is a connection at rest", "[net]") {
  ServerOptions options;
  options.read_timeout = 60ms;
  options.idle_timeout = 60ms;
  const auto server = serve(echo, options);
  SECTION("in its head") {
    RawClient client(server->port());
    REQUIRE(client.send("GET / HTTP/1.1\r\nX-Slow: "));
    CHECK(client.read_to_end().starts_with("HTTP/1.1 408 "));
  }
  SECTION("in its body, byte by byte") {
    RawClient slow(server->port());
    REQUIRE(slow.send("POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"));
    while (!slow.readable_within_ms(5) && slow.send("x")) {
    }
    CHECK(slow.read_to_end().starts_with("HTTP/1.1 408 "));
  }
  SECTION("before its first byte") {
    RawClient client(server->port());
    CHECK(client.read_to_end().empty());
  }
}

TEST_CASE("a request that waits for its answer is not cut off", "[net]") {
  ServerOptions options;
  options.read_timeout = options.idle_timeout = 20ms;
  Keeper keeper;
  const auto server = serve(keeper.handler(), options);
  RawClient waiting(server->port());
  REQUIRE(waiting.send("GET / HTTP/1.1\r\n\r\n"));
  REQUIRE(keeper.wait_for(1));
  // Another connection, made later, is seen to end by its deadline: the first one's would have passed before.
  CHECK(RawClient(server->port()).read_to_end().empty());
  CHECK(RawClient(server->port()).read_to_end().empty());
  keeper.responder(0).send({200, "late", "text/plain", {}});
  CHECK(body_of(waiting.answer()) == "late");
}

TEST_CASE("a handler that lets go of its responder has answered 500", "[net]") {
  const auto server = serve([](const Request&, const Responder&) {});
  RawClient client(server->port());
  REQUIRE(client.send("GET / HTTP/1.1\r\n\r\n"));
  CHECK(client.answer().starts_with("HTTP/1.1 500 "));
}

TEST_CASE("a client that waits for 100 Continue gets it", "[net]") {
  const auto server = serve(echo);
  RawClient client(server->port());
  REQUIRE(client.send("POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.answer() == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send("ok"));
  CHECK(body_of(client.answer()) == "POST /:ok");
}

TEST_CASE("a client that has closed its side still gets its answer", "[net]") {
  Keeper keeper;
  const auto server = serve(keeper.handler());
  RawClient client(server->port());
  REQUIRE(client.send("GET / HTTP/1.1\r\n\r\n"));
  client.end();
  REQUIRE(keeper.wait_for(1));
  keeper.responder(0).send({200, "here", "text/plain", {}});
  CHECK(body_of(client.read_to_end()) == "here");
}

TEST_CASE("when unanswered bodies hold too much, new ones are refused for a moment", "[net]") {
  ServerOptions options;
  options.held_bytes_max = 1'000;
  options.drain_timeout = 50ms;
  Keeper keeper;
  const auto server = serve(keeper.handler(), options);
  const std::string request = "POST / HTTP/1.1\r\nContent-Length: 800\r\n\r\n" + std::string(800, 'x');
  RawClient first(server->port());
  REQUIRE(first.send(request));
  REQUIRE(keeper.wait_for(1));
  RawClient second(server->port());
  REQUIRE(second.send(request));
  const std::string refused = second.read_to_end();
  CHECK(refused.starts_with("HTTP/1.1 503 "));
  CHECK(refused.find("Retry-After: 1\r\n") != std::string::npos);
  keeper.responder(0).send({200, "done", "text/plain", {}});
  CHECK(body_of(first.answer()) == "done");
  REQUIRE(first.send(request));
  CHECK(keeper.wait_for(2));
}

TEST_CASE("more connections than may be are closed unread", "[net]") {
  ServerOptions options;
  options.connections_max = 1;
  const auto server = serve(echo, options);
  RawClient first(server->port());
  REQUIRE(first.send("GET /1 HTTP/1.1\r\n\r\n"));
  CHECK(body_of(first.answer()) == "GET /1:");
  CHECK(RawClient(server->port()).read_to_end().empty());
  REQUIRE(first.send("GET /2 HTTP/1.1\r\n\r\n"));
  CHECK(body_of(first.answer()) == "GET /2:");
}

TEST_CASE("one caller takes no more connections than its share, and others are served meanwhile", "[net]") {
  ServerOptions options;
  options.connections_per_peer_max = 2;
  options.count_private_peers = true;
  const auto server = serve(echo, options);
  std::optional<RawClient> first(std::in_place, server->port(), 2U),
      second(std::in_place, server->port(), 2U);
  REQUIRE(first->send("GET /slow HTTP/1.1\r\nX-Half: "));  // heads that never end
  REQUIRE(second->send("GET /2 HTTP/1.1\r\n\r\n"));
  CHECK(body_of(second->answer()) == "GET /2:");
  CHECK(RawClient(server->port(), 2).read_to_end().empty());
  CHECK(server->refused() == 1);
  RawClient other(server->port(), 3);
  REQUIRE(other.send("GET /3 HTTP/1.1\r\n\r\n"));
  CHECK(body_of(other.answer()) == "GET /3:");
  second.reset();  // what it gives back it may take again
  bool served = false;
  for (int i = 0; i < 200 && !served; ++i) {
    RawClient again(server->port(), 2);
    served = again.send("GET /4 HTTP/1.1\r\n\r\n") && body_of(again.answer()) == "GET /4:";
  }
  CHECK(served);
}

TEST_CASE("callers at private addresses may be a proxy, behind which everybody comes, and are not counted",
          "[net]") {
  ServerOptions options;
  options.connections_per_peer_max = 1;
  const auto server = serve(echo, options);
  RawClient first(server->port()), second(server->port());
  for (RawClient* client : {&first, &second}) {
    REQUIRE(client->send("GET / HTTP/1.1\r\n\r\n"));
    CHECK(body_of(client->answer()) == "GET /:");
  }
}

TEST_CASE("a large answer reaches a reader who takes his time", "[net]") {
  const std::string large(std::size_t{8} << 20, 'x');
  const auto server =
      serve([&](const Request&, const Responder& r) { r.send({200, large, "text/plain", {}}); });
  RawClient client(server->port());
  REQUIRE(client.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"));
  CHECK(body_of(client.answer()) == large);
  CHECK(body_of(client.answer()) == large);
}

TEST_CASE("stopping answers what is due and takes nothing new", "[net]") {
  Keeper keeper;
  const auto server = serve(keeper.handler());
  RawClient due(server->port());
  RawClient resting(server->port());
  REQUIRE(due.send("GET / HTTP/1.1\r\n\r\n"));
  REQUIRE(keeper.wait_for(1));
  std::thread stopping([&] { server->stop(); });
  CHECK(resting.read_to_end().empty());  // so stop() has begun
  keeper.responder(0).send({200, "due", "text/plain", {}});
  const std::string answer = due.read_to_end();
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(body_of(answer) == "due");
  stopping.join();
  CHECK_FALSE(RawClient(server->port()).connected());
  keeper.responder(0).send({200, "far too late", "text/plain", {}});
}

TEST_CASE("stopping does not wait for ever for an answer that never comes", "[net]") {
  ServerOptions options;
  options.drain_timeout = 30ms;
  Keeper keeper;
  auto server = serve(keeper.handler(), options);
  RawClient client(server->port());
  REQUIRE(client.send("GET / HTTP/1.1\r\n\r\n"));
  REQUIRE(keeper.wait_for(1));
  server.reset();
  CHECK(client.read_to_end().empty());
  keeper.clear();
}

TEST_CASE("several threads serve many connections", "[net]") {
  ServerOptions options;
  options.threads = 3;
  const auto server = serve(echo, options);
  const auto client = std::move(HttpClient::create()).value();
  std::mutex mutex;
  std::condition_variable came;
  int good = 0;
  constexpr int count = 500;
  for (int i = 0; i < count; ++i) {
    HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/" + std::to_string(i);
    request.body = std::to_string(i);
    request.allow_private = true;
    client->send(request, [&, i](const HttpResponse& r) {
      const std::lock_guard lock(mutex);
      good += r.body == "POST /" + std::to_string(i) + ":" + std::to_string(i) ? 1 : 0;
      came.notify_all();
    });
  }
  std::unique_lock lock(mutex);
  CHECK(came.wait_for(lock, 20s, [&] { return good == count; }));
}

TEST_CASE("a Unix socket is its owner's alone, and a dead one is replaced", "[net]") {
  const auto folder = std::filesystem::temp_directory_path() / ("sluice_net_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "admin.sock";
  {
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, path.c_str(), sizeof at.sun_path - 1);
    REQUIRE(::bind(dead, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    (void)::close(dead);
  }
  auto server = HttpServer::listen("unix:" + path, {}, echo);
  REQUIRE(server);
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK_FALSE(HttpServer::listen("unix:" + path, {}, echo));  // it answers
  const auto client = std::move(HttpClient::create()).value();
  HttpRequest request;
  request.url = "http://sluice/x";
  request.unix_socket = path;
  request.body = "b";
  CHECK(client->fetch(request).body == "POST /x:b");
  server.value().reset();
  CHECK_FALSE(std::filesystem::exists(path));
  std::filesystem::remove_all(folder);
}

TEST_CASE("an address that cannot be listened on is refused with its reason", "[net]") {
  const auto server = serve(echo);
  const std::string used = "127.0.0.1:" + std::to_string(server->port());
  CHECK(server->address() == used);
  for (const std::string& bad :
       {std::string("8080"), std::string("127.0.0.1:x"), std::string("127.0.0.1:70000"), std::string(":80"),
        std::string("unix:"), std::string("unix:/no/such/folder/s"), used}) {
    const auto refused = HttpServer::listen(bad, {}, echo);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::misconfigured);
    CHECK(refused.error().detail.find(bad) != std::string::npos);
  }
}

}  // namespace
}  // namespace sluice::net
