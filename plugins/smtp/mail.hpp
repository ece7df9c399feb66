// Writes one mail as RFC 5322 and MIME (RFC 2045 to 2047) want it: CRLF, lines of at most 78 characters,
// nothing but ASCII. Pure. No text that is given can start a header of its own: control characters become
// spaces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::smtp {

struct Mailbox {
  std::string name;  // for people; may be empty
  std::string address;
};

// "Acme <shop@acme.test>" or "shop@acme.test". Nothing if it is neither.
std::optional<Mailbox> parse_mailbox(std::string_view text);

// One plain ASCII address: local part, @, domain; no spaces, quotes, brackets or control characters; at most
// 254 characters.
bool is_address(std::string_view text);

// What List-Unsubscribe can carry: an https, http or mailto URL without spaces, commas and angle brackets.
bool is_unsubscribe_url(std::string_view text);

struct Mail {
  Mailbox from;
  std::string_view to;  // is_address()
  std::optional<Mailbox> reply_to;
  std::string_view subject, text, html;  // at least one of text and html
  std::string_view unsubscribe_url;      // is_unsubscribe_url(), or empty
  std::string_view key;                  // the idempotency key: the Message-ID is made of it
  std::int64_t time_us = 0;
};

std::string message_id(std::string_view key, std::string_view from_address);  // <key@domain>
std::string compose(const Mail& mail);

}  // namespace sluice::smtp
