// Meta's custom audiences: people put into and taken out of them, replaced as a whole, taken out of all.
// README.md says how.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

#include "answer.hpp"
#include "forms.hpp"
#include "rows.hpp"

namespace sluice::meta {
namespace {

using sdk::Batch;
using sdk::Call;
using sdk::Json;
using sdk::Record;
using sdk::Request;
using sdk::Response;

// What a request of provision() looks for: stands before the audience's name in its `state`.
enum class Search : char { by_id = 'i', by_name = 'n', creation = 'c' };

constexpr std::size_t id_digits_min = 8;  // shorter ones are names
constexpr std::string_view audiences_per_page = "200";

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string url_encoded(std::string_view text) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append("%") += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

class MetaAudiences {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "meta_audiences";

  MetaAudiences(const sdk::Host& host, const sdk::Open& open) : host_(host) {
    const Json with = Json::parse(open.config).value_or(Json());
    if (!with.is_object()) throw sdk::Fail(SLUICE_INVALID, "the settings are no mapping");
    std::string_view account = with["ad_account"].scalar();
    if (account.starts_with("act_")) account.remove_prefix(4);
    if (!is_number(account)) throw sdk::Fail(SLUICE_INVALID, "'ad_account' is no number");
    version_ = "/" + std::string(with["api_version"].text_or("v25.0"));
    account_ = "/act_" + std::string(account);
    source_ = with["customer_file_source"].text_or("USER_PROVIDED_ONLY");
    settings_.country = with["country"].text_or("");
    settings_.rows_max =
        static_cast<std::uint32_t>(with["rows"].integer_value().value_or(settings_.rows_max));
    settings_.bytes_max = static_cast<std::size_t>(
        with["payload_bytes"].integer_value().value_or(static_cast<std::int64_t>(settings_.bytes_max)));
    if (const std::string secret = secret_or_none("app_secret"); !secret.empty())
      proof_ = hmac_sha256_hex(secret, host.secret("token"));
  }

  void check(Call& call) { call.request(get(account_, "fields=id")); }

  void plan(const Batch& batch, Call& call) {
    if (batch.part() > 0) return replace(batch, call);
    std::map<std::pair<Way, std::string_view>, Filling> open;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const Record record = batch[i];
      const Way way = way_of(record.op);
      const bool everywhere = way == Way::remove_everywhere;
      if (way == Way::none || (!everywhere && record.audience_id.empty())) {
        call.outcome(i, {.status = SLUICE_INVALID,
                         .reason = way == Way::none ? "operation_not_offered" : "no_audience"});
        continue;
      }
      std::vector<Row> rows = rows_of(record, settings_);
      if (!rows.front().names_somebody()) {
        call.outcome(i, {.status = SLUICE_SKIPPED, .reason = "no_identifier"});
        continue;
      }
      Filling& at = open.try_emplace({way, everywhere ? std::string_view{} : record.audience_id}, settings_)
                        .first->second;
      if (!at.payload.fits(rows)) {
        send(way, record.audience_id, at, call);
        at = Filling(settings_);
      }
      at.payload.add(std::move(rows));
      at.records.push_back(i);
    }
    for (auto& [where, one] : open) send(where.first, where.second, one, call);
  }

  void provision(const sdk::Provision& what, Call& call) {
    const std::string name(what.name);
    if (!what.remote_id.empty()) return look_up(std::string(what.remote_id), name, call);
    if (is_number(name) && name.size() >= id_digits_min) return look_up(name, name, call);
    search(name, {}, call);
  }

  void interpret(const Batch&, const Response& response, Call& call) {
    const Json body = Json::parse(response.body()).value_or(Json());
    const Verdict verdict = judge(response, body);
    tell_budget(response, call);
    if (response.purpose() == SLUICE_FOR_PROVISION) return found(response, body, verdict, call);
    if (response.purpose() == SLUICE_FOR_CHECK) return say(0, verdict, {}, call);
    if (verdict.status == SLUICE_OK) count_invalid(body);
    for (const std::uint32_t record : response.records()) say(record, verdict, {}, call);
  }

 private:
  std::string secret_or_none(std::string_view name) const {
    try {
      return host_.secret(name);
    } catch (const sdk::Fail& fail) {
      if (fail.status() != SLUICE_INVALID) throw;
      return {};
    }
  }

  enum class Way { none, add, remove, remove_everywhere };
  struct Filling {  // a request that is being filled
    explicit Filling(const Settings& settings) : payload(settings) {}
    Payload payload;
    std::vector<std::uint32_t> records;
  };

  static Way way_of(std::uint32_t op) {
    switch (op) {
      case SLUICE_ENTER:
        return Way::add;
      case SLUICE_LEAVE:
        return Way::remove;
      case SLUICE_DELETE:
      case SLUICE_ERASE:
        return Way::remove_everywhere;
      default:
        return Way::none;
    }
  }

  void send(Way way, std::string_view audience, Filling& one, Call& call) const {
    const bool everywhere = way == Way::remove_everywhere;
    const std::string path =
        everywhere ? account_ + "/usersofanyaudience" : "/" + std::string(audience) + "/users";
    Request request = post(path, R"({"payload":)" + one.payload.json() + '}');
    request.method = way == Way::add ? "POST" : "DELETE";
    request.records = std::move(one.records);
    call.request(request);
  }

  // One request for as many of the part's records as it bears; the rest are the next part's.
  void replace(const Batch& batch, Call& call) const {
    Payload payload(settings_);
    std::vector<std::uint32_t> records;
    bool last = false;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const Record record = batch[i];
      if (record.op == SLUICE_ENTER) {
        std::vector<Row> rows = rows_of(record, settings_);
        if (!rows.front().names_somebody()) {
          call.outcome(i, {.status = SLUICE_SKIPPED, .reason = "no_identifier"});
          continue;
        }
        if (!payload.fits(rows)) break;
        payload.add(std::move(rows));
      } else if (record.op != SLUICE_SNAPSHOT_BEGIN && record.op != SLUICE_SNAPSHOT_END) {
        call.outcome(i, {.status = SLUICE_INVALID, .reason = "operation_not_offered"});
        continue;
      }
      last = record.op == SLUICE_SNAPSHOT_END;
      records.push_back(i);
    }
    if (records.empty()) return;
    const std::string_view audience = batch[records.front()].audience_id;
    if (audience.empty()) {
      for (const std::uint32_t i : records)
        call.outcome(i, {.status = SLUICE_INVALID, .reason = "no_audience"});
      return;
    }
    if (payload.empty()) payload.add({nobody()});
    std::string body = R"({"session":{"session_id":)" + std::to_string(number_of(batch.snapshot()));
    body.append(R"(,"batch_seq":)").append(std::to_string(batch.part()));
    body.append(R"(,"last_batch_flag":)").append(last ? "true" : "false");
    body.append(R"(},"payload":)").append(payload.json()) += '}';
    Request request = post("/" + std::string(audience) + "/usersreplace", std::move(body));
    request.records = std::move(records);
    call.request(request);
  }

  void look_up(const std::string& audience, const std::string& name, Call& call) const {
    Request request = get("/" + audience, "fields=id,name");
    request.state = static_cast<char>(Search::by_id) + name;
    call.request(request);
  }
  void search(const std::string& name, std::string_view after, Call& call) const {
    std::string query = "fields=id,name,subtype&limit=" + std::string(audiences_per_page);
    if (!after.empty()) query += "&after=" + url_encoded(after);
    Request request = get(account_ + "/customaudiences", query);
    request.state = static_cast<char>(Search::by_name) + name;
    call.request(request);
  }
  void create(const std::string& name, Call& call) const {
    Request request =
        post(account_ + "/customaudiences",
             R"({"name":)" + sdk::json_string(name) +
                 R"(,"subtype":"CUSTOM","description":"kept by Sluice","customer_file_source":)" +
                 sdk::json_string(source_) + '}');
    request.state = static_cast<char>(Search::creation) + name;
    call.request(request);
  }

  void found(const Response& response, const Json& body, const Verdict& verdict, Call& call) const {
    if (response.state().empty()) return say(0, {SLUICE_INTERNAL, "state_lost", {}}, {}, call);
    const auto what = static_cast<Search>(response.state().front());
    const std::string name(response.state().substr(1));
    if (what == Search::by_id && verdict.status == SLUICE_GONE) {
      // The id that the configuration names is not made anew.
      if (!is_number(name) || name.size() < id_digits_min) return search(name, {}, call);
      return say(0, {SLUICE_AUTH, "no_such_audience", "the ad account has no audience with the id " + name},
                 {}, call);
    }
    if (verdict.status != SLUICE_OK) return say(0, verdict, {}, call);
    std::string_view audience = body["id"].scalar();
    if (what == Search::by_name) {
      for (const Json& one : body["data"].elements()) {
        if (one["name"].text_or("") != name || one["subtype"].text_or("CUSTOM") != "CUSTOM") continue;
        audience = one["id"].scalar();
        break;
      }
      const std::string_view after = body["paging"]["cursors"]["after"].text_or("");
      const bool more = body["paging"]["next"].is_string() && !after.empty();
      if (audience.empty()) return more ? search(name, after, call) : create(name, call);
    }
    if (!is_number(audience))
      return say(0, {SLUICE_RETRY, "unreadable_answer", "the answer names no audience"}, {}, call);
    say(0, {}, audience, call);
  }

  // Of single rows Meta gives no verdict, and the samples that it returns are not for a log.
  void count_invalid(const Json& body) const {
    const std::int64_t invalid = body["num_invalid_entries"].integer_value().value_or(0);
    if (invalid <= 0) return;
    host_.metric(SLUICE_COUNTER, "invalid_entries", static_cast<double>(invalid));
    host_.log(SLUICE_WARN, "Meta could not read " + std::to_string(invalid) + " entries of " +
                               std::string(body["num_received"].scalar()));
  }

  static void say(std::uint32_t record, const Verdict& verdict, std::string_view remote_id, Call& call) {
    call.outcome(record, {.status = verdict.status,
                          .reason = verdict.reason,
                          .detail = verdict.detail,
                          .remote_id = remote_id});
  }

  std::string url(const std::string& path, std::string_view query) const {
    std::string out = version_ + path;
    if (!query.empty()) out.append("?").append(query);
    if (!proof_.empty()) out.append(query.empty() ? "?" : "&").append("appsecret_proof=").append(proof_);
    return out;
  }
  Request get(const std::string& path, std::string_view query) const {
    return {.method = "GET", .url = url(path, query)};
  }
  Request post(const std::string& path, std::string body) const {
    return {.method = "POST",
            .url = url(path, {}),
            .headers = {{"content-type", "application/json"}},
            .body = std::move(body)};
  }

  sdk::Host host_;
  Settings settings_;
  std::string version_, account_, source_, proof_;
};

}  // namespace
}  // namespace sluice::meta

SLUICE_PLUGIN(R"({
"plugin": "meta_audiences", "version": "0.1.0",
"connectors": [{
  "id": "meta_audiences", "kind": "destination", "title": "Meta custom audiences", "channel": "ads",
  "ops": ["enter", "leave", "delete", "erase", "snapshot_begin", "snapshot_end"],
  "identifiers": ["user_id", "email", "phone"], "settle_s": 60,
  "base_url": "{config.endpoint}",
  "auth": {"type": "header", "name": "authorization", "value": "Bearer {secret.token}"},
  "batch": {"max_records": 10000, "max_bytes": 8388608, "group_by": "name", "all_or_nothing": true},
  "parallel": 4, "timeout_s": 60,
  "config": {"type": "object", "additionalProperties": false, "required": ["ad_account", "token"], "properties": {
    "ad_account": {"type": "string", "pattern": "^(act_)?[0-9]+$", "examples": ["1234567890"], "description": "the number of the ad account"},
    "token": {"type": "string", "x-secret": true, "description": "a system user's token with ads_management"},
    "app_secret": {"type": "string", "x-secret": true, "description": "signs each request, where the app asks for appsecret_proof"},
    "api_version": {"type": "string", "default": "v25.0", "pattern": "^v[0-9]+\\.[0-9]+$",
      "description": "of the Graph API; one lives about two years"},
    "country": {"type": "string", "pattern": "^[A-Za-z]{2}$",
      "description": "of people of whom no country is known, as two letters: more of them are matched"},
    "customer_file_source": {"type": "string", "default": "USER_PROVIDED_ONLY",
      "enum": ["USER_PROVIDED_ONLY", "PARTNER_PROVIDED_ONLY", "BOTH_USER_AND_PARTNER_PROVIDED"],
      "description": "who gave the data, said of audiences that are created"},
    "rows": {"type": "integer", "default": 10000, "minimum": 1, "maximum": 10000, "description": "people in a request"},
    "payload_bytes": {"type": "integer", "default": 60000, "minimum": 2000, "maximum": 8000000,
      "description": "of the rows of a request"},
    "endpoint": {"type": "string", "format": "uri", "default": "https://graph.facebook.com", "pattern": "^https?://",
      "description": "another address of the Graph API: a proxy, a stand-in"}}}
}]})",
              sluice::meta::MetaAudiences)
