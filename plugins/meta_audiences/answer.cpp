#include "answer.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace sluice::meta {
namespace {

constexpr std::size_t detail_bytes_max = 300;
constexpr std::ptrdiff_t personal_digits_min = 6;
constexpr std::int64_t us_per_minute = 60'000'000;
constexpr double slow_percent = 75, full_percent = 100;
constexpr std::int64_t slow_pause_us = 1'000'000;
constexpr std::int64_t unannounced_minutes = 5;

constexpr std::array<std::int64_t, 6> transient{1, 2, 341, 368, 5000, 21009};
constexpr std::array<std::int64_t, 6> budget{4, 17, 32, 613, 80003, 80004};
// Nothing can succeed before a person has seen to it: the token, a permission, the terms, an audience that
// Meta has flagged.
constexpr std::array<std::int64_t, 9> configuration{3, 10, 102, 190, 294, 2650, 2655, 1487301, 1487366};
constexpr std::int64_t permission_first = 200, permission_last = 299;
constexpr std::int64_t wrong_parameter = 100;
constexpr std::int64_t object_gone = 33, uploads_blocked = 1713230, terms_not_accepted = 1870034;

bool among(const auto& list, std::int64_t code) {
  return std::ranges::find(list, code) != list.end();
}

// An error's own words, cut to what a log line bears, without those that may name somebody: addresses and
// long numbers.
std::string words(const sdk::Json& error) {
  std::string all(error["message"].text_or("no message"));
  if (const std::string_view more = error["error_user_msg"].text_or(""); !more.empty())
    all.append(": ").append(more);
  std::string out;
  for (std::string_view rest = all; !rest.empty() && out.size() < detail_bytes_max;) {
    const std::string_view word = rest.substr(0, std::min(rest.find(' '), rest.size()));
    const auto digits = std::ranges::count_if(word, [](char c) { return c >= '0' && c <= '9'; });
    if (!out.empty()) out += ' ';
    out += word.find('@') != std::string_view::npos || digits >= personal_digits_min ? "***" : word;
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  }
  if (out.size() > detail_bytes_max) {
    std::size_t end = detail_bytes_max;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;
    out.resize(end);
  }
  return out;
}

sluice_status status_of(const sdk::Json& error) {
  const std::int64_t code = error["code"].integer_value().value_or(0);
  const std::int64_t subcode = error["error_subcode"].integer_value().value_or(0);
  // A replace session, ours or another's, is under way.
  if (words(error).find("in progress") != std::string::npos) return SLUICE_RETRY;
  if (code == wrong_parameter && subcode == object_gone) return SLUICE_GONE;
  if (subcode == uploads_blocked || subcode == terms_not_accepted) return SLUICE_AUTH;
  if (among(budget, code)) return SLUICE_THROTTLE;
  if (among(transient, code)) return SLUICE_RETRY;
  if (among(configuration, code) || (code >= permission_first && code <= permission_last)) return SLUICE_AUTH;
  return code == 0 ? SLUICE_RETRY : SLUICE_INVALID;
}

struct Usage {
  double percent = 0;
  std::int64_t minutes = 0;  // until access is regained
};

void look(const sdk::Json& usage, Usage& most) {
  for (const char* const name : {"call_count", "total_cputime", "total_time"})
    most.percent = std::max(most.percent, usage[name].number_value().value_or(0));
  most.minutes = std::max(most.minutes, usage["estimated_time_to_regain_access"].integer_value().value_or(0));
}

Usage usage_of(const sdk::Response& response) {
  Usage most;
  const auto header = [&](std::string_view name) {
    return sdk::Json::parse(response.header(name)).value_or(sdk::Json());
  };
  const sdk::Json business = header("x-business-use-case-usage");
  for (const sdk::Json& list : business.elements()) {
    for (const sdk::Json& one : list.elements()) look(one, most);
  }
  look(header("x-app-usage"), most);
  const sdk::Json account = header("x-ad-account-usage");
  look(account, most);
  most.percent = std::max(most.percent, account["acc_id_util_pct"].number_value().value_or(0));
  return most;
}

}  // namespace

Verdict judge(const sdk::Response& response, const sdk::Json& body) {
  if (const sdk::Json& error = body["error"]; error.is_object()) {
    const std::int64_t code = error["code"].integer_value().value_or(0);
    return {status_of(error), "meta_" + std::to_string(std::max<std::int64_t>(0, code)), words(error)};
  }
  const std::int32_t status = response.status();
  if (status == 0) return {SLUICE_RETRY, "no_answer", {}};
  if (!response.ok()) {
    return {status == 403 ? SLUICE_AUTH : sdk::verdict(status), "http_" + std::to_string(status), {}};
  }
  // Adding, removing and replacing may be done again.
  if (!body.is_object()) return {SLUICE_RETRY, "unreadable_answer", "the answer is not Meta's"};
  return {};
}

void tell_budget(const sdk::Response& response, sdk::Call& call) {
  const std::int64_t now_us = response.received_us();
  const Usage usage = usage_of(response);
  if (usage.percent >= full_percent) {
    const std::int64_t minutes = usage.minutes > 0 ? usage.minutes : unannounced_minutes;
    call.limit({}, 0, now_us + minutes * us_per_minute);
  } else if (usage.percent > slow_percent) {
    const double share = (usage.percent - slow_percent) / (full_percent - slow_percent);
    call.limit({}, 0, now_us + slow_pause_us + static_cast<std::int64_t>(share * 9 * slow_pause_us));
  }
}

}  // namespace sluice::meta
