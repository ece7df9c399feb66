// A destination and a source that put their secret where it should not be: into URLs and bodies.
#include <string>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    const auto u = static_cast<unsigned char>(c);
    out +=
        plain ? std::string(1, c) : std::string{'%', "0123456789ABCDEF"[u >> 4], "0123456789ABCDEF"[u & 15]};
  }
  return out;
}

class Diary {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "diary";
  Diary(const sdk::Host& host, const sdk::Open&) : token_(host.secret("token")) {}

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      std::string body = R"({"token":)";
      sdk::append_json_string(body, token_);
      body.append(R"(,"who":)").append(batch[i].payload).append("}");
      call.request({.url = "/days", .body = body, .records = {i}, .state = "first"});
    }
  }
  // Each is confirmed in a second request.
  void interpret(const sdk::Batch&, const sdk::Response& response, sdk::Call& call) {
    const std::uint32_t i = response.records()[0];
    if (response.state() == "first") {
      return call.request(
          {.method = "GET", .url = "/days/1?t=" + encoded(token_), .records = {i}, .state = "second"});
    }
    call.outcome(i, {.status = sdk::verdict(response.status()), .reason = "kept", .remote_id = "day-1"});
  }

 private:
  std::string token_;
};

class Pages {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
  static constexpr char id[] = "diary_pages";
  Pages(const sdk::Host&, const sdk::Open&) {}

  void fetch(const sdk::Poll& poll, sdk::Call& call) {
    call.request({.method = "GET", .url = "/pages?after=" + std::string(poll.cursor)});
  }
  void interpret(const sdk::Poll& poll, const sdk::Response& response, sdk::Call& call) {
    if (!response.ok()) throw sdk::Fail(SLUICE_RETRY, "no page");
    call.record(
        {.op = SLUICE_EVENT, .key = "k1", .entity = "e1", .name = poll.stream, .payload = response.body()});
    call.checkpoint("2");
    call.ended();
  }
};

}  // namespace

// clang-format off
#define WITH                                                                                                     \
  R"("base_url": "{config.url}", "auth": {"type": "basic", "user": "me", "password": "{secret.token}"}, )"        \
  R"("config": {"type": "object", "properties": {"url": {"type": "string"}, )"                                   \
  R"("token": {"type": "string", "x-secret": true}}})"
// clang-format on

SLUICE_PLUGIN(R"({"plugin": "diary", "version": "1.0.0", "connectors": [
{"id": "diary", "kind": "destination", )" WITH
              R"(}, {"id": "diary_pages", "kind": "source", "streams": ["pages"], )" WITH R"(}]})",
              Diary, Pages)
