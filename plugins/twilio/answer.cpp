#include "answer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "sluice/json.hpp"

namespace sluice::twilio {

namespace {

using sdk::Json;

constexpr std::int64_t clocks_apart_us = 60'000'000;  // theirs has seconds, ours need not be as exact

template <std::size_t N>
bool is_one_of(std::string_view code, const std::array<std::string_view, N>& codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// No message can succeed until somebody has looked: credentials, account, sender.
constexpr std::array<std::string_view, 8> codes_of_account{"20003", "20005", "20404", "21606",
                                                           "21659", "21660", "30002", "30034"};
constexpr std::array<std::string_view, 2> codes_to_repeat{"30001", "30008"};
constexpr std::array<std::string_view, 4> codes_of_dead_numbers{"21211", "21614", "30005", "30006"};

// Their text may repeat the number: the code is what can be shown, and where it is explained.
std::string explained(std::string_view code) {
  const bool number =
      !code.empty() && code.size() <= 6 && code.find_first_not_of("0123456789") == std::string_view::npos;
  return number ? "https://www.twilio.com/docs/errors/" + std::string(code) : "";
}

// "Sat, 28 Nov 2026 16:00:00 +0000": as they write times, always in UTC.
std::optional<std::int64_t> parse_rfc2822(std::string_view text) {
  static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (const std::size_t comma = text.find(", "); comma != std::string_view::npos)
    text.remove_prefix(comma + 2);
  const auto number = [&](std::size_t at, std::size_t count) -> std::optional<int> {
    int out = 0;
    if (at + count > text.size()) return {};
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + count, out);
    return error == std::errc{} && end == text.data() + at + count ? std::optional(out) : std::nullopt;
  };
  const auto day = number(0, 2), year = number(7, 4), hour = number(12, 2), minute = number(15, 2),
             second = number(18, 2);
  const std::size_t month = text.size() < 20 ? std::string_view::npos : months.find(text.substr(3, 3));
  if (!day || !year || !hour || !minute || !second || month == std::string_view::npos || month % 3 != 0)
    return {};
  // Days from 1970-01-01 (Howard Hinnant's days_from_civil).
  const int m = static_cast<int>(month / 3) + 1, y = *year - (m <= 2 ? 1 : 0), era = y / 400;
  const int year_of_era = y - era * 400, day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + *day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  const std::int64_t days = std::int64_t{era} * 146'097 + day_of_era - 719'468;
  return (((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1'000'000;
}

Fate by_status(const sdk::Response& response, std::string_view code) {
  const std::int32_t status = response.status();
  Fate out{.status = SLUICE_INVALID,
           .reason = code.empty() ? "http_" + std::to_string(status) : "twilio_" + std::string(code),
           .detail = explained(code),
           .receiver = receiver_of(code)};
  if (status == 429 || code == "20429") {
    out.status = SLUICE_THROTTLE;
    out.retry_after_ms = response.retry_after_ms();
  } else if (status == 401 || is_one_of(code, codes_of_account) ||
             (code.empty() && (status == 403 || status == 404))) {
    out.status = SLUICE_AUTH;
  } else if (status >= 500 || status == 408 || is_one_of(code, codes_to_repeat)) {
    out.status = SLUICE_RETRY;
    out.retry_after_ms = response.retry_after_ms();
  }
  return out;
}

}  // namespace

std::uint32_t receiver_of(std::string_view code) {
  if (code == "21610") return SLUICE_OPTED_OUT;
  return is_one_of(code, codes_of_dead_numbers) ? SLUICE_UNREACHABLE : 0;
}

bool is_lost(const sdk::Response& response) {
  const std::int32_t status = response.status();
  return status == 0 || status == 408 || status == 502 || status == 504;
}

Fate fate_of_send(const sdk::Response& response) {
  const Json answer = Json::parse(response.body()).value_or(Json());
  if (!response.ok()) return by_status(response, answer["code"].scalar());
  const std::string_view sid = answer["sid"].text_or("");
  // Whatever it was that answered 2xx, it did not say that there is a message.
  if (sid.empty())
    return {.status = SLUICE_UNKNOWN, .reason = "no_sid", .detail = "the answer names no message"};
  return {.status = SLUICE_OK, .remote_id = std::string(sid)};
}

Fate fate_of_search(const sdk::Response& response, std::string_view text, std::int64_t since_us) {
  const Json answer = Json::parse(response.body()).value_or(Json());
  const Json& messages = answer["messages"];
  std::string found;
  std::size_t count = 0;
  for (const Json& one : messages.elements()) {
    const auto created = parse_rfc2822(one["date_created"].text_or(""));
    const bool ours = one["body"].text_or("") == text && one["direction"].text_or("").starts_with("outbound");
    if (!ours || !created || (since_us != SLUICE_NO_TIME && *created + clocks_apart_us < since_us)) continue;
    ++count;
    found = one["sid"].text_or("");
  }
  if (response.ok() && count == 1 && !found.empty()) return {.status = SLUICE_OK, .remote_id = found};
  return {
      .status = SLUICE_UNKNOWN,
      .reason = "no_answer",
      .detail = count > 1 ? "several messages over there could be this one" : "it was not found over there"};
}

}  // namespace sluice::twilio
