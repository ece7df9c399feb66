#include "plugin/call.hpp"

#include <catch2/catch.hpp>

using namespace sluice;
using namespace sluice::plugin;

namespace {

class Nobody final : public HostServices {
 public:
  void log(std::int32_t, std::string_view text) override { lines.emplace_back(text); }
  TimeUs now_us() override { return 0; }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  Response http(const HttpRequest&) override { return {}; }
  std::vector<std::string> lines;
};

CallContext of_one_record(Nobody& host) {
  return {.host = host,
          .stop = {},
          .emits = emits_outcomes,
          .purpose = SLUICE_FOR_PLAN,
          .records = 1,
          .asked = {},
          .all_asked = true};
}

}  // namespace

TEST_CASE("an outcome that does not carry its size is refused: it is not taken for one that is done") {
  Nobody host;
  for (const std::uint32_t size : {0U, 4U}) {
    Call call(of_one_record(host));
    const sluice_outcome forgotten{.size = size,
                                   .status = SLUICE_OK,
                                   .receiver = 0,
                                   .reserved = 0,
                                   .retry_after_ms = -1,
                                   .reason = {},
                                   .detail = {},
                                   .remote_id = {}};
    CHECK(call.outcome(&call, 0, &forgotten) == SLUICE_INTERNAL);
    CHECK(call.outcome(&call, 0, nullptr) == SLUICE_INTERNAL);
    CHECK(call.finish(SLUICE_OK));
    REQUIRE(call.output().outcomes.size() == 1);
    CHECK(call.output().outcomes[0].outcome.status == SLUICE_INTERNAL);
    CHECK(call.output().faults.size() == 3);
  }
  CHECK(host.lines.size() == 6);
}

TEST_CASE("of an outcome of an older minor version what it has is taken, the rest is absent") {
  Nobody host;
  Call call(of_one_record(host));
  sluice_outcome shorter{.size = offsetof(sluice_outcome, detail),
                         .status = SLUICE_INVALID,
                         .receiver = SLUICE_OPTED_OUT,
                         .reserved = 0,
                         .retry_after_ms = -1,
                         .reason = {"refused", 7},
                         .detail = {"behind it", 9},
                         .remote_id = {"behind it", 9}};
  CHECK(call.outcome(&call, 0, &shorter) == SLUICE_OK);
  CHECK(call.finish(SLUICE_OK));
  const Outcome& taken = call.output().outcomes.at(0).outcome;
  CHECK((taken.status == SLUICE_INVALID && taken.reason == "refused" && taken.receiver == SLUICE_OPTED_OUT));
  CHECK((taken.detail.empty() && taken.remote_id.empty()));
}

TEST_CASE("an emitter that a call does not have says so and emits nothing") {
  Nobody host;
  Call call(of_one_record(host));
  CHECK(call.describe(&call, {"{\"name\":\"a\"}", 12}) == SLUICE_UNSUPPORTED);
  CHECK(call.streams().empty());
  sluice_reply reply{};
  reply.size = sizeof reply;
  CHECK(call.reply(&call, &reply) == SLUICE_UNSUPPORTED);
}
