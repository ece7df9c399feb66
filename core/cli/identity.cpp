// `sluice identity`: identifiers that join no more.
#include <cstdio>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "cli/shown.hpp"
#include "hub/views.hpp"

namespace sluice::cli {

namespace {

void print_quarantine(Json list) {
  if (list.size() == 0) return (void)std::puts("no identifier is in quarantine");
  list.elements([](Json one) {
    const std::string type(one["type"].string_or("")), value(one["value"].string_or(""));
    const std::string identifier = type + ":" + value, since(one["since"].string_or(""));
    (void)std::printf("%-40s since %.19sZ, after it had joined %lld people\n", identifier.c_str(),
                      since.c_str(), static_cast<long long>(one["people"].integer().value_or(0)));
  });
}

}  // namespace

int quarantine_list(const Common& common) {
  const Shown shown =
      show(common, "/v1/quarantine", "there is no hub and no state",
           [](const config::Config& config) -> Result<std::string> {
             const auto files = make_file_system();
             return hub::quarantine_json(*SLUICE_TRY(hub::read_world(*files, config.hub.data)));
           });
  if (shown.code != 0 || common.json) return print_json(shown);
  JsonParser parser;
  print_quarantine(parser.parse(shown.json)["quarantine"]);
  return 0;
}

int quarantine_release(const Common& common, const std::string& identifier) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return 1;
  std::string body;
  JsonWriter(body).begin_object().member("release", identifier).end_object();
  const Answer answer = ask(*setup.config, "/v1/quarantine", &body);
  if (!answer.reached)
    return fail("no hub is running: a release is a command to it; start it with `sluice run`");
  if (answer.status != 200) return fail(error_text(answer.body));
  if (common.json) return print_json({0, answer.body});
  (void)std::printf("%s joins people again\n", identifier.c_str());
  return 0;
}

}  // namespace sluice::cli
