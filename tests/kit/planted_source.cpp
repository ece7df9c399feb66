// A good source, or the same with one planted bug; and a destination that writes files without a word in its
// manifest.
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

extern "C" const char planted_bug[];  // plant.c

namespace {

namespace sdk = sluice::sdk;

bool is(std::string_view bug) {
  return bug == planted_bug;
}

class Planted {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE | SLUICE_DESTINATION;
  static constexpr char id[] = "planted.rows";

  Planted(const sdk::Host&, const sdk::Open& open) : kind_(open.kind) {}

  void read(const sdk::Poll& poll, sdk::Call& call) {
    const bool done = poll.cursor == "end";
    if (is("stumbles_on_cursors") && !poll.cursor.empty() && !done) std::abort();
    if (!done || is("forgets_cursor")) {
      call.record({.key = "1", .name = "rows", .payload = R"({"a":1})"});
      if (!is("no_checkpoint")) call.checkpoint("end");
    }
    while (!poll.until_idle && (is("ignores_cancel") || !call.cancelled())) ::usleep(1'000);
    call.ended();
  }

  void fetch(const sdk::Poll&, sdk::Call& call) {
    if (!is("fetches_nothing")) call.request({.method = "GET", .url = "/rows"});
  }

  void receive(const sdk::Incoming& incoming, sdk::Call& call) {
    if (is("stumbles_on_requests") && incoming.body().empty()) std::abort();
    if (incoming.body() == "delivered" && kind_ == SLUICE_DESTINATION) {
      const std::string key = is("callback_key_changes") ? std::to_string(++called_) : "1";
      call.record({.key = key, .name = "delivered", .remote_id = is("callback_about_nobody") ? "" : "m1"});
    } else if (incoming.body() == "delivered" && kind_ == SLUICE_SOURCE) {
      call.record({.key = "1", .payload = R"({"a":1})"});
    }
    call.reply({.status = 200});
  }

  void interpret(const sdk::Poll&, const sdk::Response& response, sdk::Call& call) {
    if (!response.ok() && !is("checkpoints_failures")) {
      throw sdk::Fail(sdk::verdict(response.status()), "the list cannot be read");
    }
    const std::optional<sdk::Json> page = sdk::Json::parse(response.body());
    if (!page && response.ok()) throw sdk::Fail(SLUICE_RETRY, "the list is no JSON");
    call.checkpoint("2");
  }

  void deliver(const sdk::Batch& batch, sdk::Call& call) {
    if (is("writes_files")) {
      const int file = ::open("delivered.txt", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      (void)!::write(file, "x", 1);
      ::close(file);
    }
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const bool known = batch[i].op == SLUICE_EVENT;
      call.outcome(i, {.status = known ? SLUICE_OK : SLUICE_INVALID, .reason = known ? "" : "unknown_op"});
    }
  }

 private:
  std::uint32_t kind_;
  int called_ = 0;
};

}  // namespace

SLUICE_PLUGIN(R"({"plugin": "planted_rows", "version": "1.0.0", "connectors": [{"id": "planted.rows",
  "kind": ["source", "destination"], "ops": ["event"], "streams": ["rows"], "routes": [{"path": "/in", "methods": ["POST"]}], "base_url": "https://api.example.com",
  "sample": {"answer": {"rows": []}, "callback": "delivered"}}]})",
              Planted)
