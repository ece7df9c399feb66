// `sluice identity`: who is one person and why, and identifiers that join no more.
#include <cstdio>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "cli/shown.hpp"
#include "hub/identity_story.hpp"
#include "hub/views.hpp"
#include "journal/journal.hpp"

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

std::string text_of(Json value) {
  return std::string(value.string_or(""));
}

void print(Json root) {
  (void)std::printf("%s, known since %s\n", text_of(root["person"]).c_str(),
                    text_of(root["first_seen"]).c_str());
  root["identifiers"].elements([](Json i) {
    std::string sources;
    i["sources"].elements([&](Json source) { sources += (sources.empty() ? "" : ", ") + text_of(source); });
    (void)std::printf("  %-14s %-36s %s to %s, said by %s\n", text_of(i["type"]).c_str(),
                      text_of(i["value"]).c_str(), text_of(i["first_seen"]).c_str(),
                      text_of(i["last_seen"]).c_str(), sources.c_str());
  });
  root["apart"].elements([](Json other) {
    (void)std::printf("\nkept apart from %s: an operator took a merge of the two back\n",
                      text_of(other).c_str());
  });
  if (root["merges"].size() == 0) {
    (void)std::puts("\nnobody has become one with this person");
    return;
  }
  (void)std::puts("\nbecame one with");
  root["merges"].elements([](Json m) {
    const std::string value = text_of(m["value"]);
    (void)std::printf("  %s  at %s by %s%s%s\n", text_of(m["id"]).c_str(), text_of(m["time"]).c_str(),
                      text_of(m["joined_by"]).c_str(), value.empty() ? "" : " ", value.c_str());
    if (m["source"].type() == JsonType::missing) {
      (void)std::printf("      input %s, which the journal does not have any more or which is no event\n",
                        m["input"].text().c_str());
      return;
    }
    std::string ids;
    m["identifiers"].elements(
        [&](Json i) { ids += (ids.empty() ? "" : ", ") + text_of(i["type"]) + ' ' + text_of(i["value"]); });
    const std::string name = text_of(m["name"]), message = text_of(m["message_id"]);
    (void)std::printf("      input %s: %s%s%s of %s%s%s, with %s\n", m["input"].text().c_str(),
                      text_of(m["kind"]).c_str(), name.empty() ? "" : " ", name.c_str(),
                      text_of(m["source"]).c_str(), message.empty() ? "" : ", message ", message.c_str(),
                      ids.c_str());
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

int identity_explain(const Common& common, const std::string& person) {
  const auto from_files = [&](const config::Config& config) -> Result<std::string> {
    const auto files = make_file_system();
    const auto world = SLUICE_TRY(hub::read_world(*files, config.hub.data));
    const ProfileId id = hub::find_person(*world, person);
    hub::KeptInputs inputs;
    for (const std::uint64_t seq : hub::merge_inputs(*world, id)) {
      (void)read_journal(*files, config.hub.data, seq, [&](const Input& input) {
        inputs[seq] = {input.kind, input.redacted, std::string(input.payload)};
        return false;
      });
    }
    return hub::identity_json(*world, id, inputs);
  };
  const Shown shown =
      show(common, "/v1/identity/" + path_segment(person),
           "nobody is known by '" + person + "': give an id, or type:value such as email:ada@example.com",
           from_files);
  if (shown.code != 0 || common.json) return print_json(shown);
  JsonParser parser;
  print(parser.parse(shown.json));
  return 0;
}

}  // namespace sluice::cli
