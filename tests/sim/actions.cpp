// What may happen while the hub runs.
#include <algorithm>

#include "hub/difference.hpp"
#include "hub/unmerge.hpp"
#include "sim/machine.hpp"

namespace sluice::sim {

namespace {

constexpr DurationUs lake_patience = 2 * us_per_min;

}  // namespace

void Machine::act() {
  const std::uint64_t what = random_.below(1'000);
  if (what < 230) {
    call();
  } else if (what < 280) {
    read_rows();
  } else if (what < 400) {
    pump_journal();
  } else if (what < 520) {
    pump_step();
  } else if (what < 560) {
    engine_->checkpointer().pump();
  } else if (what < 700) {
    const auto lanes = engine_->delivery().status();
    pump_lane(lanes[random_.below(lanes.size())].name);
  } else if (what < 780) {
    network_.step();
  } else if (what < 800) {
    engine_->backfiller().pump();
  } else if (what < 900) {
    wait();
  } else if (what < 960) {
    if (random_.once_in(8)) {
      rest();
    } else if (settle()) {
      jump(us_per_min);
    }
  } else if (what < 975) {
    trouble();
  } else if (what < 982) {
    fill_disk();
  } else if (what < 992) {
    configure();
  } else if (what < 995) {
    apply_mistake();
  } else if (what < 998) {
    drop_old();
  } else {
    unmerge();
  }
  if (failure_.empty() && !disk_.files().stopped()) look_at_lake();
}

void Machine::call() {
  const std::vector<std::string> payloads = clients_.next();
  std::vector<Draft> drafts;
  for (const std::string& payload : payloads)
    drafts.push_back({.kind = InputKind::event, .event_time = clock_.wall_us(), .payload = payload});
  // A client that has no answer when the hub dies sends again.
  const auto unanswered = std::shared_ptr<bool>(new bool(true), [this, payloads](const bool* open) {
    if (*open) clients_.answered(payloads, false);
    delete open;
  });
  const Submit submitted = engine_->journal().submit(
      std::move(drafts), [this, payloads, unanswered](const Status& done, std::uint64_t seq) {
        *unanswered = false;
        clients_.answered(payloads, static_cast<bool>(done));
        if (done) judge_.acknowledged(seq, payloads);
      });
  const bool low = disk_.free_bytes(data_directory).value() < reserve_bytes;
  noticed_full_ = noticed_full_ && low;
  if (noticed_full_ && submitted == Submit::ok)
    judge_.violated(1, "a nearly full disk is filled further by what comes from outside");
  note("call " + std::to_string(payloads.size()) + " -> " + std::to_string(static_cast<int>(submitted)));
}

void Machine::read_rows() {
  if (reading_) return;
  const std::uint64_t count = 1 + random_.below(5);
  const Submit submitted = engine_->journal().submit(rows_from(next_row_, count, random_, clock_.wall_us()),
                                                     [this, count](const Status& done, std::uint64_t) {
                                                       reading_ = false;
                                                       if (done) next_row_ += count;
                                                     });
  reading_ = submitted == Submit::ok;
  note("rows " + std::to_string(next_row_));
}

void Machine::pump_journal() {
  const bool wrote = engine_->journal().pump();
  if (failure_.empty() && !disk_.files().stopped()) judge_.follow(engine_->journal());
  if (wrote) noticed_full_ = nearly_full_ && disk_.free_bytes(data_directory).value() < reserve_bytes;
  if (wrote) note("journal at " + std::to_string(engine_->journal().log().next_seq()));
}

void Machine::pump_step() {
  engine_->step().pump();
  state::State& state = engine_->world().state;
  const bool up = failure_.empty() && !disk_.files().stopped();
  if (up && !state.checkpointing() && random_.once_in(4)) judge_.check_state(state, 2, "while it runs");
}

// True: it did something, or has to be called again at once.
bool Machine::pump_lane(const std::string& name) {
  if (options_.plant == Plant::shared_thread) {
    for (const deliver::LaneStatus& lane : engine_->delivery().status()) {
      if (lane.name != name && lane.state != deliver::LaneState::live) return false;
    }
  }
  const DurationUs due = due_[name] = engine_->delivery().pump(name);
  return due <= clock_.monotonic_us();
}

void Machine::wait() {
  clock_.advance(random_.between(1, 2'000) * us_per_ms);
}

// Everything does what it can before time goes on. False: the hub has stopped.
bool Machine::settle() {
  for (int round = 0; round < 10'000; ++round) {
    bool more = engine_->journal().queued_bytes() > 0;
    due_.clear();
    pump_journal();
    more |= !engine_->step().caught_up();
    pump_step();
    more |= engine_->checkpointer().pump();
    more |= engine_->world().state.checkpointing();
    more |= engine_->backfiller().pump();
    for (const deliver::LaneStatus& lane : engine_->delivery().status()) more |= pump_lane(lane.name);
    more |= network_.step();
    more |= engine_->journal().queued_bytes() > 0;
    if (!failure_.empty() || disk_.files().stopped() || judge_.violation()) return false;
    if (!more) return true;
  }
  judge_.violated(5, "the hub is busy for ever without time going on");
  return false;
}

// Nobody calls for minutes or hours.
void Machine::rest() {
  const DurationUs until = clock_.monotonic_us() + random_.between(us_per_min, 4 * us_per_h);
  for (int round = 0; round < 400 && settle() && clock_.monotonic_us() < until; ++round) {
    look_at_lake();
    jump(until - clock_.monotonic_us());
  }
  note("a rest is over");
}

// To the next moment at which something is to be done, and no further than this.
void Machine::jump(DurationUs at_most) {
  const DurationUs now = clock_.monotonic_us();
  DurationUs to = std::min(network_.next_due(), static_cast<DurationUs>(engine_->step().next_due()));
  for (const auto& [name, due] : due_) to = std::min(to, due);
  clock_.set(std::clamp(to, now + 1, now + at_most));
  note("time");
}

void Machine::trouble() {
  static constexpr const char* names[] = {"vendor", "mail", "letters", "archive"};
  const char* const name = names[random_.below(4)];
  const auto mood = static_cast<Mood>(random_.once_in(2) ? 0 : random_.below(moods));
  network_.set_mood(name, mood);
  note(std::string(name) + " is in mood " + std::to_string(static_cast<int>(mood)));
}

// The disk is nearly full: what comes from outside is refused, what the hub needs goes on; now and then it is
// full, and the hub may stop.
void Machine::fill_disk() {
  SimFileSystem& files = disk_.files();
  files.set_capacity(UINT64_MAX);
  nearly_full_ = noticed_full_ = false;
  if (random_.once_in(3)) return note("the disk is empty again");
  ++counts_.full_disks;
  const std::uint64_t used = UINT64_MAX - files.free_bytes(data_directory).value();
  const bool full = random_.once_in(4);
  files.set_capacity(used + (full ? random_.below(20'000) : 180'000));
  note(full ? "the disk is full" : "the disk is nearly full");
  nearly_full_ = !full;
}

void Machine::configure() {
  const std::size_t which = random_.below(configurations + 1);
  const config::Loaded loaded = load_configuration(configuration_text(which, ++rounds_));
  const std::string before = engine_->world().epoch;
  const bool applied = loaded.config && take_over(loaded.config);
  if (applied) {
    config_ = loaded.config;
    ++counts_.configurations;
  } else if (failure_.empty() && !disk_.files().stopped()) {
    ++counts_.refused;
    if (engine_->world().epoch != before) judge_.violated(7, "a refused configuration holds");
    if (which < configurations - 1) judge_.violated(7, "a good configuration was refused");
  }
  note("configuration " + std::to_string(which) + (applied ? " applied" : " not applied"));
}

// As Hub::take_over().
bool Machine::take_over(const std::shared_ptr<const config::Config>& config) {
  std::set<std::string> changed;
  for (const config::Destination& d : config->destinations) {
    if (hub::text_of_item(*config, "destinations", d.name) !=
        hub::text_of_item(*config_, "destinations", d.name))
      changed.insert(d.name);
  }
  auto change = engine_->delivery().prepare(*config, changed);
  if (!change) return false;
  const Status begun = engine_->delivery().begin(change.value());
  if (!begun) {
    if (failure_.empty()) failure_ = begun.error().detail;
    return false;
  }
  config_ = config;  // the file says so, whatever comes
  const hub::EpochNews news = engine_->compare(*config, connectors());
  if (!news.same && !write_epoch(news)) return false;
  engine_->delivery().finish(std::move(change).value());
  return failure_.empty();
}

bool Machine::write_epoch(const hub::EpochNews& news) {
  std::uint64_t seq = 0;
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::epoch;
  drafts[0].payload = news.payload;
  if (engine_->journal().submit(std::move(drafts), [&](const Status& done, std::uint64_t first) {
        if (done) seq = first;
      }) != Submit::ok)
    return false;
  while (seq == 0 && failure_.empty()) pump_journal();
  return wait_for_epoch(seq);
}

bool Machine::wait_for_epoch(std::uint64_t seq) {
  while (failure_.empty() && engine_->step().stepped_seq() < seq) pump_step();
  return failure_.empty() && seq > 0;
}

// A planted bug: nobody looks whether the text can be read.
void Machine::apply_mistake() {
  if (options_.plant != Plant::applies_anyway) return;
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::epoch;
  drafts[0].payload = unchecked_epoch(configuration_text(configurations, ++rounds_));
  (void)engine_->journal().submit(std::move(drafts), {});
}

void Machine::drop_old() {
  const std::uint64_t before = engine_->journal().log().first_seq();
  if (const Status dropped = engine_->drop_before(clock_.wall_us() - us_per_h);
      !dropped && !disk_.files().stopped())
    judge_.violated(1, "old events cannot be dropped: " + dropped.error().detail);
  counts_.dropped += engine_->journal().log().first_seq() - before;
  note("dropped up to " + std::to_string(engine_->journal().log().first_seq()));
}

// Somebody finds that one of the merges was wrong.
void Machine::unmerge() {
  std::vector<std::pair<ProfileId, std::uint64_t>> merges;
  const state::State& state = engine_->world().state;
  state.each_profile([&](const state::Profile& person) {
    for (const state::MergeCause& merge : person.merges) merges.emplace_back(person.id, merge.cause);
  });
  if (merges.empty()) return;
  const auto& [person, input] = merges[random_.below(merges.size())];
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::command;
  drafts[0].payload = hub::unmerge_command(person, input);
  (void)engine_->journal().submit(std::move(drafts), {});
  note("takes the merge of input " + std::to_string(input) + " back");
}

// 5: this destination always works, so its records are never long without one that ends.
void Machine::look_at_lake() {
  const DurationUs now = clock_.monotonic_us();
  const auto lanes = engine_->delivery().status();
  const auto lake =
      std::find_if(lanes.begin(), lanes.end(), [](const auto& lane) { return lane.name == "lake"; });
  const bool waits = lake->backlog_records > 0;
  if (!waits || !std::exchange(lake_waits_, waits)) lake_moved_ = now;
  lake_waits_ = waits;
  if (now - lake_moved_ > lake_patience) {
    judge_.violated(5, "lake works, and has " + std::to_string(lake->backlog_records) +
                           " records of which none came to an end for " + format_duration(now - lake_moved_));
  }
}

}  // namespace sluice::sim
