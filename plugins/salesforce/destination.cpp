#include "destination.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "sluice/time.hpp"

#include "describe.hpp"
#include "groups.hpp"
#include "outcomes.hpp"

namespace sluice::salesforce {
namespace {

using sdk::Json;

constexpr std::size_t subject_bytes_max = 255;

std::map<std::string, std::string, std::less<>> names_of(const Json& object) {
  std::map<std::string, std::string, std::less<>> out;
  for (std::size_t i = 0; i < object.keys().size(); ++i) {
    out.emplace(object.keys()[i], object.elements()[i].text_or(""));
  }
  return out;
}

void check_names(const std::map<std::string, std::string, std::less<>>& names, const char* setting) {
  for (const auto& [key, field] : names) {
    if (!is_api_name(field)) {
      throw sdk::Fail(SLUICE_INVALID, std::string(setting) +
                                          ": a field by its API name (Is_VIP__c) is meant for '" + key + "'");
    }
  }
}

// Of a relation its field: Who -> WhoId, Contact__r -> Contact__c.
std::string id_field_of(std::string_view relation) {
  if (relation.ends_with("__r")) return std::string(relation.substr(0, relation.size() - 1)) + 'c';
  return std::string(relation) + "Id";
}

// A route without `fields` hands over the whole event, which no object has the fields for.
bool is_mapped(const Json& payload) {
  return payload.is_object() && !(payload["type"].is_string() && payload["event"].is_string());
}

void merge_into(Json& record, const Json& fields) {
  for (std::size_t i = 0; i < fields.keys().size(); ++i) {
    if (fields.keys()[i] != "attributes") record.set(fields.keys()[i], fields.elements()[i]);
  }
}

// Boxes of Salesforce's own that say no when they are ticked.
bool says_no(std::string_view field) {
  return field == "DoNotCall" || field.starts_with("HasOptedOut");
}

std::string cut(std::string_view text, std::size_t bytes) {
  while (bytes > 0 && bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80)
    --bytes;
  return std::string(text.substr(0, bytes));
}

void refuse(std::uint32_t index, sluice_status status, std::string_view reason, sdk::Call& call) {
  call.outcome(index, {.status = status, .reason = reason});
}

}  // namespace

void name_type(Json& record, std::string_view type) {
  Json attributes = Json::object();
  attributes.set("type", Json::string(type));
  record.set("attributes", std::move(attributes));
}

void Destination::Group::add(std::uint32_t index, std::string_view record, std::size_t of_it) {
  if (!records.empty()) records += ',';
  records += record;
  indexes.push_back(index);
  counts.push_back(of_it);
  count += of_it;
}

Destination::Group& Destination::Groups::of(Kind kind, std::string_view list, std::size_t count,
                                            std::size_t bytes) {
  const bool query = kind == Kind::find || kind == Kind::ticked;
  const std::size_t most = kind == Kind::forget ? 1 : query ? looked_for_max : records_max;
  const auto fits = [&](const Group& group) {
    return group.kind == kind && group.list == list && group.count + count <= most &&
           group.bytes + bytes <= looked_for_bytes_max;
  };
  auto at = std::find_if(all.begin(), all.end(), fits);
  if (at == all.end()) {
    all.emplace_back().kind = kind;
    at = all.end() - 1;
    at->list = list;
  }
  at->bytes += bytes;
  return *at;
}

const std::string& Destination::Person::external_id() const {
  static const std::string none;
  return external_ids.empty() ? none : external_ids.front();
}

Destination::Destination(const sdk::Host& host, const sdk::Open& open) : host_(host) {
  const Json with = settings_of(open.config);
  path_ = api_path(with);
  object_ = with["object"].text_or("Contact");
  external_id_ = with["external_id"].text_or("");
  person_id_ = with["person_id"].text_or("user_id");
  event_object_ = with["event_object"].text_or("Task");
  event_external_id_ = with["event_external_id"].text_or("");
  event_person_ = with["event_person"].text_or(event_object_ == "Task" ? "Who" : "");
  campaign_status_ = with["campaign_status"].text_or("");
  campaign_marker_ = with["campaign_marker"].text_or("");
  audience_fields_ = names_of(with["audience_fields"]);
  campaigns_ = names_of(with["campaigns"]);
  consent_ = names_of(with["consent"]);
  check_names(audience_fields_, "audience_fields");
  check_names(consent_, "consent");
  for (const auto& [audience, campaign] : campaigns_) {
    if (!is_id(campaign))
      throw sdk::Fail(SLUICE_INVALID, "campaigns: '" + audience + "' needs the campaign's id, 701...");
  }
  for (const std::string* name : {&object_, &external_id_, &event_object_}) {
    if (!is_api_name(*name)) {
      throw sdk::Fail(SLUICE_INVALID, "object, external_id and event_object are API names (Contact, Key__c)");
    }
  }
  for (const std::string* name : {&event_external_id_, &event_person_, &campaign_marker_}) {
    if (!name->empty() && !is_api_name(*name)) {
      throw sdk::Fail(
          SLUICE_INVALID,
          "event_external_id, event_person and campaign_marker are API names (Key__c, Contact__r)");
    }
  }
}

void Destination::discover(const sdk::Discover& what, sdk::Call& call) {
  ask_discover(path_, what, call);
}

Destination::Person Destination::person_of(const sdk::Record& record) const {
  Person out;
  if (is_id(record.remote_id)) out.salesforce_id = record.remote_id;
  const auto add = [&out](std::string_view value) {
    const auto& known = out.external_ids;
    if (!value.empty() && std::find(known.begin(), known.end(), value) == known.end())
      out.external_ids.emplace_back(value);
  };
  if (person_id_ == "profile_id") {
    add(record.key);
  } else {
    const Json known = Json::parse(record.identifiers).value_or(Json());
    for (const Json& one : known[person_id_].elements()) add(one.text_or(""));
  }
  return out;
}

void Destination::plan(const sdk::Batch& batch, sdk::Call& call) {
  if (batch.part() > 0) return plan_refresh(batch, call);
  Groups groups;
  for (std::uint32_t i = 0; i < batch.size(); ++i) place(i, batch[i], groups, call);
  for (const Group& group : groups.all) emit(group, call);
}

void Destination::place(std::uint32_t index, const sdk::Record& record, Groups& groups,
                        sdk::Call& call) const {
  const Person person = person_of(record);
  const bool removal = record.op == SLUICE_DELETE || record.op == SLUICE_ERASE;
  if (person.external_id().empty() && !(removal && !person.salesforce_id.empty())) {
    return refuse(index, SLUICE_SKIPPED, "no_identifier", call);
  }
  const std::optional<Json> payload = Json::parse(record.payload.empty() ? "{}" : record.payload);
  if (!payload || !payload->is_object()) return refuse(index, SLUICE_INVALID, "payload_is_no_object", call);
  switch (record.op) {
    case SLUICE_UPSERT: {
      Json out = upserted(person);
      merge_into(out, *payload);
      out.set(external_id_, Json::string(person.external_id()));
      return groups.of(Kind::upsert).add(index, out.text());
    }
    case SLUICE_EVENT:
      return groups.of(event_external_id_.empty() ? Kind::insert : Kind::record)
          .add(index, event_of(record, person).text());
    case SLUICE_ENTER:
    case SLUICE_LEAVE:
      return place_member(index, record, person, groups, call);
    case SLUICE_DELETE:
    case SLUICE_ERASE:
      return place_removal(index, person, groups);
    case SLUICE_CONSENT: {
      const auto field = consent_.find((*payload)["purpose"].text_or(""));
      if (field == consent_.end()) return refuse(index, SLUICE_SKIPPED, "purpose_not_mapped", call);
      Json out = upserted(person);
      const bool granted = (*payload)["granted"].boolean_value().value_or(false);
      out.set(field->second, Json::boolean(granted != says_no(field->second)));
      return groups.of(Kind::upsert).add(index, out.text());
    }
    default:
      return refuse(index, SLUICE_INVALID, "operation_not_offered", call);
  }
}

std::string Destination::campaign_of(const sdk::Record& record) const {
  if (const auto known = campaigns_.find(record.name); known != campaigns_.end()) return known->second;
  return audience_fields_.contains(record.name) ? std::string() : std::string(record.audience_id);
}

void Destination::place_removal(std::uint32_t index, const Person& person, Groups& groups) const {
  if (!person.salesforce_id.empty()) return groups.of(Kind::remove).add(index, person.salesforce_id);
  groups.of(Kind::forget).add(index, percent_encoded(person.external_id()));
}

sdk::Json Destination::upserted(const Person& person) const {
  Json out = Json::object();
  name_type(out, object_);
  out.set(external_id_, Json::string(person.external_id()));
  return out;
}

void Destination::refer(Json& out, std::string_view relation, const Person& person) const {
  if (!person.salesforce_id.empty()) {
    out.set(id_field_of(relation), Json::string(person.salesforce_id));
    return;
  }
  out.set(relation, upserted(person));
}

sdk::Json Destination::event_of(const sdk::Record& record, const Person& person) const {
  Json out = Json::object();
  name_type(out, event_object_);
  if (event_object_ == "Task") {
    out.set("Subject", Json::string(cut(record.name, subject_bytes_max)));
    out.set("Status", Json::string("Completed"));
    if (record.time_us != SLUICE_NO_TIME) {
      out.set("ActivityDate", Json::string(time_text(record.time_us).substr(0, 10)));
    }
  }
  if (!event_person_.empty()) refer(out, event_person_, person);
  const Json payload = Json::parse(record.payload).value_or(Json());
  if (is_mapped(payload)) merge_into(out, payload);
  if (!event_external_id_.empty()) out.set(event_external_id_, Json::string(record.id));
  return out;
}

void Destination::emit(const Group& group, sdk::Call& call) const {
  sdk::Request request{.method = "POST", .url = path_ + "/composite/sobjects"};
  request.state = static_cast<char>(group.kind);
  request.records = group.indexes;
  request.bucket = "api";
  if (group.kind == Kind::find || group.kind == Kind::ticked)
    return emit_query(group, std::move(request), call);
  if (group.count > group.indexes.size()) {  // several are one record's
    for (const std::size_t count : group.counts)
      request.state += (request.state.size() > 1 ? "," : "") + std::to_string(count);
  }
  if (group.kind == Kind::remove || group.kind == Kind::leave) {
    request.method = "DELETE";
    request.url += "?ids=" + group.records + "&allOrNone=false";
    return call.request(request);
  }
  if (group.kind == Kind::forget) {
    request.method = "DELETE";
    request.url = path_ + "/sobjects/" + object_ + "/" + external_id_ + "/" + group.records;
    return call.request(request);
  }
  if (group.kind == Kind::untick) request.method = "PATCH";
  if (group.kind == Kind::upsert || group.kind == Kind::record) {
    request.method = "PATCH";
    request.url += group.kind == Kind::upsert ? "/" + object_ + "/" + external_id_
                                              : "/" + event_object_ + "/" + event_external_id_;
  }
  request.headers = {{"content-type", "application/json"}};
  request.body = R"({"allOrNone":false,"records":[)" + group.records + "]}";
  call.request(request);
}

void Destination::interpret(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) {
  if (response.purpose() == SLUICE_FOR_CHECK) return judge_check(response, call);
  if (response.purpose() == SLUICE_FOR_DISCOVER) return judge_discover(response, "updateable", call);
  if (response.purpose() == SLUICE_FOR_PROVISION) return judge_campaign(response, call);
  const std::string_view state = response.state();
  if (state.starts_with('r')) {
    const std::optional<Problem> refused = response.ok() ? std::nullopt : first_problem(response.body());
    tell_limit(response, refused && refused->code == "REQUEST_LIMIT_EXCEEDED", call);
    if (!response.ok()) return judge_refusal(response, Kind::find, call);
    return interpret_refresh(batch, response, call);
  }
  if (state.empty() || std::string_view("ueijfltodx").find(state.front()) == std::string_view::npos) {
    throw sdk::Fail(SLUICE_RETRY, "the request's state is not what was written");
  }
  const auto did = static_cast<Kind>(state.front());
  const std::optional<Problem> problem = response.ok() ? std::nullopt : first_problem(response.body());
  tell_limit(response, problem && problem->code == "REQUEST_LIMIT_EXCEEDED", call);
  if (!response.ok()) return judge_refusal(response, did, call);
  if (did == Kind::find || did == Kind::ticked) return judge_found(batch, response, did, call);
  if (did == Kind::leave || did == Kind::untick) return judge_counted(batch, response, did, call);
  if (did == Kind::forget) {
    const bool gone = response.status() == 204;
    return judge_all(response, gone ? SLUICE_OK : SLUICE_RETRY, gone ? "" : "answer_not_understood", call);
  }
  judge_each(batch, response, did, call);
}

void Destination::judge_each(const sdk::Batch& batch, const sdk::Response& response, Kind did,
                             sdk::Call& call) const {
  const std::optional<Json> results = Json::parse(response.body());
  const auto records = response.records();
  if (!results || !results->is_array() || results->size() != records.size()) {
    return judge_all(response, did == Kind::insert ? SLUICE_UNKNOWN : SLUICE_RETRY, "answer_not_understood",
                     call);
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    judge_record(records[i], batch[records[i]], results->at(i), did, call);
  }
}

}  // namespace sluice::salesforce
