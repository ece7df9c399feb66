#include "plugin/kept_token.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "base/json.hpp"

namespace sluice::plugin {

std::string KeptToken::text() const {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().member("refresh_token", refresh).member("access_token", access);
  writer.member_integer("until", until).member("scopes", scopes);
  if (connected != 0) writer.member_integer("connected", connected);
  if (refused != 0) writer.member_integer("refused", refused);
  writer.end_object();
  return out;
}

KeptToken KeptToken::parse(std::string_view text) {
  JsonParser parser;
  const Json document = parser.parse(text);
  return {.refresh = std::string(document["refresh_token"].string_or("")),
          .access = std::string(document["access_token"].string_or("")),
          .until = document["until"].integer().value_or(0),
          .scopes = std::string(document["scopes"].string_or("")),
          .connected = document["connected"].integer().value_or(0),
          .refused = document["refused"].integer().value_or(0)};
}

std::string kept_token_name(const OAuth2& auth) {
  const std::string which = auth.token_url + '\n' + auth.client_id + '\n' + auth.refresh_token;
  return "oauth2/" + sha256_hex(which).substr(0, 32);
}

TimeUs last_use(TimeUs expires, TimeUs now) {
  if (expires == never) return never;
  return expires - std::min(token_margin_max, std::max<DurationUs>(0, expires - now) / 10);
}

}  // namespace sluice::plugin
