#include "describe.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "api.hpp"

namespace sluice::salesforce {
namespace {

using sdk::Json;

// "Object Reference", field types, and what they are to the hub.
std::string_view type_of(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> types{{
      {"int", "integer"},
      {"long", "integer"},
      {"double", "number"},
      {"currency", "number"},
      {"percent", "number"},
      {"boolean", "boolean"},
      {"date", "date"},
      {"datetime", "datetime"},
      {"address", "object"},
      {"location", "object"},
      {"complexvalue", "object"},
  }};
  const auto* const at =
      std::find_if(types.begin(), types.end(), [&](const auto& one) { return one.first == type; });
  return at == types.end() ? "string" : at->second;
}

Cell cell_of(const Json& field) {
  const std::string_view salesforce = field["type"].text_or("");
  const std::string_view type = type_of(salesforce);
  if (type == "object" || salesforce == "base64") return Cell::compound;
  if (type == "integer" || type == "number") return Cell::number;
  return type == "boolean" ? Cell::boolean : Cell::text;
}

Json described_field(const Json& field) {
  Json out = Json::object();
  out.set("name", Json::string(field["name"].text_or("")));
  out.set("type", Json::string(type_of(field["type"].text_or(""))));
  out.set("title", Json::string(field["label"].text_or("")));
  Json values = Json::array();
  for (const Json& value : field["picklistValues"].elements()) {
    if (value["active"].boolean_value().value_or(true)) values.add(value["value"]);
  }
  if (values.size() > 0) out.set("values", std::move(values));
  return out;
}

Json described(const Json& object) {
  Json out = Json::object();
  out.set("name", Json::string(object["name"].text_or("")));
  out.set("title", Json::string(object["label"].text_or("")));
  out.set("key", Json::string("Id"));
  return out;
}

const Json& field_named(const Json& object, std::string_view name) {
  static const Json none;
  for (const Json& field : object["fields"].elements()) {
    if (field["name"].text_or("") == name) return field;
  }
  return none;
}

bool looks_up(const Json& object, std::string_view relationship) {
  const auto& fields = object["fields"].elements();
  return std::any_of(fields.begin(), fields.end(), [&](const Json& field) {
    return field["relationshipName"].text_or("") == relationship;
  });
}

// SOQL takes names in any case, but answers in the object's own: the row would not have what was asked for.
std::string no_field(const Json& object, std::string_view name) {
  std::string out = "the object " + std::string(object["name"].text_or("")) + " has no field '" +
                    std::string(name) + "', or the user of the integration may not see it";
  for (const Json& field : object["fields"].elements()) {
    const std::string_view other = field["name"].text_or("");
    if (is_alike(other, name)) return out + ": did you mean '" + std::string(other) + "'?";
  }
  return out;
}

}  // namespace

void ask_discover(const std::string& path, const sdk::Discover& what, sdk::Call& call) {
  if (what.stream.empty()) return call.request({.method = "GET", .url = path + "/sobjects"});
  if (!is_api_name(what.stream)) {
    throw sdk::Fail(SLUICE_INVALID, "'" + std::string(what.stream) + "' is no API name of an object");
  }
  call.request({.method = "GET", .url = path + "/sobjects/" + std::string(what.stream) + "/describe"});
}

void judge_discover(const sdk::Response& response, std::string_view wanted, sdk::Call& call) {
  if (!response.ok()) {
    const std::optional<Problem> problem = first_problem(response.body());
    throw sdk::Fail(response.status() == 404 ? SLUICE_INVALID : status_of(response.status(), problem),
                    response.status() == 404 ? "there is no such object, or the user may not see it"
                                             : "Salesforce answered " + std::to_string(response.status()) +
                                                   (problem ? " " + reason_of(problem->code) : ""));
  }
  const std::optional<Json> body = Json::parse(response.body());
  if (!body || !body->is_object()) throw sdk::Fail(SLUICE_RETRY, "the answer is no description of objects");
  if ((*body)["sobjects"].is_array()) {
    for (const Json& object : (*body)["sobjects"].elements()) {
      if (!object[wanted].boolean_value().value_or(true) || object["name"].text_or("").empty()) continue;
      call.describe(described(object).text());
    }
    return;
  }
  if (!(*body)["fields"].is_array() || (*body)["name"].text_or("").empty()) {
    throw sdk::Fail(SLUICE_RETRY, "the answer is no description of an object");
  }
  Json out = described(*body);
  Json fields = Json::array();
  for (const Json& field : (*body)["fields"].elements()) {
    if (field["name"].text_or("").empty()) continue;
    fields.add(described_field(field));
    const std::string_view relation = field["relationshipName"].text_or("");
    if (relation.empty()) continue;
    Json looked_up = Json::object();
    looked_up.set("name", Json::string(relation)).set("type", Json::string("object"));
    looked_up.set("title", Json::string("what " + std::string(field["name"].text_or("")) + " refers to"));
    fields.add(std::move(looked_up));
  }
  out.set("fields", std::move(fields));
  call.describe(out.text());
}

void settle(const Json& object, const sdk::Poll& poll, Position& position) {
  if (!object["fields"].is_array())
    throw sdk::Fail(SLUICE_RETRY, "the answer is no description of an object");
  const std::string name(poll.stream);
  if (!object["queryable"].boolean_value().value_or(true)) {
    throw sdk::Fail(SLUICE_INVALID, "the object " + name + " cannot be queried");
  }
  position.time_field.clear();
  for (const char* field : {"SystemModstamp", "LastModifiedDate", "CreatedDate"}) {
    if (position.time_field.empty() && field_named(object, field)) position.time_field = field;
  }
  if (position.time_field.empty()) {
    throw sdk::Fail(SLUICE_INVALID, "the object " + name +
                                        " has none of SystemModstamp, LastModifiedDate and CreatedDate: "
                                        "what has changed in it cannot be told");
  }
  position.deletes = static_cast<bool>(field_named(object, "IsDeleted"));
  position.fields.clear();
  for (const sluice_str& wanted : poll.fields) {
    const std::string_view path = sdk::view(wanted);
    const std::size_t dot = path.find('.');
    if (dot != std::string_view::npos && looks_up(object, path.substr(0, dot))) {
      position.fields.push_back({std::string(path), Cell::text});
      continue;
    }
    const std::string_view whole = path.substr(0, dot);  // "MailingAddress.city" is of a compound field
    const Json& field = field_named(object, whole);
    if (!field) throw sdk::Fail(SLUICE_INVALID, no_field(object, path));
    position.fields.push_back({std::string(cell_of(field) == Cell::compound ? path : whole), cell_of(field)});
  }
  if (!poll.fields.empty()) return;
  for (const Json& field : object["fields"].elements()) {
    if (cell_of(field) == Cell::compound || !is_api_name(field["name"].text_or(""))) continue;
    position.fields.push_back({std::string(field["name"].text_or("")), cell_of(field)});
  }
}

}  // namespace sluice::salesforce
