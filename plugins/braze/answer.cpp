#include "answer.hpp"

#include <charconv>
#include <optional>

#include "sluice/json.hpp"

namespace sluice::braze {

namespace {

constexpr std::size_t detail_bytes_max = 200;
constexpr int personal_digits_min = 6;

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Fate {
  sluice_status status = SLUICE_OK;
  std::string reason, detail;
  std::int64_t retry_after_ms = -1;
};

void give(const sdk::Response& response, const Fate& fate, sdk::Call& call) {
  for (const std::uint32_t record : response.records()) {
    call.outcome(record, {.status = fate.status,
                          .reason = fate.reason,
                          .detail = fate.detail,
                          .remote_id = {},
                          .retry_after_ms = fate.retry_after_ms});
  }
}

// The fate of all records by the status alone.
Fate by_status(const sdk::Response& response, std::string detail) {
  const std::int32_t status = response.status();
  if (status == 0) return {SLUICE_RETRY, "no_answer", {}, -1};
  Fate fate{SLUICE_INVALID, "http_" + std::to_string(status), std::move(detail), -1};
  if (status == 429) {
    const std::optional<std::int64_t> seconds = number_of(response.header("x-ratelimit-retry-after"));
    fate.status = SLUICE_THROTTLE;
    fate.retry_after_ms = seconds ? *seconds * 1'000 : response.retry_after_ms();
  } else if (status == 401 || status == 403 || status == 404) {
    fate.status = SLUICE_AUTH;
  } else if (status == 408 || status == 425 || status >= 500) {
    fate.status = SLUICE_RETRY;
    fate.retry_after_ms = response.retry_after_ms();
  }
  return fate;
}

// Which record of the request an entry of `errors` names; the number of records if none.
std::size_t named(const sdk::Json& error, std::string_view slots) {
  const std::string_view array = error["input_array"].text_or("");
  const char slot = array == "attributes" ? 'a' : array == "events" ? 'e' : '\0';
  std::int64_t left = error["index"].integer_value().value_or(-1);
  for (std::size_t i = 0; i < slots.size() && left >= 0; ++i) {
    if (slots[i] == slot && left-- == 0) return i;
  }
  return slots.size();
}

}  // namespace

std::int64_t window_end_s(const sdk::Response& response) {
  return number_of(response.header("x-ratelimit-reset")).value_or(0);
}

std::string masked(std::string_view text) {
  std::string out;
  while (!text.empty() && out.size() < detail_bytes_max) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    int digits = 0;
    for (const char c : word) digits += c >= '0' && c <= '9' ? 1 : 0;
    const bool personal = word.find('@') != std::string_view::npos || digits >= personal_digits_min;
    out += personal ? std::string_view("***") : word;
    if (end < text.size()) out += ' ';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::size_t size = std::min(out.size(), detail_bytes_max);
  while (size < out.size() && size > 0 && (static_cast<unsigned char>(out[size]) & 0xC0) == 0x80) --size;
  out.resize(size);
  return out;
}

void judge_track(const sdk::Response& response, std::string_view slots, sdk::Call& call) {
  const std::int32_t status = response.status();
  if (!response.ok() && status != 400) return judge_whole(response, call);
  const std::optional<sdk::Json> body = sdk::Json::parse(response.body());
  const bool queued = status == 202;  // in maintenance: accepted, done later
  if (response.ok() && !queued && (!body || !(*body)["message"].is_string())) {
    return give(response, {SLUICE_UNKNOWN, "unreadable_answer", "the answer is not Braze's", -1}, call);
  }
  const std::string message = body ? masked((*body)["message"].text_or("")) : std::string();
  const bool success = queued || (response.ok() && message == "success");
  std::vector<std::string> refusals(slots.size());
  bool any = false;
  if (body && !queued) {
    for (const sdk::Json& error : (*body)["errors"].elements()) {
      const std::size_t slot = named(error, slots);
      if (slot == slots.size()) continue;
      refusals[slot] = masked(error["type"].text_or("refused"));
      any = true;
    }
  }
  // Nothing of a 400 was done. Where it names the bad records the others go again; where not, the host splits
  // the batch.
  Fate rest;
  if (!success)
    rest = any ? Fate{SLUICE_RETRY, "http_400", message, 0} : Fate{SLUICE_INVALID, "http_400", message, -1};
  const auto records = response.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i < refusals.size() && !refusals[i].empty()) {
      call.outcome(
          records[i],
          {.status = SLUICE_INVALID, .reason = "refused_by_braze", .detail = refusals[i], .remote_id = {}});
    } else {
      call.outcome(records[i], {.status = rest.status,
                                .reason = rest.reason,
                                .detail = rest.detail,
                                .remote_id = {},
                                .retry_after_ms = rest.retry_after_ms});
    }
  }
}

void judge_whole(const sdk::Response& response, sdk::Call& call) {
  const std::optional<sdk::Json> body = sdk::Json::parse(response.body());
  const std::string message = body ? masked((*body)["message"].text_or("")) : std::string();
  if (response.ok()) {
    // Of calls that carry one person's matter, a 2xx with another message is a failure as a whole.
    const bool done = response.status() == 202 || message.empty() || message == "success";
    return give(response, done ? Fate{} : Fate{SLUICE_INVALID, "http_400", message, -1}, call);
  }
  give(response, by_status(response, message), call);
}

}  // namespace sluice::braze
