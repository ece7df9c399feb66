// One trial: what a connector makes of given records, and of given answers.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "sluice/values.hpp"

#include "base/hash.hpp"
#include "base/text.hpp"
#include "kit/checks.hpp"
#include "plugin/operations.hpp"

namespace sluice::kit {
namespace {

constexpr DurationUs patience = 10 * us_per_s;
constexpr std::size_t rounds_max = 20;  // of further requests

struct Answer {
  std::int32_t status = 200;
  std::string body = {};
  std::vector<plugin::Header> headers = {};
};

Result<std::vector<Answer>> answers_of(const std::optional<std::string>& json) {
  std::vector<Answer> out;
  if (!json) return out;
  JsonParser parser;
  const Json root = parser.parse(*json);
  bool good = root.is_object() || root.type() == JsonType::array;
  const auto add = [&](Json one) {
    const std::optional<std::int64_t> status = one["status"].integer();
    good = good && status && *status >= 0 && *status < 1000;
    Answer answer{.status = static_cast<std::int32_t>(status.value_or(0))};
    const Json body = one["body"];
    if (body) answer.body = body.is_string() ? std::string(*body.string()) : body.text();
    one["headers"].members([&](std::string_view name, Json value) {
      answer.headers.push_back({lower_ascii(name), std::string(value.string_or(""))});
    });
    out.push_back(std::move(answer));
  };
  if (root.is_object()) add(root);
  if (root.type() == JsonType::array) root.elements(add);
  if (!good || out.empty()) {
    return Error{
        Code::misconfigured,
        "the answer is none: write {\"status\": 200, \"headers\": {}, \"body\": {}}, or a list of them"};
  }
  return out;
}

class Mask {
 public:
  explicit Mask(const Subject& subject) {
    for (const auto& [name, value] : subject.secrets) hide(value);
    const plugin::Auth& auth = subject.policy.auth;
    if (auth.kind == plugin::AuthKind::basic) hide(base64(auth.user + ':' + auth.password));
    std::sort(secrets_.begin(), secrets_.end(),
              [](const auto& a, const auto& b) { return a.size() > b.size(); });
  }
  std::string operator()(std::string text) const {
    for (const std::string& secret : secrets_) {
      for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3))
        text.replace(at, secret.size(), "***");
    }
    return text;
  }

 private:
  void hide(const std::string& secret) {
    if (secret.empty()) return;
    std::string encoded;
    for (const char c : secret) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                         c == '-' || c == '.' || c == '_' || c == '~';
      const auto u = static_cast<unsigned char>(c);
      encoded += plain ? std::string(1, c)
                       : std::string{'%', "0123456789ABCDEF"[u >> 4], "0123456789ABCDEF"[u & 15]};
    }
    const std::string quoted = json_string(secret);
    for (const std::string& form : {secret, base64(secret), encoded, quoted.substr(1, quoted.size() - 2)})
      secrets_.push_back(form);
  }
  std::vector<std::string> secrets_;
};

class Trial {
 public:
  Trial(const Subject& subject, std::vector<Answer> answers)
      : subject_(subject), answers_(std::move(answers)), mask_(subject), stage_(subject) {}

  Result<std::string> run() {
    SLUICE_TRY(stage_.open());
    SLUICE_TRY(needs_records(stage_));
    const bool blocks = stage_.table().plan == nullptr;
    if (blocks && (subject_.info.files || subject_.info.network)) {
      return Error{
          Code::misconfigured,
          "'" + subject_.info.id + "' sends by itself, in deliver(): it cannot be tried without sending"};
    }
    if (!answers_.empty()) stage_.host.answer = {.status = answers_[0].status, .body = answers_[0].body};
    std::size_t first = 0;
    for (const auto& batch : batches_of(subject_.info, subject_.records)) {
      SLUICE_TRY(try_batch(batch, first));
      first += batch.size();
    }
    return text();
  }

 private:
  Status try_batch(const std::vector<plugin::Record>& batch, std::size_t first) {
    for (const plugin::Record& record : batch) records_ += comma(records_) + shown(record);
    const Emission planned = stage_.take(batch);
    SLUICE_TRY(succeeded(planned));
    SLUICE_TRY(covered(planned, batch.size()));
    tell(planned, first);
    std::vector<plugin::Request> open = planned.requests;
    for (std::size_t round = 0; !open.empty() && !answers_.empty() && round < rounds_max; ++round) {
      std::vector<plugin::Request> further;
      for (const plugin::Request& request : open) {
        const Emission judged = judge(batch, request);
        SLUICE_TRY(well_behaved(judged));
        if (judged.returned != SLUICE_OK) {
          return Error{Code::rejected, "interpret(): it failed with status " +
                                           std::to_string(judged.returned) + ": " + mask_(judged.why) +
                                           "; the hub would try these records again"};
        }
        SLUICE_TRY(covered(judged, request.records, batch.size()));
        tell(judged, first);
        for (const plugin::Request& one : judged.requests) further.push_back(one);
      }
      open = std::move(further);
    }
    return Done{};
  }

  Emission judge(const std::vector<plugin::Record>& batch, const plugin::Request& request) {
    const Answer& answer = answers_[std::min(answered_++, answers_.size() - 1)];
    plugin::Response response = answer_to(request, answer.status, answer.body);
    response.headers = answer.headers;
    response.retry_after_ms = -1;
    for (const plugin::Header& h : answer.headers) {
      const std::optional<double> seconds = h.name == "retry-after" ? parse_number(h.value) : std::nullopt;
      if (seconds && *seconds >= 0) response.retry_after_ms = std::llround(std::min(*seconds, 1e6) * 1e3);
    }
    if (stage_.table().interpret != nullptr) return stage_.interpret(batch, response);
    Emission by_status;
    by_status.function = "interpret()";
    for (const std::uint32_t i : request.records)
      by_status.outcomes.push_back(
          {i, {.status = sdk::verdict(answer.status), .reason = "http_" + std::to_string(answer.status)}});
    return by_status;
  }

  static std::string comma(const std::string& list) { return list.empty() ? "" : ","; }

  std::string shown(const plugin::Record& record) const {
    std::string out;
    JsonWriter w(out);
    w.begin_object().member("op", op_name(record.op)).member("id", record.id).member("key", record.key);
    w.member("name", record.name)
        .key("payload")
        .raw(record.payload)
        .key("identifiers")
        .raw(record.identifiers);
    if (!record.address.empty()) w.member("address", record.address);
    w.end_object();
    return out;
  }

  void tell(const Emission& e, std::size_t first) {
    for (const plugin::Request& request : e.requests) requests_ += comma(requests_) + shown(request, first);
    for (const plugin::Fate& fate : e.outcomes) outcomes_ += comma(outcomes_) + shown(fate, first);
  }

  // With the credentials that the host adds, masked.
  std::string shown(const plugin::Request& request, std::size_t first) const {
    std::string out;
    JsonWriter w(out);
    const auto ready = plugin::resolve(subject_.policy, request, stage_.host.now);
    w.begin_object().member("method", request.method);
    w.member("url", mask_(ready ? ready.value().url : request.url)).key("headers").begin_object();
    const std::vector<plugin::Header>& headers = ready ? ready.value().headers : request.headers;
    for (std::size_t i = 0; i < headers.size(); ++i) {
      // What the host adds is a secret, or made of one: a signature.
      const bool added = i >= request.headers.size() && headers[i].name != "webhook-timestamp";
      const std::string value = mask_(headers[i].value);
      w.member(headers[i].name, added && value == headers[i].value ? "***" : value);
    }
    w.end_object().member("body", mask_(request.body)).key("records").begin_array();
    for (const std::uint32_t i : request.records) w.integer(static_cast<std::int64_t>(first + i));
    w.end_array();
    if (request.delay_ms > 0) w.member_integer("delay_ms", request.delay_ms);
    if (!ready) w.member("refused", ready.error().detail);
    w.end_object();
    return out;
  }

  std::string shown(const plugin::Fate& fate, std::size_t first) const {
    const plugin::Outcome& o = fate.outcome;
    std::string out;
    JsonWriter w(out);
    w.begin_object().member_integer("record", static_cast<std::int64_t>(first + fate.record));
    w.member("status", plugin::status_name(o.status))
        .member("reason", o.reason)
        .member("detail", mask_(o.detail));
    if (!o.remote_id.empty()) w.member("remote_id", o.remote_id);
    if (o.retry_after_ms >= 0) w.member_integer("retry_after_ms", o.retry_after_ms);
    w.end_object();
    return out;
  }

  std::string text() const {
    std::string out;
    JsonWriter w(out);
    w.begin_object().member("connector", subject_.info.id).key("records").raw('[' + records_ + ']');
    w.key("requests").raw('[' + requests_ + ']').key("outcomes").raw('[' + outcomes_ + ']');
    w.key("logs").begin_array();
    for (const std::string& line : stage_.host.logs()) w.string(mask_(line));
    w.end_array().end_object();
    return out;
  }

  const Subject& subject_;
  std::vector<Answer> answers_;
  std::size_t answered_ = 0;
  Mask mask_;
  Stage stage_;
  std::string records_, requests_, outcomes_;
};

}  // namespace

Result<std::string> try_records(const TrialOptions& options) {
  const Library library = SLUICE_TRY(read_library(options.library));
  if (!library.manifest) return Error{Code::misconfigured, options.library + ": " + library.why};
  const auto& all = library.manifest->connectors;
  const auto found =
      std::find_if(all.begin(), all.end(), [](const auto& c) { return (c.kind & SLUICE_DESTINATION) != 0; });
  if (found == all.end())
    return Error{Code::misconfigured, options.library + ": it holds no destination to be tried"};
  const std::string folder = std::filesystem::temp_directory_path().string();
  const Subject subject = SLUICE_TRY(make_subject(library, *found, folder, options.with, options.records));
  const std::vector<Answer> answers = SLUICE_TRY(answers_of(options.answer));
  const Ruling ruling = run_child(
      [&]() -> Ruling {
        const Result<std::string> made = Trial(subject, answers).run();
        return made ? Ruling{Verdict::ok, made.value()} : Ruling{Verdict::failed, made.error().detail};
      },
      patience);
  if (ruling.verdict != Verdict::ok) return Error{Code::rejected, ruling.text};
  return ruling.text;
}

}  // namespace sluice::kit
