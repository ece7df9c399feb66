// The two small answers without which browser SDKs do not start. They name no integration but the hub itself,
// so that all that the SDK collects comes here alone. What the SDKs read of them was seen by running them
// (tests/clients).
#pragma once

#include <string>
#include <string_view>

namespace sluice::ingest {

// `url`: where browsers reach the hub, "https://collect.shop.example", without a slash behind it.

// GET /v1/projects/KEY/settings: Segment's analytics.js.
std::string segment_settings(std::string_view write_key, std::string_view url);
// GET /sourceConfig: RudderStack's.
std::string rudderstack_config(std::string_view write_key, std::string_view source, std::string_view url);

}  // namespace sluice::ingest
