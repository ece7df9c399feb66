#include "api.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "sluice/time.hpp"

namespace sluice::salesforce {
namespace {

constexpr std::size_t shown_bytes_max = 300;
constexpr std::int64_t us_per_hour = 3'600 * us_per_second;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// A number of exactly so many digits, taken off the front.
bool take(std::string_view& text, std::size_t digits, std::int64_t& out) {
  if (text.size() < digits) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, out);
  if (error != std::errc{} || end != text.data() + digits || !is_digit(text.front())) return false;
  text.remove_prefix(digits);
  return true;
}
bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

std::optional<std::int64_t> joined(std::int64_t days, std::int64_t hour, std::int64_t minute,
                                   std::int64_t second) {
  if (hour > 23 || minute > 59 || second > 60) return {};
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * us_per_second;
}

bool may_be_somebodys(std::string_view word) {
  std::size_t digits = 0;
  for (const char c : word) digits += is_digit(c) ? 1U : 0U;
  return digits >= 5 || word.find('@') != std::string_view::npos ||
         std::any_of(word.begin(), word.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

sdk::Json settings_of(std::string_view config) {
  sdk::Json with = sdk::Json::parse(config).value_or(sdk::Json());
  if (!with.is_object()) throw sdk::Fail(SLUICE_INVALID, "the settings are no mapping");
  if (with["instance"].text_or("").empty() && with["url"].text_or("").empty()) {
    throw sdk::Fail(SLUICE_INVALID,
                    "with: needs 'instance', the first part of https://INSTANCE.my.salesforce.com "
                    "(acme, or acme--uat.sandbox)");
  }
  return with;
}

std::string api_path(const sdk::Json& with) {
  return "/services/data/v" + std::string(with["api_version"].text_or("61.0"));
}

bool is_api_name(std::string_view text, bool path) {
  if (text.empty() || text.size() > 400 || !is_letter(text.front()) || text.back() == '.') return false;
  char before = 0;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    const bool doubled = c == '.' && before == '.';
    before = c;
    return is_letter(c) || is_digit(c) || c == '_' || (path && c == '.' && !doubled);
  });
}

bool is_alike(std::string_view one, std::string_view other) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

bool is_id(std::string_view text) {
  return (text.size() == 15 || text.size() == 18) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c); });
}

Problem problem_of(const sdk::Json& error) {
  Problem out;
  out.code = error["errorCode"] ? error["errorCode"].text_or("") : error["statusCode"].text_or("");
  out.message = error["message"].text_or("");
  for (const sdk::Json& field : error["fields"].elements()) {
    if (!is_api_name(field.text_or(""), true)) continue;
    out.fields.append(out.fields.empty() ? "" : ", ").append(field.text_or(""));
  }
  return out;
}

std::optional<Problem> first_problem(std::string_view body) {
  const std::optional<sdk::Json> json = sdk::Json::parse(body);
  if (!json) return {};
  const sdk::Json& first = json->is_array() ? json->at(0) : *json;
  Problem out = problem_of(first);
  return out.code.empty() ? std::nullopt : std::optional(std::move(out));
}

std::string reason_of(std::string_view code) {
  std::string out;
  for (const char c : code.substr(0, 64)) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if (is_letter(c) || is_digit(c) || c == '_') {
      out += c;
    }
  }
  return out.empty() ? "refused" : out;
}

std::string shown(std::string_view message) {
  std::string out;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find_first_of(" \n\r\t"), message.size());
    const std::string_view word = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    if (word.empty()) continue;
    if (out.size() + word.size() > shown_bytes_max) break;
    if (!out.empty()) out += ' ';
    out += may_be_somebodys(word) ? "***" : word;
  }
  return out;
}

sluice_status status_of(std::int32_t status, const std::optional<Problem>& problem) {
  if (problem) {
    const std::string& code = problem->code;
    if (code == "REQUEST_LIMIT_EXCEEDED" || code == "SERVER_UNAVAILABLE") return SLUICE_THROTTLE;
    if (code == "INVALID_SESSION_ID") return SLUICE_AUTH;
    if (code == "UNABLE_TO_LOCK_ROW" || code == "UNKNOWN_EXCEPTION" || code == "QUERY_TIMEOUT" ||
        problem->message.find("UNABLE_TO_LOCK_ROW") != std::string::npos) {
      return SLUICE_RETRY;
    }
  }
  if (status == 503) return SLUICE_THROTTLE;
  if (status == 403) return SLUICE_AUTH;  // a permission: no request can succeed until somebody gives it
  return sdk::verdict(status);
}

std::optional<std::int64_t> time_of(std::string_view text) {
  std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0;
  if (!take(text, 4, year) || !take(text, '-') || !take(text, 2, month) || !take(text, '-') ||
      !take(text, 2, day) || !take(text, 'T') || !take(text, 2, hour) || !take(text, ':') ||
      !take(text, 2, minute) || !take(text, ':') || !take(text, 2, second)) {
    return {};
  }
  if (month < 1 || month > 12 || day < 1 || day > 31) return {};
  if (take(text, '.')) {
    std::int64_t scale = us_per_second;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1)) {
      scale /= 10;
      micros += (text.front() - '0') * scale;
    }
  }
  std::optional<std::int64_t> time = joined(days_of(year, month, day), hour, minute, second);
  if (!time) return {};
  *time += micros;
  if (take(text, 'Z')) return text.empty() ? time : std::nullopt;
  const bool west = text.starts_with('-');
  if (!take(text, '+') && !take(text, '-')) return {};
  std::int64_t hours = 0, minutes = 0;
  if (!take(text, 2, hours)) return {};
  (void)take(text, ':');
  if (!take(text, 2, minutes) || !text.empty()) return {};
  return *time - (west ? -1 : 1) * (hours * 60 + minutes) * 60 * us_per_second;
}

std::string time_text(std::int64_t time_us) {
  std::string out;
  sdk::append_time(out, time_us);
  return out;
}

std::optional<std::int64_t> answered_at(const sdk::Response& response) {
  // RFC 9110 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT
  static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  std::string_view text = response.header("date");
  std::int64_t day = 0, year = 0, hour = 0, minute = 0, second = 0;
  if (text.size() < 5) return {};
  text.remove_prefix(5);
  if (!take(text, 2, day) || !take(text, ' ') || text.size() < 3) return {};
  const std::size_t month = months.find(text.substr(0, 3));
  text.remove_prefix(3);
  if (month == std::string_view::npos || month % 3 != 0 || !take(text, ' ') || !take(text, 4, year) ||
      !take(text, ' ') || !take(text, 2, hour) || !take(text, ':') || !take(text, 2, minute) ||
      !take(text, ':') || !take(text, 2, second)) {
    return {};
  }
  return joined(days_of(year, static_cast<std::int64_t>(month / 3) + 1, day), hour, minute, second);
}

void tell_limit(const sdk::Response& response, bool spent, sdk::Call& call) {
  const std::string_view header = response.header("sforce-limit-info");
  constexpr std::string_view name = "api-usage=";
  std::int64_t used = 0, most = 0, left = spent ? 0 : 1;
  const std::size_t at =
      header.starts_with(name) ? 0 : std::min(header.find(", api-usage=") + 2, header.size());
  if (!spent && header.substr(at).starts_with(name)) {
    const std::string_view numbers = header.substr(at + name.size());
    const std::size_t slash = std::min(numbers.find('/'), numbers.size());
    const std::string_view second = numbers.substr(std::min(slash + 1, numbers.size()));
    if (std::from_chars(numbers.data(), numbers.data() + slash, used).ec != std::errc{} ||
        std::from_chars(second.data(), second.data() + second.size(), most).ec != std::errc{}) {
      return;
    }
    left = std::max<std::int64_t>(0, most - used);
  } else if (!spent) {
    return;
  }
  call.limit("api", left, left == 0 ? response.received_us() + us_per_hour : SLUICE_NO_TIME);
}

std::string percent_encoded(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

std::string soql_string(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\\' || c == '\'') out += '\\';
    out += c;
  }
  return out += '\'';
}

void ask_check(const std::string& path, sdk::Call& call) {
  call.request({.method = "GET", .url = path + "/limits"});
}

void judge_check(const sdk::Response& response, sdk::Call& call) {
  if (response.ok()) return call.outcome(0, {.status = SLUICE_OK});
  const std::optional<Problem> problem = first_problem(response.body());
  const std::string reason = problem                  ? reason_of(problem->code)
                             : response.status() == 0 ? "no_answer"
                                                      : "http_" + std::to_string(response.status());
  const std::string detail = problem ? shown(problem->message) : std::string();
  call.outcome(0, {.status = status_of(response.status(), problem), .reason = reason, .detail = detail});
}

}  // namespace sluice::salesforce
