// `sluice plan`: who would enter and leave, and what would be sent, before a configuration is applied.
#include "hub/plan.hpp"

#include <algorithm>
#include <cstdio>

#include "base/clock.hpp"
#include "cli/planning.hpp"
#include "hub/epoch.hpp"
#include "hub/unmerge.hpp"

namespace sluice::cli {

namespace {

unsigned long long number(std::uint64_t n) {
  return n;
}

void print_people(const char* what, const std::vector<ProfileId>& people, std::uint64_t all) {
  if (people.empty()) return;
  std::string line;
  for (const ProfileId person : people) line += (line.empty() ? "" : " ") + format_profile_id(person);
  (void)std::printf("      %s: %s%s\n", what, line.c_str(), all > people.size() ? " ..." : "");
}

void print_list(const char* title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  (void)std::printf("\n%s\n", title);
  for (const std::string& line : lines) (void)std::printf("  %s\n", line.c_str());
}

void print_identity(const hub::PlannedIdentity& identity) {
  const std::string since =
      identity.since == no_time ? "the whole history" : "the history since " + format_time(identity.since);
  (void)std::printf(
      "\nidentity rules, tried on %s: %llu people would have become one with others, %llu would be parted "
      "from others\n",
      since.c_str(), number(identity.joined), number(identity.parted));
  for (const auto& one : identity.joining) {
    std::string people;
    for (const ProfileId id : one.people) people += (people.empty() ? "" : " ") + format_profile_id(id);
    (void)std::printf("  one: %s", people.c_str());
    (void)std::printf(", by %s", one.by.c_str());
    if (one.input != 0) (void)std::printf(" of input %llu", number(one.input));
    (void)std::puts("");
  }
  for (const auto& one : identity.parting) {
    (void)std::printf("  parted: %s\n", format_profile_id(one.person).c_str());
    for (const std::string& text : one.into) (void)std::printf("      %s\n", text.c_str());
  }
  (void)std::puts(
      "  applied, they hold for what comes: nobody who is there is merged or parted by the change");
}

void print_workflow(const hub::PlannedWorkflow& w) {
  if (w.waiting > 0) {
    (void)std::printf("  %-24s of %llu people inside, %llu end because their step is gone\n", w.name.c_str(),
                      number(w.waiting), number(w.end));
  }
  if (w.start == 0) return;
  (void)std::printf("  %-24s STARTS for %llu people whom this change finds in '%s' (backfill: trigger); ",
                    w.name.c_str(), number(w.start), w.audience.c_str());
  (void)std::printf("%llu messages go out at once\n", number(w.messages));
  print_people("start", w.starting, w.start);
}

}  // namespace

void print_plan(const std::string& file, const hub::Plan& plan) {
  (void)std::printf("%s against %llu people, as they are at %s (input %llu of the journal)\n", file.c_str(),
                    number(plan.people), format_time(plan.at).c_str(), number(plan.input));
  if (plan.differences.empty()) {
    (void)std::puts("nothing changes: the hub runs this configuration");
    return;
  }
  print_list("changes", plan.differences);
  if (!plan.audiences.empty()) (void)std::puts("\naudiences");
  for (const hub::PlannedAudience& a : plan.audiences) {
    (void)std::printf("  %-24s %llu -> %llu people: %llu enter, %llu leave\n", a.name.c_str(),
                      number(a.before), number(a.after), number(a.enter), number(a.leave));
    print_people("enter", a.entering, a.enter);
    print_people("leave", a.leaving, a.leave);
  }
  if (!plan.computed.empty()) (void)std::puts("\ncomputed traits");
  for (const hub::PlannedTrait& t : plan.computed) {
    (void)std::printf("  %-24s another value for %llu people\n", t.name.c_str(), number(t.changed));
    print_people("such as", t.people, t.changed);
  }
  if (!plan.workflows.empty()) (void)std::puts("\nworkflows");
  for (const hub::PlannedWorkflow& w : plan.workflows) print_workflow(w);
  (void)std::puts(plan.records.empty() ? "\nnothing is sent" : "\nwhat is sent");
  for (const auto& [destination, counts] : plan.records) {
    std::string line;
    for (const auto& [op, count] : counts)
      line += (line.empty() ? "" : ", ") + std::to_string(count) + ' ' + op;
    (void)std::printf("  %-24s %s\n", destination.c_str(), line.c_str());
  }
  if (plan.identity.tried) print_identity(plan.identity);
  print_list(plan.past_since == no_time
                 ? "wait until the history has been read again, and are counted here as they will be then"
                 : ("wait until the history has been read again: it is kept since " +
                    format_time(plan.past_since) + ", and counted here from there on")
                       .c_str(),
             plan.reads_past);
  print_list("refused by a hub that runs", plan.restart);
}

Result<hub::Plan> plan_of(const Setup& setup, const std::string& clock) {
  const auto files = make_file_system();
  const auto world = SLUICE_TRY(hub::read_world(*files, setup.config->hub.data));
  const SystemClock wall;
  return hub::make_plan(
      *world, hub::epoch_payload(*setup.config, setup.connectors), clock == "events" ? 0 : wall.wall_us(),
      [&](const std::string& definitions, hub::World::Shadow by) {
        return hub::read_shadow(*files, setup.config->hub.data, definitions, hub::taken_back(*world), by);
      });
}

int plan(const Common& common, const std::string& clock) {
  const Setup setup = load(common, false);
  if (!report(setup, true)) return 1;
  const auto made = plan_of(setup, clock);
  if (!made) return fail(made.error().detail);
  if (common.json) {
    (void)std::puts(made.value().json().c_str());
  } else {
    print_plan(common.config, made.value());
  }
  return 0;
}

}  // namespace sluice::cli
