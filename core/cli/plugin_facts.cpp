#include "cli/plugin_facts.hpp"

#include <algorithm>
#include <cmath>

#include "sluice/plugin.h"

#include "base/text.hpp"
#include "cli/setup.hpp"

namespace sluice::cli {

namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out;
}

std::string texts_of(Json list) {
  std::vector<std::string> out;
  list.elements([&](Json one) { out.emplace_back(one.is_string() ? *one.string() : one.text()); });
  return joined(out);
}

std::string rate_text(const plugin::Rate& rate) {
  const char* const unit = rate.per == us_per_s     ? "second"
                           : rate.per == us_per_min ? "minute"
                           : rate.per == us_per_h   ? "hour"
                                                    : "day";
  std::string count = std::to_string(std::llround(rate.count));
  if (std::abs(rate.count - std::round(rate.count)) > 1e-9) count = std::to_string(rate.count);
  return (rate.bucket.empty() ? "" : rate.bucket + " ") + count + " per " + unit;
}

// Of the manifest's own words: secrets stand in it by name alone.
std::string auth_text(Json auth) {
  if (auth.type() == JsonType::array) {
    std::string either;
    auth.elements([&](Json one) { either += (either.empty() ? "" : "; or ") + auth_text(one); });
    return either;
  }
  const std::string type(auth["type"].string_or("none"));
  if (type == "none") return "none";
  std::string out = type;
  if (auth["name"].is_string()) out += " " + std::string(*auth["name"].string());
  for (const char* const member : {"grant", "value", "user", "password"}) {
    if (auth[member].is_string()) out += (out == type ? " " : ": ") + std::string(*auth[member].string());
  }
  return out;
}

std::string identifiers_text(const std::vector<plugin::AskedIdentifier>& asked) {
  using Form = plugin::AskedIdentifier::Form;
  std::vector<std::string> out;
  for (const plugin::AskedIdentifier& one : asked) {
    std::string text = one.type == plugin::every_identifier ? "all others" : one.type;
    if (one.form == Form::digits) text += " in digits";
    if (one.form == Form::gmail) text += " as Gmail reads it";
    out.push_back(text + (one.sha256 ? " as SHA-256" : ""));
  }
  return joined(out);
}

const char* verified_by(plugin::VerifyKind kind) {
  switch (kind) {
    case plugin::VerifyKind::hmac_sha256:
      return " (HMAC-SHA256)";
    case plugin::VerifyKind::standard_webhooks:
      return " (Standard Webhooks)";
    case plugin::VerifyKind::twilio:
      return " (Twilio's signature)";
    case plugin::VerifyKind::none:
      return " (by anybody)";
    case plugin::VerifyKind::unsaid:
      break;
  }
  return " (unverified)";
}

std::string routes_text(const std::vector<plugin::WebhookRoute>& routes) {
  std::vector<std::string> out;
  for (const plugin::WebhookRoute& route : routes) {
    out.push_back(joined(route.methods) + ' ' + route.path + verified_by(route.verify.kind));
  }
  return joined(out);
}

std::string needs_text(const plugin::ManifestInfo& info) {
  if (info.network && info.files) return "the network and files of its own";
  if (info.network) return "the network";
  return info.files ? "files" : "";
}

std::string format_text(std::string_view format) {
  if (format == "uri") return "a URL";
  if (format == "path") return "a path";
  return format == "timezone" ? "a time zone" : std::string(format);
}

std::string type_text(Json property) {
  if (property["enum"].size() > 0) return "one of " + texts_of(property["enum"]);
  if (property["const"]) return property["const"].text();
  std::string type(property["type"].string_or(""));
  if (property["type"].type() == JsonType::array) type = texts_of(property["type"]);
  if (type == "string") type = "text";
  for (const char* const either : {"anyOf", "oneOf"}) {
    property[either].elements([&](Json one) { type += (type.empty() ? "" : " or ") + type_text(one); });
  }
  if (const std::string_view format = property["format"].string_or(""); !format.empty()) {
    type += (type.empty() ? "" : ", ") + format_text(format);
  }
  const Json from = property["minimum"], to = property["maximum"];
  if (from && to) type += " " + from.text() + " to " + to.text();
  if (from && !to) type += " from " + from.text();
  if (!from && to) type += " up to " + to.text();
  if (type == "array" && property["items"]) type = "list of " + type_text(property["items"]);
  if (const std::string_view pattern = property["pattern"].string_or(""); !pattern.empty())
    type += ", like " + std::string(pattern);
  return type.empty() ? "anything" : type;
}

void add_settings(Json schema, const std::string& prefix, std::vector<Setting>& out) {
  schema["properties"].members([&](std::string_view name, Json property) {
    Setting one{.name = prefix + std::string(name),
                .type = type_text(property),
                .description = std::string(property["description"].string_or("")),
                .fallback = property["default"] ? property["default"].text() : "",
                .secret = property["x-secret"].boolean().value_or(false)};
    schema["required"].elements([&](Json r) { one.required = one.required || r.string_or("") == name; });
    out.push_back(std::move(one));
    const std::string inner = out.back().name + '.';
    add_settings(property, inner, out);
  });
}

}  // namespace

std::string kind_text(std::uint32_t kind) {
  if (kind == SLUICE_SOURCE) return "source";
  return kind == SLUICE_DESTINATION ? "destination" : "source and destination";
}

Result<std::vector<plugin::Entry>> find_plugin(const Common& common, const std::string& plugin) {
  if (plugin.find('/') != std::string::npos || plugin.ends_with(".so")) {
    const std::string path = plugin.find('/') == std::string::npos ? "./" + plugin : plugin;
    Result<plugin::Registry> one = plugin::Registry::of_file(path);
    if (!one) return Error{Code::rejected, plugin + ": " + one.error().detail};
    return one.value().entries();
  }
  const plugin::Registry all = plugin::Registry::scan(plugin_folders(common.plugins));
  std::vector<plugin::Entry> out;
  std::vector<std::string> names;
  for (const plugin::Entry& entry : all.entries()) {
    if (entry.plugin == plugin || entry.info.id == plugin) out.push_back(entry);
    names.push_back(entry.plugin);
  }
  if (!out.empty()) return out;
  if (plugin == "tracking") {
    return Error{Code::rejected,
                 "'tracking' is the hub's own door and no file; docs/configuration.md is about it"};
  }
  for (const plugin::Refused& refused : all.refused()) {
    if (refused.path.ends_with("/" + plugin + ".so"))
      return Error{Code::rejected, refused.path + ": " + refused.reason};
  }
  const std::string meant = closest(plugin, names);
  return Error{Code::rejected,
               "no connector is named '" + plugin + "': " +
                   (meant.empty() ? "`sluice plugin list` names them; --plugins DIR looks further"
                                  : "did you mean '" + meant + "'?")};
}

std::vector<std::pair<std::string, std::string>> facts_of(const plugin::ManifestInfo& info) {
  JsonParser parser;
  const Json manifest = parser.parse(info.text);
  const bool takes = (info.kind & SLUICE_DESTINATION) != 0;
  const bool asks = !info.base_url.empty() || !info.hosts.empty();
  std::vector<std::string> rates;
  for (const plugin::Rate& rate : info.rates) rates.push_back(rate_text(rate));
  std::string batch = "up to " + std::to_string(info.batch_records) + " records and " +
                      std::to_string(info.batch_bytes) + " bytes";
  if (!info.group_by.empty()) batch += ", of one " + info.group_by;
  if (info.all_or_nothing) batch += ", taken or refused as a whole";
  const std::vector<std::pair<std::string, std::string>> all = {
      {"operations", takes ? (manifest["ops"] ? texts_of(manifest["ops"]) : "all") : ""},
      {"not twice", texts_of(manifest["unsafe"])},
      {"channel", info.channel},
      {"identifiers", identifiers_text(info.identifiers)},
      {"streams", joined(info.streams)},
      {"asked every", info.poll_every ? std::to_string(*info.poll_every / us_per_s) + " s" : ""},
      {"called at", routes_text(info.routes)},
      {"API",
       info.base_urls_else.empty() ? info.base_url : info.base_url + ", or " + joined(info.base_urls_else)},
      {"hosts", joined(info.hosts)},
      {"credentials", asks ? auth_text(manifest["auth"]) : ""},
      {"needs", needs_text(info)},
      {"batch", takes ? batch : ""},
      {"rate", joined(rates)},
      {"at a time", asks && takes ? std::to_string(info.parallel) : ""},
      {"time-out", asks ? std::to_string(info.timeout / us_per_s) + " s" : ""}};
  std::vector<std::pair<std::string, std::string>> out;
  std::copy_if(all.begin(), all.end(), std::back_inserter(out),
               [](const auto& fact) { return !fact.second.empty(); });
  return out;
}

std::vector<Setting> settings_of(Json schema) {
  std::vector<Setting> out;
  add_settings(schema, "", out);
  return out;
}

std::vector<Stream> streams_of(Json manifest) {
  std::vector<Stream> out;
  manifest["streams"].elements([&](Json s) {
    if (s.is_string()) out.push_back({std::string(*s.string()), "", ""});
    if (s.is_object()) {
      out.push_back({std::string(s["name"].string_or("")), std::string(s["title"].string_or("")),
                     std::string(s["key"].string_or(""))});
    }
  });
  return out;
}

}  // namespace sluice::cli
