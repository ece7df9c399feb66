#include <algorithm>

#include "base/json.hpp"
#include "config/expressions.hpp"
#include "config/reading.hpp"

namespace sluice::config {

namespace {

// Keys that mean something with one kind of route alone.
void check_company(Reading& reading, const Node& section, const char* key, const char* with, bool there,
                   const char* help) {
  const Member* m = section.member(key);
  if (m == nullptr || there || m->key.bad) return;
  error(reading.report, m->key, "conflict", "'" + std::string(key) + "' goes with " + with, help);
}

// Exactly one of profiles, audience and events.
bool one_kind(Reading& reading, const Node& section, const Node& owner) {
  const Member* first = nullptr;
  bool one = false;
  for (const Member& member : section.members) {
    const Member* m = &member;
    const std::string& kind = m->key.text;
    if (kind != "profiles" && kind != "audience" && kind != "events") continue;
    one = first == nullptr;
    if (first != nullptr) {
      error(reading.report, m->key, "conflict",
            "a route has '" + first->key.text + "' or '" + kind + "', not both", "make two routes of it");
    }
    if (first == nullptr) first = m;
  }
  if (first == nullptr) {
    error(reading.report, owner, "missing-key", "a route needs 'profiles', 'audience' or 'events'",
          "profiles: keeps people up to date, audience: keeps a list, events: sends events on");
  }
  return one;
}

bool takes_snapshots(const Reading& reading, const std::string& destination) {
  const auto& destinations = reading.config.destinations;
  const auto to = std::find_if(destinations.begin(), destinations.end(),
                               [&](const Destination& d) { return d.name == destination; });
  if (to == destinations.end()) return true;  // reported elsewhere
  JsonParser parser;
  for (const ConnectorInfo& c : reading.options.connectors) {
    if (c.plugin != to->plugin || !c.destination) continue;
    bool begin = false, end = false;
    parser.parse(c.manifest.empty() ? "{}" : c.manifest)["ops"].elements([&](Json op) {
      begin = begin || op.string_or("") == "snapshot_begin";
      end = end || op.string_or("") == "snapshot_end";
    });
    return begin && end;
  }
  return true;
}

void read_resync(Reading& reading, const Node& section, Route& route) {
  constexpr DurationUs shortest = us_per_h;
  const Node* resync = section.find("resync");
  if (resync == nullptr) return;
  route.resync = duration_of(section, "resync").value_or(0);
  if (route.resync < shortest) {
    error(reading.report, *resync, "out-of-range", "a list is replaced once an hour at the most",
          "write 7d, or leave it out");
  } else if (!route.to.empty() && !takes_snapshots(reading, route.to)) {
    error(reading.report, *resync, "unsupported",
          "the destination '" + route.to +
              "' takes no full refreshes: its connector keeps lists by entering and leaving alone",
          "leave 'resync' out");
  }
}

Route read_route(Reading& reading, const Member& m) {
  const Node& section = m.value;
  const bool of_events = section.member("events") != nullptr;
  const expr::Scope scope = of_events ? event_scope(reading) : people_scope(reading);
  Route route;
  route.name = m.key.text;
  route.place = reading.place(m.key);
  if (one_kind(reading, section, m.key)) {
    check_company(reading, section, "where", "events", of_events,
                  "for people write the condition under profiles, or make it an audience");
    check_company(reading, section, "list", "audience", section.member("audience") != nullptr,
                  "leave it out");
    check_company(reading, section, "on_leave", "profiles and audience", !of_events, "leave it out");
    check_company(reading, section, "resync", "audience", section.member("audience") != nullptr,
                  "leave it out");
  }
  route.profiles = read_expression(reading, section.find("profiles"), scope, true);
  if (const Node* audience = section.find("audience")) {
    reading.known(*audience, reading.audiences, "audience");
    route.audience = audience->text;
    route.list = text_of(section, "list", audience->text);
  }
  for (const Node* event : texts_of(section, "events")) route.events.push_back(event->text);
  if (const Node* events = section.find("events"); events != nullptr && route.events.empty()) {
    error(reading.report, *events, "empty-value", "'events' names none", "write names, or \"*\" for all");
  }
  route.where = read_expression(reading, section.find("where"), scope, true);
  if (const Node* to = section.find("to")) {
    reading.known(*to, reading.destinations, "destination");
    route.to = to->text;
  }
  if (const Node* purpose = section.find("purpose")) {
    if (reading.config.consent.present) reading.known(*purpose, reading.purposes, "purpose");
    route.purpose = purpose->text;
  }
  route.fields = read_mapping(reading, section.find("fields"), scope);
  const std::string on_leave = text_of(section, "on_leave", "keep");
  route.on_leave = on_leave == "delete"        ? OnLeave::remove
                   : on_leave == "unsubscribe" ? OnLeave::unsubscribe
                                               : OnLeave::keep;
  route.backfill = boolean_of(section, "backfill");
  read_resync(reading, section, route);
  return route;
}

}  // namespace

void read_routes(Reading& reading) {
  for (const Member* m : reading.members("routes")) {
    if (m->value.bad || !m->value.is_map()) continue;
    Route route = read_route(reading, *m);
    if (enabled(m->value)) reading.config.routes.push_back(std::move(route));
  }
}

}  // namespace sluice::config
