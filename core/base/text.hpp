// Small text tools without locale.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

bool valid_utf8(std::string_view text);
std::string lower_ascii(std::string_view text);
std::string_view trim(std::string_view text);                       // ASCII white space
bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII
std::vector<std::string_view> split(std::string_view text, char separator);
// For the text and the quoted attributes of HTML.
void append_html_escaped(std::string& out, std::string_view text);
// Names from `candidates` near enough to `name` to be what was meant, best first (optimal string alignment,
// at most a third of its length and at least 1); empty if none is.
std::string closest(std::string_view name, const std::vector<std::string>& candidates);
// Like a shell: `*` any run without '/', `?` one character.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace sluice
