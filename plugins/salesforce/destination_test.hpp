// Records for the destination's tests, and what it makes of them.
#pragma once

#include <catch2/catch.hpp>

#include "vendors/stand_in.hpp"

namespace sluice::salesforce_test {

using plugin::Record;
using vendors::Opened;

inline constexpr TimeUs noon = 1'772'359'200'000'000;  // 2026-03-01T10:00:00Z
inline constexpr char limit[] =
    R"([{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}])";

inline std::string with(const std::string& more = "") {
  return R"({"instance":"acme","client_id":"id","client_secret":"s","external_id":"Key__c")" + more + "}";
}

inline Record record(std::uint32_t op, const std::string& payload = "{}", const std::string& user = "ada",
                     const std::string& name = "VIP") {
  Record out;
  out.op = op;
  out.time = noon;
  out.id = "j.1." + user + ".0";
  out.key = "p-" + user;
  out.name = name;
  out.payload = payload;
  out.identifiers = user.empty() ? "{}" : R"({"user_id":[")" + user + R"("]})";
  return out;
}

inline std::string planned(const Record& one, const std::string& more = "") {
  Opened salesforce("salesforce", with(more));
  const auto output = salesforce->plan(std::vector{one}).value();
  CHECK(output.faults.empty());
  if (output.requests.empty()) return "outcome " + output.outcomes.at(0).outcome.reason;
  const plugin::Request& request = output.requests.at(0);
  return request.method + ' ' + request.url.substr(std::string("/services/data/v61.0").size()) + ' ' +
         request.body;
}

// "status reason remote_id" of each record, when their request is answered so.
inline std::vector<std::string> judged(const std::vector<Record>& records, int status,
                                       const std::string& body, const std::string& more = "") {
  Opened salesforce("salesforce", with(more));
  const plugin::Request request = salesforce->plan(records).value().requests.at(0);
  plugin::Response response;
  response.status = status;
  response.body = body;
  response.state = request.state;
  response.records = request.records;
  response.received = noon;
  const auto output = salesforce->interpret(records, response).value();
  CHECK(output.faults.empty());
  std::vector<std::string> out;
  for (const plugin::Fate& fate : output.outcomes) {
    out.push_back(std::to_string(fate.outcome.status) + ' ' + fate.outcome.reason + ' ' +
                  fate.outcome.remote_id);
  }
  return out;
}

inline std::string refusal(const std::string& code, const std::string& message = "x") {
  return R"([{"success":false,"errors":[{"statusCode":")" + code + R"(","message":")" + message +
         R"(","fields":[]}]}])";
}
inline std::string fate(int status, const std::string& reason = "", const std::string& id = "") {
  return std::to_string(status) + ' ' + reason + ' ' + id;
}

}  // namespace sluice::salesforce_test
