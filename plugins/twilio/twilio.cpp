// Twilio Messaging: messages out, what became of them and what people answer back. README.md says how.
//
// Twilio has no idempotency key. A message that was sent without an answer is looked for over there before
// the host holds it; none is ever sent twice by this code.
#include <optional>
#include <string>
#include <string_view>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"
#include "sluice/time.hpp"

#include "answer.hpp"
#include "callback.hpp"
#include "form.hpp"
#include "message.hpp"

namespace sluice::twilio {
namespace {

using sdk::Batch;
using sdk::Call;
using sdk::Record;
using sdk::Response;

constexpr std::uint32_t search_delay_ms = 2'000;  // what they have taken is listed by then
constexpr std::string_view search = "search";     // a request's state
constexpr std::string_view form_type = "application/x-www-form-urlencoded";

class Twilio {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "twilio";

  Twilio(const sdk::Host&, const sdk::Open& open) : settings_(settings_of(open)) {}

  void check(Call& call) { call.request({.method = "GET", .url = account() + ".json"}); }

  void plan(const Batch& batch, Call& call) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      Refused refused;
      const std::optional<Message> message = compose(settings_, batch[i], refused);
      if (!message) {
        call.outcome(i, {.status = refused.status, .reason = refused.reason, .detail = refused.detail});
      } else {
        call.request({.url = account() + "/Messages.json",
                      .headers = {{"content-type", std::string(form_type)}},
                      .body = message->form,
                      .records = {i}});
      }
    }
  }

  void interpret(const Batch& batch, const Response& response, Call& call) {
    if (response.purpose() == SLUICE_FOR_SUBSCRIBE || response.purpose() == SLUICE_FOR_UNSUBSCRIBE)
      return judge_subscription(response, call);
    if (response.purpose() != SLUICE_FOR_PLAN) {  // a check
      const Fate fate = fate_of_send(response);
      const bool good = response.ok();
      return call.outcome(
          0, {.status = good ? SLUICE_OK : fate.status, .reason = fate.reason, .detail = fate.detail});
    }
    for (const std::uint32_t i : response.records()) judge(batch[i], i, response, call);
  }

  void receive(const sdk::Incoming& incoming, Call& call) {
    incoming.route() == "/status" ? take_status(incoming, call) : take_inbound(incoming, call);
  }

  void subscribe(const sdk::Subscribe& what, Call& call) {
    if (!settings_.number_sid.empty()) {
      call.request({.url = number(),
                    .headers = {{"content-type", std::string(form_type)}},
                    .body = Form().add("SmsUrl", what.url).add("SmsMethod", "POST").text(),
                    .state = settings_.number_sid});
    } else if (!settings_.messaging_service.empty()) {
      call.request({.url = service(),
                    .headers = {{"content-type", std::string(form_type)}},
                    .body = Form()
                                .add("InboundRequestUrl", what.url)
                                .add("InboundMethod", "POST")
                                .add("UseInboundWebhookOnNumber", "false")
                                .text(),
                    .state = settings_.messaging_service});
    } else {
      call.outcome(
          0,
          {.status = SLUICE_SKIPPED,
           .reason = "no_number",
           .detail =
               "neither number_sid nor messaging_service is set: STOP and answers come only if the number's "
               "webhook is set to this URL by hand"});
    }
  }

  // Only what is ours is taken back: it is read first, and what names another URL stays.
  void unsubscribe(const sdk::Subscribe& what, Call& call) {
    const std::string_view sid = what.remote_id;
    if (sid.empty()) return call.outcome(0, {.status = SLUICE_OK});
    call.request(
        {.method = "GET", .url = resource(sid), .state = std::string(sid) + ' ' + std::string(what.url)});
  }

 private:
  std::string account() const { return "/2010-04-01/Accounts/" + url_encode(settings_.account); }
  std::string number() const { return resource(settings_.number_sid); }
  std::string service() const { return resource(settings_.messaging_service); }
  std::string resource(std::string_view sid) const {
    if (sid.starts_with("MG")) return settings_.messaging_endpoint + "/v1/Services/" + url_encode(sid);
    return account() + "/IncomingPhoneNumbers/" + url_encode(sid) + ".json";
  }

  void judge(const Record& record, std::uint32_t index, const Response& response, Call& call) {
    Refused refused;
    const std::optional<Message> message = compose(settings_, record, refused);
    const std::string text = message ? message->text : std::string();
    Fate fate;
    if (response.state() == search) {
      fate = fate_of_search(response, text, record.time_us);
    } else if (is_lost(response) && !text.empty()) {
      return look_for(record, index, call);
    } else if (is_lost(response)) {
      fate = {.status = SLUICE_UNKNOWN, .reason = "no_answer", .detail = "it has no text to be found by"};
    } else {
      fate = fate_of_send(response);
    }
    call.outcome(index, {.status = fate.status,
                         .reason = fate.reason,
                         .detail = fate.detail,
                         .remote_id = fate.remote_id,
                         .retry_after_ms = fate.retry_after_ms,
                         .receiver = fate.receiver});
  }

  void look_for(const Record& record, std::uint32_t index, Call& call) const {
    std::string since;
    if (record.time_us != SLUICE_NO_TIME) sdk::append_time(since, record.time_us);
    const std::string day = since.empty() ? "" : "&DateSent%3E=" + since.substr(0, 10);
    call.request({.method = "GET",
                  .url = account() + "/Messages.json?PageSize=100&To=" + url_encode(record.address) + day,
                  .records = {index},
                  .state = std::string(search),
                  .delay_ms = search_delay_ms});
  }

  void judge_subscription(const Response& response, Call& call) const {
    const std::string_view state = response.state();
    const std::size_t space = state.find(' ');
    const std::string_view sid = state.substr(0, space);
    if (response.purpose() == SLUICE_FOR_UNSUBSCRIBE && response.status() == 404)
      return call.outcome(0, {.status = SLUICE_OK});  // the number or service is gone, and our URL with it
    if (!response.ok()) {
      const Fate fate = fate_of_send(response);
      return call.outcome(0, {.status = response.status() == 0 ? SLUICE_RETRY : fate.status,
                              .reason = fate.reason,
                              .detail = fate.detail});
    }
    if (space == std::string_view::npos) return call.outcome(0, {.status = SLUICE_OK, .remote_id = sid});
    const sdk::Json found = sdk::Json::parse(response.body()).value_or(sdk::Json());
    const bool service = sid.starts_with("MG");
    if (found[service ? "inbound_request_url" : "sms_url"].text_or("") != state.substr(space + 1))
      return call.outcome(0, {.status = SLUICE_OK});
    call.request({.url = resource(sid),
                  .headers = {{"content-type", std::string(form_type)}},
                  .body = Form().add(service ? "InboundRequestUrl" : "SmsUrl", "").text(),
                  .state = std::string(sid)});
  }

  Settings settings_;
};

}  // namespace
}  // namespace sluice::twilio

SLUICE_PLUGIN(R"({
"plugin": "twilio", "version": "0.1.0",
"connectors": [{
  "id": "twilio", "kind": "destination", "title": "Twilio Messaging",
  "ops": ["message"], "unsafe": ["message"], "channel": "sms",
  "base_url": "{config.endpoint|https://api.twilio.com}",
  "hosts": ["api.twilio.com", "*.api.twilio.com", "messaging.twilio.com"],
  "auth": {"type": "basic", "user": "{config.api_key|config.account}", "password": "{secret.api_secret|secret.token}"},
  "batch": {"max_records": 20}, "parallel": 20, "timeout_s": 30,
  "routes": [
    {"path": "/status", "methods": ["POST"], "verify": {"type": "twilio", "secret": ["token", "old_token"]}},
    {"path": "/inbound", "methods": ["POST"], "verify": {"type": "twilio", "secret": ["token", "old_token"]}, "subscribe": true}],
  "config": {"type": "object", "additionalProperties": false, "required": ["account", "token"],
    "properties": {
    "account": {"type": "string", "pattern": "^AC[0-9a-f]{32}$", "examples": ["AC00000000000000000000000000000001"],
      "description": "the account's SID: AC and 32 hex digits"},
    "token": {"type": "string", "x-secret": true,
      "description": "the account's auth token: it verifies what Twilio calls, and sends where there is no api_key"},
    "old_token": {"type": "string", "x-secret": true, "description": "the auth token before this one, while both sign"},
    "api_key": {"type": "string", "pattern": "^SK[0-9a-f]{32}$", "examples": ["SK00000000000000000000000000000001"],
      "description": "an API key's SID, to send with; its secret is api_secret"},
    "api_secret": {"type": "string", "x-secret": true},
    "from": {"type": "string", "minLength": 1, "examples": ["+33639980001"],
      "description": "the sender: a number of yours as +33612345678, a short code or a name"},
    "messaging_service": {"type": "string", "pattern": "^MG[0-9a-f]{32}$",
      "examples": ["MG00000000000000000000000000000001"], "description": "a messaging service in place of one sender"},
    "number_sid": {"type": "string", "pattern": "^PN[0-9a-f]{32}$", "examples": ["PN00000000000000000000000000000001"],
      "description": "the SID of the number in from: its incoming messages then come to the hub"},
    "validity_s": {"type": "integer", "minimum": 1, "maximum": 36000,
      "description": "how long Twilio may keep a message that it cannot hand over yet"},
    "endpoint": {"type": "string", "format": "uri", "examples": ["https://api.dublin.ie1.twilio.com"],
      "description": "another region's"},
    "messaging_endpoint": {"type": "string", "format": "uri", "examples": ["https://messaging.twilio.com"]}}},
  "input": {"type": "object", "additionalProperties": false,
    "anyOf": [{"required": ["text"]}, {"required": ["content_sid"]}, {"required": ["media_url"]}], "properties": {
    "text": {"type": "string", "minLength": 1},
    "content_sid": {"type": "string", "pattern": "^HX[0-9a-f]{32}$"},
    "content_variables": {"type": "string"},
    "media_url": {"type": "string"},
    "from": {"type": "string"},
    "messaging_service": {"type": "string"}}},
  "sample": {"with": {"account": "AC00000000000000000000000000000001", "from": "+33639980001"},
    "payload": {"text": "Hello"},
    "answer": {"sid": "SM00000000000000000000000000000001", "status": "queued"},
    "callback": "MessageSid=SM00000000000000000000000000000001&MessageStatus=delivered&To=%2B33639980002&From=%2B33639980001&Body=Hello"}
}]
})",
              sluice::twilio::Twilio)
