#include "hub/backfiller.hpp"

#include <algorithm>

#include <sys/resource.h>

#include "base/json.hpp"
#include "base/log.hpp"
#include "base/thread_name.hpp"
#include "hub/backfiller_job.hpp"
#include "view/waiting.hpp"

namespace sluice::hub {

namespace {

constexpr DurationUs retry_after = us_per_min;
constexpr DurationUs idle_look = us_per_s;
constexpr DurationUs step_first = 5'000;              // while inputs wait for the step
constexpr DurationUs slice_pause = 2'000;             // between two looks at how far a walk is
constexpr std::size_t competing_max = 64;             // bites between two that only get what is spare
constexpr DurationUs spare_us_max = 100 * us_per_ms;  // of a bite that only gets what is spare
constexpr double starving = 0.05;                     // of the time, on the processor

// Which merges are taken back: for a comparison.
std::string numbers_of(const std::vector<state::Unmerge>& unmerges) {
  std::string out;
  for (const state::Unmerge& u : unmerges) out += std::to_string(u.input) + ' ';
  return out;
}

}  // namespace

Backfiller::Backfiller(FileSystem& files, const Clock& clock, std::string data, Journal& journal,
                       const Checkpoints& checkpoints, const StepThread& step, BackfillOptions options)
    : files_(files),
      clock_(clock),
      data_(std::move(data)),
      journal_(journal),
      checkpoints_(checkpoints),
      step_(step),
      options_(options) {
  (void)live();
}

Backfiller::~Backfiller() {
  stop();
}

void Backfiller::start() {
  spare_ = std::make_unique<SpareTime>("shadow");
  thread_ = std::thread([this] {
    name_background_thread("backfill");
    run();
  });
}

void Backfiller::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Backfiller::look() {
  {
    const std::lock_guard lock(mutex_);
    looked_ = false;
  }
  busy_ = true;  // until it has looked
  wake_.notify_all();
}

BackfillStatus Backfiller::status() const {
  const std::lock_guard lock(mutex_);
  BackfillStatus status = status_;
  // A configuration has come, and nobody has looked yet what it wants.
  if (busy_ && status.phase == BackfillStatus::Phase::none) status.phase = BackfillStatus::Phase::walking;
  return status;
}

void Backfiller::run() {
  for (;;) {
    const bool moved = pump();
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    if (moved && step_.caught_up()) continue;
    const DurationUs pause = slice_.epoch != 0 ? slice_pause : busy_ ? step_first : idle_look;
    wake_.wait_for(lock, std::chrono::microseconds(pause), [&] { return stopping_ || !looked_; });
    if (stopping_) return;
  }
}

bool Backfiller::live() {
  {
    const std::lock_guard lock(mutex_);
    looked_ = true;
  }
  bool waits = false;
  std::string ended;
  const bool walked = slice_.epoch != 0;
  step_.read([&](const World& world) {
    slice_ = next_slice(world);
    waits = slice_.epoch != 0;
    if (waits) return;
    const state::Backfill& b = world.state.backfill;
    const state::Unmerge* const unmerge = b.id == 0 ? world.state.apart.under_way() : nullptr;
    waits = b.id != 0 || unmerge != nullptr;
    const std::uint64_t unmerge_id = unmerge == nullptr ? 0 : unmerge->id;
    const bool same = job_ && job_->wants.id == b.id && job_->unmerge.id == unmerge_id &&
                      (unmerge == nullptr || job_->definitions == world.epoch);
    if (job_ && !same && b.id == 0 && unmerge_id != job_->unmerge.id) ended = end_of_job(world);
    if (!same) job_.reset();
    if (!waits) return;
    if (!job_) {
      job_ = std::make_unique<Job>();
      job_->wanted = wanted(world);
      job_->definitions = world.epoch;
      job_->apart = taken_back(world, unmerge);
      if (unmerge == nullptr) {
        job_->names = view::waiting(*world.pipeline.compiled(), b).names(*world.pipeline.compiled());
        job_->switch_command = switch_command(b.id);
      } else {
        job_->unmerge = *unmerge;
        job_->names = {"unmerge of " + format_profile_id(unmerge->person)};
      }
    }
    job_->wants = b;
    job_->watched = world.state.apart.watched;
  });
  if (walked && slice_.epoch == 0) log_info("hub", "the configuration has come to everybody");
  if (!ended.empty()) {
    log_info("hub", ended);
    drop_saved();
  }
  if (!waits) publish(BackfillStatus::Phase::none);
  busy_ = waits;
  return waits;
}

bool Backfiller::pump() {
  if (!live()) return false;
  if (slice_.epoch != 0) return walk_on();
  if (clock_.monotonic_us() < retry_at_) return false;
  Status done = Done{};
  bool moved = false;
  if (!job_->shadow) {
    done = begin();
    moved = true;
  } else if (job_->unmerge.id != 0) {
    done = pump_unmerge(moved);
  } else if (job_->wants.switched == 0) {
    const std::uint64_t durable = journal_.log().durable_seq();
    done = read_on(durable, moved);
    if (done && job_->shadow->state.seq >= durable) moved = ask_for_switch() || moved;
  } else if (job_->shadow->state.seq < job_->wants.switched) {
    done = read_on(job_->wants.switched, moved);
  } else {
    moved = hand_over();
  }
  if (!done) {
    fail(done.error());
    return false;
  }
  publish(job_->wants.switched == 0 ? BackfillStatus::Phase::reading : BackfillStatus::Phase::grafting);
  return moved;
}

// One slice at a time: the next when the state has it.
bool Backfiller::walk_on() {
  publish(BackfillStatus::Phase::walking);
  const DurationUs now = clock_.monotonic_us();
  const bool asked = slice_.epoch == asked_slice_.epoch && slice_.after == asked_slice_.after;
  if (asked && now - slice_asked_ < ask_again) return false;
  if (options_.slice_people > 0) slice_.people = options_.slice_people;
  if (!submit(InputKind::command, evaluate_command(slice_))) return false;
  asked_slice_ = slice_;
  slice_asked_ = now;
  return true;
}

// Where the shadow begins: where it saved itself, at the first input, or at the oldest base checkpoint.
Status Backfiller::begin() {
  Job& job = *job_;
  job.shadow = std::make_unique<World>(journal_.identity().hash_seed, job.definitions);
  bool restored = false;
  SLUICE_TRY(restore_saved(restored));
  if (restored) return Done{};
  job.shadow = std::make_unique<World>(journal_.identity().hash_seed, job.definitions);
  const std::uint64_t at_most = job.wants.switched != 0 ? job.wants.switched : UINT64_MAX;
  job.first =
      1 + SLUICE_TRY(job.shadow->begin_shadow(checkpoints_, journal_.log().first_seq(), at_most, job.apart));
  job.since = job.shadow->since;
  log_info("hub", "reading the history again for " + joined(job.names) + ", from " +
                      (job.first == 1 ? std::string("its first input") : format_time(job.since)) + " on" +
                      (job.unmerge.id == 0 ? "; they wait for it" : ""));
  return Done{};
}

Status Backfiller::restore_saved(bool& restored) {
  Job& job = *job_;
  const auto about = read_file(files_, folder() + "/about.json");
  if (!about) return Done{};
  const JournalIdentity& identity = journal_.identity();
  auto opened = Checkpoints::open(files_, folder(), identity.id, identity.generation);
  if (!opened) return Done{};
  LoadReport report;
  JsonParser parser;
  const Json root = parser.parse(about.value());
  const bool same = root["definitions"].string_or("") == job.definitions &&
                    root["apart"].string_or("") == numbers_of(job.apart);
  const auto seq = same ? job.shadow->restore(*opened.value(), report) : Result<std::uint64_t>(0);
  const std::uint64_t until = job.wants.switched == 0 ? journal_.log().durable_seq() : job.wants.switched;
  if (!seq || seq.value() == 0 || seq.value() > until) {
    opened.value().reset();
    drop_saved();
    return Done{};
  }
  job.first = static_cast<std::uint64_t>(root["first"].integer().value_or(1));
  job.since = root["since"].integer().value_or(no_time);
  job.saved = seq.value();
  job.shadow->pipeline.keep_apart(job.apart, job.first - 1);
  restored = true;
  log_info("hub", "reading the history again for " + joined(job.names) + ": goes on at input " +
                      std::to_string(seq.value() + 1));
  return Done{};
}

void Backfiller::drop_saved() {
  const auto names = files_.list(folder());
  if (!names) return;
  for (const std::string& name : names.value()) (void)files_.remove(folder() + '/' + name);
}

// It stands still behind a switch of its own, until the live step has got there, too.
Status Backfiller::read_on(std::uint64_t until, bool& moved) {
  Job& job = *job_;
  World& shadow = *job.shadow;
  if (shadow.state.seq >= until || (job.switch_seen && job.wants.switched == 0)) return Done{};
  Status stepped = Done{}, replayed = Done{};
  StepOutput out;
  std::size_t left = options_.bite;
  const bool spare = spare_ != nullptr && competing_ == 0;
  const DurationUs spare_until = clock_.monotonic_us() + spare_us_max;
  const auto bite = [&] {
    replayed = journal_.replay(shadow.state.seq + 1, [&](const Input& input) {
      if (input.seq > until || left == 0) return false;
      --left;
      out.effects.clear();
      out.gate.clear();
      stepped = shadow.step(input, out);
      job.switch_seen = input.kind == InputKind::command && input.payload == job.switch_command;
      return stepped && !job.switch_seen && (!spare || clock_.monotonic_us() < spare_until);
    });
  };
  // A machine with nothing to spare must not hold up the past for ever, which grows meanwhile: then it
  // competes, for one bite, and as long as there is nothing to spare for twice as many the next time.
  if (!spare) {
    bite();
    competing_ -= std::min<std::size_t>(competing_, 1);
  } else if (spare_->run(bite) < starving) {
    competed_ = std::clamp<std::size_t>(2 * competed_, 1, competing_max);
    competing_ = competed_;
  } else {
    competed_ = 0;
  }
  SLUICE_TRY(std::move(replayed));
  moved = left < options_.bite;
  if (!stepped) return stepped;
  if (shadow.state.seq - std::max(job.saved, job.first - 1) >= options_.save_inputs) return save();
  return Done{};
}

// What it was made for stands beside it: another configuration begins anew.
Status Backfiller::save() {
  Job& job = *job_;
  state::State& state = job.shadow->state;
  const JournalIdentity& identity = journal_.identity();
  const auto saved = SLUICE_TRY(Checkpoints::open(files_, folder(), identity.id, identity.generation));
  std::string about;
  JsonWriter w(about);
  w.begin_object().member_integer("first", static_cast<std::int64_t>(job.first));
  if (job.since != no_time) w.member_integer("since", job.since);
  w.member("apart", numbers_of(job.apart)).member("definitions", job.definitions).end_object();
  SLUICE_TRY(replace_file(files_, folder() + "/about.json", about));
  CheckpointInfo info;
  info.seq = state.seq;
  info.stamp = state.now;
  info.extra = job.shadow->epoch;
  const auto writer = SLUICE_TRY(saved->begin(info, CheckpointKind::base));
  Status written = Done{};
  state.begin_checkpoint(true,
                         [&](state::Table table, std::string_view key, std::string_view value, bool erased) {
                           if (!written) return;
                           const auto t = static_cast<std::uint8_t>(table);
                           written = erased ? writer->erase(t, key) : writer->add(t, key, value);
                         });
  while (!state.continue_checkpoint(10'000)) {
  }
  SLUICE_TRY(std::move(written));
  SLUICE_TRY(writer->commit(state.profiles()));
  job.saved = state.seq;
  return Done{};
}

bool Backfiller::ask_for_switch() {
  Job& job = *job_;
  const DurationUs now = clock_.monotonic_us();
  if (job.switch_seen || (job.asked != 0 && now - job.asked < ask_again)) return false;
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::command;
  drafts[0].payload = job.switch_command;
  if (journal_.submit(std::move(drafts), [](const Status&, std::uint64_t) {}) != Submit::ok) return false;
  job.asked = now;
  return true;
}

// One graft at a time: the next when the state has it.
bool Backfiller::hand_over() {
  Job& job = *job_;
  const DurationUs now = clock_.monotonic_us();
  if (job.handed == job.wants.after && now - job.handed_at < ask_again) return false;
  Graft graft =
      next_graft(*job.shadow, job.wants.id, job.wants.after, job.wanted.series, job.wanted.audiences);
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::graft;
  graft.since = job.since;
  graft.encode(drafts[0].payload);
  if (journal_.submit(std::move(drafts), [](const Status&, std::uint64_t) {}) != Submit::ok) return false;
  job.handed = job.wants.after;
  job.handed_at = now;
  return true;
}

void Backfiller::fail(const Error& error) {
  log_error("hub", "the history cannot be read again for " + joined(job_->names) + ": " + error.detail);
  if (job_->unmerge.id != 0 && error.code == Code::rejected)
    (void)submit(InputKind::command, give_up_command(job_->unmerge.id));
  publish(BackfillStatus::Phase::failed);
  {
    const std::lock_guard lock(mutex_);
    status_.failure = error.detail;
  }
  job_.reset();
  retry_at_ = clock_.monotonic_us() + retry_after;
}

void Backfiller::publish(BackfillStatus::Phase phase) {
  BackfillStatus status;
  status.phase = phase;
  if (phase == BackfillStatus::Phase::walking) {
    status.people_percent = static_cast<unsigned>(slice_.after / (UINT64_MAX / 100));
  } else if (job_) {
    status.names = job_->names;
    status.since_input = job_->first;
    status.since = job_->since;
    status.of = journal_.log().durable_seq();
    if (job_->shadow) {
      status.read = job_->shadow->state.seq;
      status.upto = job_->shadow->state.now;
    }
    status.unmerge = job_->unmerge.id != 0;
    status.people_percent = static_cast<unsigned>(job_->wants.after / (UINT64_MAX / 100));
  }
  const std::lock_guard lock(mutex_);
  status_ = std::move(status);
}

std::string backfill_json(const BackfillStatus& status) {
  using Phase = BackfillStatus::Phase;
  std::string out;
  JsonWriter w(out);
  const char* const name = status.phase == Phase::none      ? "none"
                           : status.phase == Phase::walking ? "walking"
                           : status.phase == Phase::reading ? "reading"
                           : status.phase == Phase::failed  ? "failed"
                                                            : "handing over";
  w.begin_object().member("state", name);
  if (status.unmerge) w.member_boolean("unmerge", true);
  if (status.phase == Phase::none) {
    w.end_object();
    return out;
  }
  if (status.phase == Phase::walking) {
    w.member_integer("people_percent", status.people_percent).end_object();
    return out;
  }
  w.key("waits").begin_array();
  for (const std::string& one : status.names) w.string(one);
  w.end_array();
  w.member_integer("read_inputs", static_cast<std::int64_t>(status.read));
  w.member_integer("of_inputs", static_cast<std::int64_t>(status.of));
  w.member_integer("since_input", static_cast<std::int64_t>(status.since_input));
  if (status.since != no_time) w.member("since", format_time(status.since));
  if (status.upto != no_time) w.member("upto", format_time(status.upto));
  w.member_integer("people_percent", status.people_percent);
  if (!status.failure.empty()) w.member("failure", status.failure);
  w.end_object();
  return out;
}

}  // namespace sluice::hub
