// Instances; then records in, fates out.
#include <algorithm>

#include "base/text.hpp"
#include "kit/checks.hpp"

namespace sluice::kit {

Status needs_records(const Stage& stage) {
  if (!stage.takes_records()) return not_applicable("it is no destination");
  return Done{};
}

Status needs_plan(const Stage& stage) {
  if (stage.table().plan == nullptr) return not_applicable("it has no plan()");
  return Done{};
}

namespace {

using Records = std::vector<plugin::Record>;

constexpr std::size_t appended_bytes = 48;
constexpr std::uint32_t some = 24;  // records, where it is not the number that matters

Status create(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  stage.destroy();
  return stage.replace();
}

Status wrong_config(const Subject& subject) {
  if (subject.info.config_schema.empty()) return not_applicable("it has no configuration");
  JsonParser parser;
  const Json properties = parser.parse(subject.info.config_schema)["properties"];
  if (properties.size() == 0) return not_applicable("it has no configuration");
  Stage stage(subject);
  SLUICE_TRY(stage.load());
  for (const std::string_view text : {"{\"", "[1,2]", "\"text\"", "{\"\\ud800\": 1"}) {
    const Emission e = stage.create(text);
    SLUICE_TRY(well_behaved(e));
    if (e.returned == SLUICE_OK)
      return broken(
          "create(): it took a configuration that is no JSON object; fail with SLUICE_INVALID and a text");
  }
  std::vector<std::string> wrong{"{}", "null", ""};
  properties.members([&](std::string_view name, Json) {
    for (const char* const value : {"null", "-1", "1e300", "[]", "{}", "\"\"", "[{\"a\":[]}]", "true"})
      wrong.push_back("{" + json_string(name) + ":" + value + "}");
  });
  for (const std::string& text : wrong) {
    SLUICE_TRY(well_behaved(stage.create(text)));
    stage.destroy();
  }
  return Done{};
}

Status covers_once(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  SLUICE_TRY(needs_records(stage));
  return each_batch(stage, subject.records, [](const Records& batch, const Emission& e) -> Status {
    SLUICE_TRY(succeeded(e));
    return covered(e, batch.size());
  });
}

Status other_ops(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  SLUICE_TRY(needs_records(stage));
  std::vector<std::uint32_t> others{99, 4'000'000'000};
  for (std::uint32_t op = SLUICE_EVENT; op <= SLUICE_SNAPSHOT_END; ++op) {
    if (!subject.info.takes(op)) others.push_back(op);
  }
  plugin::Record record = subject.records.empty() ? plugin::Record{.payload = "{}"} : subject.records.front();
  for (const std::uint32_t op : others) {
    record.op = op;
    const Emission e = stage.take(std::span(&record, 1));
    SLUICE_TRY(well_behaved(e));
    if (e.returned != SLUICE_OK) continue;
    SLUICE_TRY(covered(e, 1));
    const bool refused = e.outcomes.size() == 1 && (e.outcomes[0].outcome.status == SLUICE_INVALID ||
                                                    e.outcomes[0].outcome.status == SLUICE_SKIPPED ||
                                                    e.outcomes[0].outcome.status == SLUICE_UNSUPPORTED);
    if (!refused)
      return broken(e.function + ": it took a record of the operation " + std::to_string(op) +
                    ", which its manifest does not name; refuse it with SLUICE_INVALID");
  }
  return Done{};
}

Status of_size(const Subject& subject, std::size_t records) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  SLUICE_TRY(needs_records(stage));
  const Records batch = many(subject.info, subject.records, records);
  const Emission e = stage.take(batch);
  SLUICE_TRY(succeeded(e));
  return covered(e, batch.size());
}

Status empty_batch(const Subject& subject) {
  return of_size(subject, 0);
}
Status one_record(const Subject& subject) {
  return of_size(subject, 1);
}
Status full_batch(const Subject& subject) {
  return of_size(subject, subject.info.batch_records);
}

Status body_is_json(const Emission& e) {
  JsonParser parser;
  for (const plugin::Request& request : e.requests) {
    for (const plugin::Header& h : request.headers) {
      const bool json =
          equals_ignoring_case(h.name, "content-type") && h.value.starts_with("application/json");
      if (json && !request.body.empty() && !parser.parse(request.body))
        return broken(e.function + ": the body of " + request.method + " " + request.url +
                      " is no JSON, which its content-type says; escape names, ids and texts");
    }
  }
  return Done{};
}

Status texts(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  SLUICE_TRY(needs_records(stage));
  const std::string huge(std::min<std::uint64_t>(subject.info.batch_bytes, 1'000'000) / 2, 'x');
  const std::string payloads[] = {
      R"({"a\"b\\c\/\b\f\n\r\t\u0001":"\ud83d\ude00 \u00e9","":"","x":"</script>'\"\\"})",
      "{\"\xF0\x9F\x98\x80\":\"\xE2\x80\xA8\xEF\xBB\xBF\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D\"}",
      "{\"n\":1e308,\"m\":-0.0,\"big\":18446744073709551615,\"deep\":[[[[[[[[{}]]]]]]]]}",
      " {\t\"spaced\" : [ 1 , 2 ] } ",
      "{}",
      "{\"huge\":\"" + huge + "\"}"};
  for (plugin::Record record : subject.records) {
    for (const std::string& payload : payloads) {
      record.payload = payload;
      record.name = "N\"am\\e\n\x01 \xC3\xA9\xF0\x9F\x98\x80";
      record.id = "id\"\\\n\xC3\xA9";
      record.key = "key\"\\\n\xC3\xA9";
      const Emission e = stage.take(std::span(&record, 1));
      SLUICE_TRY(succeeded(e));
      SLUICE_TRY(covered(e, 1));
      SLUICE_TRY(body_is_json(e));
    }
  }
  return Done{};
}

Status deterministic(const Subject& subject) {
  Stage first(subject), second(subject);
  SLUICE_TRY(first.open());
  if (first.table().plan == nullptr && first.table().fetch == nullptr)
    return not_applicable("it has neither plan() nor fetch()");
  SLUICE_TRY(second.open());
  const auto same = [](const Emission& a, const Emission& b, const char* which) -> Status {
    if (a.text() == b.text()) return Done{};
    return broken(a.function + ": the same input gave another output " + which +
                  ": it may use no clock, no chance, no addresses, no memory of earlier calls");
  };
  if (first.table().fetch != nullptr) {
    const plugin::Poll poll{.stream = subject.info.streams.empty() ? "" : subject.info.streams.front()};
    const Emission once = first.fetch(poll);
    SLUICE_TRY(same(once, first.fetch(poll), "the second time"));
    return same(once, second.fetch(poll), "of another instance");
  }
  const Records all = many(subject.info, subject.records, std::min(subject.info.batch_records, some));
  const Emission once = first.plan(all);
  SLUICE_TRY(same(once, first.plan(all), "the second time"));
  for (const plugin::Record& record : subject.records) (void)second.plan(std::span(&record, 1));
  SLUICE_TRY(same(once, second.plan(all), "of another instance"));
  if (first.table().interpret == nullptr) return Done{};
  for (const plugin::Request& request : once.requests) {
    const plugin::Response response = answer_to(request, 400, R"({"message":"no"})");
    const Emission judged = first.interpret(all, response);
    SLUICE_TRY(same(judged, first.interpret(all, response), "the second time"));
    SLUICE_TRY(same(judged, second.interpret(all, response), "of another instance"));
  }
  return Done{};
}

// Part after part, each from where the one before was cut.
Status snapshot(const Subject& subject) {
  if (!subject.info.takes_snapshots()) return not_applicable("it takes no snapshots");
  Stage stage(subject), other(subject);
  SLUICE_TRY(stage.open());
  SLUICE_TRY(needs_records(stage));
  SLUICE_TRY(other.open());
  Records left = snapshot_of(subject.info, 2 * some);
  const std::size_t most = std::min<std::size_t>(subject.info.batch_records, some);
  for (plugin::SnapshotPart part{"j.1.1.0", 1}; !left.empty(); ++part.part) {
    const Records batch(left.begin(),
                        left.begin() + static_cast<std::ptrdiff_t>(std::min(most, left.size())));
    const Emission e = stage.take(batch, {}, part);
    SLUICE_TRY(succeeded(e));
    std::uint32_t end = 0;  // behind the last record that has a fate
    for (const plugin::Fate& fate : e.outcomes) end = std::max(end, fate.record + 1);
    for (const plugin::Request& request : e.requests) {
      for (const std::uint32_t i : request.records) end = std::max(end, i + 1);
    }
    end = std::min(end, static_cast<std::uint32_t>(batch.size()));
    std::vector<std::uint32_t> taken(end);
    for (std::uint32_t i = 0; i < end; ++i) taken[i] = i;
    if (end == 0)
      return broken(e.function + ": it took no record of a part of a snapshot: take one at least");
    SLUICE_TRY(covered(e, taken, batch.size()));
    if (e.requests.size() > 1)
      return broken(e.function + ": it made " + std::to_string(e.requests.size()) +
                    " requests of one part of a snapshot: make one, and leave the rest to the next part");
    if (stage.table().plan != nullptr && e.text() != other.take(batch, {}, part).text())
      return broken(e.function + ": the same part of a snapshot gave another output of another instance");
    left.erase(left.begin(), left.begin() + end);
  }
  return Done{};
}

Status newer_host(const Subject& subject) {
  Stage today(subject), later(subject);  // alike to the instant, so that nothing but the size differs
  SLUICE_TRY(today.open());
  SLUICE_TRY(needs_records(today));
  SLUICE_TRY(later.open());
  later.appended = appended_bytes;
  const Records all = many(subject.info, subject.records, std::min(subject.info.batch_records, some));
  const Emission expected = today.take(all), got = later.take(all);
  SLUICE_TRY(well_behaved(got));
  if (covered(expected, all.size())) SLUICE_TRY(covered(got, all.size()));  // else it is another check's
  if (today.table().plan == nullptr || expected.text() == got.text()) return Done{};
  return broken(
      "plan(): where the host had appended a field to its records it gave another output: step through "
      "the batch by its stride, as sluice_at() does");
}

Status stops(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  const auto stopped = [](const Emission& e) -> Status {
    SLUICE_TRY(well_behaved(e));
    if (e.after_stop > 0)
      return broken(e.function +
                    ": an emitter returned SLUICE_CANCELLED, and it went on to the next: stop, and return "
                    "what the host returned");
    return Done{};
  };
  const Records all = many(subject.info, subject.records, std::min(subject.info.batch_records, some));
  if (stage.takes_records()) {
    for (const std::uint32_t at : {0U, 1U})
      SLUICE_TRY(stopped(stage.take(all, {.cancelled = false, .stop_at = at})));
  }
  const plugin::Poll poll{.stream = subject.info.streams.empty() ? "" : subject.info.streams.front(),
                          .until_idle = true};
  if (stage.table().fetch != nullptr)
    SLUICE_TRY(stopped(stage.fetch(poll, {.cancelled = false, .stop_at = 0})));
  if (stage.table().read != nullptr) {
    for (const std::uint32_t at : {0U, 1U})
      SLUICE_TRY(stopped(stage.read(poll, {.cancelled = false, .stop_at = at})));
  }
  return Done{};
}

Status cancelled(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  if (stage.table().deliver == nullptr && stage.table().read == nullptr)
    return not_applicable("it has neither deliver() nor read(), which may take long");
  const Knobs knobs{.cancelled = true};
  if (stage.table().deliver != nullptr) SLUICE_TRY(well_behaved(stage.deliver(subject.records, knobs)));
  if (stage.table().read != nullptr) {
    SLUICE_TRY(well_behaved(
        stage.read({.stream = subject.info.streams.empty() ? "" : subject.info.streams.front()}, knobs)));
  }
  return Done{};
}

constexpr Check creating[] = {
    {"create", "it takes a configuration that fits its schema, twice", create},
    {"wrong_config", "a wrong configuration fails with a text, and nothing breaks", wrong_config},
};

constexpr Check checks[] = {
    {"covers_once", "each record ends in exactly one request or outcome", covers_once},
    {"other_ops", "operations that its manifest does not name are refused", other_ops},
    {"empty_batch", "a batch of no records is fine", empty_batch},
    {"one_record", "a batch of one record is fine", one_record},
    {"full_batch", "a batch of max_records is fine", full_batch},
    {"texts", "unicode, escapes and huge payloads survive, and JSON stays JSON", texts},
    {"deterministic", "the same input gives the same output, on every instance", deterministic},
    {"snapshot", "of a snapshot's part it makes one request, and what it leaves is the end of it", snapshot},
    {"newer_host", "records to which a newer host has appended fields are read as before", newer_host},
    {"stops", "it emits nothing more when the host says stop", stops},
    {"cancelled", "deliver() and read() return soon when cancelled() says so", cancelled},
};

}  // namespace

std::span<const Check> instance_checks() {
  return creating;
}
std::span<const Check> destination_checks() {
  return checks;
}

}  // namespace sluice::kit
