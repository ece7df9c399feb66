#include "net/message.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace sluice::net {

std::string_view Request::header(std::string_view name) const {
  for (const Field& f : fields_) {
    const std::string_view text = fields_text_;
    if (equals_ignoring_case(text.substr(f.name, f.value - f.name), name))
      return text.substr(f.value, f.end - f.value);
  }
  return {};
}

void Request::add_header(std::string_view name, std::string_view value) {
  const auto at = [&] { return static_cast<std::uint32_t>(fields_text_.size()); };
  Field f{at(), 0, 0};
  fields_text_ += name;
  f.value = at();
  fields_text_ += value;
  f.end = at();
  fields_.push_back(f);
}

std::string Request::query(std::string_view name) const {
  for (const std::string_view part : split(query_text, '&')) {
    const std::size_t equals = part.find('=');
    if (percent_decode(part.substr(0, equals), true) != name) continue;
    return equals == std::string_view::npos ? std::string{} : percent_decode(part.substr(equals + 1), true);
  }
  return {};
}

namespace {
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

void set_target(Request& request, std::string_view target) {
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme != std::string_view::npos) {
      const std::size_t path = target.find_first_of("/?", scheme + 3);
      target = path == std::string_view::npos ? "/" : target.substr(path);
    }
  }
  target = target.substr(0, target.find('#'));
  const std::size_t question = target.find('?');
  request.path = percent_decode(target.substr(0, question), false);
  if (question != std::string_view::npos) request.query_text = target.substr(question + 1);
}

std::string_view reason_phrase(int status) {
  struct Phrase {
    int status;
    std::string_view text;
  };
  static constexpr std::array<Phrase, 24> phrases{{
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {415, "Unsupported Media Type"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
  }};
  const auto* found =
      std::find_if(phrases.begin(), phrases.end(), [&](const Phrase& p) { return p.status == status; });
  return found == phrases.end() ? "Unknown" : found->text;
}

void append_response(std::string& out, const Response& response, bool close, bool head) {
  const bool bodiless = response.status == 204 || response.status == 304 || response.status < 200;
  out += "HTTP/1.1 ";
  out += std::to_string(response.status);
  out += ' ';
  out += reason_phrase(response.status);
  if (!bodiless) {
    out += "\r\nContent-Length: ";
    out += std::to_string(response.body.size());
    if (!response.body.empty()) {
      out += "\r\nContent-Type: ";
      out += response.content_type;
    }
  }
  for (const auto& [name, value] : response.headers) {
    out += "\r\n";
    out += name;
    out += ": ";
    // A line break in a value would let it add headers of its own.
    for (const char c : value) out += c == '\r' || c == '\n' ? ' ' : c;
  }
  if (close) out += "\r\nConnection: close";
  out += "\r\n\r\n";
  if (!bodiless && !head) out += response.body;
}

}  // namespace sluice::net
