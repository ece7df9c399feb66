#include "source.hpp"

#include <algorithm>

#include "describe.hpp"

namespace sluice::salesforce {
namespace {

using sdk::Json;

// What was changed in a transaction that was still open is seen later than its time says.
constexpr std::int64_t overlap_us = 300 * us_per_second;
// A cursor that only the clock has moved is written this often: what lies between is read again and dropped.
constexpr std::int64_t idle_step_us = 3'600 * us_per_second;
constexpr std::int64_t window_least_us = 2 * us_per_second;
constexpr std::int64_t eldest_us = 915'148'800 * us_per_second;  // 1999-01-01: Salesforce's first year
constexpr std::size_t url_bytes_max = 15'000;                    // Salesforce takes 16 KB of URL and headers
constexpr std::uint32_t job_look_first_ms = 2'000, job_look_most_ms = 30'000;

// The host takes answers of up to 4 MB.
std::int64_t rows_of(const Position& position, std::int64_t cell_bytes, std::int64_t least,
                     std::int64_t most) {
  constexpr std::int64_t answer_bytes = 2'000'000;
  const auto fields = static_cast<std::int64_t>(position.fields.size()) + 3;
  return std::clamp(answer_bytes / (cell_bytes * fields), least, most);
}

bool is_here(std::string_view url) {
  return url.starts_with("/services/data/");
}

// Else the object's description has to say how the fields are asked for. All of them: it may have more by
// now.
bool reads_the_same(const sdk::Poll& poll, const Position& position) {
  return !poll.fields.empty() && poll.fields.size() == position.fields.size() &&
         std::all_of(poll.fields.begin(), poll.fields.end(), [&](const sluice_str& wanted) {
           return std::any_of(position.fields.begin(), position.fields.end(),
                              [&](const Field& field) { return field.name == sdk::view(wanted); });
         });
}

[[noreturn]] void garbage(const char* what) {
  throw sdk::Fail(SLUICE_RETRY, std::string("the answer is no ") + what);
}

}  // namespace

Source::Source(const sdk::Host& host, const sdk::Open& open) : host_(host) {
  const Json with = settings_of(open.config);
  path_ = api_path(with);
  const std::string_view bulk = with["bulk"].text_or("auto");
  bulk_ = bulk == "never" ? Bulk::never : bulk == "always" ? Bulk::always : Bulk::automatic;
  bulk_rows_ = with["bulk_rows"].integer_value().value_or(50'000);
}

void Source::discover(const sdk::Discover& what, sdk::Call& call) {
  ask_discover(path_, what, call);
}

void Source::fetch(const sdk::Poll& poll, sdk::Call& call) {
  if (!is_api_name(poll.stream)) {
    throw sdk::Fail(SLUICE_INVALID,
                    "a stream is an object by its API name (Contact, Invoice__c), and this is none: '" +
                        std::string(poll.stream) + "'");
  }
  for (const sluice_str& field : poll.fields) {
    if (!is_api_name(sdk::view(field), true)) {
      throw sdk::Fail(SLUICE_INVALID, "a field by its API name (Email, Account.Name) is none: '" +
                                          std::string(sdk::view(field)) + "'");
    }
  }
  Position position = poll.full ? Position() : Position::of_cursor(poll.cursor);
  if (!position.job.empty())
    return position.locator.empty() ? ask_job(std::move(position), call)
                                    : ask_results(std::move(position), call);
  if (position.watermark) {
    position.from = *position.watermark - overlap_us;
  } else if (!poll.full && poll.since_us != SLUICE_NO_TIME) {
    position.from = poll.since_us;
  }
  if (position.time_field.empty() || !reads_the_same(poll, position)) {
    return ask_description(poll, std::move(position), call);
  }
  ask_rows(poll, std::move(position), call);
}

void Source::ask_description(const sdk::Poll& poll, Position position, sdk::Call& call) const {
  position.step = Step::describe;
  call.request({.method = "GET",
                .url = path_ + "/sobjects/" + std::string(poll.stream) + "/describe",
                .state = position.state()});
}

std::string Source::query(const sdk::Poll& poll, const Position& position, bool ordered) const {
  std::vector<std::string> names{"Id", position.time_field};
  if (position.deletes) names.emplace_back("IsDeleted");
  const auto add = [&](std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  };
  for (const Field& field : position.fields) add(field.asked());
  std::string out = "SELECT ";
  for (const std::string& name : names) out.append(&name == names.data() ? "" : ",").append(name);
  out.append(" FROM ").append(poll.stream);
  if (position.from) out.append(" WHERE ").append(position.time_field) += " >= " + time_text(*position.from);
  if (position.until) {
    out.append(position.from ? " AND " : " WHERE ").append(position.time_field) +=
        " < " + time_text(*position.until);
  }
  if (ordered) out.append(" ORDER BY ").append(position.time_field) += ", Id";
  return out;
}

// Addresses, places and files are not given by the Bulk API.
bool Source::may_use_bulk(const Position& position) const {
  return bulk_ != Bulk::never && !position.no_bulk &&
         std::none_of(position.fields.begin(), position.fields.end(),
                      [](const Field& field) { return field.cell == Cell::compound; });
}

// Deleted rows are told from the second time on: at the first nobody has heard of them.
void Source::ask_rows(const sdk::Poll& poll, Position position, sdk::Call& call) const {
  const bool deleted = position.deletes && position.watermark;
  const std::string_view verb = deleted ? "queryAll" : "query";
  const std::string url =
      path_ + "/" + std::string(verb) + "?q=" + percent_encoded(query(poll, position, true));
  const bool wanted = position.bulk || bulk_ == Bulk::always || url.size() > url_bytes_max;
  if (wanted && may_use_bulk(position)) {
    position.step = Step::made;
    Json job = Json::object();
    job.set("operation", Json::string(verb)).set("query", Json::string(query(poll, position, false)));
    job.set("contentType", Json::string("CSV")).set("lineEnding", Json::string("LF"));
    return call.request({.method = "POST",
                         .url = path_ + "/jobs/query",
                         .headers = {{"content-type", "application/json"}},
                         .body = job.text(),
                         .state = position.state()});
  }
  if (url.size() > url_bytes_max) {
    throw sdk::Fail(SLUICE_INVALID, "the stream " + std::string(poll.stream) +
                                        " reads more fields than one query can name: name fewer, or let "
                                        "bulk be auto");
  }
  position.step = Step::query;
  ask_page(url, std::move(position), call);
}

void Source::ask_page(std::string_view url, Position position, sdk::Call& call) const {
  call.request({.method = "GET",
                .url = std::string(url),
                .headers = {{"sforce-query-options",
                             "batchSize=" + std::to_string(rows_of(position, 100, 200, 2'000))}},
                .state = position.state(),
                .timeout_ms = 180'000});
}

void Source::ask_job(Position position, sdk::Call& call) const {
  position.step = Step::job;
  position.delay_ms = std::clamp(position.delay_ms * 2, job_look_first_ms, job_look_most_ms);
  call.request({.method = "GET",
                .url = path_ + "/jobs/query/" + position.job,
                .state = position.state(),
                .delay_ms = position.delay_ms});
}

void Source::ask_results(Position position, sdk::Call& call) const {
  position.step = Step::results;
  std::string url = path_ + "/jobs/query/" + position.job +
                    "/results?maxRecords=" + std::to_string(rows_of(position, 60, 200, 10'000));
  if (!position.locator.empty()) url += "&locator=" + percent_encoded(position.locator);
  call.request({.method = "GET", .url = std::move(url), .state = position.state(), .timeout_ms = 180'000});
}

void Source::interpret(const sdk::Poll& poll, const sdk::Response& response, sdk::Call& call) {
  if (response.purpose() == SLUICE_FOR_CHECK) return judge_check(response, call);
  if (response.purpose() == SLUICE_FOR_DISCOVER) return judge_discover(response, "queryable", call);
  std::optional<Position> position = Position::of_state(response.state());
  if (!position) throw sdk::Fail(SLUICE_RETRY, "the request's state is not what was written");
  if (!response.ok()) return trouble(poll, response, std::move(*position), call);
  tell_limit(response, false, call);
  switch (position->step) {
    case Step::describe:
      return described(poll, response, std::move(*position), call);
    case Step::query:
    case Step::page:
      return page(poll, response, std::move(*position), call);
    case Step::made:
      return job_made(poll, response, std::move(*position), call);
    case Step::job:
      return job_seen(poll, response, std::move(*position), call);
    case Step::results:
      return results(poll, response, std::move(*position), call);
  }
}

void Source::described(const sdk::Poll& poll, const sdk::Response& response, Position position,
                       sdk::Call& call) {
  const std::optional<Json> object = Json::parse(response.body());
  if (!object) garbage("description of an object");
  settle(*object, poll, position);
  ask_rows(poll, std::move(position), call);
}

void Source::begin_snapshot(const sdk::Poll& poll, Position& position, sdk::Call& call) const {
  if (!poll.full || position.begun) return;
  position.begun = true;
  call.record({.op = SLUICE_SNAPSHOT_BEGIN, .name = poll.stream});
}

void Source::emit(const sdk::Poll& poll, const Row& row, Position& position, sdk::Call& call) const {
  if (!is_id(row.id) || !row.changed) {
    return call.reject({}, row.id, row.changed ? "no_id" : "no_time_of_change", row.fields.text());
  }
  position.newest = std::max(position.newest.value_or(*row.changed), *row.changed);
  std::string key = row.id + '@' + std::to_string(*row.changed / 1'000);
  if (row.deleted) {
    key += "#deleted";  // within the second of its last change
    return call.record({.op = SLUICE_DELETE,
                        .time_us = *row.changed,
                        .key = key,
                        .entity = row.id,
                        .name = poll.stream,
                        .payload = "{}",
                        .place = row.id});
  }
  const std::string payload = row.fields.text();
  call.record({.time_us = *row.changed,
               .key = key,
               .entity = row.id,
               .name = poll.stream,
               .payload = payload,
               .place = row.id});
}

void Source::page(const sdk::Poll& poll, const sdk::Response& response, Position position, sdk::Call& call) {
  const std::optional<Json> answer = Json::parse(response.body());
  if (!answer || !(*answer)["records"].is_array() || !(*answer)["done"].boolean_value()) {
    garbage("answer to a query");
  }
  const bool complete = *(*answer)["done"].boolean_value();
  const std::int64_t total = (*answer)["totalSize"].integer_value().value_or(0);
  if (!position.answered_at) position.answered_at = answered_at(response);
  if (position.step == Step::query && !complete && bulk_ == Bulk::automatic && total > bulk_rows_ &&
      may_use_bulk(position)) {
    position.bulk = true;
    return ask_rows(poll, std::move(position), call);
  }
  begin_snapshot(poll, position, call);
  for (const Json& record : (*answer)["records"].elements()) {
    emit(poll, row_of(record, position.time_field), position, call);
  }
  if (complete) return read_window(poll, std::move(position), call);
  const std::string_view next = (*answer)["nextRecordsUrl"].text_or("");
  if (!is_here(next)) garbage("page of a query: it does not say where the next one is");
  if (!poll.full && position.newest) {
    position.watermark = *position.newest;
    call.checkpoint(position.cursor());
  }
  position.step = Step::page;
  ask_page(next, std::move(position), call);
}

// A window was read to its end. The next one may be longer, until there is none.
void Source::read_window(const sdk::Poll& poll, Position position, sdk::Call& call) const {
  if (!position.until) return done(poll, std::move(position), call);
  position.from = *position.until;
  if (!poll.full) {
    position.watermark = *position.from;
    call.checkpoint(position.cursor());
  }
  position.window_us *= 2;
  position.until = *position.from + position.window_us;
  if (position.answered_at && *position.until > *position.answered_at) position.until.reset();
  ask_rows(poll, std::move(position), call);
}

void Source::done(const sdk::Poll& poll, Position position, sdk::Call& call) const {
  begin_snapshot(poll, position, call);
  if (poll.full) call.record({.op = SLUICE_SNAPSHOT_END, .name = poll.stream});
  std::optional<std::int64_t> read_to = position.answered_at;
  if (position.newest) read_to = std::max(read_to.value_or(*position.newest), *position.newest);
  if (!read_to) read_to = position.watermark;
  const bool idle = !poll.full && position.job.empty() && position.watermark && read_to &&
                    *read_to - *position.watermark < idle_step_us && !position.newest;
  if (idle) return;
  position.watermark = read_to;
  position.job.clear();
  position.locator.clear();
  call.checkpoint(position.cursor());
}

void Source::job_made(const sdk::Poll&, const sdk::Response& response, Position position, sdk::Call& call) {
  const std::optional<Json> job = Json::parse(response.body());
  if (!job || (*job)["id"].text_or("").empty()) garbage("job");
  position.job = (*job)["id"].text_or("");
  if (!is_id(position.job)) garbage("job: its id is none");
  if (!position.answered_at) position.answered_at = answered_at(response);
  call.checkpoint(position.cursor());  // after a restart the same job is read
  ask_job(std::move(position), call);
}

void Source::job_seen(const sdk::Poll& poll, const sdk::Response& response, Position position,
                      sdk::Call& call) {
  const std::optional<Json> job = Json::parse(response.body());
  const std::string_view state = job ? (*job)["state"].text_or("") : "";
  if (state == "JobComplete") return ask_results(std::move(position), call);
  if (state == "UploadComplete" || state == "InProgress") return ask_job(std::move(position), call);
  if (state != "Failed" && state != "Aborted") garbage("job");
  host_.log(SLUICE_WARN, "a job of the Bulk API ended as " + std::string(state) + " (" +
                             shown((*job)["errorMessage"].text_or("no reason given")) +
                             "): the rows are read page by page");
  position.job.clear();
  position.bulk = false;
  position.no_bulk = true;
  if (position.watermark) position.from = *position.watermark - overlap_us;
  if (!poll.full) call.checkpoint(position.cursor());
  ask_rows(poll, std::move(position), call);
}

void Source::results(const sdk::Poll& poll, const sdk::Response& response, Position position,
                     sdk::Call& call) {
  CsvReader csv(response.body());
  std::vector<std::string> header, cells;
  if (!csv.next(header) || std::find(header.begin(), header.end(), "Id") == header.end()) {
    garbage("part of a job's rows");
  }
  begin_snapshot(poll, position, call);
  while (csv.next(cells)) {
    if (cells.size() != header.size()) garbage("part of a job's rows: a line is cut off");
    emit(poll, row_of(header, cells, position), position, call);
  }
  if (csv.broken()) garbage("part of a job's rows: it is cut off");
  const std::string_view next = response.header("sforce-locator");
  if (next.empty() || next == "null") return done(poll, std::move(position), call);
  position.locator = next;
  if (!poll.full) call.checkpoint(position.cursor());
  ask_results(std::move(position), call);
}

void Source::trouble(const sdk::Poll& poll, const sdk::Response& response, Position position,
                     sdk::Call& call) {
  const std::optional<Problem> problem = first_problem(response.body());
  const std::string code = problem ? problem->code : "";
  if (code == "QUERY_TIMEOUT") return halve(poll, response, std::move(position), call);
  if (code == "INVALID_QUERY_LOCATOR" && position.step == Step::page) {  // after two days it is forgotten
    if (position.newest) position.from = *position.newest;
    return ask_rows(poll, std::move(position), call);
  }
  const bool of_job = position.step == Step::job || position.step == Step::results;
  if (of_job && response.status() == 404) {  // its rows are kept for seven days
    position.job.clear();
    position.locator.clear();
    if (position.watermark) position.from = *position.watermark - overlap_us;
    return ask_rows(poll, std::move(position), call);
  }
  if (code == "REQUEST_LIMIT_EXCEEDED") return tell_limit(response, true, call);
  std::string why = "Salesforce answered ";
  why += response.status() == 0 ? "nothing" : std::to_string(response.status());
  if (problem) why += " " + reason_of(problem->code) + ": " + shown(problem->message);
  throw sdk::Fail(status_of(response.status(), problem), why);
}

void Source::halve(const sdk::Poll& poll, const sdk::Response& response, Position position,
                   sdk::Call& call) const {
  if (!position.answered_at) position.answered_at = answered_at(response);
  if (position.newest) position.from = position.newest;
  const std::int64_t from = position.from.value_or(eldest_us);
  const std::optional<std::int64_t> end = position.until ? position.until : position.answered_at;
  if (!end || *end - from < window_least_us) {
    throw sdk::Fail(SLUICE_RETRY, "Salesforce does not answer a query in time, however little it asks for");
  }
  const std::int64_t half = (*end - from) / 2 / us_per_second * us_per_second;
  position.window_us = half;
  position.from = from;
  position.until = from + half;
  ask_rows(poll, std::move(position), call);
}

}  // namespace sluice::salesforce
