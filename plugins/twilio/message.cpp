#include "message.hpp"

#include "sluice/json.hpp"

#include "form.hpp"

namespace sluice::twilio {

namespace {

using sdk::Json;

constexpr std::size_t text_chars_max = 1'600;

std::size_t characters(std::string_view utf8) {
  std::size_t out = 0;
  for (const char c : utf8) out += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  return out;
}

bool is_e164(std::string_view text) {
  if (text.size() < 8 || text.size() > 16 || text[0] != '+' || text[1] == '0') return false;
  return text.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

// The sender: what the message names, else what the settings do.
void add_sender(const Settings& settings, const Json& payload, Form& form) {
  const std::string_view own_service = payload["messaging_service"].text_or("");
  const std::string_view own_from = payload["from"].text_or("");
  const bool own = !own_service.empty() || !own_from.empty();
  const std::string_view service = own ? own_service : std::string_view(settings.messaging_service);
  const std::string_view from = own ? own_from : std::string_view(settings.from);
  if (!service.empty()) form.add("MessagingServiceSid", service);
  if (!from.empty()) form.add("From", from);
}

// The variables of a template: a JSON object, as they want it and as a text of a workflow writes it.
bool add_variables(const Json& given, Form& form) {
  if (given.text_or("x").empty() || !given) return true;
  const Json variables = given.is_string() ? Json::parse(given.text_or("")).value_or(Json()) : given;
  if (!variables.is_object()) return false;
  Json texts = Json::object();
  for (std::size_t i = 0; i < variables.keys().size(); ++i)
    texts.set(variables.keys()[i], Json::string(variables.elements()[i].scalar()));
  form.add("ContentVariables", texts.text());
  return true;
}

bool add_content(const Json& payload, Form& form, Refused& refused) {
  const std::string_view text = payload["text"].text_or(""), content = payload["content_sid"].text_or("");
  const std::string_view media = payload["media_url"].text_or("");
  if (text.empty() && content.empty() && media.empty()) {
    refused = {SLUICE_INVALID, "text_is_missing", "write text:, content_sid: or media_url: under with:"};
  } else if (characters(text) > text_chars_max) {
    refused = {SLUICE_INVALID, "text_too_long", "a message may have 1,600 characters"};
  } else if (!content.empty() && !add_variables(payload["content_variables"], form)) {
    refused = {SLUICE_INVALID, "bad_content_variables", "they must be a JSON object: {\"1\": \"Ada\"}"};
  } else {
    if (!content.empty()) {
      form.add("ContentSid", content);
    } else if (!text.empty()) {
      form.add("Body", text);
    }
    if (!media.empty()) form.add("MediaUrl", media);
    return true;
  }
  return false;
}

}  // namespace

Settings settings_of(const sdk::Open& open) {
  const Json with = Json::parse(open.config).value_or(Json());
  if (!with.is_object()) throw sdk::Fail(SLUICE_INVALID, "the settings are no mapping");
  Settings out;
  out.account = with["account"].text_or("");
  out.from = with["from"].text_or("");
  out.messaging_service = with["messaging_service"].text_or("");
  out.number_sid = with["number_sid"].text_or("");
  if (out.from.empty() && out.messaging_service.empty())
    throw sdk::Fail(SLUICE_INVALID,
                    "there is no sender: write from: +33639980001, or messaging_service: MG...");
  if (const auto seconds = with["validity_s"].integer_value()) out.validity_s = std::to_string(*seconds);
  out.messaging_endpoint = with["messaging_endpoint"].text_or("https://messaging.twilio.com");
  out.routes_url = open.routes_url;
  return out;
}

std::optional<Message> compose(const Settings& settings, const sdk::Record& record, Refused& refused) {
  if (record.op != SLUICE_MESSAGE) {
    refused = {SLUICE_INVALID, "operation_not_offered", "only messages can be sent"};
    return {};
  }
  if (record.address.empty()) {
    refused = {SLUICE_SKIPPED, "no_address", {}};
    return {};
  }
  if (!is_e164(record.address)) {
    refused = {SLUICE_INVALID, "bad_number", "the number is not in the form +33612345678"};
    return {};
  }
  const std::optional<Json> payload = Json::parse(record.payload);
  if (!payload || !payload->is_object()) {
    refused = {SLUICE_INVALID, "payload_is_no_object", {}};
    return {};
  }
  Form form;
  form.add("To", record.address);
  add_sender(settings, *payload, form);
  if (!add_content(*payload, form, refused)) return {};
  if (!settings.validity_s.empty()) form.add("ValidityPeriod", settings.validity_s);
  if (!settings.routes_url.empty())
    form.add("StatusCallback", settings.routes_url + "/status?id=" + url_encode(record.id));
  const bool has_text = (*payload)["content_sid"].text_or("").empty();
  return Message{form.text(), std::string(has_text ? (*payload)["text"].text_or("") : "")};
}

}  // namespace sluice::twilio
