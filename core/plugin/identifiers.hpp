// Which identifiers of a person a connector sees, and in which form: no more than its manifest asks for, so
// that a plugin holds no personal data that it does not need. [any]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

namespace sluice {
class Json;
}

namespace sluice::plugin {

inline constexpr std::string_view every_identifier = "*";

struct AskedIdentifier {
  // How vendors write a value before they compare or hash it; the hub's own form is trimmed, lower-cased, and
  // E.164 for phones.
  enum class Form : std::uint8_t {
    normal,
    digits,  // phone: without the "+" ("33612345678")
    gmail    // email: at gmail.com and googlemail.com the local part without dots and "+suffix"
  };
  std::string type = {};  // of the configuration's `identity:`; "*": every type that is not named itself
  Form form = Form::normal;
  bool sha256 = false;  // then hashed, as 64 lower-case hex digits
};

// The manifest's `identifiers`: texts, or objects {"type", "form", "hash"}.
Result<std::vector<AskedIdentifier>> parse_identifiers(Json list);

// One value in the form that is asked for. With `sha256` a value that is 64 hex digits counts as hashed.
std::string in_form(const AskedIdentifier& asked, std::string_view value);

// Of {"user_id": ["…"], "email": ["…"]} what is asked for; "{}" if that is nothing. A text that is no such
// object gives "{}".
std::string asked_identifiers(const std::vector<AskedIdentifier>& asked, std::string_view identifiers);

}  // namespace sluice::plugin
