// What both connectors need of Salesforce's REST API: where it is, how it says what is wrong, its times, its
// limits. developer.salesforce.com, "REST API Developer Guide", v61.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace sluice::salesforce {

inline constexpr std::int64_t us_per_second = 1'000'000;

// The settings as an object; Fail where it is none, or where neither instance nor url says where to go.
sdk::Json settings_of(std::string_view config);
std::string api_path(const sdk::Json& with);  // "/services/data/v61.0"

// Letters, digits and '_', and dots between names where `path`: what may stand in a query and a URL as it is.
bool is_api_name(std::string_view text, bool path = false);
// The same text, but for the case of ASCII letters.
bool is_alike(std::string_view one, std::string_view other);
bool is_id(std::string_view text);  // 15 or 18 letters and digits

struct Problem {
  std::string code;  // "REQUIRED_FIELD_MISSING"
  std::string message;
  std::string fields;  // "LastName, Company"
};
Problem problem_of(const sdk::Json& error);                   // {message, errorCode | statusCode, fields}
std::optional<Problem> first_problem(std::string_view body);  // of a list of them, or of one
std::string reason_of(std::string_view code);                 // "required_field_missing"
// For people: one line, cut; what may be somebody's (words with @ or with five digits) is left out.
std::string shown(std::string_view message);

// What a refusal means of a request as a whole. The code counts before the status.
sluice_status status_of(std::int32_t status, const std::optional<Problem>& problem);

// 2026-03-01T10:00:00.000Z, also with +0000 and +00:00. Microseconds since 1970.
std::optional<std::int64_t> time_of(std::string_view text);
std::string time_text(std::int64_t time_us);
// When the vendor answered, by its clock (the header Date).
std::optional<std::int64_t> answered_at(const sdk::Response& response);

// Hands on what Sforce-Limit-Info says is left of the day's API calls. `spent`: the answer said that nothing
// is. The limit is a rolling one: it is asked again after an hour.
void tell_limit(const sdk::Response& response, bool spent, sdk::Call& call);

std::string percent_encoded(std::string_view text);
// 'text' as a string of SOQL.
std::string soql_string(std::string_view text);

// "Test connection" reads how much of the limits is used.
void ask_check(const std::string& path, sdk::Call& call);
void judge_check(const sdk::Response& response, sdk::Call& call);

}  // namespace sluice::salesforce
