// The conformance kit: every promise of the plugin ABI as a check on a built library, each in a process of
// its own, and a trial of one record. Neither sends anything: connect() is refused in those processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/result.hpp"

namespace sluice::kit {

struct Options {
  std::string library = {};                 // path of the .so
  std::optional<std::string> with = {};     // `with:` as a JSON object; else a sample is made from the schema
  std::optional<std::string> records = {};  // a record or a list of them, as JSON; else samples are made
};

enum class Verdict : std::uint8_t { ok, failed, not_applicable };

struct Finding {
  std::string connector = {};  // its id; empty: the library as a whole
  std::string check = {};      // "covers_once"
  std::string promise = {};    // what it is that was checked, as a sentence
  Verdict verdict = Verdict::ok;
  std::string why = {};  // unless ok
};

// In a fixed order. An error only where there is nothing to check: no such file, options that are no JSON.
// [one thread; the process has no other, since each check forks]
Result<std::vector<Finding>> test(const Options& options);

struct TrialOptions {
  std::string library = {};
  std::optional<std::string> with = {};
  std::string records = {};  // JSON, as above
  std::optional<std::string> answer =
      {};  // {"status", "headers": {}, "body"}, or a list: one for each request
};

// What the connector makes of the records, as JSON: {"connector", "records", "requests", "outcomes", "logs"};
// secrets are masked. Outcomes beyond plan's own need an answer.
Result<std::string> try_records(const TrialOptions& options);

}  // namespace sluice::kit
