#include "callback.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "sluice/json.hpp"

#include "answer.hpp"
#include "form.hpp"

namespace sluice::twilio {

namespace {

using sdk::Json;

constexpr std::size_t sid_chars_max = 64;

// The message that it is about; without one nothing can be said.
std::string sid_of(const Form& form) {
  std::string_view sid = form["MessageSid"];
  if (sid.empty()) sid = form["SmsSid"];
  if (sid.empty() || sid.size() > sid_chars_max) throw sdk::Fail(SLUICE_INVALID, "it names no message");
  return std::string(sid);
}

std::string_view receipt_of(std::string_view status) {
  constexpr std::pair<std::string_view, std::string_view> names[] = {{"sent", "sent"},
                                                                     {"delivered", "delivered"},
                                                                     {"read", "opened"},
                                                                     {"undelivered", "failed"},
                                                                     {"failed", "failed"}};
  for (const auto& [theirs, ours] : names) {
    if (theirs == status) return ours;
  }
  return {};  // accepted, queued, sending, ...: on its way
}

// Numbers of other channels have its name in front: "whatsapp:+33612345678".
std::string identifiers_of(std::string_view number) {
  if (const std::size_t colon = number.find(':'); colon != std::string_view::npos)
    number.remove_prefix(colon + 1);
  if (!number.starts_with('+')) return {};  // a short code or a name is nobody's
  Json out = Json::object();
  out.set("phone", Json::array().add(Json::string(number)));
  return out.text();
}

std::string upper(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '.' || c == '!') continue;
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

// What Twilio itself takes for an answer to "may we write?", where the sender's Advanced Opt-Out does not
// say.
std::string_view wish_of(const Form& form) {
  constexpr std::array<std::string_view, 8> stop{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL",
                                                 "END",  "QUIT",    "REVOKE",      "OPTOUT"};
  constexpr std::array<std::string_view, 2> start{"START", "UNSTOP"};
  const std::string_view said = form["OptOutType"];
  if (said == "STOP" || said == "START" || said == "HELP") return said;
  const std::string word = upper(form["Body"]);
  if (std::find(stop.begin(), stop.end(), word) != stop.end()) return "STOP";
  return std::find(start.begin(), start.end(), word) != start.end() ? "START" : "";
}

void emit_consent(std::string_view key, const std::string& who, bool granted, std::string_view proof,
                  sdk::Call& call) {
  Json payload = Json::object();
  payload.set("granted", Json::boolean(granted)).set("proof", Json::string(proof));
  const std::string text = payload.text();
  call.record({.op = SLUICE_CONSENT, .key = key, .payload = text, .identifiers = who});
}

}  // namespace

void take_status(const sdk::Incoming& incoming, sdk::Call& call) {
  const Form form = Form::parse(incoming.body()), query = Form::parse(incoming.query());
  const std::string sid = sid_of(form);
  std::string_view status = form["MessageStatus"];
  if (status.empty()) status = form["SmsStatus"];
  const std::string_view code = form["ErrorCode"], name = receipt_of(status);
  if (!name.empty()) {
    Json facts = Json::object();
    facts.set("status", Json::string(status));
    if (!code.empty() && code != "0") facts.set("error", Json::string(code));
    const std::string payload = facts.text(), key = sid + ':' + std::string(name);
    call.record({.op = SLUICE_EVENT,
                 .id = query["id"],
                 .key = key,
                 .name = name,
                 .payload = payload,
                 .remote_id = sid});
  }
  const std::string who = identifiers_of(form["To"]);
  if (receiver_of(code) == SLUICE_OPTED_OUT && !who.empty())
    emit_consent(sid + ":21610", who, false, "21610", call);
}

void take_inbound(const sdk::Incoming& incoming, sdk::Call& call) {
  const Form form = Form::parse(incoming.body());
  const std::string sid = sid_of(form), who = identifiers_of(form["From"]);
  const std::string_view wish = wish_of(form);
  if (!who.empty() && (wish == "STOP" || wish == "START")) {
    emit_consent(sid, who, wish == "START", wish, call);
  } else if (!who.empty()) {
    Json facts = Json::object();
    facts.set("text", Json::string(form["Body"]));
    if (!form["NumMedia"].empty() && form["NumMedia"] != "0")
      facts.set("media", Json::string(form["NumMedia"]));
    const std::string payload = facts.text();
    call.record({.op = SLUICE_EVENT, .key = sid, .name = "replied", .payload = payload, .identifiers = who});
  }
  call.reply({.status = 200, .content_type = "text/xml", .body = "<Response/>"});  // nothing to say back
}

}  // namespace sluice::twilio
