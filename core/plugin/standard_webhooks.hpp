// Signs a request by Standard Webhooks 1.0.0 (www.standardwebhooks.com), scheme v1: the manifest's auth
// "standard_webhooks".
#pragma once

#include <string>
#include <string_view>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/http_request.hpp"

namespace sluice::plugin {

// "whsec_" and the base64 of 24 to 64 bytes -> those bytes. misconfigured: it is something else.
Result<std::string> webhook_secret(std::string_view text);  // [any]

// Adds webhook-timestamp and webhook-signature, over the request's webhook-id, `now` and body; a request
// without a webhook-id is left as it is. Call it anew for each attempt: receivers refuse what is five minutes
// off.
void sign_standard_webhook(std::string_view secret_bytes, TimeUs now, HttpRequest& request);  // [any]

}  // namespace sluice::plugin
