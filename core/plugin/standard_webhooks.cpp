#include "plugin/standard_webhooks.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace sluice::plugin {

namespace {

constexpr std::string_view secret_prefix = "whsec_";
constexpr std::size_t secret_bytes_min = 24;
constexpr std::size_t secret_bytes_max = 64;

}  // namespace

Result<std::string> webhook_secret(std::string_view text) {
  std::string bytes;
  const bool good = text.starts_with(secret_prefix) &&
                    base64_decode(text.substr(secret_prefix.size()), bytes) &&
                    bytes.size() >= secret_bytes_min && bytes.size() <= secret_bytes_max;
  if (good) return bytes;
  return Error{Code::misconfigured,
               "the signing secret in 'with:' must be whsec_ and the base64 of 24 to 64 bytes"};
}

void sign_standard_webhook(std::string_view secret_bytes, TimeUs now, HttpRequest& request) {
  const auto id = std::find_if(request.headers.begin(), request.headers.end(),
                               [](const Header& header) { return header.name == "webhook-id"; });
  if (id == request.headers.end()) return;
  const std::string timestamp = std::to_string(now / us_per_s);
  std::string text = id->value + '.' + timestamp + '.';
  text += request.body;
  request.headers.push_back({"webhook-timestamp", timestamp});
  request.headers.push_back({"webhook-signature", "v1," + base64(hmac_sha256(secret_bytes, text))});
}

}  // namespace sluice::plugin
