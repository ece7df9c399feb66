// Records out of a source.
#include "kit/checks.hpp"

namespace sluice::kit {
namespace {

plugin::Poll poll_of(const Subject& subject, std::string cursor = {}) {
  return {.stream = subject.info.streams.empty() ? "" : subject.info.streams.front(),
          .cursor = std::move(cursor),
          .until_idle = true};
}

Status rows_of(const Emission& e) {
  SLUICE_TRY(succeeded(e));
  if (!e.rows.empty() && e.cursors.empty())
    return broken(e.function + ": it emitted records and no checkpoint: they do not count");
  return Done{};
}

Status resumes(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  if (stage.table().read == nullptr) return not_applicable("it has no read()");
  const Emission first = stage.read(poll_of(subject));
  SLUICE_TRY(rows_of(first));
  if (first.rows.empty())
    return not_applicable(
        "it read nothing: give the manifest \"sample\": {\"with\": {}, \"files\": {}}, or --config");
  if (!first.ended)
    return broken("read(): at the end of what there is it did not say ended(), though the poll asks for it");
  SLUICE_TRY(stage.replace());
  const Emission again = stage.read(poll_of(subject));
  if (again.text() != first.text())
    return broken("read(): from the same cursor another instance read something else: keys must stay");
  SLUICE_TRY(stage.replace());
  const Emission rest = stage.read(poll_of(subject, first.cursors.back()));
  SLUICE_TRY(succeeded(rest));
  if (!rest.rows.empty())
    return broken("read(): from its last checkpoint it read " + std::to_string(rest.rows.size()) +
                  " records again");
  return Done{};
}

Status odd_cursor(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  if ((subject.info.kind & SLUICE_SOURCE) == 0) return not_applicable("it is no source");
  for (const char* const cursor : {"{", "[]", "nonsense", "{\"a\":{\"b\":-1}}", "99999999999999999999"}) {
    if (stage.table().read != nullptr) SLUICE_TRY(well_behaved(stage.read(poll_of(subject, cursor))));
    if (stage.table().fetch != nullptr) SLUICE_TRY(well_behaved(stage.fetch(poll_of(subject, cursor))));
  }
  return Done{};
}

Status fetches(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  if (stage.table().fetch == nullptr) return not_applicable("it has no fetch()");
  const Emission asked = stage.fetch(poll_of(subject));
  SLUICE_TRY(succeeded(asked));
  if (asked.requests.empty() && !asked.ended && asked.rows.empty())
    return broken("fetch(): it asked for nothing and did not say ended()");
  if (subject.answer.empty()) return Done{};
  for (plugin::Request request : asked.requests) {
    request.purpose = SLUICE_FOR_FETCH;
    SLUICE_TRY(rows_of(stage.interpret(poll_of(subject), answer_to(request, 200, subject.answer))));
  }
  return Done{};
}

Status take_odd_requests(Stage& stage) {
  const Subject& subject = stage.subject();
  for (const plugin::WebhookRoute& route : subject.info.routes) {
    for (const std::string& body :
         {subject.callback, subject.answer, std::string(), std::string("{"), std::string("[[1]]"),
          std::string("a=%zz&&=&%"), std::string("\xFF\0\xFE", 3), std::string(1 << 20, 'x')}) {
      for (const char* const method : {"POST", "GET"}) {
        SLUICE_TRY(well_behaved(stage.receive({.route = route.path,
                                               .method = method,
                                               .path = route.path,
                                               .query = "a=%zz&b",
                                               .body = body,
                                               .peer = "192.0.2.1"})));
      }
    }
  }
  return Done{};
}

// The sample's callback, to whichever route takes it.
Status take_callback(Stage& stage) {
  const Subject& subject = stage.subject();
  if (subject.callback.empty()) return Done{};
  std::size_t rows = 0;
  for (const plugin::WebhookRoute& route : subject.info.routes) {
    const plugin::Incoming incoming{.route = route.path,
                                    .method = route.methods.empty() ? "POST" : route.methods.front(),
                                    .path = route.path,
                                    .body = subject.callback,
                                    .peer = "192.0.2.1"};
    const Emission first = stage.receive(incoming);
    SLUICE_TRY(well_behaved(first));
    rows += first.rows.size();
    const Emission again = stage.receive(incoming);
    for (std::size_t i = 0; i < first.rows.size() && i < again.rows.size(); ++i) {
      if (first.rows[i].key != again.rows[i].key)
        return broken("receive(): the same callback had another key the second time: it drops no duplicate");
    }
  }
  if (rows == 0) return broken("receive(): the sample's \"callback\" led to no record on any route");
  return Done{};
}

Status receives(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  if (stage.table().receive == nullptr) return not_applicable("it has no receive()");
  for (const std::uint32_t kind : {SLUICE_SOURCE, SLUICE_DESTINATION}) {
    if ((subject.info.kind & kind) == 0) continue;
    stage.kind = kind;
    SLUICE_TRY(stage.replace());
    SLUICE_TRY(take_odd_requests(stage));
    SLUICE_TRY(take_callback(stage));
  }
  return Done{};
}

constexpr Check checks[] = {
    {"resumes", "read() checkpoints, ends, and goes on where it was; keys stay", resumes},
    {"odd_cursor", "a cursor that is not its own harms nothing", odd_cursor},
    {"fetches", "fetch() asks for something, and checkpoints what came", fetches},
    {"receives", "odd incoming requests harm nothing; a callback has its person and a key that stays",
     receives},
};

}  // namespace

std::span<const Check> source_checks() {
  return checks;
}

}  // namespace sluice::kit
