// A good source, or the same with one planted bug; and a destination that writes files without a word in its
// manifest.
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

class Planted {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE | SLUICE_DESTINATION;
  static constexpr char id[] = "planted.rows";

  Planted(const sdk::Host&, const sdk::Open& open) : kind_(open.kind) {}

  void read(const sdk::Poll& poll, sdk::Call& call) {
    bool again = poll.cursor != "end";
#if defined(PLANT_STUMBLES_ON_CURSORS)
    if (!poll.cursor.empty() && again) std::abort();
#endif
#if defined(PLANT_FORGETS_CURSOR)
    again = true;
#endif
    if (again) {
      call.record({.key = "1", .name = "rows", .payload = R"({"a":1})"});
#if !defined(PLANT_NO_CHECKPOINT)
      call.checkpoint("end");
#endif
    }
#if defined(PLANT_IGNORES_CANCEL)
    while (!poll.until_idle) ::usleep(1'000);
#else
    while (!poll.until_idle && !call.cancelled()) ::usleep(1'000);
#endif
    call.ended();
  }

  void fetch(const sdk::Poll&, [[maybe_unused]] sdk::Call& call) {
#if !defined(PLANT_FETCHES_NOTHING)
    call.request({.method = "GET", .url = "/rows"});
#endif
  }

  void receive([[maybe_unused]] const sdk::Incoming& incoming, sdk::Call& call) {
#if defined(PLANT_STUMBLES_ON_REQUESTS)
    if (incoming.body().empty()) std::abort();
#endif
    if (kind_ == SLUICE_DESTINATION && incoming.body() == "delivered") {
      std::string key = "1";
#if defined(PLANT_CALLBACK_KEY_CHANGES)
      key += std::to_string(++called_);
#endif
#if defined(PLANT_CALLBACK_ABOUT_NOBODY)
      call.record({.key = key, .name = "delivered"});
#else
      call.record({.key = key, .name = "delivered", .remote_id = "m1"});
#endif
    } else if (kind_ == SLUICE_SOURCE && incoming.body() == "delivered") {
      call.record({.key = "1", .payload = R"({"a":1})"});
    }
    call.reply({.status = 200});
  }

  void interpret(const sdk::Poll&, const sdk::Response& response, sdk::Call& call) {
#if !defined(PLANT_CHECKPOINTS_FAILURES)
    if (!response.ok()) throw sdk::Fail(sdk::verdict(response.status()), "the list cannot be read");
#endif
    const std::optional<sdk::Json> page = sdk::Json::parse(response.body());
    if (!page && response.ok()) throw sdk::Fail(SLUICE_RETRY, "the list is no JSON");
    call.checkpoint("2");
  }

  void deliver(const sdk::Batch& batch, sdk::Call& call) {
#if defined(PLANT_WRITES_FILES)
    const int file = ::open("delivered.txt", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    (void)!::write(file, "x", 1);
    ::close(file);
#endif
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const bool known = batch[i].op == SLUICE_EVENT;
      call.outcome(i, {.status = known ? SLUICE_OK : SLUICE_INVALID, .reason = known ? "" : "unknown_op"});
    }
  }

 private:
  std::uint32_t kind_;
  [[maybe_unused]] int called_ = 0;
};

}  // namespace

SLUICE_PLUGIN(R"({"plugin": "planted_rows", "version": "1.0.0", "connectors": [{"id": "planted.rows",
  "kind": ["source", "destination"], "ops": ["event"], "streams": ["rows"], "routes": [{"path": "/in", "methods": ["POST"]}], "base_url": "https://api.example.com",
  "sample": {"answer": {"rows": []}, "callback": "delivered"}}]})",
              Planted)
