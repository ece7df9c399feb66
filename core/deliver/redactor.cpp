#include <algorithm>

#include <re2/re2.h>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "deliver/connector_courier.hpp"
#include "plugin/url.hpp"

namespace sluice::deliver {

namespace {

constexpr std::size_t secret_bytes_min = 4;  // what is shorter stands in every text

void collect(Json with, Json expanded, std::vector<std::string>& out) {
  if (expanded.is_string()) {
    const std::string_view value = *expanded.string();
    if (with.string() != value) out.emplace_back(value);
  } else if (expanded.is_object()) {
    expanded.members([&](std::string_view key, Json value) { collect(with[key], value, out); });
  } else if (expanded.type() == JsonType::array) {
    std::size_t i = 0;
    expanded.elements([&](Json value) { collect(with.at(i++), value, out); });
  }
}

}  // namespace

Redactor::Redactor(std::string_view with, std::string_view expanded,
                   const std::vector<std::string>& secret_fields) {
  JsonParser with_parser, expanded_parser;
  const Json before = with_parser.parse(with);
  const Json after = expanded_parser.parse(expanded);
  collect(before, after, first_);
  for (const std::string& field : secret_fields) {
    if (const auto value = after[field].string()) first_.emplace_back(*value);
  }
  gather();
}

void Redactor::add(std::string_view secret) {
  if (std::find(later_.begin(), later_.end(), secret) != later_.end()) return;
  if (later_.size() == later_secrets_max) later_.erase(later_.begin());
  later_.emplace_back(secret);
  gather();
}

void Redactor::gather() {
  secrets_.clear();
  std::vector<std::string> found = first_;
  found.insert(found.end(), later_.begin(), later_.end());
  for (const std::string& secret : found) {
    if (secret.size() < secret_bytes_min) continue;
    // As it is, as JSON and URLs write it, and as basic authentication may.
    const std::string quoted = json_string(secret);
    for (std::string form :
         {secret, quoted.substr(1, quoted.size() - 2), plugin::percent_encode(secret), base64(secret)}) {
      secrets_.push_back(std::move(form));
    }
  }
  std::sort(secrets_.begin(), secrets_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  secrets_.erase(std::unique(secrets_.begin(), secrets_.end()), secrets_.end());
}

std::string Redactor::operator()(std::string_view text) const {
  std::string out(text);
  for (const std::string& secret : secrets_) {
    for (std::size_t at = out.find(secret); at != std::string::npos; at = out.find(secret, at + 3)) {
      out.replace(at, secret.size(), "***");
    }
  }
  if (out.find('=') == std::string::npos) return out;
  // What a connector works out of a secret is unknown here, and is known by its name: appsecret_proof,
  // signature.
  static const RE2 credential(
      R"((?i)((?:^|[?&\s])[\w.-]*(?:token|secret|signature|sig|proof|password|api_?key)=)[^&\s"]+)");
  RE2::GlobalReplace(&out, credential, R"(\1***)");
  return out;
}

}  // namespace sluice::deliver
