// Any bytes as the body of a tracking request: read as a batch and as a single call, packed or not. What is
// taken has to be JSON that reads back, and its text a part of what came.
#include <cstdint>
#include <regex>
#include <string>

#include "base/check.hpp"
#include "ingest/tracking_body.hpp"
#include "net/gzip.hpp"

using namespace sluice;

namespace {

void check(const ingest::ParsedBody& parsed, const std::string& body, bool single) {
  JsonParser parser;
  for (const Draft& draft : parsed.drafts) {
    EventInput input;
    SLUICE_CHECK(EventInput::decode(draft.payload, input));
    const Json event = parser.parse(input.text);
    SLUICE_CHECK(event.is_object());
    SLUICE_CHECK(event["writeKey"].type() == JsonType::missing);
    SLUICE_CHECK(ingest::kind_of(event["type"].string_or({})).has_value());
    // Only a single call's type, a write key, half a surrogate pair and an integer of many digits are ever
    // written again.
    static const std::regex many_digits("[0-9]{19}e0");
    const bool as_it_came = body.find(input.text) != std::string::npos;
    SLUICE_CHECK(as_it_came || single || body.find("riteKey") != std::string::npos ||
                 body.find('\\') != std::string::npos ||
                 std::regex_search(input.text.begin(), input.text.end(), many_digits));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string body(reinterpret_cast<const char*>(data), size);
  if (net::is_gzip(body)) {
    auto plain = net::gunzip(body, {std::size_t{1} << 20, 300});
    if (!plain) return 0;
    body = std::move(plain).value();
  }
  body.reserve(body.size() + json_padding);
  static ingest::TrackingBody reader;
  if (!reader.open(body)) return 0;
  (void)reader.write_key();
  constexpr TimeUs received = 1'800'000'000 * us_per_s;
  if (const auto batch = reader.read({"fuzz", received, "192.0.2.1", {}})) check(batch.value(), body, false);
  if (const auto one = reader.read({"fuzz", received, {}, EventKind::track})) check(one.value(), body, true);
  return 0;
}
