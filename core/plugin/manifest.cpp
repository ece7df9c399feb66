#include "plugin/manifest.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json.hpp"
#include "plugin/operations.hpp"

namespace sluice::plugin {
namespace {

Error bad(std::string what) {
  return {Code::rejected, "manifest: " + std::move(what)};
}

Result<std::vector<std::string>> texts(Json list, const std::string& name) {
  std::vector<std::string> out;
  if (!list) return out;
  if (list.type() != JsonType::array) return bad("'" + name + "' is no list");
  bool all = true;
  list.elements([&](Json element) {
    all = all && element.is_string();
    out.emplace_back(element.string_or(""));
  });
  if (!all) return bad("'" + name + "' holds something that is no text");
  return out;
}

Result<std::uint32_t> ops_of(Json list, const std::string& name) {
  std::uint32_t bits = 0;
  for (const std::string& op : SLUICE_TRY(texts(list, name))) {
    std::uint32_t bit = 0;
    for (const auto& [known, value] : op_names) bit = known == op ? value : bit;
    if (bit == 0) return bad("'" + name + "' names the operation '" + op + "', which this hub does not know");
    bits |= 1U << bit;
  }
  return bits;
}

Result<std::uint32_t> kind_of(Json kind) {
  std::uint32_t bits = 0;
  bool known = true;
  const auto take = [&](Json one) {
    const std::string_view name = one.string_or("");
    known = known && (name == "source" || name == "destination");
    bits |= name == "source" ? std::uint32_t{SLUICE_SOURCE} : std::uint32_t{SLUICE_DESTINATION};
  };
  if (kind.type() == JsonType::array) {
    kind.elements(take);
  } else {
    take(kind);
  }
  if (!known || bits == 0) return bad("'kind' must be \"source\", \"destination\" or a list of them");
  return bits;
}

// A number of 1 to `most`, or `other` where there is none.
Result<std::uint64_t> count_of(Json number, std::uint64_t other, std::uint64_t most,
                               const std::string& name) {
  if (!number) return other;
  const std::optional<std::int64_t> n = number.integer();
  if (!n || *n < 1 || static_cast<std::uint64_t>(*n) > most) {
    return bad("'" + name + "' must be a number from 1 to " + std::to_string(most));
  }
  return static_cast<std::uint64_t>(*n);
}

Result<std::vector<Rate>> rates_of(Json list) {
  static constexpr std::array<std::pair<std::string_view, DurationUs>, 4> units{
      {{"per_second", us_per_s}, {"per_minute", us_per_min}, {"per_hour", us_per_h}, {"per_day", us_per_d}}};
  std::vector<Rate> out;
  bool good = !list || list.type() == JsonType::array;
  list.elements([&](Json rate) {
    Rate one{.bucket = std::string(rate["bucket"].string_or(""))};
    for (const auto& [unit, per] : units) {
      if (const std::optional<double> count = rate[unit].number()) {
        one.count = *count;
        one.per = per;
      }
    }
    good = good && one.count > 0;
    out.push_back(std::move(one));
  });
  if (!good) return bad("'rate' must be a list of {bucket, per_second | per_minute | per_hour | per_day}");
  return out;
}

Result<DurationUs> seconds_of(Json number, DurationUs other, const std::string& name) {
  if (!number) return other;
  const std::optional<double> s = number.number();
  if (!s || !(*s > 0) || *s > 1e6) return bad("'" + name + "' must be seconds, more than 0");
  return static_cast<DurationUs>(std::llround(*s * 1e6));
}

Status read_limits(Json c, ManifestInfo& out) {
  const Json batch = c["batch"];
  out.batch_records = static_cast<std::uint32_t>(
      SLUICE_TRY(count_of(batch["max_records"], 100, 100'000, "batch.max_records")));
  out.batch_bytes = SLUICE_TRY(count_of(batch["max_bytes"], 1 << 20, 64 << 20, "batch.max_bytes"));
  const Json whole = batch["all_or_nothing"];
  if (whole && !whole.boolean()) return bad("'batch.all_or_nothing' must be true or false");
  out.all_or_nothing = whole.boolean().value_or(false);
  out.group_by = batch["group_by"].string_or("");
  if (!out.group_by.empty() && out.group_by != "key" && out.group_by != "op" && out.group_by != "name") {
    return bad("'batch.group_by' must be key, op or name");
  }
  out.parallel = static_cast<std::uint32_t>(SLUICE_TRY(count_of(c["parallel"], 1, 256, "parallel")));
  out.rates = SLUICE_TRY(rates_of(c["rate"]));
  out.rate_headers = SLUICE_TRY(parse_rate_headers(c["rate_headers"]));
  for (const RateHeaders& names : out.rate_headers) {
    const bool there = std::any_of(out.rates.begin(), out.rates.end(),
                                   [&](const Rate& rate) { return rate.bucket == names.bucket; });
    if (!names.bucket.empty() && !there)
      return bad("'rate_headers' names no bucket of 'rate': '" + names.bucket + "'");
  }
  out.timeout = SLUICE_TRY(seconds_of(c["timeout_s"], 30 * us_per_s, "timeout_s"));
  if (c["poll"]) out.poll_every = SLUICE_TRY(seconds_of(c["poll"]["every_s"], us_per_min, "poll.every_s"));
  return Done{};
}

Status read_data(Json c, ManifestInfo& out) {
  out.ops = c["ops"] ? SLUICE_TRY(ops_of(c["ops"], "ops")) : ~0U;
  out.named_ops = bool(c["ops"]);
  if (c["settle_s"]) out.settle = SLUICE_TRY(seconds_of(c["settle_s"], 0, "settle_s"));
  out.unsafe_ops = SLUICE_TRY(ops_of(c["unsafe"], "unsafe"));
  out.identifiers = SLUICE_TRY(parse_identifiers(c["identifiers"]));
  // Left alone like other unknown members it would mean identifiers in plain text.
  if (c["hash"]) return bad("'hash' stands with each identifier: {\"type\": \"email\", \"hash\": \"sha256\"}");
  out.channel = c["channel"].string_or("");
  c["streams"].elements([&](Json stream) {
    out.streams.emplace_back(stream.is_string() ? *stream.string() : stream["name"].string_or(""));
  });
  out.routes = SLUICE_TRY(parse_routes(c["routes"]));
  if (c["config"]) out.config_schema = c["config"].text();
  if (c["input"]) out.input_schema = c["input"].text();
  c["config"]["properties"].members([&](std::string_view name, Json property) {
    if (property["x-secret"].boolean().value_or(false)) out.secrets.emplace_back(name);
  });
  for (const WebhookRoute& route : out.routes) {
    for (const std::string& secret : route.verify.secrets) {
      if (std::find(out.secrets.begin(), out.secrets.end(), secret) == out.secrets.end())
        return bad("'routes' verify by '" + secret + "', which is no x-secret field of 'config'");
    }
  }
  return Done{};
}

// Where it sends and with what: one of each, or a list of them.
Status read_places(Json c, ManifestInfo& out) {
  const Json base = c["base_url"];
  if (base.type() == JsonType::array) {
    out.base_urls_else = SLUICE_TRY(texts(base, "base_url"));
    if (out.base_urls_else.empty()) return bad("'base_url' is an empty list");
    out.base_url = out.base_urls_else.front();
    out.base_urls_else.erase(out.base_urls_else.begin());
  } else {
    out.base_url = base.string_or("");
  }
  const Json auth = c["auth"];
  if (auth.type() != JsonType::array) {
    out.auth = SLUICE_TRY(parse_auth(auth));
    return Done{};
  }
  if (auth.size() == 0) return bad("'auth' is an empty list");
  for (std::size_t i = 0; i < auth.size(); ++i) {
    Auth one = SLUICE_TRY(parse_auth(auth.at(i)));
    i == 0 ? void(out.auth = std::move(one)) : out.auths_else.push_back(std::move(one));
  }
  return Done{};
}

Result<ManifestInfo> connector_of(Json c) {
  ManifestInfo out;
  out.text = c.text();
  out.id = c["id"].string_or("");
  out.title = c["title"].string_or(out.id);
  if (out.id.empty()) return bad("a connector has no 'id'");
  out.kind = SLUICE_TRY(kind_of(c["kind"]));
  SLUICE_TRY(read_places(c, out));
  out.hosts = SLUICE_TRY(texts(c["hosts"], "hosts"));
  out.network = c["network"].boolean().value_or(false);
  out.files = c["files"].boolean().value_or(false);
  SLUICE_TRY(read_limits(c, out));
  SLUICE_TRY(read_data(c, out));
  return out;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text) {
  JsonParser parser;
  const Json root = parser.parse(text);
  if (!root.is_object())
    return bad("it is no JSON object" + (root ? "" : ": " + std::string(parser.error())));
  Manifest out;
  out.plugin = root["plugin"].string_or("");
  out.version = root["version"].string_or("");
  if (out.plugin.empty()) return bad("'plugin', its name, is missing");
  const std::int64_t major = root["abi_major"].integer().value_or(SLUICE_ABI_MAJOR);
  const std::int64_t minor = root["needs_minor"].integer().value_or(0);
  if (major != SLUICE_ABI_MAJOR || minor > SLUICE_ABI_MINOR) {
    return bad("it needs version " + std::to_string(major) + "." + std::to_string(minor) +
               " of the plugin ABI; this hub has " + std::to_string(SLUICE_ABI_MAJOR) + "." +
               std::to_string(SLUICE_ABI_MINOR));
  }
  const Json list = root["connectors"];
  if (list.size() == 0 || list.type() != JsonType::array) return bad("'connectors' is missing or empty");
  for (std::size_t i = 0; i < list.size(); ++i) {
    out.connectors.push_back(SLUICE_TRY(connector_of(list.at(i))));
    for (std::size_t before = 0; before < i; ++before) {
      if (out.connectors[before].id == out.connectors[i].id) {
        return bad("the connector '" + out.connectors[i].id + "' is there twice");
      }
    }
  }
  return out;
}

}  // namespace sluice::plugin
