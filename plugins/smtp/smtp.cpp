// Mail over SMTP: one message a record, over one connection. README.md says how.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

#include "mail.hpp"
#include "session.hpp"

namespace sluice::smtp {
namespace {

using sdk::Batch;
using sdk::Call;
using sdk::Json;
using sdk::Record;

constexpr std::int64_t timeout_s_max = 600;

struct Settings {
  Server server;
  Mailbox from;
  std::string envelope_from;
  std::optional<Mailbox> reply_to;
};

Mailbox mailbox_of(const Json& with, std::string_view name) {
  const std::optional<Mailbox> mailbox = parse_mailbox(with[name].text_or(""));
  if (!mailbox) {
    throw sdk::Fail(SLUICE_INVALID, std::string(name) + ": write an address, or a name and <an address>");
  }
  return *mailbox;
}

Settings settings_of(const sdk::Host& host, const Json& with) {
  Settings out;
  out.server.url = with["server"].text_or("");
  if (!out.server.url.starts_with("smtp://") && !out.server.url.starts_with("smtps://")) {
    throw sdk::Fail(SLUICE_INVALID, "server: write smtp://HOST:PORT or smtps://HOST:PORT");
  }
  out.server.username = with["username"].text_or("");
  if (!out.server.username.empty()) out.server.password = host.secret("password");
  const std::string_view tls = with["tls"].text_or("auto");
  out.server.tls = tls == "required" ? Tls::required : tls == "none" ? Tls::none : Tls::automatic;
  const std::int64_t timeout_s = with["timeout_s"].integer_value().value_or(30);
  out.server.timeout_ms = std::clamp<std::int64_t>(timeout_s, 1, timeout_s_max) * 1'000;
  out.from = mailbox_of(with, "from");
  if (with["reply_to"]) out.reply_to = mailbox_of(with, "reply_to");
  out.envelope_from = with["envelope_from"] ? mailbox_of(with, "envelope_from").address : out.from.address;
  return out;
}

struct Fate {
  sluice_status status = SLUICE_OK;
  std::string reason, detail;
};

std::string_view name_of(Step step) {
  switch (step) {
    case Step::connect:
      return "connecting";
    case Step::login:
      return "greeting or login";
    case Step::sender:
      return "MAIL FROM";
    case Step::recipient:
      return "RCPT TO";
    case Step::data:
      return "DATA";
    case Step::sent:
      return "the end of the message";
  }
  return "the dialogue";
}

// README.md has this table. The server's own words are left out: they like to repeat the address.
Fate fate_of(const Report& report) {
  if (report.ok) return {};
  if (report.tls_failed) {
    return {SLUICE_AUTH, "no_tls",
            "the server offers no TLS that verifies; see `tls` in the connector's README"};
  }
  if (report.connection_lost) {
    Fate fate{SLUICE_RETRY, "no_answer", report.why + ", at " + std::string(name_of(report.step))};
    if (report.step == Step::sent) fate.status = SLUICE_UNKNOWN;
    return fate;
  }
  const std::string code = std::to_string(report.code);
  Fate fate{SLUICE_RETRY, "smtp_" + code,
            "the server answered " + code + (report.enhanced.empty() ? "" : " " + report.enhanced) + " to " +
                std::string(name_of(report.step))};
  const bool login = report.code == 530 || report.code == 534 || report.code == 535 || report.code == 538;
  if (report.code < 500) {
    if (report.enhanced.starts_with("4.7."))
      fate.status = SLUICE_THROTTLE;  // policy: too fast for this server
  } else if (login || report.step <= Step::login || (report.step == Step::sender && report.code != 552)) {
    fate.status = SLUICE_AUTH;  // it refuses us or our sender, not this message
  } else {
    fate.status = SLUICE_INVALID;
  }
  return fate;
}

class Smtp {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "smtp";

  Smtp(const sdk::Host& host, const sdk::Open& open)
      : settings_(settings_of(host, Json::parse(open.config).value_or(Json()))),
        session_(std::make_unique<Session>(settings_.server)) {}

  // Each record gets its outcome even when the host says stop: what was sent must not be forgotten.
  void deliver(const Batch& batch, Call& call) {
    bool lost = false;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      Fate fate{SLUICE_RETRY, "no_answer", "the connection failed before it was this message's turn"};
      if (call.cancelled()) {
        fate = {SLUICE_RETRY, "stopped", "the hub stopped before it was this message's turn"};
      } else if (!lost) {
        fate = send(batch[i], call, lost);
      }
      call.outcome(
          i, {.status = fate.status, .reason = fate.reason, .detail = fate.detail, .remote_id = remote_id_});
      remote_id_.clear();
    }
  }

 private:
  Fate send(const Record& record, Call& call, bool& lost) {
    if (record.op != SLUICE_MESSAGE)
      return {SLUICE_INVALID, "operation_not_offered", "only messages can be mailed"};
    if (record.address.empty()) return {SLUICE_SKIPPED, "no_address", {}};
    if (!is_address(record.address))
      return {SLUICE_INVALID, "bad_address", "it is no plain ASCII e-mail address"};
    const std::optional<Json> payload = Json::parse(record.payload);
    if (!payload || !payload->is_object()) return {SLUICE_INVALID, "payload_is_no_object", {}};
    Mail mail;
    mail.from = settings_.from;
    mail.reply_to = settings_.reply_to;
    mail.to = record.address;
    mail.subject = (*payload)["subject"].text_or("");
    mail.text = (*payload)["text"].text_or("");
    mail.html = (*payload)["html"].text_or("");
    mail.unsubscribe_url = (*payload)["unsubscribe_url"].text_or("");
    mail.key = record.id;
    mail.time_us = record.time_us;
    if (mail.subject.empty()) return {SLUICE_INVALID, "subject_is_missing", "write subject: under with:"};
    if (mail.text.empty() && mail.html.empty()) {
      return {SLUICE_INVALID, "body_is_missing", "write text: or html: under with:"};
    }
    if (!mail.unsubscribe_url.empty() && !is_unsubscribe_url(mail.unsubscribe_url)) {
      return {SLUICE_INVALID, "bad_unsubscribe_url", "it must be an https, http or mailto URL"};
    }
    const Report report =
        session_->send(settings_.envelope_from, mail.to, compose(mail), [&call] { return call.cancelled(); });
    lost = report.connection_lost;
    if (report.ok) remote_id_ = message_id(record.id, settings_.from.address);
    return fate_of(report);
  }

  Settings settings_;
  std::unique_ptr<Session> session_;
  std::string remote_id_;
};

}  // namespace
}  // namespace sluice::smtp

SLUICE_PLUGIN(R"({
"plugin": "smtp", "version": "0.1.0",
"connectors": [{
  "id": "smtp", "kind": "destination", "title": "Mail over SMTP",
  "ops": ["message"], "unsafe": ["message"], "channel": "email", "network": true,
  "identifiers": ["email"],
  "batch": {"max_records": 20, "max_bytes": 10000000}, "parallel": 1, "timeout_s": 300,
  "config": {"type": "object", "additionalProperties": false, "required": ["server", "from"], "properties": {
    "server": {"type": "string", "pattern": "^smtps?://",
      "description": "smtp://HOST:PORT (STARTTLS where offered) or smtps://HOST:PORT"},
    "username": {"type": "string"},
    "password": {"type": "string", "x-secret": true},
    "tls": {"type": "string", "enum": ["auto", "required", "none"], "default": "auto",
      "description": "auto: where the server offers it, and required as soon as there is a username"},
    "from": {"type": "string", "description": "Acme <hello@acme.test>"},
    "reply_to": {"type": "string"},
    "envelope_from": {"type": "string", "description": "where bounces go; the address of from, if left out"},
    "timeout_s": {"type": "integer", "minimum": 1, "maximum": 600, "default": 30, "description": "seconds for one mail"}}},
  "input": {"type": "object", "additionalProperties": false, "required": ["subject"],
    "anyOf": [{"required": ["text"]}, {"required": ["html"]}], "properties": {
    "subject": {"type": "string", "minLength": 1},
    "text": {"type": "string"},
    "html": {"type": "string"},
    "unsubscribe_url": {"type": "string", "format": "uri"}}},
  "sample": {"with": {"server": "smtp://127.0.0.1:1", "username": "shop", "from": "Acme <hello@acme.test>", "timeout_s": 1},
    "payload": {"subject": "Hello", "text": "Hello", "html": "<p>Hello</p>", "unsubscribe_url": "https://acme.test/u"}}
}]
})",
              sluice::smtp::Smtp)
