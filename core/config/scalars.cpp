#include "config/scalars.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include <date/tz.h>

#include "base/json.hpp"
#include "base/text.hpp"

namespace sluice::config {

namespace {

// ISO 3166-1 alpha-2, as tzdata's iso3166.tab lists it (2026).
constexpr std::string_view countries =
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS "
    "BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE "
    "EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM "
    "HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC "
    "LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA "
    "NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW "
    "SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO "
    "TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW ";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_port(std::string_view text) {
  const std::optional<std::int64_t> port = parse_integer(text);
  return port && *port >= 0 && *port <= 65535;
}

bool is_ipv4(std::string_view text) {
  const std::vector<std::string_view> parts = split(text, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           const std::optional<std::int64_t> n = parse_integer(part);
           return n && *n >= 0 && *n <= 255;
         });
}

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  // What is digits and dots alone is an address or a slip.
  if (std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; }))
    return is_ipv4(text);
  const std::vector<std::string_view> labels = split(text, '.');
  return std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(),
                       [](char c) { return is_digit(c) || is_letter(c) || c == '-' || c == '_'; });
  });
}

bool is_bracketed_ipv6(std::string_view text) {
  return text.size() > 4 && text.front() == '[' && text.back() == ']' &&
         std::all_of(
             text.begin() + 1, text.end() - 1,
             [](char c) { return is_digit(c) || is_letter(c) || c == ':' || c == '.' || c == '%'; }) &&
         std::count(text.begin(), text.end(), ':') >= 2;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

bool is_json_number(std::string_view text) {
  return parse_number(text).has_value();
}

std::optional<std::pair<double, DurationUs>> parse_rate(std::string_view text) {
  const std::size_t per = text.find(" per ");
  if (per == std::string_view::npos) return std::nullopt;
  const std::optional<double> count = parse_number(trim(text.substr(0, per)));
  const std::optional<DurationUs> time = parse_duration(trim(text.substr(per + 5)));
  if (!count || *count <= 0 || *count > 1e9 || !time || *time <= 0) return std::nullopt;
  return std::pair(*count, *time);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  static constexpr Unit units[] = {{"KiB", 1ULL << 10},
                                   {"MiB", 1ULL << 20},
                                   {"GiB", 1ULL << 30},
                                   {"TiB", 1ULL << 40},
                                   {"kB", 1'000},
                                   {"MB", 1'000'000},
                                   {"GB", 1'000'000'000},
                                   {"TB", 1'000'000'000'000},
                                   {"B", 1}};
  for (const Unit& unit : units) {
    if (!text.ends_with(unit.name)) continue;
    const std::optional<std::int64_t> n = parse_integer(trim(text.substr(0, text.size() - unit.name.size())));
    if (!n || *n <= 0 || static_cast<std::uint64_t>(*n) > (1ULL << 50) / unit.bytes) return std::nullopt;
    return static_cast<std::uint64_t>(*n) * unit.bytes;
  }
  return std::nullopt;
}

bool is_time_zone(std::string_view text) {
  try {
    return date::locate_zone(text) != nullptr;
  } catch (const std::exception&) {  // no such zone
    return false;
  }
}

std::string closest_time_zone(std::string_view text) {
  try {
    std::vector<std::string> names;
    for (const auto& zone : date::get_tzdb().zones) names.push_back(zone.name());
    const auto same = std::find_if(names.begin(), names.end(), [text](const std::string& name) {
      return equals_ignoring_case(name, text) ||
             (name.size() > text.size() + 1 && !text.empty() &&
              equals_ignoring_case(std::string_view(name).substr(name.size() - text.size()), text) &&
              name[name.size() - text.size() - 1] == '/');
    });
    return same != names.end() ? *same : closest(text, names);
  } catch (const std::exception&) {  // no time zones on this machine
    return {};
  }
}

bool is_country(std::string_view text) {
  if (text.size() != 2 || text.find(' ') != std::string_view::npos) return false;
  const std::size_t at = countries.find(std::string(text) + " ");
  return at != std::string_view::npos && at % 3 == 0;
}

std::string closest_country(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (upper == "UK") return "GB";
  return is_country(upper) ? upper : std::string();
}

bool leaves_folder(std::string_view path) {
  const std::vector<std::string_view> parts = split(path, '/');
  return !path.starts_with('/') && std::find(parts.begin(), parts.end(), "..") != parts.end();
}

bool is_url(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0 || !is_letter(text[0])) return false;
  const std::string_view rest = text.substr(scheme + 3);
  return !rest.empty() && rest[0] != '/' && rest[0] != ':' &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' '; });
}

bool is_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !is_port(text.substr(colon + 1))) return false;
  const std::string_view host = text.substr(0, colon);
  return is_bracketed_ipv6(host) || is_host(host);
}

bool is_host_pattern(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  return is_host(text) || is_host_port(text) || is_bracketed_ipv6(text);
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 64 || !(is_letter(text[0]) || is_digit(text[0]) || text[0] == '_'))
    return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.'; });
}

}  // namespace sluice::config
