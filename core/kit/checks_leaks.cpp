// What may be seen where, and what may be reached.
#include <algorithm>

#include "base/hash.hpp"
#include "kit/checks.hpp"

namespace sluice::kit {
namespace {

constexpr std::size_t reason_bytes_max = 64;
constexpr std::size_t secret_bytes_min = 6;  // what is shorter stands in every text

// Vendors like to repeat what they were sent.
std::vector<std::string> echoes(const Subject& subject) {
  const std::string email(canary_email), phone(canary_phone);
  return {subject.answer,
          R"({"message":")" + email + R"( is not valid","errors":[{"type":"bad )" + email +
              R"(","input_array":"attributes","index":0},{"message":")" + phone +
              R"( is no number","index":0}],)" + R"("error":{"message":")" + email +
              R"(","code":"x"},"detail":"<)" + email + R"(>","reason":")" + phone + R"("})",
          email + " " + phone, R"({"message":"success"})"};
}

Status reasons(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  const auto look = [](const Emission& e) -> Status {
    SLUICE_TRY(well_behaved(e));
    std::vector<std::string> all = e.rejects;
    for (const plugin::Fate& fate : e.outcomes) {
      all.push_back(fate.outcome.reason);
      const sluice_status status = fate.outcome.status;
      if (status < SLUICE_OK || status > SLUICE_GONE || status == SLUICE_INTERNAL)
        return broken(e.function + ": an outcome has the status " + std::to_string(status) +
                      ", which is none of a record");
      if (status != SLUICE_OK && fate.outcome.reason.empty())
        return broken(e.function + ": an outcome of status " + std::to_string(status) + " has no reason");
    }
    for (const std::string& reason : all) {
      const bool key = std::all_of(reason.begin(), reason.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
      });
      if (!key || reason.size() > reason_bytes_max)
        return broken(e.function + ": the reason '" + reason.substr(0, reason_bytes_max) +
                      "' is no key for metrics: lower-case letters, digits and _, 64 at most");
    }
    return Done{};
  };
  return exercise(stage, echoes(subject), look);
}

Status hosts(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  const auto look = [&](const Emission& e) -> Status {
    SLUICE_TRY(well_behaved(e));
    for (const plugin::Request& request : e.requests) {
      const auto ready = plugin::resolve(subject.policy, request, 0);
      if (!ready) {
        const std::string url = request.url.substr(0, request.url.find('?'));
        return broken(e.function + ": " + request.method + " " + url + ": " + ready.error().detail);
      }
    }
    if (!stage.host.faults.empty())
      return broken(e.function + ": host->http(): " + stage.host.faults.front());
    return Done{};
  };
  return exercise(stage, echoes(subject), look);
}

// Whatever it said that others may read, and where.
Status look_for(const std::vector<std::string>& needles, const Subject& subject, const char* what) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  const auto search = [&](std::string_view text, const std::string& where) -> Status {
    for (const std::string& needle : needles) {
      if (text.find(needle) != std::string_view::npos)
        return broken(std::string(what) + " stands in " + where);
    }
    return Done{};
  };
  const auto look = [&](const Emission& e) -> Status {
    SLUICE_TRY(search(e.why, "the text of a failure of " + e.function));
    for (const std::string& reject : e.rejects) SLUICE_TRY(search(reject, "the reason of a rejected row"));
    for (const plugin::Fate& fate : e.outcomes) {
      SLUICE_TRY(search(fate.outcome.reason, "an outcome's reason, in " + e.function));
      SLUICE_TRY(search(fate.outcome.detail, "an outcome's detail, in " + e.function));
    }
    for (const std::string& line : stage.host.logs())
      SLUICE_TRY(search(line, "a log line, in " + e.function));
    return search(said_on_console(), "what it prints, in " + e.function);
  };
  SLUICE_TRY(exercise(stage, echoes(subject), look));
  plugin::Record broken_record = subject.records.empty() ? plugin::Record{} : subject.records.front();
  broken_record.payload = "{\"email\": \"" + std::string(canary_email);  // cut off: parsers like to quote
  if (stage.takes_records()) SLUICE_TRY(look(stage.take(std::span(&broken_record, 1))));
  for (const char* const config : {"{}", "{\""}) {
    stage.destroy();
    SLUICE_TRY(look(stage.create(config)));
  }
  return Done{};
}

Status secrets(const Subject& subject) {
  std::vector<std::string> needles;
  for (const auto& [name, value] : subject.secrets) {
    if (value.size() < secret_bytes_min) continue;
    needles.push_back(value);
    needles.push_back(base64(value));
  }
  if (needles.empty()) return not_applicable("its configuration has no x-secret field");
  return look_for(needles, subject, "a secret");
}

Status personal_data(const Subject& subject) {
  return look_for({std::string(canary_email), std::string(canary_phone)}, subject, "personal data");
}

Status pure(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  const sluice_connector& table = stage.table();
  if (table.plan == nullptr && table.fetch == nullptr)
    return not_applicable("it has neither plan() nor fetch()");
  // What the first call does once - a table, a thread's own memory - is looked at too.
  SLUICE_TRY(confine(Allow::computing));
  const auto look = [&](const std::vector<plugin::Record>& batch, const Emission& e) -> Status {
    SLUICE_TRY(well_behaved(e));
    for (const plugin::Request& request : e.requests) {
      if (table.interpret != nullptr)
        SLUICE_TRY(well_behaved(stage.interpret(batch, answer_to(request, 200, R"({"message":"success"})"))));
    }
    return Done{};
  };
  if (table.plan != nullptr) SLUICE_TRY(each_batch(stage, subject.records, look));
  if (table.fetch != nullptr) {
    const plugin::Poll poll{.stream = subject.info.streams.empty() ? "" : subject.info.streams.front()};
    for (plugin::Request request : stage.fetch(poll).requests) {
      request.purpose = SLUICE_FOR_FETCH;
      SLUICE_TRY(well_behaved(stage.interpret(poll, answer_to(request, 200, subject.answer))));
    }
  }
  if (table.check != nullptr) SLUICE_TRY(well_behaved(stage.check()));
  return Done{};
}

Status sandbox(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  const sluice_connector& table = stage.table();
  if (table.deliver == nullptr && table.read == nullptr)
    return not_applicable("it has neither deliver() nor read()");
  const bool files = subject.info.files, network = subject.info.network;
  SLUICE_TRY(confine(files && network ? Allow::files_and_network
                     : files          ? Allow::files
                     : network        ? Allow::network
                                      : Allow::computing));
  if (table.deliver != nullptr) SLUICE_TRY(well_behaved(stage.deliver(subject.records)));
  if (table.read != nullptr) {
    SLUICE_TRY(well_behaved(stage.read(
        {.stream = subject.info.streams.empty() ? "" : subject.info.streams.front(), .until_idle = true})));
  }
  return Done{};
}

constexpr Check checks[] = {
    {"reasons", "reasons are keys for metrics, and statuses are a record's", reasons},
    {"hosts", "requests go to its manifest's hosts alone", hosts},
    {"secrets", "no secret stands in a log line, a reason, a detail or the text of a failure", secrets},
    {"personal_data",
     "no e-mail address or phone number stands there either, not even when the vendor repeats it",
     personal_data},
    {"pure", "plan(), interpret(), fetch() and check() make no system call but for memory", pure},
    {"sandbox", "deliver() and read() reach files and the network only if its manifest says so", sandbox},
};

}  // namespace

std::span<const Check> leak_checks() {
  return checks;
}

}  // namespace sluice::kit
