// Members of a list: of a campaign, or people whose box is ticked. Who has several of the identifiers that
// people are known by over there may stand on it by any of them, since each was the newest once, or since two
// people became one. So all of them are looked for: whoever enters is on it already by one, whoever leaves is
// taken off by each, and nobody stays on it twice.
#include <algorithm>
#include <charconv>

#include "destination.hpp"
#include "groups.hpp"
#include "outcomes.hpp"

namespace sluice::salesforce {

using sdk::Json;

void Destination::place_member(std::uint32_t index, const sdk::Record& record, const Person& person,
                               Groups& groups, sdk::Call& call) const {
  const bool enters = record.op == SLUICE_ENTER;
  const auto field = audience_fields_.find(record.name);
  const bool is_box = field != audience_fields_.end();
  const std::string list = is_box ? field->second : campaign_of(record);
  if (!is_box && !is_id(list)) {
    return call.outcome(index, {.status = SLUICE_INVALID, .reason = "audience_not_mapped"});
  }
  // Nobody is asked for whom there is one identifier of: who is a member already Salesforce says by itself.
  if (person.external_ids.size() == 1 && is_box) {
    return groups.of(Kind::upsert).add(index, ticked_of(list, enters, person).text());
  }
  if (person.external_ids.size() == 1 && enters) {
    return groups.of(Kind::join).add(index, member_of(list, person).text());
  }
  if (!fits(person)) {
    return call.outcome(index, {.status = SLUICE_INVALID,
                                .reason = "too_many_identifiers",
                                .detail = "more than one query of Salesforce can hold: lower at_most of the "
                                          "identifier that person_id names, under identity"});
  }
  const std::string ids = listed(person);
  const std::size_t count = person.external_ids.size();
  groups.of(is_box ? Kind::ticked : Kind::find, list, count, percent_encoded(ids).size())
      .add(index, ids, count);
}

bool Destination::fits(const Person& person) {
  return person.external_ids.size() <= looked_for_max &&
         percent_encoded(listed(person)).size() <= looked_for_bytes_max;
}

// Texts of SOQL, with commas between.
std::string Destination::listed(const Person& person) {
  std::string out;
  for (const std::string& id : person.external_ids)
    out.append(out.empty() ? "" : ",").append(soql_string(id));
  return out;
}

Json Destination::ticked_of(std::string_view field, bool value, const Person& person) const {
  Json out = upserted(person);
  out.set(field, Json::boolean(value));
  return out;
}

// By the external id, and not by a Salesforce id that is known: of two who became one that may be the
// other's.
Json Destination::member_of(std::string_view campaign, const Person& person) const {
  Json out = Json::object();
  name_type(out, "CampaignMember");
  out.set("CampaignId", Json::string(campaign));
  if (!campaign_status_.empty()) out.set("Status", Json::string(campaign_status_));
  out.set(object_, upserted(person));
  return out;
}

void Destination::emit_query(const Group& group, sdk::Request request, sdk::Call& call) const {
  const bool is_box = group.kind == Kind::ticked;
  const std::string who = is_box ? external_id_ : object_ + "." + external_id_;
  const std::string from = is_box ? object_ + " WHERE " + group.list + " = true"
                                  : "CampaignMember WHERE CampaignId = " + soql_string(group.list);
  request.method = "GET";
  request.url =
      path_ + "/query?q=" +
      percent_encoded("SELECT Id, " + who + " FROM " + from + " AND " + who + " IN (" + group.records + ")");
  call.request(request);
}

// Of an answer that names members, the Ids of this person's, each once: by the identifiers that are written
// alike, the newest first, and then by those in other letter case, which are the same person's by
// Salesforce's own rule of a unique external id.
std::vector<std::string> Destination::found_of(const Json& answer, Kind did, const Person& person) const {
  std::vector<std::string> out;
  for (const bool exact : {true, false}) {
    for (const std::string& external_id : person.external_ids) {
      for (const Json& one : answer["records"].elements()) {
        const std::string_view key = one["Id"].text_or("");
        const std::string_view theirs = (did == Kind::ticked ? one : one[object_])[external_id_].scalar();
        const bool is = exact ? theirs == external_id : is_alike(theirs, external_id);
        if (is && is_id(key) && std::find(out.begin(), out.end(), key) == out.end()) out.emplace_back(key);
      }
    }
  }
  return out;
}

// Who is no member has left already; who is one has entered.
void Destination::judge_found(const sdk::Batch& batch, const sdk::Response& response, Kind did,
                              sdk::Call& call) const {
  const std::optional<Json> answer = Json::parse(response.body());
  if (!answer || !(*answer)["records"].is_array()) {
    return judge_all(response, SLUICE_RETRY, "answer_not_understood", call);
  }
  const bool is_box = did == Kind::ticked;
  Groups groups;
  for (const std::uint32_t index : response.records()) {
    const sdk::Record record = batch[index];
    const Person person = person_of(record);
    const bool enters = record.op == SLUICE_ENTER;
    const auto field = audience_fields_.find(record.name);
    if (is_box != (field != audience_fields_.end())) {  // asked under other settings, before a restart
      call.outcome(index, {.status = SLUICE_RETRY, .reason = "settings_changed"});
      continue;
    }
    std::vector<std::string> members = found_of(*answer, did, person);
    if (enters && members.empty()) {
      const Json made =
          is_box ? ticked_of(field->second, true, person) : member_of(campaign_of(record), person);
      groups.of(is_box ? Kind::upsert : Kind::join).add(index, made.text());
      continue;
    }
    if (enters) members.erase(members.begin());  // once is right
    if (members.empty()) {
      call.outcome(index, {.status = SLUICE_OK, .reason = enters ? "" : "no_member"});
      continue;
    }
    members.resize(std::min(members.size(), records_max));
    std::string gone;
    for (const std::string& member : members) {
      gone += gone.empty() ? "" : ",";
      if (!is_box) {
        gone += member;
        continue;
      }
      Json out = Json::object();
      name_type(out, object_);
      out.set("Id", Json::string(member));
      out.set(field->second, Json::boolean(false));
      gone += out.text();
    }
    groups.of(is_box ? Kind::untick : Kind::leave, {}, members.size()).add(index, gone, members.size());
  }
  for (const Group& group : groups.all) emit(group, call);
}

// Several members may be one record's: its fate is that of the first which could not be taken off. The state
// says behind its letter how many each has, "l1,2,1"; without it each has one.
void Destination::judge_counted(const sdk::Batch& batch, const sdk::Response& response, Kind did,
                                sdk::Call& call) const {
  const std::optional<Json> results = Json::parse(response.body());
  const auto records = response.records();
  std::vector<std::size_t> counts;
  std::size_t sum = 0;
  std::string_view text = response.state().substr(1);
  while (!text.empty()) {
    std::size_t count = 0;
    const std::size_t comma = std::min(text.find(','), text.size());
    if (std::from_chars(text.data(), text.data() + comma, count).ec != std::errc{} || count == 0 ||
        count > records_max) {
      throw sdk::Fail(SLUICE_RETRY, "the request's state is not what was written");
    }
    counts.push_back(count);
    sum += count;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (counts.empty()) counts.assign(sum = records.size(), 1);
  if (counts.size() != records.size())
    throw sdk::Fail(SLUICE_RETRY, "the request's state is not what was written");
  if (!results || !results->is_array() || results->size() != sum) {
    return judge_all(response, SLUICE_RETRY, "answer_not_understood", call);
  }
  std::size_t at = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    std::size_t worst = at;
    for (std::size_t n = at; n < at + counts[i]; ++n) {
      const Json& one = results->at(n);
      if (one["success"].boolean_value().value_or(false) || is_gone_already(one)) continue;
      worst = n;
      break;
    }
    judge_record(records[i], batch[records[i]], results->at(worst), did, call);
    at += counts[i];
  }
}

}  // namespace sluice::salesforce
