// An audience over there is a campaign of its name: found, or made.
#include "destination.hpp"

namespace sluice::salesforce {

using sdk::Json;

void Destination::provision(const sdk::Provision& what, sdk::Call& call) {
  if (const auto field = audience_fields_.find(what.name); field != audience_fields_.end()) {
    return call.outcome(0, {.status = SLUICE_OK, .remote_id = field->second});
  }
  if (const auto campaign = campaigns_.find(what.name); campaign != campaigns_.end()) {
    return call.outcome(0, {.status = SLUICE_OK, .remote_id = campaign->second});
  }
  Json wanted = Json::object();
  wanted.set("name", Json::string(what.name));
  if (is_id(what.remote_id)) wanted.set("id", Json::string(what.remote_id));
  ask_campaign(wanted, call);
}

void Destination::ask_campaign(const Json& wanted, sdk::Call& call) const {
  const std::string_view known = wanted["id"].text_or("");
  const std::string which =
      known.empty() ? "Name = " + soql_string(wanted["name"].text_or("")) : "Id = " + soql_string(known);
  call.request(
      {.method = "GET",
       .url = path_ + "/query?q=" + percent_encoded("SELECT Id FROM Campaign WHERE " + which + " LIMIT 2"),
       .state = wanted.text(),
       .bucket = "api"});
}

void Destination::judge_campaign(const sdk::Response& response, sdk::Call& call) const {
  Json wanted = Json::parse(response.state()).value_or(Json());
  const std::optional<Json> answer = Json::parse(response.body());
  if (!response.ok()) return judge_check(response, call);
  if (!answer || !wanted.is_object()) throw sdk::Fail(SLUICE_RETRY, "the answer is none of Salesforce's");
  if (wanted["made"]) {
    const std::string_view made = (*answer)["id"].text_or("");
    if (!is_id(made)) throw sdk::Fail(SLUICE_RETRY, "the answer does not say the new campaign's id");
    return call.outcome(0, {.status = SLUICE_OK, .remote_id = made});
  }
  const Json& found = (*answer)["records"];
  if (!found.is_array()) throw sdk::Fail(SLUICE_RETRY, "the answer is no answer to a query");
  if (found.size() > 1) {
    return call.outcome(0,
                        {.status = SLUICE_INVALID,
                         .reason = "campaign_not_unique",
                         .detail = "several campaigns have this name: name one by its id, under campaigns"});
  }
  if (found.size() == 1 && is_id(found.at(0)["Id"].text_or(""))) {
    return call.outcome(0, {.status = SLUICE_OK, .remote_id = found.at(0)["Id"].text_or("")});
  }
  if (wanted["id"]) {  // the one that is known is gone: perhaps there is another by its name
    Json by_name = Json::object();
    by_name.set("name", wanted["name"]);
    return ask_campaign(by_name, call);
  }
  Json campaign = Json::object();
  campaign.set("Name", wanted["name"]).set("IsActive", Json::boolean(true));
  wanted.set("made", Json::boolean(true));
  call.request({.method = "POST",
                .url = path_ + "/sobjects/Campaign",
                .headers = {{"content-type", "application/json"}},
                .body = campaign.text(),
                .state = wanted.text(),
                .bucket = "api"});
}

}  // namespace sluice::salesforce
