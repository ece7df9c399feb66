#include "mail.hpp"

#include <algorithm>

#include "sluice/time.hpp"

namespace sluice::smtp {

namespace {

constexpr std::size_t line_chars_max = 76;
constexpr std::size_t encoded_bytes_max =
    42;  // of text in one encoded word: 56 characters of base64 and 12 around them
constexpr std::size_t address_chars_max = 254;  // RFC 5321, 4.5.3.1.3
constexpr std::size_t url_chars_max = 900;      // a header's line has at most 998

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}
bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}
bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || is_control(text.front()))) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || is_control(text.back()))) text.remove_suffix(1);
  return text;
}

// One line: runs of control characters and spaces become one space.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : trimmed(text)) {
    if (!is_control(c)) {
      out += c;
    } else if (!out.ends_with(' ')) {
      out += ' ';
    }
  }
  return out;
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += i + j <= bytes.size() ? letters[group >> (18 - 6 * j) & 63] : '=';
    }
  }
}

// Encoded words (RFC 2047), each on a line of its own and none cutting a character in two.
void append_encoded_words(std::string& out, std::string_view text) {
  for (bool more = false; !text.empty(); more = true) {
    std::size_t size = std::min(text.size(), encoded_bytes_max);
    while (size < text.size() && size > 1 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    out += more ? "\r\n =?utf-8?B?" : "=?utf-8?B?";
    append_base64(out, text.substr(0, size));
    out += "?=";
    text.remove_prefix(size);
  }
}

// Free text of a header. What is short ASCII stands as it is; all else becomes encoded words, which also
// fold.
void append_text_header(std::string& out, std::string_view name, std::string_view value) {
  const std::string text = on_one_line(value);
  out.append(name).append(": ");
  const bool plain = is_ascii(text) && name.size() + 2 + text.size() <= line_chars_max &&
                     text.find("=?") == std::string::npos;
  if (plain) {
    out += text;
  } else {
    append_encoded_words(out, text);
  }
  out += "\r\n";
}

void append_mailbox_header(std::string& out, std::string_view name, const Mailbox& mailbox) {
  const std::string display = on_one_line(mailbox.name);
  out.append(name).append(": ");
  if (display.empty()) {
    out.append(mailbox.address).append("\r\n");
    return;
  }
  if (!is_ascii(display) || display.size() > line_chars_max / 2 || display.find("=?") != std::string::npos) {
    append_encoded_words(out, display);
  } else {
    out += '"';
    for (const char c : display) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  out.append("\r\n <").append(mailbox.address).append(">\r\n");
}

// Quoted-printable (RFC 2045, 6.7). All kinds of line ends become CRLF.
class QuotedPrintable {
 public:
  explicit QuotedPrintable(std::string& out) : out_(out) {}

  void append(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '\r' || c == '\n') {
        if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
        end_line();
      } else {
        const bool last = i + 1 == text.size() || text[i + 1] == '\r' || text[i + 1] == '\n';
        append_byte(c, last);
      }
    }
    end_line();
  }

 private:
  void end_line() {
    out_ += "\r\n";
    column_ = 0;
  }
  void append_byte(char c, bool last_of_line) {
    constexpr char hex[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    const bool blank = c == ' ' || c == '\t';
    const bool as_it_is = blank ? !last_of_line : byte > 0x20 && byte < 0x7F && c != '=';
    const std::size_t width = as_it_is ? 1 : 3;
    if (column_ + width >= line_chars_max) {
      out_ += "=\r\n";
      column_ = 0;
    }
    if (as_it_is) {
      out_ += c;
    } else {
      out_ += '=';
      out_ += hex[byte >> 4];
      out_ += hex[byte & 15];
    }
    column_ += width;
  }
  std::string& out_;
  std::size_t column_ = 0;
};

void append_part(std::string& out, std::string_view type, std::string_view text) {
  out.append("Content-Type: ")
      .append(type)
      .append("; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
  QuotedPrintable(out).append(text);
}

void append_date(std::string& out, std::int64_t time_us) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sdk::Civil at = sdk::civil_of(time_us);
  out.append("Date: ").append(days[at.weekday]).append(", ");
  sdk::append_digits(out, at.day, 2);
  out.append(" ").append(months[at.month - 1]).append(" ");
  sdk::append_digits(out, at.year, 4);
  out += ' ';
  sdk::append_digits(out, at.hour, 2);
  out += ':';
  sdk::append_digits(out, at.minute, 2);
  out += ':';
  sdk::append_digits(out, at.second, 2);
  out += " +0000\r\n";
}

void append_unsubscribe(std::string& out, std::string_view url) {
  if (url.empty()) return;
  out.append("List-Unsubscribe: <").append(url).append(">\r\n");
  if (url.starts_with("https://"))
    out += "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";  // RFC 8058
}

// The key as a Message-ID's left side may be written (dot-atom).
std::string atom_of(std::string_view key) {
  std::string out;
  for (const char c : key) {
    const bool dot = c == '.' && !out.empty() && out.back() != '.';
    out += is_letter_or_digit(c) || c == '_' || dot ? c : '-';
  }
  if (out.empty() || out.back() == '.') out += '0';
  return out;
}

}  // namespace

std::optional<Mailbox> parse_mailbox(std::string_view text) {
  text = trimmed(text);
  const std::size_t open = text.find('<');
  if (open == std::string_view::npos) {
    return is_address(text) ? std::optional(Mailbox{{}, std::string(text)}) : std::nullopt;
  }
  if (!text.ends_with('>')) return std::nullopt;
  const std::string_view address = text.substr(open + 1, text.size() - open - 2);
  std::string_view name = trimmed(text.substr(0, open));
  if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
  return is_address(address) ? std::optional(Mailbox{std::string(name), std::string(address)}) : std::nullopt;
}

bool is_address(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == text.size() || text.size() > address_chars_max)
    return false;
  return std::count(text.begin(), text.end(), '@') == 1 && std::all_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F &&
                  std::string_view("<>()[]\\,;:\"").find(c) == std::string_view::npos;
         });
}

bool is_unsubscribe_url(std::string_view text) {
  const bool scheme =
      text.starts_with("https://") || text.starts_with("http://") || text.starts_with("mailto:");
  return scheme && text.size() <= url_chars_max && is_ascii(text) &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return is_control(c) || c == ' ' || c == '<' || c == '>' || c == ','; });
}

std::string message_id(std::string_view key, std::string_view from_address) {
  const std::size_t at = from_address.find('@');
  return "<" + atom_of(key) + "@" + std::string(from_address.substr(at + 1)) + ">";
}

std::string compose(const Mail& mail) {
  std::string out;
  out.reserve(mail.text.size() + mail.html.size() + mail.html.size() / 4 + 1024);
  append_date(out, mail.time_us);
  append_mailbox_header(out, "From", mail.from);
  append_mailbox_header(out, "To", Mailbox{{}, std::string(mail.to)});
  if (mail.reply_to) append_mailbox_header(out, "Reply-To", *mail.reply_to);
  append_text_header(out, "Subject", mail.subject);
  out.append("Message-ID: ").append(message_id(mail.key, mail.from.address)).append("\r\n");
  append_unsubscribe(out, mail.unsubscribe_url);
  out.append("X-Sluice-Key: ").append(atom_of(mail.key)).append("\r\nMIME-Version: 1.0\r\n");
  if (mail.text.empty() || mail.html.empty()) {
    append_part(out, mail.html.empty() ? "text/plain" : "text/html",
                mail.html.empty() ? mail.text : mail.html);
    return out;
  }
  // "=_" never stands in quoted-printable text, so no part can hold the boundary.
  const std::string boundary = "=_" + atom_of(mail.key).substr(0, 60);
  out.append("Content-Type: multipart/alternative;\r\n boundary=\"").append(boundary).append("\"\r\n\r\n");
  out.append("--").append(boundary).append("\r\n");
  append_part(out, "text/plain", mail.text);
  out.append("--").append(boundary).append("\r\n");
  append_part(out, "text/html", mail.html);
  out.append("--").append(boundary).append("--\r\n");
  return out;
}

}  // namespace sluice::smtp
