// What the commands `sluice journal verify | dump | repair` do.
#include <algorithm>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "journal/head.hpp"
#include "journal/identity_file.hpp"
#include "journal/journal.hpp"
#include "model/event.hpp"

namespace sluice {
namespace {

std::string journal_directory(const std::string& data_directory) {
  return data_directory + "/journal";
}

// A payload as JSON where it is JSON, else as base64.
void write_payload(JsonWriter& w, std::string_view payload) {
  JsonParser parser;
  if (const Json json = parser.parse(payload)) {
    w.key("payload").raw(json.text());
  } else {
    w.key("payload_base64").string(base64(payload));
  }
}

void write_event(JsonWriter& w, std::string_view payload, bool unmasked) {
  EventInput event;
  if (!EventInput::decode(payload, event)) return unmasked ? write_payload(w, payload) : void();
  w.member("source", event.source);
  w.member("received", format_time(event.received));
  if (event.sent != no_time) w.member("sent", format_time(event.sent));
  if (!unmasked) return;
  if (!event.derived.empty()) w.key("derived").raw(event.derived);
  if (!event.ip.empty()) w.member("ip", event.ip);
  if (!event.context.empty()) w.member("context", event.context);
  if (!event.integrations.empty()) w.member("integrations", event.integrations);
  write_payload(w, event.text);
}

void write_record(JsonWriter& w, std::string_view payload, bool unmasked) {
  RecordInput record;
  if (!RecordInput::decode(payload, record)) return unmasked ? write_payload(w, payload) : void();
  w.member("source", record.source);
  w.member("stream", record.stream);
  if (record.time != no_time) w.member("record_time", format_time(record.time));
  if (record.deleted) w.member_boolean("deleted", true);
  if (!unmasked) return;
  w.member("key", record.key);
  if (!record.entity.empty()) w.member("entity", record.entity);
  if (!record.cursor.empty()) w.key("cursor_base64").string(base64(record.cursor));
  write_payload(w, record.payload);
}

void check_input(const Input& input, JournalReport& report) {
  const std::string place = "input " + std::to_string(input.seq) + ": ";
  if (report.last_stamp != no_time && input.stamp < report.last_stamp) {
    report.problems.push_back(place + "its stamp goes back from " + format_time(report.last_stamp) + " to " +
                              format_time(input.stamp));
  }
  const auto kind = static_cast<std::size_t>(input.kind);
  if (kind == 0 || kind >= report.by_kind.size()) {
    report.problems.push_back(place + "unknown kind " + std::to_string(kind) +
                              "; a later version of Sluice wrote it");
  } else {
    ++report.by_kind[kind];
  }
  if (input.seq == 1 && !input.redacted) {
    JournalIdentity genesis;
    if (input.kind != InputKind::genesis || !JournalIdentity::decode(input.payload, genesis)) {
      report.problems.push_back(place + "is no genesis");
    } else if (!report.identity.id.empty() && genesis.id != report.identity.id) {
      report.problems.push_back(place + "names another journal than the file identity");
    }
  }
  ++report.entries;
  if (input.redacted) ++report.redacted;
  // Under `--clock events` time begins with the first event: what stands before it has none.
  if (report.first_stamp == no_time && input.stamp > 0) report.first_stamp = input.stamp;
  report.last_stamp = input.stamp;
}

}  // namespace

std::string_view name_of(InputKind kind) {
  switch (kind) {
    case InputKind::genesis:
      return "genesis";
    case InputKind::epoch:
      return "epoch";
    case InputKind::event:
      return "event";
    case InputKind::record:
      return "record";
    case InputKind::outcome:
      return "outcome";
    case InputKind::tick:
      return "tick";
    case InputKind::command:
      return "command";
    case InputKind::graft:
      return "graft";
  }
  return "unknown";
}

Status read_journal(FileSystem& files, const std::string& data_directory, std::uint64_t from,
                    const std::function<bool(const Input&)>& each, std::uint64_t known_durable) {
  const std::unique_ptr<Log> log =
      SLUICE_TRY(Log::open_read_only(files, journal_directory(data_directory), known_durable));
  return log->read(std::max(from, log->first_seq()), [&](const Entry& e) { return each(input_of(e)); });
}

Result<JournalReport> verify_journal(FileSystem& files, const std::string& data_directory,
                                     std::uint64_t known_durable) {
  JournalReport report;
  const std::string directory = journal_directory(data_directory);
  Result<std::optional<JournalIdentity>> identity = read_identity(files, directory);
  if (!identity) {
    report.problems.push_back(identity.error().detail);
  } else if (identity.value()) {
    report.identity = *identity.value();
  } else {
    report.problems.push_back(directory + "/identity is missing");
  }
  Result<std::unique_ptr<Log>> log = Log::open_read_only(files, directory, known_durable);
  if (!log) {
    if (log.error().code != Code::corrupt) return std::move(log).error();
    report.problems.push_back(log.error().detail);
    return report;
  }
  report.first_seq = log.value()->first_seq();
  report.next_seq = log.value()->next_seq();
  report.bytes = log.value()->bytes();
  const Status read = log.value()->read(report.first_seq, [&](const Entry& e) {
    check_input(input_of(e), report);
    return true;
  });
  if (!read) report.problems.push_back(read.error().detail);
  return report;
}

std::string dump_line(const Input& input, bool unmasked) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member_integer("seq", static_cast<std::int64_t>(input.seq));
  w.member("time", format_time(input.stamp));
  w.member("kind", name_of(input.kind));
  w.member_integer("bytes", static_cast<std::int64_t>(input.payload.size()));
  if (input.redacted) {
    w.member_boolean("redacted", true);
  } else if (input.kind == InputKind::event) {
    write_event(w, input.payload, unmasked);
  } else if (input.kind == InputKind::record) {
    write_record(w, input.payload, unmasked);
  } else if (JournalIdentity genesis;
             input.kind == InputKind::genesis && JournalIdentity::decode(input.payload, genesis)) {
    w.member("journal", genesis.id);
    w.member_integer("generation", genesis.generation);
  } else if (unmasked && !input.payload.empty()) {
    write_payload(w, input.payload);
  }
  w.end_object();
  return out;
}

Result<std::vector<LogDamage>> repair_journal(FileSystem& files, const std::string& data_directory,
                                              std::uint64_t known_durable) {
  const std::string directory = journal_directory(data_directory);
  const Result<JournalReport> found = verify_journal(files, data_directory, known_durable);
  if (found && found.value().problems.empty()) return std::vector<LogDamage>();
  // The generation first: should this be interrupted, no key is given twice.
  SLUICE_TRY(raise_generation(files, data_directory));
  return Log::repair(files, directory, known_durable);
}

}  // namespace sluice
