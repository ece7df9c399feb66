// Any bytes as connectors.yaml: every diagnostic has a place in the file and can be shown, and what loads
// resolves to JSON.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.hpp"
#include "base/json.hpp"
#include "config/load.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  static const config::LoadOptions options = [] {
    config::LoadOptions o;
    o.connectors = {
        {"csv", true, false,
         R"({"config":{"type":"object","required":["path"],"properties":{"path":{"type":"string","pattern":"^[^*]"},)"
         R"("skip":{"type":"integer","minimum":0},)"
         R"("columns":{"anyOf":[{"const":true},{"type":"array","items":{"type":"string"}}]}}}})"},
        {"braze", false, true,
         R"({"config":{"type":"object","properties":{"endpoint":{"type":"string","format":"uri"},)"
         R"("api_key":{"type":"string","x-secret":true}}}})"}};
    return o;
  }();
  const std::string text(reinterpret_cast<const char*>(data), size);
  const config::Loaded loaded = config::load_text(text, "/nonexistent/connectors.yaml", options);
  for (const config::Diagnostic& d : loaded.diagnostics) {
    SLUICE_CHECK(d.place.line >= 1 && d.place.column >= 1 && d.length >= 1);
    SLUICE_CHECK(!config::format(d).empty());
  }
  if (loaded.config) {
    JsonParser parser;
    SLUICE_CHECK(parser.parse(loaded.config->resolved).is_object());
    SLUICE_CHECK(loaded.config->audience_order.size() == loaded.config->audiences.size());
    SLUICE_CHECK(loaded.config->computed_order.size() == loaded.config->computed.size());
  }
  return 0;
}
