#include "plugin/rate_headers.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice::plugin {
namespace {

constexpr std::array<std::pair<std::string_view, ResetUnit>, 4> units{{
    {"seconds", ResetUnit::seconds},
    {"milliseconds", ResetUnit::milliseconds},
    {"epoch_seconds", ResetUnit::epoch_seconds},
    {"epoch_milliseconds", ResetUnit::epoch_milliseconds},
}};

constexpr double number_max = 1e15;  // beyond any time in milliseconds

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::optional<double> number_of(const std::vector<Header>& headers, const std::string& name) {
  const auto found =
      std::find_if(headers.begin(), headers.end(), [&](const Header& header) { return header.name == name; });
  if (name.empty() || found == headers.end()) return std::nullopt;
  std::string_view text = found->value;
  text = text.substr(0, text.find_first_of(",; \t"));
  const std::optional<double> number = parse_number(text);
  return number && *number >= 0 && *number <= number_max ? number : std::nullopt;
}

}  // namespace

Result<std::vector<RateHeaders>> parse_rate_headers(Json list) {
  const Error bad{
      Code::rejected,
      "manifest: 'rate_headers' must be a list of {bucket, remaining, reset, reset_unit: seconds | "
      "milliseconds | epoch_seconds | epoch_milliseconds}"};
  std::vector<RateHeaders> out;
  bool good = !list || list.type() == JsonType::array;
  list.elements([&](Json one) {
    RateHeaders names{.bucket = std::string(one["bucket"].string_or("")),
                      .remaining = lower(one["remaining"].string_or("")),
                      .reset = lower(one["reset"].string_or(""))};
    const std::string_view wanted = one["reset_unit"].string_or("seconds");
    bool known = false;
    for (const auto& [name, unit] : units) {
      if (name == wanted) names.unit = unit, known = true;
    }
    good = good && known && !names.remaining.empty() && !names.reset.empty();
    out.push_back(std::move(names));
  });
  if (!good) return bad;
  return out;
}

std::optional<RateLimit> announced_limit(const RateHeaders& names, const std::vector<Header>& headers,
                                         TimeUs now) {
  const std::optional<double> remaining = number_of(headers, names.remaining);
  const std::optional<double> reset = number_of(headers, names.reset);
  if (!remaining || !reset) return std::nullopt;
  const bool milli = names.unit == ResetUnit::milliseconds || names.unit == ResetUnit::epoch_milliseconds;
  const bool from_now = names.unit == ResetUnit::seconds || names.unit == ResetUnit::milliseconds;
  const double us = *reset * static_cast<double>(milli ? us_per_ms : us_per_s);
  if (us > 9e18 - 2e18) return std::nullopt;
  return RateLimit{.bucket = names.bucket,
                   .remaining = static_cast<std::int64_t>(*remaining),
                   .reset = static_cast<TimeUs>(us) + (from_now ? now : 0)};
}

}  // namespace sluice::plugin
