// Cells to UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace csv {

enum class Encoding : std::uint8_t { utf_8, windows_1252, iso_8859_1, iso_8859_15 };

std::optional<Encoding> encoding_of(std::string_view name);  // in any case

bool valid_utf8(std::string_view text);
// Appends `text` as UTF-8; false when it is not valid in its encoding. Bytes that windows-1252 leaves out
// stand for control characters, as browsers read them.
bool append_utf8(std::string& out, std::string_view text, Encoding encoding);

}  // namespace csv
