// Connectors that do what good ones do until a record, or a row, says otherwise: for a hub that lives on.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/json_reader.hpp"
#include "sluice/plugin.hpp"

#include "faults.hpp"

namespace {

namespace sdk = sluice::sdk;

constexpr std::string_view in_interpret = "interpret ";

// A destination. An event's name says what happens in plan(), or in interpret().
class Stumbler {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "stumbler";

  Stumbler(const sdk::Host& host, const sdk::Open&) : host_(host) {}

  void plan(const sdk::Batch& batch, sdk::Call& call) {
    sdk::Request request{.url = "/take", .body = "["};
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      const sdk::Record record = batch[i];
      if (!stumble(record, i, call)) continue;
      request.body += request.records.empty() ? "" : ",";
      request.body += record.payload;
      request.records.push_back(i);
    }
    request.body += ']';
    if (!request.records.empty()) call.request(request);
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      if (batch[i].name == "smash") faults::smash(host_);
    }
  }

  void interpret(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) {
    for (const std::uint32_t i : response.records()) {
      const sdk::Record record = batch[i];
      if (record.name.starts_with(in_interpret)) {
        const std::string_view fault = record.name.substr(in_interpret.size());
        if (fault == "none") continue;
        faults::commit(fault, record.payload, host_);
      }
      call.outcome(i, {.status = response.ok() ? SLUICE_OK : SLUICE_RETRY, .reason = "answered"});
    }
  }

 private:
  // False: it has said, or not said, what becomes of the record.
  bool stumble(const sdk::Record& record, std::uint32_t i, sdk::Call& call) {
    const std::string_view name = record.name;
    if (name == "none") return false;
    if (name == "foreign") call.outcome(1'000'000, {});
    if (name == "nonsense") {
      call.outcome(i, {.status = 4711, .reason = "\xff no word", .detail = "\xff\x01\xfe"});
      return false;
    }
    if (name == "twice") {
      call.outcome(i, {.reason = "first"});
      call.outcome(i, {.status = SLUICE_INVALID, .reason = "second"});
      return false;
    }
    const std::string done = faults::commit(name, record.payload, host_);
    if (done == "done") {  // what must be refused was not
      call.outcome(i, {.status = SLUICE_INVALID, .reason = "it_was_allowed"});
      return false;
    }
    return true;
  }

  sdk::Host host_;
};

// Sources of a hundred rows. Once in a life, in the middle of the sixth ten, they do what `fault:` says.
class Rows {
 public:
  Rows(const sdk::Host& host, const sdk::Open& open)
      : host_(host), fault_(sdk::Json::parse(open.config).value()["fault"].text_or("")) {}

 protected:
  static constexpr int all = 100, ten = 10, bad = 55;

  static int start_of(const sdk::Poll& poll) {
    return poll.cursor.empty() ? 0 : std::stoi(std::string(poll.cursor));
  }
  // The rows from `first` to the next ten.
  void emit(int first, sdk::Call& call) {
    const bool stumbles = first <= bad && bad < first + ten && !host_.get("stumbled");
    if (stumbles) host_.put("stumbled", "yes");
    for (int n = first; n < first + ten; ++n) {
      if (n == bad && stumbles) faults::commit(fault_, fault_, host_);
      const std::string number = std::to_string(n);
      call.record({.key = number, .payload = "{\"n\":" + number + "}"});
    }
    call.checkpoint(std::to_string(first + ten));
  }

 private:
  sdk::Host host_;
  std::string fault_;
};

class Poller : public Rows {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
  static constexpr char id[] = "stumbling_poller";
  using Rows::Rows;
  void fetch(const sdk::Poll& poll, sdk::Call& call) {
    const int first = start_of(poll);
    for (int n = first; n < std::min(all, first + 3 * ten); n += ten) emit(n, call);
  }
  static void interpret(const sdk::Poll&, const sdk::Response&, sdk::Call&) {}  // it asks nobody
};

class Reader : public Rows {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
  static constexpr char id[] = "stumbling_reader";
  using Rows::Rows;
  void read(const sdk::Poll& poll, sdk::Call& call) {
    for (int n = start_of(poll); n < all; n += ten) emit(n, call);
  }
};

}  // namespace

#ifdef STUMBLING_READER
SLUICE_PLUGIN(R"({"plugin": "stumbling_reader", "version": "1.0.0", "connectors": [
  {"id": "stumbling_reader", "kind": "source", "timeout_s": 1, "poll": {"every_s": 1}, "streams": [{"name": "rows"}],
   "config": {"type": "object", "required": ["fault"], "properties": {"fault": {"type": "string"}}}}]})",
              Reader)
#else
SLUICE_PLUGIN(R"({"plugin": "stumbler", "version": "1.0.0", "connectors": [
  {"id": "stumbler", "kind": "destination", "base_url": "{config.url}", "timeout_s": 1, "batch": {"max_records": 16},
   "config": {"type": "object", "required": ["url"], "additionalProperties": false,
              "properties": {"url": {"type": "string"}}}},
  {"id": "stumbling_poller", "kind": "source", "timeout_s": 1, "poll": {"every_s": 1}, "streams": [{"name": "rows"}],
   "config": {"type": "object", "required": ["fault"], "properties": {"fault": {"type": "string"}}}}]})",
              Stumbler, Poller)
#endif
