// Texts of connectors.yaml that have a form of their own. Each reader yields nothing where the text has not
// that form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.hpp"

namespace sluice::config {

std::optional<std::pair<double, DurationUs>> parse_rate(std::string_view text);  // "250 per 1s"
std::optional<std::uint64_t> parse_size(std::string_view text);                  // "512MiB", "64kB", "100B"
std::optional<std::int64_t> parse_integer(std::string_view text);                // "5"; no "06", no "1_000"
std::optional<bool> parse_boolean(std::string_view text);  // "true", "false", nothing else
bool is_json_number(std::string_view text);

bool is_time_zone(std::string_view text);  // "Europe/Paris"
std::string closest_time_zone(std::string_view text);
bool is_country(std::string_view text);  // "FR"
std::string closest_country(std::string_view text);
// Whether a relative path has a part "..": what a file names stays under its folder, or is named from the
// root.
bool leaves_folder(std::string_view path);
bool is_url(std::string_view text);           // scheme://host…, without white space
bool is_host_port(std::string_view text);     // "127.0.0.1:8080", "[::1]:80", "localhost:0"
bool is_host_pattern(std::string_view text);  // "rest.example.com", "*.example.com", with or without a port
bool is_name(std::string_view text);          // letters, digits, _ . -, no more than 64, no . or - first

}  // namespace sluice::config
