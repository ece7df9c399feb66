#include "kit/recording.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <thread>

#include <re2/re2.h>

#include "sluice/plugin.h"

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "kit/subject.hpp"
#include "net/client.hpp"
#include "plugin/connector.hpp"
#include "plugin/http_request.hpp"
#include "plugin/operations.hpp"
#include "plugin/url.hpp"

namespace sluice::kit {
namespace {

constexpr std::size_t requests_max = 100;
constexpr std::uint32_t delay_ms_max = 60'000;
constexpr std::size_t secret_bytes_min = 4;  // what is shorter stands in every text
// Of an answer: what says nothing about it, or is a credential.
constexpr std::string_view left_out[] = {"set-cookie",
                                         "date",
                                         "server",
                                         "connection",
                                         "content-length",
                                         "keep-alive",
                                         "cf-ray",
                                         "via",
                                         "transfer-encoding",
                                         "alt-svc",
                                         "strict-transport-security"};

// Each secret gives way to a made-up one, in the form in which it stands: so the replay, which has the
// made-up one in its settings, finds what it makes of it.
class Scissors {
 public:
  void add(std::string_view secret, const std::string& made_up) {
    if (secret.size() < secret_bytes_min) return;
    const std::string text(secret);
    const auto quoted = [](const std::string& s) {
      const std::string json = json_string(s);
      return json.substr(1, json.size() - 2);
    };
    // As it is, in JSON, in JSON within JSON, in URLs, and as basic authentication may.
    for (const auto& form : {std::pair(text, made_up), std::pair(quoted(text), quoted(made_up)),
                             std::pair(quoted(quoted(text)), quoted(quoted(made_up))),
                             std::pair(plugin::percent_encode(text), plugin::percent_encode(made_up)),
                             std::pair(base64(text), base64(made_up))}) {
      forms_.push_back(form);
    }
    std::stable_sort(forms_.begin(), forms_.end(),
                     [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  }
  std::string operator()(std::string text) const {
    for (const auto& [secret, made_up] : forms_) {
      for (std::size_t at = text.find(secret); at != std::string::npos;
           at = text.find(secret, at + made_up.size()))
        text.replace(at, secret.size(), made_up);
    }
    return text;
  }

 private:
  std::vector<std::pair<std::string, std::string>> forms_;
};

// Made-up people in place of those that are seen, the same for the same.
std::string without_people(const std::string& text) {
  static const RE2 person(
      R"(([A-Za-z0-9._+\-]+(?:@|%40)[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,})|((?:\+|%2B)[1-9][0-9]{7,14}))");
  std::map<std::string, std::string> known;
  std::string out;
  re2::StringPiece rest(text), email, phone;
  for (const char* from = rest.data(); RE2::FindAndConsume(&rest, person, &email, &phone);
       from = rest.data()) {
    const re2::StringPiece hit = email.empty() ? phone : email;
    const std::string_view found(hit.data(), hit.size());
    out.append(from, static_cast<std::size_t>(found.data() - from));
    const bool encoded = found.find('%') != std::string_view::npos;
    std::string plain = lower_ascii(found);
    (void)RE2::GlobalReplace(&plain, "%40", "@");
    (void)RE2::GlobalReplace(&plain, "%2b", "+");
    std::string& made_up = known[plain];
    const std::string number = std::to_string(known.size());
    if (made_up.empty()) {
      made_up = email.empty()
                    ? "+1555010" + std::string(4 - std::min<std::size_t>(4, number.size()), '0') + number
                    : "person-" + number + "@example.com";
    }
    out += encoded ? plugin::percent_encode(made_up) : made_up;
  }
  return out.append(rest.data(), rest.size());
}

class Services final : public plugin::HostServices {
 public:
  Services(net::HttpClient& http, Scissors& scissors) : http_(http), scissors_(scissors) {}
  void log(std::int32_t, std::string_view) override {}
  TimeUs now_us() override { return clock_.wall_us(); }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  void hide(std::string_view secret) override { scissors_.add(secret, "made-up-token"); }
  plugin::Response http(const plugin::HttpRequest& request) override {
    net::HttpRequest out;
    out.method = request.method;
    out.url = request.url;
    for (const plugin::Header& h : request.headers) out.headers.emplace_back(h.name, h.value);
    out.body = request.body;
    out.timeout_ms = request.timeout / us_per_ms;
    out.allow_private = request.host_trusted;
    net::HttpResponse answer = http_.fetch(std::move(out));
    plugin::Response in;
    in.status = answer.status;
    in.body = std::move(answer.body);
    in.error = std::move(answer.error);
    for (auto& [name, value] : answer.headers) in.headers.push_back({std::move(name), std::move(value)});
    in.retry_after_ms = answer.retry_after_ms;
    return in;
  }

 private:
  net::HttpClient& http_;
  Scissors& scissors_;
  SystemClock clock_;
};

// What a source emits, as the file has it.
class Rows final : public plugin::Sink {
 public:
  std::string rows, rejected;  // elements of JSON lists
  std::string cursor;
  bool over = false;
  Status record(const plugin::Emitted& row) override {
    JsonWriter w(rows += rows.empty() ? "" : ",");
    w.begin_object().member("key", row.key).member("entity", row.entity).member("name", row.name);
    w.key("payload").raw(row.payload.empty() ? "{}" : row.payload).end_object();
    return Done{};
  }
  Status reject(const plugin::Rejected& row) override {
    rejected += (rejected.empty() ? "" : ",") + json_string(row.reason);
    return Done{};
  }
  Status checkpoint(std::string_view at) override { return cursor = at, Done{}; }
  void ended() override { over = true; }
};

void member_json(JsonWriter& w, std::string_view name, const std::string& text) {
  JsonParser parser;
  const Json json = parser.parse(text);
  json.is_object() || json.type() == JsonType::array ? w.key(name).raw(text) : w.member(name, text);
}

class Recorder {
 public:
  Recorder(const RecordingOptions& options, const plugin::Entry& entry) : options_(options), entry_(entry) {}

  Result<Recording> run() {
    http_ = SLUICE_TRY(net::HttpClient::create());
    services_ = std::make_unique<Services>(*http_, scissors_);
    SLUICE_TRY(make_up_settings());
    plugin::Instance instance;
    instance.name = entry_.plugin;
    instance.config = options_.with;
    instance.folder = std::filesystem::current_path().string();
    connector_ = SLUICE_TRY(plugin::Connector::open(entry_, instance, *services_));
    if (const plugin::Auth& auth = connector_->http_policy().auth; auth.kind == plugin::AuthKind::basic)
      scissors_.add(base64(auth.user + ':' + auth.password),
                    base64(scissors_(auth.user + ':' + auth.password)));
    if (options_.poll) {
      SLUICE_TRY(record_poll());
    } else if (options_.part > 0) {
      const auto records = SLUICE_TRY(records_of(*options_.records));
      SLUICE_TRY(record_batch(records));
    } else {
      for (const auto& batch : batches_of(entry_.info, SLUICE_TRY(records_of(*options_.records))))
        SLUICE_TRY(record_batch(batch));
    }
    return finished();
  }

 private:
  // The settings of the file: the real ones, with made-up secrets.
  Status make_up_settings() {
    JsonParser parser;
    const Json with = parser.parse(options_.with);
    if (!with.is_object()) return Error{Code::misconfigured, "the settings are no JSON object"};
    JsonWriter w(with_);
    w.begin_object();
    with.members([&](std::string_view name, Json value) {
      const auto& secrets = entry_.info.secrets;
      if (std::find(secrets.begin(), secrets.end(), name) == secrets.end()) {
        w.key(name).raw(value.text());
        return;
      }
      const std::string made_up = "made-up-" + std::string(name);
      scissors_.add(value.is_string() ? *value.string() : std::string_view(value.text()), made_up);
      w.member(name, made_up);
    });
    w.end_object();
    const plugin::Auth& auth = entry_.info.auth;
    if (auth.kind == plugin::AuthKind::oauth2 && auth.oauth2.grant != plugin::Grant::client_credentials &&
        auth.oauth2.grant != plugin::Grant::jwt_bearer) {
      return Error{Code::misconfigured,
                   "its refresh token would be used up here, and the hub that has it left without: take the "
                   "exchange with a client or key of its own"};
    }
    return Done{};
  }

  // Sends one and writes down the answer.
  Result<plugin::Response> exchange(const plugin::Request& request) {
    if (++count_ > requests_max) return Error{Code::rejected, "it asks for ever: stopped after 100 requests"};
    const auto url = plugin::resolve(connector_->http_policy(), request, 0);
    if (!url) return url.error();
    if (request.delay_ms > 0)  // a job that the vendor works at: whoever records waits at the terminal
      std::this_thread::sleep_for(std::chrono::milliseconds(std::min(request.delay_ms, delay_ms_max)));
    const std::string shown =
        request.method + ' ' + scissors_(url.value().url) + '\n' + scissors_(request.body);
    if (!options_.agree(shown)) return Error{Code::cancelled, "not sent: nothing was written"};
    plugin::Response response = SLUICE_TRY(connector_->send(request));
    if (response.status == 0)
      return Error{Code::transient, "the vendor gave no answer: " + scissors_(response.error)};
    JsonWriter asked(requests_ += requests_.empty() ? "" : ",");
    asked.begin_object()
        .member("method", request.method)
        .member("url", request.url)
        .key("headers")
        .begin_object();
    for (const plugin::Header& h : request.headers) asked.member(h.name, h.value);
    asked.end_object();
    member_json(asked, "body", request.body);
    asked.end_object();
    JsonWriter came(answers_ += answers_.empty() ? "" : ",");
    came.begin_object().member_integer("status", response.status).key("headers").begin_object();
    for (const plugin::Header& h : response.headers) {
      if (std::find(std::begin(left_out), std::end(left_out), h.name) == std::end(left_out))
        came.member(h.name, h.value);
    }
    came.end_object();
    member_json(came, "body", response.body);
    came.end_object();
    response.state = request.state;
    response.records = request.records;
    response.purpose = request.purpose;
    return response;
  }

  // In the order in which the replay answers: what an answer leads to comes after all that was asked before.
  template <typename Judge>
  Status follow(std::vector<plugin::Request> first, const Judge& judge) {
    std::deque<plugin::Request> open(first.begin(), first.end());
    for (; !open.empty(); open.pop_front()) {
      const plugin::Response response = SLUICE_TRY(exchange(open.front()));
      for (plugin::Request& more : SLUICE_TRY(judge(response))) open.push_back(std::move(more));
    }
    return Done{};
  }

  Status record_batch(const std::vector<plugin::Record>& batch) {
    if (!connector_->offers_plan())
      return Error{Code::misconfigured, "it sends by itself, in deliver(): there is no exchange to take"};
    plugin::PlanOutput planned =
        SLUICE_TRY(connector_->plan(batch, {}, {.snapshot = options_.snapshot, .part = options_.part}));
    std::vector<plugin::Fate> fates = std::move(planned.outcomes);
    const auto judge = [&](const plugin::Response& response) { return judged(batch, response, fates); };
    SLUICE_TRY(follow(std::move(planned.requests), judge));
    std::string records, outcomes;
    for (const plugin::Record& record : batch) {
      JsonWriter w(records += records.empty() ? "" : ",");
      w.begin_object().member("op", op_name(record.op)).member("id", record.id).member("key", record.key);
      if (record.time != no_time) w.member_integer("time_us", record.time);
      w.member("name", record.name).key("payload").raw(record.payload.empty() ? "{}" : record.payload);
      w.key("identifiers").raw(record.identifiers.empty() ? "{}" : record.identifiers);
      if (!record.address.empty()) w.member("address", record.address);
      if (!record.remote_id.empty()) w.member("remote_id", record.remote_id);
      if (!record.audience_id.empty()) w.member("audience_id", record.audience_id);
      w.end_object();
    }
    for (const plugin::Fate& fate : fates) {
      JsonWriter w(outcomes += outcomes.empty() ? "" : ",");
      w.begin_object()
          .member_integer("record", fate.record)
          .member("status", plugin::status_name(fate.outcome.status));
      if (connector_->offers_interpret()) w.member("reason", fate.outcome.reason);
      if (!fate.outcome.remote_id.empty()) w.member("remote_id", fate.outcome.remote_id);
      w.end_object();
    }
    std::string part;
    if (options_.part > 0) {
      part =
          R"(,"part":)" + std::to_string(options_.part) + R"(,"snapshot":)" + json_string(options_.snapshot);
    }
    add(R"("records":[)" + records + "]" + part, R"("outcomes":[)" + outcomes + "]");
    return Done{};
  }

  Result<std::vector<plugin::Request>> judged(const std::vector<plugin::Record>& batch,
                                              const plugin::Response& response,
                                              std::vector<plugin::Fate>& fates) {
    plugin::InterpretOutput out = SLUICE_TRY(connector_->interpret(batch, response));
    for (plugin::Fate& fate : out.outcomes) fates.push_back(std::move(fate));
    return std::move(out.requests);
  }

  Status record_poll() {
    JsonParser parser;
    const Json asked = parser.parse(*options_.poll);
    const plugin::Poll poll{.stream = std::string(asked["stream"].string_or("")),
                            .cursor = std::string(asked["cursor"].string_or(""))};
    Rows rows;
    plugin::FetchOutput first = SLUICE_TRY(connector_->fetch(poll, rows));
    const auto judge = [&](const plugin::Response& response) -> Result<std::vector<plugin::Request>> {
      plugin::FetchOutput more = SLUICE_TRY(connector_->interpret_fetched(poll, response, rows));
      return std::move(more.requests);
    };
    SLUICE_TRY(follow(std::move(first.requests), judge));
    std::string before;
    JsonWriter p(before);
    p.begin_object().member("stream", poll.stream).member("cursor", poll.cursor).end_object();
    add(R"("poll":)" + before, R"("rows":[)" + rows.rows + R"(],"rejected":[)" + rows.rejected +
                                   R"(],"cursor":)" + json_string(rows.cursor) + R"(,"ended":)" +
                                   (rows.over ? "true" : "false"));
    return Done{};
  }

  void add(const std::string& before, const std::string& after) {
    exchanges_ += (exchanges_.empty() ? "" : ",") + (R"({"about":)" + json_string(options_.about)) + ',' +
                  before + R"(,"requests":[)" + std::exchange(requests_, {}) + R"(],"answers":[)" +
                  std::exchange(answers_, {}) + "]," + after + '}';
  }

  Recording finished() {
    Recording out;
    out.requests = count_;
    std::string text = R"({"connector":)" + json_string(entry_.info.id) + R"(,"with":)" + with_ +
                       R"(,"routes_url":"","exchanges":[)" + exchanges_ + "]}";
    text = scissors_(std::move(text));
    const std::string masked = without_people(text);
    out.personal = !options_.mask && masked != text;
    out.json = options_.mask ? masked : text;
    return out;
  }

  const RecordingOptions& options_;
  const plugin::Entry& entry_;
  Scissors scissors_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<Services> services_;  // ends after the connector
  std::unique_ptr<plugin::Connector> connector_;
  std::string with_, exchanges_, requests_, answers_;
  std::size_t count_ = 0;
};

}  // namespace

Result<Recording> record(const RecordingOptions& options) {
  const plugin::Registry registry = SLUICE_TRY(plugin::Registry::of_file(options.library));
  const std::uint32_t kind = options.poll ? SLUICE_SOURCE : SLUICE_DESTINATION;
  for (const plugin::Entry& entry : registry.entries()) {
    if ((entry.info.kind & kind) != 0) return Recorder(options, entry).run();
  }
  return Error{Code::misconfigured,
               options.library + (options.poll ? ": it holds no source to be polled"
                                               : ": it holds no destination to be tried")};
}

}  // namespace sluice::kit
