#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "cli/shown.hpp"
#include "hub/lists.hpp"
#include "hub/views.hpp"

namespace sluice::cli {

namespace {

Result<std::unique_ptr<store::Database>> open_store(const config::Config& config) {
  const std::string path = hub::database_path(config.hub.data);
  if (std::error_code ignored; !std::filesystem::exists(path, ignored)) {
    return Error{Code::misconfigured,
                 "there is no store " + path + ": has a hub run with this configuration?"};
  }
  return store::Database::open(path, store::Access::read);
}

std::string text_of(Json value) {
  return std::string(value.string_or(""));
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size() + 1), ' ');
  return text;
}

void print_members(const char* title, Json object) {
  if (object.size() == 0) return;
  (void)std::printf("\n%s\n", title);
  object.members([&](std::string_view name, Json value) {
    const std::string text = value.is_string() ? std::string(*value.string()) : value.text();
    (void)std::printf("  %-24.*s %s\n", static_cast<int>(name.size()), name.data(), text.c_str());
  });
}

void print_profile(Json p) {
  (void)std::printf("%s, seen from %.19sZ to %.19sZ\n", text_of(p["id"]).c_str(),
                    text_of(p["first_seen"]).c_str(), text_of(p["last_seen"]).c_str());
  (void)std::printf("\nidentifiers\n");
  p["identifiers"].members([](std::string_view type, Json values) {
    values.elements([&](Json value) {
      (void)std::printf("  %-24.*s %s\n", static_cast<int>(type.size()), type.data(), text_of(value).c_str());
    });
  });
  if (p["traits"].size() > 0) {
    (void)std::printf("\ntraits\n");
    const Json details = p["trait_details"];
    p["traits"].members([&](std::string_view name, Json value) {
      const std::string text = value.is_string() ? std::string(*value.string()) : value.text();
      (void)std::printf("  %-16.*s %-28s %s, %.19sZ\n", static_cast<int>(name.size()), name.data(),
                        text.c_str(), text_of(details[name]["source"]).c_str(),
                        text_of(details[name]["time"]).c_str());
    });
  }
  print_members("computed traits", p["computed"]);
  if (const Json account = p["account"]) {
    (void)std::printf("\naccount\n  %s, of %s members\n", text_of(account["id"]).c_str(),
                      account["members"].text().c_str());
    print_members("account's traits", account["traits"]);
  }
  if (p["consent"].size() > 0) {
    (void)std::printf("\nconsent\n");
    p["consent"].members([](std::string_view purpose, Json said) {
      (void)std::printf("  %-24.*s %-8s %s\n", static_cast<int>(purpose.size()), purpose.data(),
                        text_of(said["status"]).c_str(), text_of(said["time"]).c_str());
    });
  }
}

// One line for each run of the same: a visit is ten events in the lake.
void print_deliveries(Json deliveries) {
  if (deliveries.size() > 0) (void)std::printf("\ndeliveries, newest first\n");
  std::string at, line;
  std::size_t times = 0;
  const auto flush = [&] {
    const std::string count = times > 1 ? "  ×" + std::to_string(times) : "";
    if (times > 0) (void)std::printf("  %.19sZ  %s%s\n", at.c_str(), line.c_str(), count.c_str());
    times = 0;
  };
  deliveries.elements([&](Json d) {
    std::string what = text_of(d["name"]);
    if (text_of(d["op"]) == "message") what = text_of(d["route"]) + ", " + what;
    std::string next = padded(text_of(d["destination"]), 10) + padded(text_of(d["op"]), 8) +
                       padded(what, 21) + text_of(d["outcome"]);
    if (const std::string reason = text_of(d["reason"]); !reason.empty()) next += ", " + reason;
    if (times > 0 && next != line) flush();
    if (times++ == 0) at = text_of(d["at"]);
    line = std::move(next);
  });
  flush();
}

void print_story(Json p) {
  (void)std::printf("\naudiences\n");
  p["audiences"].elements([](Json m) {
    (void)std::printf("  in %-21s since %s\n", text_of(m["audience"]).c_str(),
                      text_of(m["entered_at"]).c_str());
  });
  p["history"].elements([](Json h) {
    const bool by_time = h["by_time"].boolean().value_or(false);
    const std::string cause = by_time ? "by time alone" : "by input " + h["cause"].text();
    (void)std::printf("  %s  %-8s%-22s %s\n", text_of(h["time"]).c_str(), text_of(h["change"]).c_str(),
                      text_of(h["audience"]).c_str(), cause.c_str());
  });
  if (p["workflows"].size() > 0) (void)std::printf("\nworkflows\n");
  p["workflows"].elements([](Json run) {
    (void)std::printf("  %-24s since %s, waits until %s\n", text_of(run["workflow"]).c_str(),
                      text_of(run["started"]).c_str(), text_of(run["waits_until"]).c_str());
  });
  if (p["merged"].size() > 0) (void)std::printf("\nbecame one with\n");
  p["merged"].elements([](Json m) {
    (void)std::printf("  %s  at %s by %s (input %s)\n", text_of(m["id"]).c_str(), text_of(m["time"]).c_str(),
                      text_of(m["joined_by"]).c_str(), m["cause"].text().c_str());
  });
  print_deliveries(p["deliveries"]);
}

void print_backfill(Json b) {
  const std::string state = text_of(b["state"]);
  if (state.empty() || state == "none") return;
  if (state == "walking") {
    (void)std::printf("\nthe configuration has come to %s%% of the people\n",
                      b["people_percent"].text().c_str());
    return;
  }
  const std::string since = text_of(b["since"]), upto = text_of(b["upto"]);
  (void)std::printf("\nthe history is read again: %s, input %s of %s%s%s, kept since %s\n", state.c_str(),
                    b["read_inputs"].text().c_str(), b["of_inputs"].text().c_str(),
                    upto.empty() ? "" : ", which is ", upto.c_str(),
                    since.empty() ? "the first event" : since.c_str());
  if (state == "handing over")
    (void)std::printf("%s%% of the people have theirs\n", b["people_percent"].text().c_str());
  if (const std::string failure = text_of(b["failure"]); !failure.empty())
    (void)std::printf("it does not go on: %s\n", failure.c_str());
}

}  // namespace

int profile(const Common& common, const std::string& person) {
  const Shown shown =
      show(common, "/v1/profiles/" + path_segment(person),
           "nobody is known by '" + person + "': give an id, or type:value such as email:ada@example.com",
           [&](const config::Config& config) -> Result<std::string> {
             const auto files = make_file_system();
             const auto world = SLUICE_TRY(hub::read_world(*files, config.hub.data));
             const ProfileId id = hub::find_person(*world, person);
             if (id == nobody) return std::string{};
             std::string json = hub::profile_json(*world, id);
             auto store = open_store(config);
             return store ? hub::with_deliveries(std::move(json), *store.value(), id) : json;
           });
  if (shown.code != 0 || common.json) return print_json(shown);
  JsonParser parser;
  const Json root = parser.parse(shown.json);
  print_profile(root);
  print_story(root);
  return 0;
}

int audience(const Common& common, const std::string& name) {
  const std::string path = name.empty() ? "/v1/audiences" : "/v1/audiences/" + path_segment(name);
  const Shown shown =
      show(common, path, "no audience is named '" + name + "'; `sluice audience` lists them",
           [&](const config::Config& config) -> Result<std::string> {
             const auto files = make_file_system();
             const auto world = SLUICE_TRY(hub::read_world(*files, config.hub.data));
             return name.empty() ? hub::audiences_json(*world) : hub::audience_json(*world, name);
           });
  if (shown.code != 0 || common.json) return print_json(shown);
  JsonParser parser;
  const Json root = parser.parse(shown.json);
  const auto waits = [](Json a) {
    return a["waits_for_history"].boolean().value_or(false) ? "  waits for the history" : "";
  };
  root["audiences"].elements([&](Json a) {
    (void)std::printf("%-32s %s%s\n", text_of(a["audience"]).c_str(), a["size"].text().c_str(), waits(a));
  });
  print_backfill(root["backfill"]);
  if (name.empty()) return 0;
  (void)std::printf("%s: %s people at %s%s\n", name.c_str(), root["size"].text().c_str(),
                    text_of(root["at"]).c_str(), waits(root));
  root["members"].elements([](Json m) {
    (void)std::printf("  %s  since %s  %s\n", text_of(m["id"]).c_str(), text_of(m["entered_at"]).c_str(),
                      m["identifiers"].text().c_str());
  });
  return 0;
}

int outbox(const Common& common) {
  const Shown shown = show(common, "/v1/outbox", "", [](const config::Config& config) -> Result<std::string> {
    const auto files = make_file_system();
    return hub::outbox_json(
        SLUICE_TRY(deliver::read_lanes(*files, hub::lanes_folder(config.hub.data), config)));
  });
  if (shown.code != 0) return shown.code;
  if (common.json) return print_json(shown);
  JsonParser parser;
  (void)std::printf("%-20s %-8s %10s %10s %10s  %s\n", "destination", "state", "backlog", "delivered",
                    "retries", "last error");
  parser.parse(shown.json)["lanes"].elements([](Json lane) {
    (void)std::printf("%-20s %-8s %10s %10s %10s  %s\n", text_of(lane["destination"]).c_str(),
                      text_of(lane["state"]).c_str(), lane["backlog"].text().c_str(),
                      lane["outcomes"]["delivered"].text().c_str(), lane["retries"].text().c_str(),
                      text_of(lane["last_error"]).c_str());
  });
  return 0;
}

int dead_list(const Common& common, const store::DeadFilter& filter, std::size_t limit) {
  const std::string path = "/v1/dead?destination=" + path_segment(filter.destination) +
                           "&reason=" + path_segment(filter.reason) + "&kind=" + path_segment(filter.kind) +
                           "&limit=" + std::to_string(limit);
  const Shown shown = show(common, path, "", [&](const config::Config& config) -> Result<std::string> {
    const auto store = SLUICE_TRY(open_store(config));
    return hub::dead_letters_json(*store, filter, limit);
  });
  if (shown.code != 0 || common.json) return print_json(shown);
  JsonParser parser;
  const Json root = parser.parse(shown.json);
  if (root["groups"].size() == 0) (void)std::puts("no dead letters");
  std::int64_t total = 0;
  root["groups"].elements([&](Json g) {
    total += g["count"].integer().value_or(0);
    (void)std::printf("%8s  %-16s %-10s %s\n", g["count"].text().c_str(), text_of(g["destination"]).c_str(),
                      text_of(g["kind"]).c_str(), text_of(g["reason"]).c_str());
  });
  root["letters"].elements([](Json l) {
    (void)std::printf("#%s  %s  %s %s %s: %s\n", l["id"].text().c_str(), text_of(l["at"]).c_str(),
                      text_of(l["destination"]).c_str(), text_of(l["op"]).c_str(), text_of(l["name"]).c_str(),
                      text_of(l["reason"]).c_str());
  });
  if (const auto listed = static_cast<std::int64_t>(root["letters"].size()); listed < total) {
    (void)std::printf("the newest %lld of %lld; --limit N lists more\n", static_cast<long long>(listed),
                      static_cast<long long>(total));
  }
  return 0;
}

int dead_show(const Common& common, std::int64_t id) {
  const std::string number = std::to_string(id);
  const Shown shown = show(common, "/v1/dead/" + number, "there is no dead letter " + number,
                           [&](const config::Config& config) -> Result<std::string> {
                             const auto store = SLUICE_TRY(open_store(config));
                             return hub::dead_letter_json(*store, id);
                           });
  if (shown.code != 0 || common.json) return print_json(shown);
  JsonParser parser;
  print_members("dead letter", parser.parse(shown.json));
  return 0;
}

int dead_replay(const Common& common, const std::vector<std::int64_t>& ids, const store::DeadFilter& filter) {
  if (ids.empty() == filter.destination.empty())
    return fail("say which: numbers, or --destination NAME with --reason and --kind");
  const Setup setup = load(common, false);
  if (!report(setup, false)) return 1;
  std::string body;
  JsonWriter w(body);
  w.begin_object();
  if (!ids.empty()) {
    w.key("ids").begin_array();
    for (const std::int64_t id : ids) w.integer(id);
    w.end_array();
  } else {
    w.member("destination", filter.destination).member("reason", filter.reason).member("kind", filter.kind);
  }
  w.end_object();
  const Answer answer = ask(*setup.config, "/v1/dead/replay", &body);
  if (!answer.reached)
    return fail("no hub is running: a replay is a command to it; start it with `sluice run`");
  if (answer.status != 200) return fail(error_text(answer.body));
  if (common.json) return print_json({0, answer.body});
  JsonParser parser;
  const Json said = parser.parse(answer.body);
  const auto count = [&](const char* name) {
    return static_cast<long long>(said[name].integer().value_or(0));
  };
  if (count("taken") == 0 && !filter.destination.empty()) return std::puts("no dead letter matches"), 0;
  const long long named = ids.empty() ? count("taken") : static_cast<long long>(ids.size());
  (void)std::printf("%lld of %lld handed back to the outbox\n", count("handed_back"), named);
  if (const long long left_out = count("left_out"); left_out > 0) {
    (void)std::printf(
        "%lld left out: the person is gone or allows it no more, or a later record says the same\n",
        left_out);
  }
  if (const long long unknown = count("not_open"); unknown > 0)
    (void)std::printf("%lld no dead letters: no such number, or replayed before\n", unknown);
  return 0;
}

int resync(const Common& common, const std::string& route) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return 1;
  std::string body;
  JsonWriter(body).begin_object().member("route", route).end_object();
  const Answer answer = ask(*setup.config, "/v1/resync", &body);
  if (!answer.reached)
    return fail("no hub is running: a resync is a command to it; start it with `sluice run`");
  if (answer.status != 200) return fail(error_text(answer.body));
  if (common.json) return print_json({0, answer.body});
  JsonParser parser;
  (void)std::printf("a full refresh with %lld members has begun; `sluice outbox` shows what is still to go\n",
                    static_cast<long long>(parser.parse(answer.body)["members"].integer().value_or(0)));
  return 0;
}

}  // namespace sluice::cli
