#include "ingest/tracking_sdk.hpp"

#include "base/json.hpp"

namespace sluice::ingest {

std::string segment_settings(std::string_view write_key, std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::string host(scheme == std::string_view::npos ? url : url.substr(scheme + 3));
  const std::string_view protocol = scheme == std::string_view::npos ? "https" : url.substr(0, scheme);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("integrations").begin_object().key("Segment.io").begin_object();
  json.member("apiKey", write_key).member("apiHost", host + "/v1").member("protocol", protocol);
  json.key("unbundledIntegrations").begin_array().end_array();
  json.member_boolean("addBundledMetadata", true).end_object().end_object();
  json.key("plan").raw(R"({"track":{"__default":{"enabled":true,"integrations":{}}}})");
  // The SDK may report on itself, to its maker by default: at a rate of none.
  json.key("metrics").raw(R"({"sampleRate":0})");
  json.key("edgeFunction").raw("{}").key("analyticsNextEnabled").boolean(true);
  json.key("middlewareSettings").raw("{}").key("enabledMiddleware").raw("{}").key("remotePlugins").raw("[]");
  json.end_object();
  return out;
}

std::string rudderstack_config(std::string_view write_key, std::string_view source, std::string_view url) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("source").begin_object();
  json.member("id", source).member("name", source).member("writeKey", write_key);
  json.member_boolean("enabled", true)
      .member("workspaceId", "sluice")
      .member("updatedAt", "2024-01-01T00:00:00.000Z");
  json.key("config").raw(R"({"statsCollection":{"errors":{"enabled":false},"metrics":{"enabled":false}}})");
  json.key("destinations").begin_array().end_array();
  json.key("dataplanes").begin_object().key("US").begin_array().begin_object();
  json.member("url", url).member_boolean("default", true).end_object().end_array().end_object();
  json.end_object().member("updatedAt", "2024-01-01T00:00:00.000Z").end_object();
  return out;
}

}  // namespace sluice::ingest
