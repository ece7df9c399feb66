#include "hub/difference.hpp"

#include <catch2/catch.hpp>

#include "hub/step_bench.hpp"

namespace sluice::hub {
namespace {

using Lines = std::vector<std::string>;

std::shared_ptr<const view::Compiled> compiled(const std::string& yaml) {
  return compile_epoch(testing::epoch_of(yaml)).value();
}

Lines between(const std::string& before, const std::string& after) {
  return differences(*compiled(before)->config, *compiled(after)->config);
}

const std::string head = R"(
version: 1
sources: { shop: { plugin: tracking, with: { write_key: "${K}" } } }
destinations: { lake: { plugin: file, purpose: internal, with: {} } }
)";

}  // namespace

TEST_CASE("a difference is told in the configuration's own terms") {
  CHECK(between(head, head + "# a remark\n").empty());
  CHECK(
      between(
          head + "audiences: { old: 'traits.n > 1.0', same: 'traits.n > 2.0', other: 'traits.n > 3.0' }\n",
          head + "audiences: { same: 'traits.n > 2.0', other: 'traits.n > 4.0', new: 'traits.n > 5.0' }\n") ==
      Lines{"audience 'other' changed", "audience 'new' added", "audience 'old' removed"});
  CHECK(between(head, head + "identity: [ { id: user_id, at_most: 1 } ]\n"
                             "routes: { all: { events: ['*'], to: lake } }\n") ==
        Lines{"identity changed", "route 'all' added"});
}

TEST_CASE("the same configuration in other words is no new epoch, and another binary's is") {
  const std::string before = testing::epoch_of(head), after = testing::epoch_of(head + "# a remark\n");
  const auto was = compiled(head), is = compiled(head + "# a remark\n");
  CHECK(before != after);
  CHECK(same_epoch(before, *was->config, after, *is->config));
  std::string newer = after;
  newer.replace(newer.find("\"step_version\":"), 16, "\"step_version\":9");
  CHECK_FALSE(same_epoch(before, *was->config, newer, *is->config));
  const auto more = compiled(head + "audiences: { a: 'traits.n > 1.0' }\n");
  CHECK_FALSE(same_epoch(before, *was->config, after, *more->config));
}

TEST_CASE("a running hub keeps its data and its doors") {
  config::Hub before, after;
  after.timezone = "Europe/Paris";
  CHECK(needs_restart(before, after, true).empty());
  after.data = "/elsewhere";
  after.listen = "127.0.0.1:1";
  after.admin = "unix:/elsewhere/admin.sock";
  const Lines mistakes = needs_restart(before, after, true);
  REQUIRE(mistakes.size() == 3);
  CHECK(needs_restart(before, after, false).size() == 2);
  after.memory_bytes = 1 << 30;
  CHECK(needs_restart(before, after, true).size() == 4);
  CHECK(mistakes[1] == "hub.listen is '127.0.0.1:8080' and would become '127.0.0.1:1': restart to change");
}

}  // namespace sluice::hub
