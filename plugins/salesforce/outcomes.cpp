#include "outcomes.hpp"

#include <algorithm>
#include <array>

namespace sluice::salesforce {
namespace {

constexpr std::uint32_t attempts_max = 4;  // of what Salesforce has no explanation for
constexpr std::int64_t limit_pause_ms = 3'600'000;

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// Of other codes the message repeats the value that is refused.
std::string detail_of(const Problem& problem) {
  const bool plain = is_one_of(problem.code, {"REQUIRED_FIELD_MISSING", "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                                              "INVALID_FIELD_FOR_INSERT_UPDATE", "DUPLICATES_DETECTED",
                                              "INSUFFICIENT_ACCESS_OR_READONLY"}) ||
                     problem.message.starts_with("No such column");
  if (plain) return shown(problem.message);
  return problem.fields.empty() ? "" : "fields: " + problem.fields;
}

bool is_member_already(const Problem& problem) {
  return problem.code == "DUPLICATE_VALUE" &&
         problem.message.find("lready a campaign member") != std::string::npos;
}

// Somebody has done it already.
bool is_done(const Problem& problem, Kind kind) {
  if (kind == Kind::join) return is_member_already(problem);
  return (kind == Kind::leave || kind == Kind::untick || kind == Kind::remove) &&
         is_one_of(problem.code, {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"});
}

// The campaign, or of an event the person by the id that an earlier outcome told.
bool is_gone(const Problem& problem, const sdk::Record& record, Kind kind) {
  const bool refers = is_one_of(problem.code, {"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"});
  if (kind == Kind::join) return refers && !record.audience_id.empty();
  return refers && (kind == Kind::insert || kind == Kind::record) && !record.remote_id.empty();
}

sluice_status status_of_record(const Problem& problem, const sdk::Record& record, Kind kind) {
  if (is_gone(problem, record, kind)) return SLUICE_GONE;
  if (problem.code == "UNKNOWN_EXCEPTION") {
    return record.attempt < attempts_max ? SLUICE_RETRY : SLUICE_INVALID;
  }
  // Two records of one external id in a request: each is good by itself.
  if (problem.code == "DUPLICATE_VALUE" && problem.message.starts_with("Duplicate external id specified")) {
    return SLUICE_RETRY;
  }
  return status_of(400, problem);
}

}  // namespace

bool is_gone_already(const sdk::Json& result) {
  return is_done(problem_of(result["errors"].at(0)), Kind::leave);
}

void judge_record(std::uint32_t index, const sdk::Record& record, const sdk::Json& result, Kind kind,
                  sdk::Call& call) {
  const bool of_person = kind == Kind::upsert || kind == Kind::remove;
  const std::string_view id = of_person && is_id(result["id"].text_or("")) ? result["id"].text_or("") : "";
  if (result["success"].boolean_value().value_or(false)) {
    return call.outcome(index, {.status = SLUICE_OK, .remote_id = id});
  }
  const Problem problem = problem_of(result["errors"].at(0));
  if (problem.code.empty()) {
    return call.outcome(index, {.status = kind == Kind::insert ? SLUICE_UNKNOWN : SLUICE_RETRY,
                                .reason = "answer_not_understood"});
  }
  if (is_done(problem, kind)) return call.outcome(index, {.status = SLUICE_OK});
  std::string reason = reason_of(problem.code);
  std::string detail = detail_of(problem);
  if (problem.message.starts_with("Foreign key external ID")) {
    reason = "person_not_there";
    detail =
        "nobody over there has this person's external id: a route with profiles has to bring people first";
  }
  sluice_status status = status_of_record(problem, record, kind);
  // One of many: a refresh goes on without them. Who left while it ran is looked for again.
  // A member since they were looked for has no mark yet, and would be taken off at the end: they are looked
  // for again.
  if (kind == Kind::enlist && is_member_already(problem) && record.attempt < attempts_max) {
    status = SLUICE_RETRY;
  } else if (kind == Kind::enlist && status == SLUICE_INVALID) {
    status = SLUICE_SKIPPED;
  }
  if (kind == Kind::mark && is_done(problem, Kind::leave)) status = SLUICE_RETRY;
  const bool limit = problem.code == "REQUEST_LIMIT_EXCEEDED";
  call.outcome(
      index,
      {.status = status, .reason = reason, .detail = detail, .retry_after_ms = limit ? limit_pause_ms : -1});
}

void judge_all(const sdk::Response& response, sluice_status status, std::string_view reason,
               sdk::Call& call) {
  for (const std::uint32_t index : response.records()) {
    call.outcome(index, {.status = status, .reason = reason, .retry_after_ms = response.retry_after_ms()});
  }
}

void judge_refusal(const sdk::Response& response, Kind kind, sdk::Call& call) {
  const std::optional<Problem> problem = first_problem(response.body());
  if (response.status() == 404 && kind == Kind::forget) return judge_all(response, SLUICE_OK, {}, call);
  sluice_status status = status_of(response.status(), problem);
  std::string reason = problem                  ? reason_of(problem->code)
                       : response.status() == 0 ? "no_answer"
                                                : "http_" + std::to_string(response.status());
  std::string detail = problem ? detail_of(*problem) : "";
  // The object or its external id: no record can succeed until the settings are right.
  if (response.status() == 404) {
    status = SLUICE_AUTH;
    detail =
        "the object or its external id field is not there, or the user of the integration may not see it";
  }
  const bool limit = problem && problem->code == "REQUEST_LIMIT_EXCEEDED";
  for (const std::uint32_t index : response.records()) {
    call.outcome(index, {.status = status,
                         .reason = reason,
                         .detail = detail,
                         .retry_after_ms = limit ? limit_pause_ms : response.retry_after_ms()});
  }
}

}  // namespace sluice::salesforce
