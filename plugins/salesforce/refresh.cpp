// A full refresh of an audience, that is of a campaign: who is a member over there is read and compared. Each
// member gets the refresh's id into a field of its own (`campaign_marker`); whoever has another one at the
// end belongs there no more. So no part has to know what another has seen.
#include "destination.hpp"
#include "groups.hpp"
#include "outcomes.hpp"

namespace sluice::salesforce {
namespace {

using sdk::Json;

constexpr std::string_view sweep_most = "200";  // deleted with one request
constexpr std::size_t marker_bytes_max = 80;

std::string marker_of(std::string_view snapshot) {
  if (snapshot.size() > marker_bytes_max) snapshot.remove_prefix(snapshot.size() - marker_bytes_max);
  return std::string(snapshot);
}

Json state_of(std::string_view step, std::string_view campaign, std::string_view marker) {
  Json state = Json::object();
  state.set("step", Json::string(step)).set("campaign", Json::string(campaign));
  state.set("marker", Json::string(marker));
  return state;
}

}  // namespace

// Persons come with one request; the end, which has to know that they are there, is left to the next part.
void Destination::plan_refresh(const sdk::Batch& batch, sdk::Call& call) {
  Group people;
  std::vector<std::uint32_t> marks;
  bool ends = false;
  std::string campaign;
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    const sdk::Record record = batch[i];
    if (campaign.empty()) campaign = campaign_of(record);
    if (record.op == SLUICE_SNAPSHOT_END) {
      if (people.count > 0) break;
      ends = true;
    }
    if (record.op != SLUICE_ENTER) {
      marks.push_back(i);
      continue;
    }
    Person person = person_of(record);
    if (person.external_ids.empty()) {
      call.outcome(i, {.status = SLUICE_SKIPPED, .reason = "no_identifier"});
      continue;
    }
    // Whoever has more than a query holds is looked for by the newest: a member by another is too many at the
    // end, and this one is there.
    while (person.external_ids.size() > 1 && !fits(person)) person.external_ids.pop_back();
    const std::string ids = listed(person);
    const std::size_t count = person.external_ids.size(), bytes = percent_encoded(ids).size();
    const bool full = people.count + count > looked_for_max || people.bytes + bytes > looked_for_bytes_max;
    if (full && people.count > 0) break;
    people.add(i, ids, count);
    people.bytes += bytes;
  }
  const bool possible = !campaign_marker_.empty() && is_id(campaign);
  if (!possible) {
    const bool mapped = !is_id(campaign);
    for (const std::uint32_t i : marks)
      call.outcome(i, {.status = SLUICE_INVALID,
                       .reason = mapped ? "audience_not_mapped" : "campaign_marker_missing",
                       .detail = mapped ? "only campaigns can be refreshed"
                                        : "a refresh needs campaign_marker: a text field of CampaignMember"});
    for (const std::uint32_t i : people.indexes)
      call.outcome(i, {.status = SLUICE_INVALID, .reason = "refresh_not_possible"});
    return;
  }
  people.indexes.insert(people.indexes.begin(), marks.begin(), marks.end());
  const std::string marker = marker_of(batch.snapshot());
  if (people.count > 0) return ask_members(campaign, marker, people, call);
  if (ends) return ask_stale(state_of("stale", campaign, marker), std::move(people.indexes), call);
  for (const std::uint32_t i : marks) call.outcome(i, {.status = SLUICE_OK});
}

void Destination::ask_members(std::string_view campaign, std::string_view marker, const Group& people,
                              sdk::Call& call) const {
  const std::string who = object_ + "." + external_id_;
  call.request({.method = "GET",
                .url = path_ + "/query?q=" +
                       percent_encoded("SELECT Id, " + who +
                                       " FROM CampaignMember WHERE CampaignId = " + soql_string(campaign) +
                                       " AND " + who + " IN (" + people.records + ")"),
                .records = people.indexes,
                .state = "r" + state_of("find", campaign, marker).text(),
                .bucket = "api"});
}

// First those without a mark, then those with another one: SOQL's != does not say what it makes of none. Who
// is of the other object was put there by somebody else, and stays. A Lead that was converted is a Contact:
// its member has both ids.
void Destination::ask_stale(const Json& state, std::vector<std::uint32_t> records, sdk::Call& call) const {
  const bool marked = state["marked"].boolean_value().value_or(false);
  const std::string other = marked ? " != " + soql_string(state["marker"].text_or("")) : " = null";
  call.request(
      {.method = "GET",
       .url = path_ + "/query?q=" +
              percent_encoded("SELECT Id FROM CampaignMember WHERE CampaignId = " +
                              soql_string(state["campaign"].text_or("")) + " AND " + campaign_marker_ +
                              other + " AND " + std::string(ours()) + " LIMIT " + std::string(sweep_most)),
       .records = std::move(records),
       .state = "r" + state.text(),
       .bucket = "api"});
}

void Destination::interpret_refresh(const sdk::Batch& batch, const sdk::Response& response,
                                    sdk::Call& call) const {
  const Json state = Json::parse(response.state().substr(1)).value_or(Json());
  const std::string_view step = state["step"].text_or("");
  const std::optional<Json> answer = Json::parse(response.body());
  if (!answer) return judge_all(response, SLUICE_RETRY, "answer_not_understood", call);
  if (step == "find") return compare_members(batch, response, state, *answer, call);
  if (step == "mark" || step == "join") {
    if (step == "join") count_joined(*answer);
    return judge_each(batch, response, step == "mark" ? Kind::mark : Kind::enlist, call);
  }
  if (step == "stale") return drop_stale(response, state, *answer, call);
  if (step == "drop") return count_dropped(response, state, *answer, call);
  if (step == "others") return tell_end(response, state, *answer, call);
  throw sdk::Fail(SLUICE_RETRY, "the request's state is not what was written");
}

// Who is there already gets the mark, who is missing is made a member with it.
void Destination::compare_members(const sdk::Batch& batch, const sdk::Response& response, const Json& state,
                                  const Json& answer, sdk::Call& call) const {
  if (!answer["records"].is_array()) return judge_all(response, SLUICE_RETRY, "answer_not_understood", call);
  const std::string_view campaign = state["campaign"].text_or(""), marker = state["marker"].text_or("");
  Group there, missing;
  for (const std::uint32_t index : response.records()) {
    if (batch[index].op != SLUICE_ENTER) {
      call.outcome(index, {.status = SLUICE_OK});
      continue;
    }
    const Person person = person_of(batch[index]);
    // Whoever is there twice keeps the first; the other has no mark, and is too many at the end.
    const std::vector<std::string> members = found_of(answer, Kind::find, person);
    const bool is = !members.empty();
    Json out = is ? Json::parse(R"({"attributes":{"type":"CampaignMember"}})").value_or(Json::object())
                  : member_of(campaign, person);
    if (is) out.set("Id", Json::string(members.front()));
    out.set(campaign_marker_, Json::string(marker));
    (is ? there : missing).add(index, out.text());
  }
  for (const auto& [group, method, step] :
       {std::tuple{&there, "PATCH", "mark"}, std::tuple{&missing, "POST", "join"}}) {
    if (group->indexes.empty()) continue;
    call.request({.method = method,
                  .url = path_ + "/composite/sobjects",
                  .headers = {{"content-type", "application/json"}},
                  .body = R"({"allOrNone":false,"records":[)" + group->records + "]}",
                  .records = group->indexes,
                  .state = "r" + state_of(step, campaign, marker).text(),
                  .bucket = "api"});
  }
}

void Destination::drop_stale(const sdk::Response& response, Json state, const Json& answer,
                             sdk::Call& call) const {
  if (!answer["records"].is_array()) return judge_all(response, SLUICE_RETRY, "answer_not_understood", call);
  std::string ids;
  for (const Json& one : answer["records"].elements()) {
    if (is_id(one["Id"].text_or(""))) ids.append(ids.empty() ? "" : ",").append(one["Id"].text_or(""));
  }
  const auto records = response.records();
  std::vector<std::uint32_t> indexes(records.begin(), records.end());
  if (ids.empty() && state["marked"].boolean_value().value_or(false))
    return ask_others(response, std::move(state), call);
  if (ids.empty()) {
    state.set("marked", Json::boolean(true));
    return ask_stale(state, std::move(indexes), call);
  }
  state.set("step", Json::string("drop"));
  call.request({.method = "DELETE",
                .url = path_ + "/composite/sobjects?ids=" + ids + "&allOrNone=false",
                .records = std::move(indexes),
                .state = "r" + state.text(),
                .bucket = "api"});
}

// Of the other object: nothing of this refresh, and perhaps nothing that anybody expects in the campaign.
void Destination::ask_others(const sdk::Response& response, Json state, sdk::Call& call) const {
  state.set("step", Json::string("others"));
  const auto records = response.records();
  call.request({.method = "GET",
                .url = path_ + "/query?q=" +
                       percent_encoded("SELECT COUNT() FROM CampaignMember WHERE CampaignId = " +
                                       soql_string(state["campaign"].text_or("")) + " AND " +
                                       (is_lead() ? "ContactId != null" : "ContactId = null")),
                .records = {records.begin(), records.end()},
                .state = "r" + state.text(),
                .bucket = "api"});
}

void Destination::tell_end(const sdk::Response& response, const Json& state, const Json& answer,
                           sdk::Call& call) const {
  const std::optional<std::int64_t> others = answer["totalSize"].integer_value();
  if (!others) return judge_all(response, SLUICE_RETRY, "answer_not_understood", call);
  const std::string campaign = "campaign " + std::string(state["campaign"].text_or("")) + ": ";
  if (const std::int64_t dropped = state["dropped"].integer_value().value_or(0); dropped > 0) {
    host_.log(SLUICE_INFO,
              campaign + std::to_string(dropped) + " members were too many, and have been taken off");
  }
  if (*others > 0) {
    host_.log(SLUICE_INFO, campaign + std::to_string(*others) +
                               (is_lead() ? " members are Contacts" : " members are no Contacts") +
                               ", and were left alone: object is " + object_);
  }
  judge_all(response, SLUICE_OK, {}, call);
}

// Missing is who could be added: a part that comes again finds them there, and who cannot be a member never
// was missing.
void Destination::count_joined(const Json& answer) const {
  std::int64_t joined = 0;
  for (std::size_t i = 0; answer.is_array() && i < answer.size(); ++i)
    joined += answer.at(i)["success"].boolean_value().value_or(false) ? 1 : 0;
  if (joined > 0) host_.metric(SLUICE_COUNTER, "audience_members_missing", static_cast<double>(joined));
}

// What could not be deleted is met again by the same query: the part comes again after a pause.
void Destination::count_dropped(const sdk::Response& response, Json state, const Json& answer,
                                sdk::Call& call) const {
  std::int64_t dropped = 0;
  bool all = answer.is_array();
  for (std::size_t i = 0; answer.is_array() && i < answer.size(); ++i) {
    const bool done = answer.at(i)["success"].boolean_value().value_or(false);
    dropped += done ? 1 : 0;
    all = all && (done || is_gone_already(answer.at(i)));
  }
  if (dropped > 0) host_.metric(SLUICE_COUNTER, "audience_members_too_many", static_cast<double>(dropped));
  if (!all) return judge_all(response, SLUICE_RETRY, "members_not_deleted", call);
  state.set("step", Json::string("stale"));
  state.set("dropped", Json::integer(state["dropped"].integer_value().value_or(0) + dropped));
  const auto records = response.records();
  ask_stale(state, {records.begin(), records.end()}, call);
}

}  // namespace sluice::salesforce
