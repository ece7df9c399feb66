// What a vendor may answer, and what a call may be lent.
#include "kit/checks.hpp"

namespace sluice::kit {

plugin::Response answer_to(const plugin::Request& request, std::int32_t status, std::string body) {
  return {.status = status,
          .body = std::move(body),
          .error = status == 0 ? "the connection was refused" : "",
          .headers = {{"content-type", "application/json"}, {"x-request-id", "7"}},
          .retry_after_ms = status == 429 ? 2'000 : -1,
          .state = request.state,
          .records = request.records,
          .purpose = request.purpose != 0 ? request.purpose : std::uint32_t{SLUICE_FOR_PLAN}};
}

namespace {

using Records = std::vector<plugin::Record>;

constexpr std::int32_t statuses[] = {200, 201, 400, 401, 429, 500, 0};

const std::vector<std::string>& garbage() {
  static const std::vector<std::string> all{
      "",
      "{}",
      "[]",
      "null",
      R"({"errors":"no list","message":{"a":1},"index":-1,"results":[null,{"index":4294967295}],"data":7})",
      R"({"errors":[{"index":99,"type":7},{"input_array":"events","index":1e99},[],"x"],"message":"success"})",
      R"({"message":"succ)",
      "<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>",
      std::string("{\"a\":\0\0}", 8) + std::string(40, '\0'),
      std::string("\xFF\xFE\x80 \xC3 garbage"),
      R"({"a":)" + std::string(2'000, '[')};
  return all;
}

Status judged(const Emission& e, const plugin::Response& response, std::size_t records) {
  SLUICE_TRY(well_behaved(e));
  if (e.returned != SLUICE_OK) return Done{};
  SLUICE_TRY(covered(e, response.records, records));
  const bool failed =
      response.status == 0 || response.status == 401 || response.status == 429 || response.status >= 500;
  for (const plugin::Fate& fate : e.outcomes) {
    if (failed && fate.outcome.status == SLUICE_OK)
      return broken("interpret(): it called a record delivered when the answer was " +
                    (response.status == 0 ? "none at all" : "HTTP " + std::to_string(response.status)));
  }
  return Done{};
}

Status answers(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  if (stage.table().interpret == nullptr)
    return not_applicable("it has no interpret(): the HTTP status decides");
  const std::string large = R"({"message":")" + std::string(3'000'000, 'm') + "\"}";
  if (stage.table().plan != nullptr) {
    const auto look = [&](const Records& batch, const Emission& planned) -> Status {
      for (const plugin::Request& request : planned.requests) {
        for (const std::int32_t status : statuses) {
          for (const std::string& body : garbage()) {
            const plugin::Response response = answer_to(request, status, body);
            SLUICE_TRY(judged(stage.interpret(batch, response), response, batch.size()));
          }
        }
      }
      for (const std::int32_t status : {200, 500}) {
        if (planned.requests.empty()) break;
        const plugin::Response response = answer_to(planned.requests.front(), status, large);
        SLUICE_TRY(judged(stage.interpret(batch, response), response, batch.size()));
      }
      return Done{};
    };
    SLUICE_TRY(each_batch(stage, subject.records, look));
  }
  if (stage.table().fetch == nullptr) return Done{};
  const plugin::Poll poll{.stream = subject.info.streams.empty() ? "" : subject.info.streams.front()};
  for (plugin::Request request : stage.fetch(poll).requests) {
    request.purpose = SLUICE_FOR_FETCH;
    for (const std::int32_t status : statuses) {
      for (const std::string& body : garbage()) {
        const Emission e = stage.interpret(poll, answer_to(request, status, body));
        SLUICE_TRY(well_behaved(e));
        if (e.returned == SLUICE_OK && (status == 0 || status >= 400) && !e.cursors.empty())
          return broken("interpret(): it made a checkpoint after HTTP " + std::to_string(status) +
                        ": what was not read is lost");
      }
    }
    SLUICE_TRY(well_behaved(stage.interpret(poll, answer_to(request, 200, large))));
  }
  return Done{};
}

Status exercise_source(Stage& stage, std::span<const std::string> bodies, const Look& look) {
  const Subject& subject = stage.subject();
  const plugin::Poll poll{.stream = subject.info.streams.empty() ? "" : subject.info.streams.front(),
                          .until_idle = true};
  if (stage.table().fetch != nullptr) {
    const Emission fetched = stage.fetch(poll);
    SLUICE_TRY(look(fetched));
    for (plugin::Request request : fetched.requests) {
      request.purpose = SLUICE_FOR_FETCH;
      for (const std::string& body : bodies) {
        for (const std::int32_t status : {200, 400})
          SLUICE_TRY(look(stage.interpret(poll, answer_to(request, status, body))));
      }
    }
  }
  if (stage.table().read != nullptr) SLUICE_TRY(look(stage.read(poll)));
  if (stage.table().receive == nullptr) return Done{};
  for (const plugin::WebhookRoute& route : subject.info.routes) {
    for (const std::string& body : bodies) {
      SLUICE_TRY(look(stage.receive(
          {.route = route.path, .method = "POST", .path = route.path, .body = body, .peer = "192.0.2.1"})));
    }
  }
  return Done{};
}

}  // namespace

Status exercise(Stage& stage, std::span<const std::string> bodies, const Look& look) {
  const auto judge = [&](const Records& batch, const Emission& e) -> Status {
    SLUICE_TRY(look(e));
    for (const plugin::Request& request : e.requests) {
      if (stage.table().interpret == nullptr) break;
      for (const std::int32_t status : {200, 400, 500}) {
        for (const std::string& body : bodies)
          SLUICE_TRY(look(stage.interpret(batch, answer_to(request, status, body))));
      }
    }
    return Done{};
  };
  if (stage.takes_records()) {
    SLUICE_TRY(each_batch(stage, stage.subject().records, judge));
    for (const plugin::Record& record : stage.subject().records)
      SLUICE_TRY(look(stage.take(std::span(&record, 1))));
  }
  SLUICE_TRY(exercise_source(stage, bodies, look));
  return stage.table().check != nullptr ? look(stage.check()) : Done{};
}

namespace {

Status lend(const Subject& subject, Lending lending) {
  Stage stage(subject, lending);
  SLUICE_TRY(stage.open());
  const std::string bodies[] = {subject.answer, R"({"message":"success"})", garbage()[4], garbage()[6]};
  SLUICE_TRY(exercise(stage, bodies, well_behaved));
  stage.destroy();
  return Done{};
}

Status reads_within(const Subject& subject) {
  return lend(subject, Lending::guarded);
}

Status keeps_nothing(const Subject& subject) {
  return lend(subject, Lending::revoked);
}

constexpr Check checks[] = {
    {"answers", "garbage in place of an answer harms nothing and is never taken for success", answers},
    {"reads_within", "it reads what it is lent and 64 bytes behind payloads and bodies, and writes nowhere",
     reads_within},
    {"keeps_nothing", "it uses no pointer after the call that brought it has returned", keeps_nothing},
};

}  // namespace

std::span<const Check> answer_checks() {
  return checks;
}

}  // namespace sluice::kit
