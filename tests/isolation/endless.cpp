// A source that gives one record and then hangs, whatever it is told.
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

class Endless {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
  static constexpr char id[] = "endless";

  Endless(const sdk::Host&, const sdk::Open&) {}

  void read(const sdk::Poll&, sdk::Call& call) {
    call.record({.op = SLUICE_EVENT, .key = "1", .name = "rows", .payload = R"({"id":"1"})"});
    call.checkpoint("1");
    for (volatile int forever = 1; forever != 0;) {
    }
  }
};

}  // namespace

SLUICE_PLUGIN(
    R"({"plugin": "endless", "version": "1.0.0", "connectors": [{"id": "endless", "kind": "source"}]})",
    Endless)
