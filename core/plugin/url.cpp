#include "plugin/url.hpp"

#include <algorithm>

namespace sluice::plugin {

std::optional<UrlParts> split_url(std::string_view url) {
  for (const char c : url) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '\\' || c == '#' || c == '\x7f') return std::nullopt;
  }
  UrlParts out;
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  out.scheme = url.substr(0, colon);
  if (out.scheme != "http" && out.scheme != "https") return std::nullopt;
  const std::string_view tail = url.substr(colon + 3);
  const std::size_t end = std::min(tail.find_first_of("/?"), tail.size());
  std::string_view authority = tail.substr(0, end);
  out.rest = tail.substr(end);
  if (authority.find('@') != std::string_view::npos) return std::nullopt;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    out.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
  } else {
    out.host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(out.host.size());
  }
  if (!authority.empty() && (!authority.starts_with(':') || authority.size() == 1)) return std::nullopt;
  if (!authority.empty()) out.port = authority.substr(1);
  const bool digits =
      std::all_of(out.port.begin(), out.port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (out.host.empty() || !digits) return std::nullopt;
  return out;
}

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[u >> 4];
      out += digits[u & 15];
    }
  }
  return out;
}

}  // namespace sluice::plugin
