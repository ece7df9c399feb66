// A golden exchange: really sends what a connector asks for, and writes down what was asked, what came back
// and what became of it, in the format that sluice/testing.hpp replays. Secrets are cut: each value that the
// schema marks x-secret, and tokens fetched on the way, stand in no form in it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

namespace sluice::kit {

struct RecordingOptions {
  std::string library = {};
  std::string with = {};                    // `with:` as a JSON object, with the real secrets
  std::optional<std::string> records = {};  // of a destination, JSON; or
  std::optional<std::string> poll = {};     // of a source: {"stream", "cursor"}
  std::string about = {};                   // what it shows, a sentence
  // Of a full refresh: which part of which snapshot all the records are; 0: of none.
  std::uint32_t part = 0;
  std::string snapshot = {};
  bool mask = false;  // e-mail addresses and phones become made-up ones, the same ones alike
  // Asked before each request leaves; it is shown as "POST https://…" and the body, secrets cut. False: stop.
  std::function<bool(std::string_view shown)> agree = {};
};

struct Recording {
  std::string json = {};  // the file
  std::size_t requests = 0;
  bool personal = false;  // something in it looks like an e-mail address or a phone
};

// Blocks while the vendor answers. misconfigured: the library or the options; rejected: the connector broke
// its contract; cancelled: not agreed. Runs the connector in this process.
Result<Recording> record(const RecordingOptions& options);

}  // namespace sluice::kit
