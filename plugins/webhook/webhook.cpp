// A signed webhook: batches of records as JSON, by Standard Webhooks 1.0.0. README.md says how.
//
// The host signs: the manifest's auth "standard_webhooks" makes webhook-timestamp and webhook-signature at
// each attempt, so this code sees neither clock nor secret.
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"
#include "sluice/record_json.hpp"

namespace sluice::webhook {
namespace {

using sdk::Batch;
using sdk::Call;
using sdk::Record;

enum class Format : std::uint8_t { array, lines, single };

struct Settings {
  std::string url;
  std::string method = "POST";
  std::vector<sdk::Header> headers;
  Format format = Format::array;
  std::size_t batch = 100;  // records in a request
};

Settings settings_of(std::string_view config) {
  const sdk::Json with = sdk::Json::parse(config).value_or(sdk::Json());
  if (!with.is_object()) throw sdk::Fail(SLUICE_INVALID, "the settings are no mapping");
  Settings out;
  out.url = with["url"].text_or("");
  out.method = with["method"].text_or("POST");
  const std::string_view format = with["format"].text_or("array");
  out.format = format == "lines" ? Format::lines : format == "single" ? Format::single : Format::array;
  if (const auto batch = with["batch"].integer_value(); batch && *batch > 0) {
    out.batch = static_cast<std::size_t>(*batch);
  }
  if (out.format == Format::single) out.batch = 1;
  out.headers.push_back(
      {"content-type", out.format == Format::lines ? "application/x-ndjson" : "application/json"});
  const sdk::Json& headers = with["headers"];
  for (std::size_t i = 0; i < headers.keys().size(); ++i) {
    std::string name = headers.keys()[i];
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (name.starts_with("webhook-") || name == "content-type" || name == "content-length" ||
        name == "host") {
      throw sdk::Fail(SLUICE_INVALID, "headers: '" + name + "' is set by the hub; leave it out");
    }
    out.headers.push_back({std::move(name), std::string(headers.elements()[i].text_or(""))});
  }
  return out;
}

void append_record(std::string& out, const Record& record) {
  sdk::append_record_head(out, record);
  out.append(",\"identifiers\":").append(record.identifiers.empty() ? "{}" : record.identifiers);
  if (!record.address.empty()) {
    out += ",\"address\":";
    sdk::append_json_string(out, record.address);
  }
  sdk::append_payload(out, record);
}

// The receiver's idempotency key: made of the records' own keys, so that a request sent again has the id of
// the first time. FNV-1a (draft-eastlake-fnv) twice with different starts, finished by MurmurHash3's mix so
// that near keys end far apart.
class MessageId {
 public:
  void add(std::string_view key) {
    for (const char c : key) step(static_cast<unsigned char>(c));
    step(0x1F);
  }
  std::string text() const {
    constexpr char hex[] = "0123456789abcdef";
    std::string out = "msg_";
    for (const std::uint64_t half : {mix(low_), mix(high_)}) {
      for (int shift = 60; shift >= 0; shift -= 4) out += hex[half >> shift & 15];
    }
    return out;
  }

 private:
  void step(std::uint64_t byte) {
    low_ = (low_ ^ byte) * 0x100000001b3;
    high_ = (high_ ^ (byte + 0x9e)) * 0x9e3779b97f4a7c15;
  }
  static std::uint64_t mix(std::uint64_t h) {
    h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
    return h ^ h >> 33;
  }
  std::uint64_t low_ = 0xcbf29ce484222325;
  std::uint64_t high_ = 0x84222325cbf29ce4;
};

class Webhook {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "webhook";

  Webhook(const sdk::Host&, const sdk::Open& open) : settings_(settings_of(open.config)) {}

  void plan(const Batch& batch, Call& call) {
    sdk::Request request;
    MessageId message;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const Record record = batch[i];
      if (sdk::op_name(record.op).empty()) {
        call.outcome(i, {.status = SLUICE_INVALID, .reason = "unknown_op", .detail = {}, .remote_id = {}});
        continue;
      }
      if (request.body.empty() && settings_.format == Format::array) request.body += '[';
      if (!request.records.empty()) request.body += settings_.format == Format::lines ? '\n' : ',';
      append_record(request.body, record);
      request.records.push_back(i);
      message.add(record.id);
      if (request.records.size() == settings_.batch) {
        send(std::move(request), message, call);
        request = {};
        message = {};
      }
    }
    if (!request.records.empty()) send(std::move(request), message, call);
  }

  void interpret(const Batch&, const sdk::Response& response, Call& call) {
    const std::int32_t status = response.status();
    sluice_status fate = sdk::verdict(status);
    // The receiver is gone, has moved or does not know us: nothing will arrive until an operator has looked.
    const bool moved = status >= 300 && status < 400;
    if (moved || status == 403 || status == 404 || status == 405 || status == 410) fate = SLUICE_AUTH;
    if (status == 502 || status == 504) fate = SLUICE_THROTTLE;
    const std::string reason = status == 0 ? "no_answer" : "http_" + std::to_string(status);
    for (const std::uint32_t record : response.records()) {
      call.outcome(record, {.status = fate,
                            .reason = fate == SLUICE_OK ? std::string_view{} : reason,
                            .detail = {},
                            .remote_id = {},
                            .retry_after_ms = response.retry_after_ms()});
    }
  }

 private:
  void send(sdk::Request request, const MessageId& message, Call& call) {
    if (settings_.format == Format::array) request.body += ']';
    if (settings_.format == Format::lines) request.body += '\n';
    request.method = settings_.method;
    request.url = settings_.url;
    request.headers = settings_.headers;
    request.headers.push_back({"webhook-id", message.text()});
    call.request(request);
  }

  Settings settings_;
};

}  // namespace
}  // namespace sluice::webhook

SLUICE_PLUGIN(R"({
"plugin": "webhook", "version": "0.1.0",
"connectors": [{
  "id": "webhook", "kind": "destination", "title": "Webhook",
  "ops": ["event", "upsert", "delete", "enter", "leave", "message", "merge", "erase", "consent"],
  "identifiers": ["user_id", "email", "phone", "anonymous_id"],
  "base_url": "{config.url}",
  "auth": {"type": "standard_webhooks", "value": "{secret.secret}"},
  "batch": {"max_records": 100, "max_bytes": 1000000, "all_or_nothing": true}, "parallel": 8, "timeout_s": 20,
  "config": {"type": "object", "additionalProperties": false, "required": ["url"], "properties": {
    "url": {"type": "string", "format": "uri", "pattern": "^https?://", "description": "where to send, with its scheme"},
    "secret": {"type": "string", "x-secret": true, "pattern": "^whsec_",
      "description": "signs each request by Standard Webhooks: whsec_ and the base64 of 24 to 64 random bytes"},
    "method": {"type": "string", "enum": ["POST", "PUT", "PATCH"], "default": "POST"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "further headers"},
    "batch": {"type": "integer", "minimum": 1, "maximum": 100, "default": 100, "description": "records in a request"},
    "format": {"type": "string", "enum": ["array", "lines", "single"], "default": "array",
      "description": "a JSON array of records, JSON lines, or a request for each record"}}}
}]})",
              sluice::webhook::Webhook)
