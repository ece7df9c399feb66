// A manifest's "routes": where vendors call back, and how the hub knows that it is the vendor who calls.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "base/json.hpp"
#include "base/time.hpp"
#include "plugin/types.hpp"

namespace sluice::plugin {

enum class VerifyKind : std::uint8_t {
  unsaid,  // the manifest says nothing: no such route is opened
  none,    // said so: anybody may call
  hmac_sha256,
  standard_webhooks,  // 1.0.0, scheme v1
  twilio,             // HMAC-SHA1 over the public URL and the sorted form fields, or the hash of another body
};

struct Verify {
  VerifyKind kind = VerifyKind::unsaid;
  std::vector<std::string> secrets = {};  // fields of `with:`: any that is set may have signed (rotation)
  std::string header = {}, prefix = {};   // hmac_sha256; the prefix stands before the signature: "sha256="
  bool base64 = false;                    // hmac_sha256: else hex
  std::string timestamp_header = {};      // hmac_sha256: signed is TIMESTAMP.BODY, in Unix seconds
  DurationUs tolerance = 5 * us_per_min;  // of a timestamp, either way

  bool covers_url() const { return kind == VerifyKind::twilio; }
};

struct WebhookRoute {
  std::string path = {};                  // "/status"; "/contact/*": whatever stands below
  std::vector<std::string> methods = {};  // upper case; never empty
  Verify verify = {};
  bool subscribed = false;  // subscribe() is asked to register it
};

Result<std::vector<WebhookRoute>> parse_routes(Json routes);  // of a connector [any]

// Whether the route's path takes this one, which begins with '/'.
bool route_takes(const WebhookRoute& route, std::string_view path);

enum class Refusal : std::uint8_t { none, no_signature, bad_signature, stale, no_secret };
inline constexpr std::size_t refusals = 5;
std::string_view name_of(Refusal refusal);

// Whether who holds the secret made this request. `secrets`: the values of verify.secrets that are set.
// `url`: the public one that was called, with its query. Compares in constant time. [any]
Refusal verify_request(const Verify& verify, const std::vector<std::string>& secrets,
                       const Incoming& incoming, const std::string& url, TimeUs now);

// The fields of an application/x-www-form-urlencoded text, decoded, in their order. [any]
std::vector<std::pair<std::string, std::string>> form_fields(std::string_view text);

}  // namespace sluice::plugin
