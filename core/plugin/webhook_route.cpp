#include "plugin/webhook_route.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "net/server.hpp"
#include "plugin/standard_webhooks.hpp"

namespace sluice::plugin {

namespace {

constexpr DurationUs tolerance_max = us_per_d;

// Twilio's; of all signatures here the one that is not SHA-256.
std::string hmac_sha1(std::string_view key, std::string_view text) {
  std::string out(20, '\0');
  unsigned size = 0;
  SLUICE_CHECK(HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()),
                    reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                    reinterpret_cast<unsigned char*>(out.data()), &size) != nullptr);
  return out;
}

std::string upper_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

Error bad(const std::string& what) {
  return {Code::rejected, "manifest: 'routes' " + what};
}

Result<VerifyKind> kind_of(std::string_view type) {
  constexpr std::pair<std::string_view, VerifyKind> known[] = {
      {"none", VerifyKind::none},
      {"hmac_sha256", VerifyKind::hmac_sha256},
      {"standard_webhooks", VerifyKind::standard_webhooks},
      {"twilio", VerifyKind::twilio}};
  for (const auto& [name, kind] : known) {
    if (name == type) return kind;
  }
  return bad("verify by '" + std::string(type) +
             "'; hmac_sha256, standard_webhooks, twilio and none are known");
}

Result<Verify> verify_of(Json verify) {
  Verify out;
  if (!verify) return out;
  out.kind = SLUICE_TRY(kind_of(verify["type"].string_or("")));
  const Json secret = verify["secret"];
  if (secret.is_string()) out.secrets.emplace_back(*secret.string());
  secret.elements([&](Json one) { out.secrets.emplace_back(one.string_or("")); });
  const bool named = !out.secrets.empty() && std::none_of(out.secrets.begin(), out.secrets.end(),
                                                          [](const std::string& s) { return s.empty(); });
  if (out.kind != VerifyKind::none && !named)
    return bad("verify a signature and do not name its 'secret', a field of 'config'");
  out.header = lower_ascii(verify["header"].string_or(""));
  if (out.kind == VerifyKind::hmac_sha256 && out.header.empty())
    return bad("verify by hmac_sha256 and do not name the 'header' of the signature");
  out.prefix = verify["prefix"].string_or("");
  const std::string_view encoding = verify["encoding"].string_or("hex");
  if (encoding != "hex" && encoding != "base64")
    return bad("have an 'encoding' that is neither hex nor base64");
  out.base64 = encoding == "base64";
  out.timestamp_header = lower_ascii(verify["timestamp_header"].string_or(""));
  if (const Json tolerance = verify["tolerance_s"]) {
    const std::optional<std::int64_t> s = tolerance.integer();
    if (!s || *s < 1 || *s * us_per_s > tolerance_max)
      return bad("have a 'tolerance_s' that is not 1 to 86400");
    out.tolerance = *s * us_per_s;
  }
  return out;
}

// Every one is computed, whichever fits: how long it takes tells nothing.
bool any_fits(const std::vector<std::string>& wanted, std::string_view given) {
  bool fits = false;
  for (const std::string& one : wanted) fits = equal_constant_time(one, given) || fits;
  return fits;
}

bool is_near(std::string_view unix_seconds, TimeUs now, DurationUs tolerance) {
  std::int64_t seconds = 0;
  const char* const end = unix_seconds.data() + unix_seconds.size();
  const auto read = std::from_chars(unix_seconds.data(), end, seconds);
  if (read.ec != std::errc() || read.ptr != end || seconds < 0 || seconds > 253'402'300'800) return false;
  const TimeUs at = seconds * us_per_s;
  return at >= now - tolerance && at <= now + tolerance;
}

std::string_view header_of(const Incoming& incoming, std::string_view name) {
  const auto found = std::find_if(incoming.headers.begin(), incoming.headers.end(),
                                  [&](const Header& h) { return h.name == name; });
  return found == incoming.headers.end() ? std::string_view{} : std::string_view(found->value);
}

Refusal verify_hmac(const Verify& verify, const std::vector<std::string>& secrets, const Incoming& incoming,
                    TimeUs now) {
  std::string_view given = header_of(incoming, verify.header);
  if (given.empty()) return Refusal::no_signature;
  if (!given.starts_with(verify.prefix)) return Refusal::bad_signature;
  given.remove_prefix(verify.prefix.size());
  std::string text = incoming.body;
  const std::string_view timestamp =
      verify.timestamp_header.empty() ? std::string_view{} : header_of(incoming, verify.timestamp_header);
  if (!verify.timestamp_header.empty()) {
    if (timestamp.empty()) return Refusal::no_signature;
    text.insert(0, std::string(timestamp) + '.');
  }
  std::vector<std::string> wanted;
  for (const std::string& secret : secrets) {
    const std::string mac = hmac_sha256(secret, text);
    wanted.push_back(verify.base64 ? base64(mac) : hex(mac));
  }
  if (!any_fits(wanted, verify.base64 ? std::string(given) : lower_ascii(given)))
    return Refusal::bad_signature;
  const bool fresh = verify.timestamp_header.empty() || is_near(timestamp, now, verify.tolerance);
  return fresh ? Refusal::none : Refusal::stale;
}

Refusal verify_standard(const Verify& verify, const std::vector<std::string>& secrets,
                        const Incoming& incoming, TimeUs now) {
  const std::string_view id = header_of(incoming, "webhook-id");
  const std::string_view timestamp = header_of(incoming, "webhook-timestamp");
  const std::string_view signatures = header_of(incoming, "webhook-signature");
  if (id.empty() || timestamp.empty() || signatures.empty()) return Refusal::no_signature;
  const std::string text = std::string(id) + '.' + std::string(timestamp) + '.' + incoming.body;
  std::vector<std::string> wanted;
  for (const std::string& secret : secrets) {
    if (const auto bytes = webhook_secret(secret))
      wanted.push_back("v1," + base64(hmac_sha256(bytes.value(), text)));
  }
  bool fits = false;
  for (const std::string_view one : split(signatures, ' ')) fits = any_fits(wanted, one) || fits;
  if (!fits) return Refusal::bad_signature;
  return is_near(timestamp, now, verify.tolerance) ? Refusal::none : Refusal::stale;
}

// As Twilio's own libraries: the fields sorted by name, values of one name sorted and each once.
std::string twilio_text(const std::string& url, std::string_view form) {
  std::set<std::pair<std::string, std::string>> sorted;
  for (auto& field : form_fields(form)) sorted.insert(std::move(field));
  std::string out = url;
  for (const auto& [name, value] : sorted) out.append(name).append(value);
  return out;
}

// The same URL without a port that is written in it: some of their services leave it out when they sign.
std::string without_port(const std::string& url) {
  const std::size_t host = url.find("://");
  if (host == std::string::npos) return url;
  const std::size_t path = url.find('/', host + 3), colon = url.rfind(':', path);
  if (colon == std::string::npos || colon <= host) return url;
  return url.substr(0, colon) + (path == std::string::npos ? "" : url.substr(path));
}

Refusal verify_twilio(const std::vector<std::string>& secrets, const Incoming& incoming,
                      const std::string& url) {
  const std::string_view given = header_of(incoming, "x-twilio-signature");
  if (given.empty()) return Refusal::no_signature;
  const bool form =
      lower_ascii(header_of(incoming, "content-type")).starts_with("application/x-www-form-urlencoded");
  std::string body_hash;
  for (const auto& [name, value] : form_fields(incoming.query)) {
    if (name == "bodySHA256") body_hash = lower_ascii(value);
  }
  if (!body_hash.empty()) {  // the signature covers the hash in the URL, and the hash the body
    if (!equal_constant_time(sha256_hex(incoming.body), body_hash)) return Refusal::bad_signature;
  } else if (!form && !incoming.body.empty()) {
    return Refusal::bad_signature;  // a body that nothing covers
  }
  const std::string_view fields =
      body_hash.empty() && form ? std::string_view(incoming.body) : std::string_view{};
  std::vector<std::string> wanted;
  for (const std::string& secret : secrets) {
    for (const std::string& called : {url, without_port(url)})
      wanted.push_back(base64(hmac_sha1(secret, twilio_text(called, fields))));
  }
  return any_fits(wanted, given) ? Refusal::none : Refusal::bad_signature;
}

}  // namespace

std::string_view name_of(Refusal refusal) {
  constexpr std::string_view names[] = {"none", "no_signature", "bad_signature", "stale", "no_secret"};
  static_assert(std::size(names) == refusals);
  return names[static_cast<std::size_t>(refusal)];
}

std::vector<std::pair<std::string, std::string>> form_fields(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string_view part : split(text, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
    out.emplace_back(net::percent_decode(part.substr(0, equals), true), net::percent_decode(value, true));
  }
  return out;
}

Result<std::vector<WebhookRoute>> parse_routes(Json routes) {
  std::vector<WebhookRoute> out;
  if (!routes) return out;
  if (routes.type() != JsonType::array) return bad("is no list");
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const Json route = routes.at(i);
    WebhookRoute one{.path = std::string(route["path"].string_or(""))};
    const std::size_t star = one.path.find('*');
    const bool good =
        one.path.starts_with('/') && one.path.find_first_of("?# \r\n") == std::string::npos &&
        (star == std::string::npos || (star + 1 == one.path.size() && one.path.ends_with("/*")));
    if (!good)
      return bad("have a 'path' that is none: \"/status\", or \"/status/*\" for all that stands below");
    bool texts = true;
    route["methods"].elements([&](Json method) {
      texts = texts && method.is_string();
      one.methods.push_back(upper_ascii(method.string_or("")));
    });
    if (!texts) return bad("have 'methods' that are no texts");
    if (one.methods.empty()) one.methods.emplace_back("POST");
    one.verify = SLUICE_TRY(verify_of(route["verify"]));
    one.subscribed = route["subscribe"].boolean().value_or(false);
    out.push_back(std::move(one));
  }
  return out;
}

bool route_takes(const WebhookRoute& route, std::string_view path) {
  if (!route.path.ends_with("/*")) return path == route.path;
  const std::string_view below = std::string_view(route.path).substr(0, route.path.size() - 1);
  return path.starts_with(below) && path.size() > below.size();
}

Refusal verify_request(const Verify& verify, const std::vector<std::string>& secrets,
                       const Incoming& incoming, const std::string& url, TimeUs now) {
  if (verify.kind == VerifyKind::none) return Refusal::none;
  if (secrets.empty()) return Refusal::no_secret;
  switch (verify.kind) {
    case VerifyKind::hmac_sha256:
      return verify_hmac(verify, secrets, incoming, now);
    case VerifyKind::standard_webhooks:
      return verify_standard(verify, secrets, incoming, now);
    case VerifyKind::twilio:
      return verify_twilio(secrets, incoming, url);
    default:
      return Refusal::no_signature;
  }
}

}  // namespace sluice::plugin
