// Braze: profiles, events, audiences as attributes, consent, deletions and triggered campaigns. README.md
// says how.
#include <algorithm>
#include <array>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

#include "answer.hpp"
#include "objects.hpp"
#include "scan.hpp"
#include "stages.hpp"

namespace sluice::braze {
namespace {

using sdk::Batch;
using sdk::Call;
using sdk::Record;
using sdk::Request;
using sdk::Response;

constexpr std::size_t emails_per_person_max = 5;

// The order in which a person is deleted under each of his ids: one kind an API call.
enum class Removal : char { external_ids = '0', emails = '1', aliases = '2', done = '3' };

Removal after(Removal removal) {
  return static_cast<Removal>(static_cast<char>(removal) + 1);
}

Settings settings_of(std::string_view config) {
  const sdk::Json with = sdk::Json::parse(config).value_or(sdk::Json());
  if (!with.is_object()) throw sdk::Fail(SLUICE_INVALID, "the settings are no mapping");
  Settings out;
  if (const std::string_view app = with["app_id"].text_or(""); !app.empty())
    out.app_id = sdk::json_string(app);
  out.alias_label = sdk::json_string(with["alias_label"].text_or("sluice"));
  const sdk::Json& consent = with["consent"];
  for (std::size_t i = 0; i < consent.keys().size(); ++i) {
    out.consent.emplace(consent.keys()[i], consent.elements()[i].text_or(""));
  }
  return out;
}

bool is_mixed(const Batch& batch) {
  bool events = false, others = false;
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    const std::uint32_t op = batch[i].op;
    events = events || op == SLUICE_EVENT;
    others = others || op != SLUICE_EVENT;
    if (op >= SLUICE_MESSAGE || op == SLUICE_DELETE || (events && others)) return true;
  }
  return false;
}

Request post(std::string url, std::string body, std::string state, std::vector<std::uint32_t> records) {
  return {.method = "POST",
          .url = std::move(url),
          .headers = {{"content-type", "application/json"}},
          .body = std::move(body),
          .records = std::move(records),
          .state = std::move(state),
          .bucket = {}};
}

class Braze {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "braze";

  Braze(const sdk::Host&, const sdk::Open& open) : settings_(settings_of(open.config)) {}

  // Writes nothing: the profile does not exist, and may not be created.
  void check(Call& call) {
    call.request(
        post("/users/track",
             R"({"attributes":[{"external_id":"sluice-connection-check","_update_existing_only":true}]})", {},
             {}));
  }

  void plan(const Batch& batch, Call& call) {
    Stages stages(batch.size(), is_mixed(batch));
    for (std::uint32_t i = 0; i < batch.size(); ++i) place(i, batch[i], stages, call);
    for (Stage& stage : stages.list()) emit(batch, stage, call);
  }

  void interpret(const Batch& batch, const Response& response, Call& call) {
    const std::int64_t reset_s = window_end_s(response);
    if (reset_s > 0 && (response.status() == 429 || response.header("x-ratelimit-remaining") == "0")) {
      call.limit({}, 0, reset_s * 1'000'000);
    }
    const std::string_view state = response.state();
    if (state.starts_with('t')) return judge_track(response, state.substr(1), call);
    if (state.size() == 2 && state.front() == 'd' && (response.ok() || response.status() == 404)) {
      const auto records = response.records();
      return remove(batch, {records.begin(), records.end()}, after(static_cast<Removal>(state[1])), call);
    }
    judge_whole(response, call);
  }

 private:
  void place(std::uint32_t index, const Record& record, Stages& stages, Call& call) {
    const auto outcome = [&](sluice_status status, std::string_view reason) {
      call.outcome(index, {.status = status, .reason = reason, .detail = {}, .remote_id = {}});
    };
    const Person person = person_of(record);
    if (person.kind == IdKind::none) return outcome(SLUICE_SKIPPED, "no_identifier");
    if (!is_object(record.payload)) return outcome(SLUICE_INVALID, "payload_is_no_object");
    const std::string_view who = record.key.empty() ? person.id : record.key;
    switch (record.op) {
      case SLUICE_EVENT:
        return add(index, record, person, stages.next(who, Kind::event));
      case SLUICE_UPSERT:
      case SLUICE_ENTER:
      case SLUICE_LEAVE:
        return add(index, record, person, stages.next(who, Kind::attribute));
      case SLUICE_CONSENT: {
        std::string object;
        if (!append_consent(object, record, person, settings_))
          return outcome(SLUICE_SKIPPED, "purpose_not_mapped");
        return put(index, object, 'a', stages.next(who, Kind::attribute));
      }
      case SLUICE_DELETE:
      case SLUICE_ERASE:
        return stages.next(who, Kind::remove).records.push_back(index);
      case SLUICE_MESSAGE: {
        const std::string_view campaign = member(record.payload, "campaign_id");
        if (!is_text(campaign)) return outcome(SLUICE_INVALID, "campaign_id_is_missing");
        return add(index, record, person, stages.next(who, Kind::message, campaign));
      }
      default:
        return outcome(SLUICE_INVALID, "operation_not_offered");
    }
  }

  static void put(std::uint32_t index, std::string_view object, char slot, Stage& stage) {
    std::string& out = slot == 'a' ? stage.attributes : stage.events;
    if (!out.empty()) out += ',';
    out += object;
    stage.slots += slot;
    stage.records.push_back(index);
  }

  // Writes the record's object where it will stand, without a copy.
  void add(std::uint32_t index, const Record& record, const Person& person, Stage& stage) {
    const bool event = record.op == SLUICE_EVENT || record.op == SLUICE_MESSAGE;
    put(index, {}, event ? 'e' : 'a', stage);
    std::string& out = event ? stage.events : stage.attributes;
    if (record.op == SLUICE_EVENT) {
      append_event(out, record, person, settings_);
    } else if (record.op == SLUICE_MESSAGE) {
      append_recipient(out, record, person, settings_);
    } else if (record.op == SLUICE_UPSERT) {
      append_attributes(out, record, person, settings_);
    } else {
      append_membership(out, record, person, settings_);
    }
  }

  void emit(const Batch& batch, Stage& stage, Call& call) {
    if (stage.kind == Kind::remove)
      return remove(batch, std::move(stage.records), Removal::external_ids, call);
    std::string body = "{";
    if (stage.kind == Kind::message) {
      body += "\"campaign_id\":" + stage.campaign + ",\"recipients\":[" + stage.events + "]}";
      return call.request(post("/campaigns/trigger/send", std::move(body), "m", std::move(stage.records)));
    }
    body.reserve(stage.attributes.size() + stage.events.size() + 40);
    if (!stage.attributes.empty()) body.append("\"attributes\":[").append(stage.attributes) += ']';
    if (!stage.events.empty())
      body.append(body.size() > 1 ? ",\"events\":[" : "\"events\":[").append(stage.events) += ']';
    body += '}';
    call.request(post("/users/track", std::move(body), 't' + stage.slots, std::move(stage.records)));
  }

  // Asks for the deletion under the next kind of id that any of these people has; when there is none left
  // they are deleted.
  void remove(const Batch& batch, std::vector<std::uint32_t> records, Removal removal, Call& call) {
    for (; removal != Removal::done; removal = after(removal)) {
      std::string ids;
      for (const std::uint32_t index : records) append_removed(ids, batch[index], removal);
      if (ids.empty()) continue;
      constexpr std::array<std::string_view, 3> names{"external_ids", "email_addresses", "user_aliases"};
      std::string body = "{\"";
      body.append(names.at(static_cast<std::size_t>(static_cast<char>(removal) - '0')))
          .append("\":[")
          .append(ids) += "]}";
      return call.request(post("/users/delete", std::move(body), std::string{'d', static_cast<char>(removal)},
                               std::move(records)));
    }
    for (const std::uint32_t index : records)
      call.outcome(index, {.status = SLUICE_OK, .reason = {}, .detail = {}, .remote_id = {}});
  }

  void append_removed(std::string& ids, const Record& record, Removal removal) const {
    const bool known = person_of(record).kind == IdKind::external_id;
    const auto open = [&] { ids += ids.empty() ? "" : ","; };
    if (removal == Removal::external_ids && known) {
      open();
      ids += person_of(record).id;
    } else if (removal == Removal::aliases && !record.key.empty()) {
      open();
      append_alias(ids, record.key, settings_);
    } else if (removal == Removal::emails && !known) {
      // Someone with a user id is not deleted by e-mail: the address may be another customer's too.
      std::size_t left = emails_per_person_max;
      Walk emails(member(record.identifiers, "email"));
      for (Member email; left > 0 && emails.next(email); --left) {
        open();
        ids.append("{\"email\":").append(email.value).append(",\"prioritization\":[\"unidentified\"]}");
      }
    }
  }

  Settings settings_;
};

}  // namespace
}  // namespace sluice::braze

SLUICE_PLUGIN(R"({
"plugin": "braze", "version": "0.1.0",
"connectors": [{
  "id": "braze", "kind": "destination", "title": "Braze",
  "ops": ["event", "upsert", "delete", "enter", "leave", "message", "erase", "consent"],
  "unsafe": ["event", "message"],
  "identifiers": ["user_id", "email", "phone"],
  "base_url": "{config.endpoint}", "hosts": ["*.braze.com", "*.braze.eu"],
  "auth": {"type": "header", "name": "authorization", "value": "Bearer {secret.api_key}"},
  "batch": {"max_records": 75, "max_bytes": 3500000, "all_or_nothing": true},
  "rate": [{"bucket": "rest", "per_second": 1000}], "parallel": 8, "timeout_s": 30,
  "config": {"type": "object", "additionalProperties": false, "required": ["endpoint", "api_key"], "properties": {
    "endpoint": {"type": "string", "format": "uri", "pattern": "^https?://",
      "description": "the REST host of your instance, with its scheme: https://rest.fra-01.braze.eu"},
    "api_key": {"type": "string", "x-secret": true, "description": "a REST API key with the permissions that README.md lists"},
    "app_id": {"type": "string", "description": "the app identifier that events are reported under"},
    "alias_label": {"type": "string", "default": "sluice", "minLength": 1,
      "description": "the label of the aliases by which people without user_id and e-mail are known"},
    "consent": {"type": "object", "additionalProperties": {"type": "string"},
      "description": "purpose: email_subscribe, push_subscribe or the id of a subscription group"}}}
}]})",
              sluice::braze::Braze)
