// Dead letters, sent again.
#include <algorithm>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "hub/hub.hpp"

namespace sluice::hub {

namespace {

constexpr std::size_t letters_per_commit = 200;
constexpr DurationUs step_patience = 30 * us_per_s;

std::string command_of(const store::DeadLetter& letter) {
  std::string bytes, payload;
  letter.effect.encode(bytes);
  JsonWriter(payload)
      .begin_object()
      .member("command", "replay")
      .member("destination", letter.effect.destination)
      .member_integer("letter", letter.id)
      .member("record", base64(bytes))
      .end_object();
  return payload;
}

}  // namespace

Result<ReplayReport> Hub::replay_dead(std::vector<std::int64_t> ids) {
  const std::lock_guard lock(replay_mutex_);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  const auto made_so_far = [this] {
    std::uint64_t made = 0;
    engine_->step().read([&](const World& world) { made = world.pipeline.counters().resent; });
    return made;
  };
  const std::uint64_t before = made_so_far();
  ReplayReport report;
  for (std::size_t first = 0; first < ids.size(); first += letters_per_commit) {
    const std::size_t last = std::min(first + letters_per_commit, ids.size());
    std::vector<std::int64_t> open;
    std::vector<Draft> drafts;
    for (std::size_t i = first; i < last; ++i) {
      const auto letter = SLUICE_TRY(database_->dead_letter(ids[i]));
      if (!letter || letter->state != "open") {
        ++report.not_open;
        continue;
      }
      open.push_back(ids[i]);
      drafts.push_back({.kind = InputKind::command, .event_time = no_time, .payload = command_of(*letter)});
    }
    if (drafts.empty()) continue;
    // A letter counts as replayed once the journal has it. A crash before the store knows loses nothing and
    // sends nothing twice: whoever steps the command again says so to the store again.
    const std::uint64_t seq = SLUICE_TRY(submit(std::move(drafts)));
    SLUICE_TRY(database_->take_dead_letters(open));
    report.taken += open.size();
    // The step decides what becomes of them. This waits for it, and so never runs ahead of it.
    if (!engine_->step().wait_until_stepped(seq + open.size() - 1, step_patience)) {
      return Error{Code::transient,
                   "the hub took " + std::to_string(report.taken) +
                       " dead letters and is busy: see `sluice outbox` for what they became"};
    }
  }
  report.handed_back = made_so_far() - before;
  return report;
}

Result<ReplayReport> Hub::replay_dead(const store::DeadFilter& filter) {
  return replay_dead(SLUICE_TRY(database_->open_dead_letters(filter)));
}

}  // namespace sluice::hub
