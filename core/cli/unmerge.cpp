// `sluice identity unmerge`: shows who the people would be without a merge, asks, and takes it back.
#include "hub/unmerge.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "cli/shown.hpp"
#include "hub/views.hpp"
#include "journal/head.hpp"

namespace sluice::cli {

namespace {

constexpr auto look_every = std::chrono::milliseconds(200);

// {"person","input","halves":[as `sluice profile --json`]}: read from the files, which it does not change.
Result<std::string> draft(const config::Config& config, const UnmergeOptions& options) {
  const auto files = make_file_system();
  const auto world = SLUICE_TRY(hub::read_world(*files, config.hub.data));
  const JournalHead journal = SLUICE_TRY(read_journal_head(*files, config.hub.data));
  const ProfileId person = hub::find_person(*world, options.person);
  SLUICE_TRY(hub::check_unmerge(*world, person, options.input, journal.first_seq));
  const state::Unmerge what{0, options.input, person, world->state.now, false};
  const auto shadow =
      SLUICE_TRY(hub::read_shadow(*files, config.hub.data, world->epoch, hub::taken_back(*world, &what)));
  const hub::UnmergeGraft graft = SLUICE_TRY(hub::draft_unmerge(*world, *shadow, what));
  std::string out;
  JsonWriter w(out);
  w.begin_object().member("person", format_profile_id(person));
  w.member_integer("input", static_cast<std::int64_t>(options.input)).key("halves").begin_array();
  for (const hub::Half& half : graft.halves) w.raw(hub::profile_json(*shadow, half.person.id));
  w.end_array().end_object();
  return out;
}

void print_half(Json half) {
  const auto print = [](const char* what, const std::string& text) {
    if (!text.empty()) (void)std::printf("  %-12s %s\n", what, text.c_str());
  };
  const auto members = [](Json object) {
    std::string out;
    object.members([&](std::string_view key, Json value) {
      out.append(out.empty() ? "" : "  ").append(key).append("=").append(value.text());
    });
    return out;
  };
  std::string audiences;
  half["audiences"].elements([&](Json one) {
    audiences.append(audiences.empty() ? "" : ", ").append(one["audience"].string_or(""));
    audiences.append(" since ").append(one["entered_at"].string_or(""));
  });
  (void)std::printf("\n%s\n", std::string(half["id"].string_or("")).c_str());
  print("identifiers", members(half["identifiers"]));
  print("traits", members(half["traits"]));
  print("computed", members(half["computed"]));
  print("audiences", audiences.empty() ? "none" : audiences);
}

// 0: it has been taken back; the hub says how far it is.
int await(const config::Config& config, std::uint64_t input) {
  for (;;) {
    const Answer answer = ask(config, "/v1/unmerge");
    if (!answer.reached || answer.status != 200)
      return fail("the hub does not answer any more; it goes on with this when it runs again");
    std::string state;
    JsonParser parser;
    parser.parse(answer.body)["unmerges"].elements([&](Json one) {
      if (one["input"].integer().value_or(0) == static_cast<std::int64_t>(input))
        state = std::string(one["state"].string_or(""));
    });
    if (state == "done") return 0;
    if (state.empty()) return fail("the merge was not taken back: the hub's log says why");
    std::this_thread::sleep_for(look_every);  // until the hub's next word
  }
}

}  // namespace

int identity_unmerge(const Common& common, const UnmergeOptions& options) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return 1;
  const auto halves = draft(*setup.config, options);
  if (!halves) return fail(halves.error().detail);
  if (common.json) {
    (void)std::puts(halves.value().c_str());
  } else {
    JsonParser parser;
    const Json root = parser.parse(halves.value());
    (void)std::printf("without the merge of input %llu, %s would be %zu people:\n",
                      static_cast<unsigned long long>(options.input),
                      std::string(root["person"].string_or("")).c_str(), root["halves"].size());
    root["halves"].elements(print_half);
  }
  if (options.dry_run) return 0;
  if (!ask(*setup.config, "/v1/unmerge").reached)
    return fail("no hub is running: this is a command to it; start it with `sluice run`");
  if (!options.yes && !agreed("Take it back?")) return 1;
  std::string body;
  JsonWriter(body)
      .begin_object()
      .member("person", options.person)
      .member_integer("input", static_cast<std::int64_t>(options.input))
      .end_object();
  const Answer answer = ask(*setup.config, "/v1/unmerge", &body);
  if (!answer.reached || answer.status != 200) return fail(error_text(answer.body));
  const int code = await(*setup.config, options.input);
  if (code == 0 && !common.json) (void)std::puts("\ntaken back");
  return code;
}

}  // namespace sluice::cli
