#include "hub/lists.hpp"

#include "base/json.hpp"

namespace sluice::hub {

std::string outbox_json(const std::vector<deliver::LaneStatus>& lanes) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("lanes").begin_array();
  for (const deliver::LaneStatus& lane : lanes) {
    w.begin_object().member("destination", lane.name).member("state", deliver::name_of(lane.state));
    w.member_integer("backlog", static_cast<std::int64_t>(lane.backlog_records));
    w.member_integer("backlog_bytes", static_cast<std::int64_t>(lane.backlog_bytes));
    if (lane.oldest != 0) w.member("oldest", format_time(lane.oldest));
    w.member_integer("in_flight", static_cast<std::int64_t>(lane.in_flight));
    w.member_integer("window", lane.window).member("breaker", deliver::name_of(lane.breaker));
    w.member_integer("requests", static_cast<std::int64_t>(lane.sends));
    w.member_integer("retries", static_cast<std::int64_t>(lane.retries));
    w.key("outcomes").begin_object();
    for (std::size_t kind = 0; kind < lane.outcomes.size(); ++kind) {
      const std::string_view name = deliver::name_of(static_cast<deliver::OutcomeKind>(kind));
      if (!name.empty()) w.member_integer(name, static_cast<std::int64_t>(lane.outcomes[kind]));
    }
    w.end_object().member("last_error", lane.last_error).end_object();
  }
  w.end_array().end_object();
  return out;
}

namespace {

void write_letter(JsonWriter& w, const store::DeadLetter& letter) {
  w.begin_object().member_integer("id", letter.id).member("destination", letter.effect.destination);
  w.member("op", name_of(letter.effect.op))
      .member("name", letter.effect.name)
      .member("route", letter.effect.route);
  w.member("profile", letter.effect.person == nobody ? "" : format_profile_id(letter.effect.person));
  w.member("kind", letter.kind).member("reason", letter.reason).member("detail", letter.detail);
  w.member_integer("attempts", letter.attempts)
      .member("at", format_time(letter.at))
      .member("state", letter.state);
}

}  // namespace

Result<std::string> dead_letters_json(store::Database& database, const store::DeadFilter& filter,
                                      std::size_t limit) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("groups").begin_array();
  for (const store::DeadGroup& group : SLUICE_TRY(database.dead_groups(filter))) {
    w.begin_object()
        .member("destination", group.destination)
        .member("kind", group.kind)
        .member("reason", group.reason);
    w.member_integer("count", static_cast<std::int64_t>(group.count))
        .member("first", format_time(group.first));
    w.member("last", format_time(group.last)).end_object();
  }
  w.end_array().key("letters").begin_array();
  for (const store::DeadLetter& letter : SLUICE_TRY(database.dead_letters(filter, limit))) {
    write_letter(w, letter);
    w.end_object();
  }
  w.end_array().end_object();
  return out;
}

Result<std::string> dead_letter_json(store::Database& database, std::int64_t id) {
  const auto letter = SLUICE_TRY(database.dead_letter(id));
  std::string out;
  if (!letter) return out;
  JsonWriter w(out);
  write_letter(w, *letter);
  w.member("key", letter->idempotency_key)
      .key("payload")
      .raw(letter->effect.payload.empty() ? "{}" : letter->effect.payload);
  w.member("request", letter->request).member("response", letter->response).end_object();
  return out;
}

std::string with_deliveries(std::string profile, store::Database& database, ProfileId person) {
  constexpr std::size_t shown_max = 50;
  if (profile.empty() || profile.back() != '}') return profile;
  const auto rows = database.deliveries(person, shown_max);
  if (!rows) return profile;
  profile.pop_back();
  profile += ",\"deliveries\":";
  JsonWriter w(profile);
  w.begin_array();
  for (const store::DeliveryRow& row : rows.value()) {
    w.begin_object().member("destination", row.destination).member("op", row.op).member("name", row.name);
    w.member("route", row.route).member("outcome", row.outcome).member("reason", row.reason);
    w.member("at", format_time(row.at)).end_object();
  }
  w.end_array();
  profile += '}';
  return profile;
}

}  // namespace sluice::hub
