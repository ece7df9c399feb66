// `sluice explain`: the condition of an audience as a tree, with what this person has for each part.
#include "hub/explain.hpp"

#include <cstdio>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "cli/shown.hpp"
#include "hub/views.hpp"

namespace sluice::cli {

namespace {

std::string text_of(Json value) {
  return std::string(value.string_or(""));
}

void print_part(Json part) {
  const auto depth = static_cast<int>(part["depth"].integer().value_or(0));
  const std::string unknown = text_of(part["unknown"]);
  std::string line = std::string(static_cast<std::size_t>(2 * depth + 2), ' ') + text_of(part["text"]);
  line.resize(std::max<std::size_t>(line.size() + 2, 64), ' ');
  line += unknown.empty() ? part["value"].text() : "unknown: " + unknown;
  if (const std::string source = text_of(part["source"]); !source.empty()) line += ", from " + source;
  if (const std::string since = text_of(part["since"]); !since.empty()) line += ", since " + since;
  if (const std::string changes = text_of(part["changes_at"]); !changes.empty())
    line += ", by time alone other events from " + changes;
  (void)std::puts(line.c_str());
  const std::string indent(static_cast<std::size_t>(2 * depth + 6), ' ');
  part["events"].elements([&](Json event) {
    const bool valued = event["value"].type() != JsonType::missing;
    std::string more = valued ? ", " + std::string(event["value"].text()) : "";
    if (const std::string step = text_of(event["event"]); !step.empty()) more += ", " + step;
    (void)std::printf("%s%s  input %s%s\n", indent.c_str(), text_of(event["time"]).c_str(),
                      event["input"].text().c_str(), more.c_str());
  });
  const std::size_t shown = part["events"].size();
  const auto total = static_cast<std::size_t>(part["events_total"].integer().value_or(0));
  if (part["forgotten"].boolean().value_or(false))
    (void)std::printf("%smore events than are kept: the oldest are forgotten\n", indent.c_str());
  if (shown > 0 && total > shown) (void)std::printf("%sand %zu before them\n", indent.c_str(), total - shown);
}

void print(Json root) {
  const bool inside = root["inside"].boolean().value_or(false);
  std::string how;
  if (root["cause"].integer()) {
    how =
        root["by_time"].boolean().value_or(false) ? ", by time alone" : ", by input " + root["cause"].text();
  }
  const std::string since = text_of(root[inside ? "entered_at" : "left_at"]);
  (void)std::printf("%s is %s '%s'", text_of(root["person"]).c_str(), inside ? "in" : "not in",
                    text_of(root["audience"]).c_str());
  if (!since.empty()) (void)std::printf("%s %s%s", inside ? " since" : ": left", since.c_str(), how.c_str());
  (void)std::printf(", as of %s\n", text_of(root["at"]).c_str());
  if (root["waits_for_configuration"].boolean().value_or(false))
    (void)std::puts(
        "the configuration below has not come to this person yet: it is on its way through them all");
  (void)std::puts("");
  root["parts"].elements(print_part);
}

}  // namespace

int explain(const Common& common, const std::string& person, const std::string& audience,
            const std::string& at) {
  const std::string missing = "there is no person '" + person +
                              "' (an id, or type:value such as email:ada@example.com) or no "
                              "audience '" +
                              audience + "' (`sluice audience` lists them)";
  const auto from_files = [&](const config::Config& config) -> Result<std::string> {
    const auto files = make_file_system();
    const auto moment = at.empty() ? std::nullopt : parse_time(at);
    auto world = moment ? SLUICE_TRY(hub::read_world_at(*files, config.hub.data, *moment))
                        : SLUICE_TRY(hub::read_world(*files, config.hub.data));
    const ProfileId id = hub::find_person(*world, person);
    return id == nobody ? std::string() : hub::explain_json(*world, id, audience);
  };
  if (!at.empty() && !parse_time(at))
    return fail("--at '" + at + "' is no time: write it like 2026-03-01T12:00:00Z");
  const Shown shown = at.empty()
                          ? show(common, "/v1/explain/" + path_segment(person) + '/' + path_segment(audience),
                                 missing, from_files)
                          : show_files(common, missing, from_files);
  if (shown.code != 0 || common.json) return print_json(shown);
  JsonParser parser;
  print(parser.parse(shown.json));
  return 0;
}

}  // namespace sluice::cli
