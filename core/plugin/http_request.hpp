// From what a connector asks for to what may be sent: the URL on the manifest's base, its host allowed,
// credentials added.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "base/time.hpp"
#include "plugin/manifest.hpp"
#include "plugin/types.hpp"

namespace sluice::plugin {

struct HttpRequest {  // holds secrets: never logged
  std::string method = {}, url = {};
  std::vector<Header> headers = {};
  std::string body = {};
  DurationUs timeout = 30 * us_per_s;
  bool gzip = false;  // compress the body and say so
  // The operator named this host in the configuration (base_url or allow_hosts), so private addresses are
  // meant.
  bool host_trusted = false;
  bool for_credentials = false;  // to a token endpoint: it delivers nothing
};

// How one source or destination speaks HTTP. Plain data. [any]
struct HttpPolicy {
  std::string name = {};                      // of the source or destination
  std::string base_url = {};                  // expanded; empty: none
  bool base_of_operator = false;              // its host stands in the configuration, not in the manifest
  std::vector<std::string> hosts = {};        // of the manifest: patterns, "*" matches within a label
  std::vector<std::string> allow_hosts = {};  // of the operator: the same, and trusted
  Auth auth;                                  // expanded: holds secrets
  DurationUs timeout = 30 * us_per_s;
};

// `config` and `secrets` fill the templates of the manifest. misconfigured: a field is missing, or base_url
// is no URL.
Result<HttpPolicy> make_http_policy(const ManifestInfo& info, std::string_view config_json,
                                    const std::map<std::string, std::string>& secrets,
                                    std::vector<std::string> allow_hosts);

// `now` is the wall clock of this attempt, which signatures carry: resolve anew before each sending.
// rejected: the URL is none of http(s), or its host is not one of the policy's.
Result<HttpRequest> resolve(const HttpPolicy& policy, const Request& request, TimeUs now);

}  // namespace sluice::plugin
