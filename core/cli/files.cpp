#include <cstdio>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "hub/world.hpp"
#include "journal/lock.hpp"

namespace sluice::cli {

namespace {

// The data directory of a configuration; nothing when that cannot be used, after saying why.
std::optional<std::string> data_of(const Common& common) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return {};
  return setup.config->hub.data;
}

}  // namespace

int journal_verify(const Common& common) {
  const auto data = data_of(common);
  if (!data) return 1;
  const auto files = make_file_system();
  const auto report = verify_journal(*files, *data, hub::newest_checkpoint(*files, *data));
  if (!report) return fail(report.error().detail);
  const JournalReport& r = report.value();
  if (common.json) {
    std::string out;
    JsonWriter w(out);
    w.begin_object().member("journal", r.identity.id).member_integer("generation", r.identity.generation);
    w.member_integer("first_seq", static_cast<std::int64_t>(r.first_seq));
    w.member_integer("next_seq", static_cast<std::int64_t>(r.next_seq));
    w.member_integer("inputs", static_cast<std::int64_t>(r.entries)).key("problems").begin_array();
    for (const std::string& problem : r.problems) w.string(problem);
    w.end_array().end_object();
    (void)std::puts(out.c_str());
  } else {
    if (r.next_seq > 0) {
      (void)std::printf(
          "journal %s, generation %u: %llu inputs, %llu to %llu, %llu bytes\n", r.identity.id.c_str(),
          r.identity.generation, static_cast<unsigned long long>(r.entries),
          static_cast<unsigned long long>(r.first_seq), static_cast<unsigned long long>(r.next_seq - 1),
          static_cast<unsigned long long>(r.bytes));
    }
    if (r.first_stamp != no_time) {
      (void)std::printf("from %s to %s\n", format_time(r.first_stamp).c_str(),
                        format_time(r.last_stamp).c_str());
    }
    for (const std::string& problem : r.problems) (void)std::printf("damaged: %s\n", problem.c_str());
    if (r.problems.empty()) (void)std::puts("whole");
  }
  return r.problems.empty() ? 0 : 1;
}

int journal_dump(const Common& common, std::uint64_t from, std::uint64_t count, bool unmasked) {
  const auto data = data_of(common);
  if (!data) return 1;
  const auto files = make_file_system();
  std::uint64_t left = count;
  const Status read = read_journal(
      *files, *data, from,
      [&](const Input& input) {
        if (left == 0) return false;
        --left;
        return std::puts(dump_line(input, unmasked).c_str()) >= 0;
      },
      hub::newest_checkpoint(*files, *data));
  return read ? 0 : fail(read.error().detail);
}

int journal_repair(const Common& common) {
  const auto data = data_of(common);
  if (!data) return 1;
  const auto lock = DirectoryLock::take(*data);
  if (!lock) return fail(lock.error().detail);
  const auto files = make_file_system();
  const auto repaired = repair_journal(*files, *data, hub::newest_checkpoint(*files, *data));
  if (!repaired) return fail(repaired.error().detail);
  for (const LogDamage& damage : repaired.value()) {
    (void)std::printf("%s: %llu inputs from %llu on are lost (%llu bytes at %llu); the file as it was: %s\n",
                      damage.file.c_str(), static_cast<unsigned long long>(damage.entries),
                      static_cast<unsigned long long>(damage.first_seq),
                      static_cast<unsigned long long>(damage.bytes),
                      static_cast<unsigned long long>(damage.offset), damage.copy.c_str());
  }
  if (repaired.value().empty()) (void)std::puts("nothing was damaged");
  return 0;
}

int store_verify(const Common& common) {
  const auto data = data_of(common);
  if (!data) return 1;
  const auto files = make_file_system();
  const auto report = hub::verify_store(*files, *data);
  if (!report) return fail(report.error().detail);
  const hub::StoreReport& r = report.value();
  if (common.json) {
    std::string out;
    JsonWriter w(out);
    w.begin_object().member_integer("checkpoint_seq", static_cast<std::int64_t>(r.checkpoint_seq));
    w.member_integer("base_seq", static_cast<std::int64_t>(r.base_seq)).member("recorded", r.recorded.hex());
    w.member("recomputed", r.recomputed.hex())
        .member_integer("profiles", static_cast<std::int64_t>(r.profiles));
    w.key("problems").begin_array();
    for (const std::string& problem : r.problems) w.string(problem);
    w.end_array().end_object();
    (void)std::puts(out.c_str());
  } else {
    (void)std::printf("checkpoint at input %llu: state hash %s\n",
                      static_cast<unsigned long long>(r.checkpoint_seq), r.recorded.hex().c_str());
    (void)std::printf("recomputed from %s, %llu inputs, %llu people: %s\n",
                      r.from_genesis ? "the first input" : "the base checkpoint",
                      static_cast<unsigned long long>(r.inputs), static_cast<unsigned long long>(r.profiles),
                      r.recomputed.hex().c_str());
    for (const std::string& problem : r.problems) (void)std::printf("problem: %s\n", problem.c_str());
    if (r.problems.empty()) (void)std::puts("the same");
  }
  return r.problems.empty() ? 0 : 1;
}

}  // namespace sluice::cli
