// Identifiers in the one form in which they are compared and stored.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// Trimmed, NFC where it already is, lower-cased (ASCII and Latin, Greek and Cyrillic letters); nothing when
// it is no address: exactly one '@', a dot in the domain, no white space or control characters, at most 254
// bytes.
std::optional<std::string> normalize_email(std::string_view text);

enum class PhoneKind { any, mobile };
// E.164 ("+33612345678") by libphonenumber. `country` (ISO 3166 alpha-2) is for national numbers; without it
// only international ones ("+33 6…", "0033…") are read. Nothing when the number cannot exist or, with
// `mobile`, is no mobile. [any]
std::optional<std::string> normalize_phone(std::string_view text, std::string_view country,
                                           PhoneKind kind = PhoneKind::any);

// The version of the phone metadata, for the epoch.
std::string phone_metadata_version();

}  // namespace sluice
