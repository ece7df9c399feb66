#include "hub/world.hpp"

#include <algorithm>
#include <charconv>

#include "hub/epoch.hpp"
#include "journal/head.hpp"

namespace sluice::hub {

std::string checkpoint_folder(const std::string& data) {
  return data + "/checkpoints";
}

std::uint64_t newest_checkpoint(FileSystem& files, const std::string& data) {
  std::uint64_t newest = 0;
  const auto names = files.list(checkpoint_folder(data));
  if (!names) return newest;
  for (const std::string& name : names.value()) {
    std::uint64_t seq = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), seq);
    const std::string_view rest(end, static_cast<std::size_t>(name.data() + name.size() - end));
    if (error == std::errc{} && (rest == ".base" || rest == ".delta")) newest = std::max(newest, seq);
  }
  return newest;
}
std::string database_path(const std::string& data) {
  return data + "/store.db";
}
std::string key_path(const std::string& data) {
  return data + "/secrets.key";
}
std::string lanes_folder(const std::string& data) {
  return data + "/lanes";
}
std::string cold_folder(const std::string& data) {
  return data + "/cold";
}
std::string rejects_folder(const std::string& data) {
  return data + "/rejects";
}

World::World(std::uint64_t hash_seed, std::string definitions, Shadow by)
    : state(hash_seed),
      pipeline(
          state, [this](std::string_view payload) { return load(payload); },
          definitions.empty() ? Pipeline::Role::hub : Pipeline::Role::shadow),
      definitions_(std::move(definitions)),
      by_(by) {}

std::shared_ptr<const view::Compiled> World::load(std::string_view payload) {
  auto compiled = definitions_.empty()   ? compile_epoch(payload)
                  : by_ == Shadow::rules ? compile_rules(payload, definitions_)
                                         : compile_shadow(payload, definitions_);
  if (!compiled) {
    failure = compiled.error().detail;
    return nullptr;
  }
  epoch = payload;
  return std::move(compiled).value();
}

Status World::resume(const CheckpointInfo& info) {
  if (!state.finish_restore())
    return Error{Code::corrupt,
                 "a row of a checkpoint cannot be read: start the version of sluice that wrote it, or "
                 "move the folder 'checkpoints' of the data away: the journal then gives the state"};
  if (info.extra.empty()) return Done{};
  auto compiled = load(info.extra);
  if (!compiled) return Error{Code::corrupt, failure};
  pipeline.resume(std::move(compiled));
  pipeline.set_timers();
  return Done{};
}

namespace {

Checkpoints::EachRow into(state::State& state, bool& readable) {
  return [&state, &readable](std::uint8_t table, std::string_view key, std::string_view value, bool erased) {
    const auto t = static_cast<state::Table>(table);
    if (erased) {
      state.forget_row(t, key);
    } else if (!state.restore_row(t, key, value)) {
      readable = false;
    }
  };
}

}  // namespace

Result<std::uint64_t> World::restore(Checkpoints& checkpoints, LoadReport& report, bool threads) {
  bool readable = true;
  const auto info = SLUICE_TRY(checkpoints.load(
      into(state, readable), report, [&](std::uint64_t people) { state.expect(people); }, threads));
  if (!readable) return Error{Code::corrupt, "a row of the newest checkpoint cannot be read by this binary"};
  if (!info) return std::uint64_t{0};
  SLUICE_TRY(resume(*info));
  return info->seq;
}

Status World::restore_base(const Checkpoints& checkpoints, std::uint64_t seq) {
  bool readable = true;
  const CheckpointInfo info = SLUICE_TRY(checkpoints.load_base(seq, into(state, readable)));
  if (!readable) return Error{Code::corrupt, "a row of the base checkpoint cannot be read by this binary"};
  return resume(info);
}

Status World::step(const Input& input, StepOutput& out) {
  pipeline.apply(input, out);
  if (!failure.empty()) return Error{Code::corrupt, failure};
  return Done{};
}

Result<std::uint64_t> World::begin_shadow(const Checkpoints& checkpoints, std::uint64_t first_seq,
                                          std::uint64_t at_most,
                                          const std::vector<state::Unmerge>& unmerges) {
  std::uint64_t base = 0;
  if (first_seq > 1) {
    for (const state::Unmerge& u : unmerges) {
      if (!u.done) at_most = std::min(at_most, u.input - 1);
    }
    const auto oldest = checkpoints.oldest_base();
    if (!oldest || *oldest + 1 < first_seq || *oldest > at_most) {
      return Error{
          Code::rejected,
          "the history is not kept far enough: the journal begins at input " + std::to_string(first_seq) +
              (oldest ? ", and the oldest base checkpoint stands at input " + std::to_string(*oldest)
                      : ", and there is no base checkpoint") +
              "; a backup from before may have more, and a longer 'retention: events' keeps it next time"};
    }
    base = *oldest;
    SLUICE_TRY(restore_base(checkpoints, base));
    if (state.backfill.kept.empty()) {
      if (const auto then = compile_epoch(epoch)) {
        view::each_counted(*then.value(), [&](const auto& plan) {
          state.backfill.kept.push_back({plan.key, view::kept_needs(plan)});
        });
      }
    }
    pipeline.begin_shadow();
    since = state.now;
  }
  pipeline.keep_apart(unmerges, base);
  return base;
}

Result<std::unique_ptr<World>> read_world(FileSystem& files, const std::string& data) {
  const JournalHead journal = SLUICE_TRY(read_journal_head(files, data));
  auto world = std::make_unique<World>(journal.identity.hash_seed);
  auto checkpoints =
      SLUICE_TRY(Checkpoints::open(files, checkpoint_folder(data), journal.identity.id,
                                   journal.identity.generation, Checkpoints::Access::read_only));
  LoadReport report;
  const std::uint64_t seq = SLUICE_TRY(world->restore(*checkpoints, report));
  Status stepped = Done{};
  StepOutput out;
  SLUICE_TRY(read_journal(files, data, seq + 1, [&](const Input& input) {
    out.effects.clear();
    out.gate.clear();
    stepped = world->step(input, out);
    return static_cast<bool>(stepped);
  }));
  if (!stepped) return stepped.error();
  return world;
}

Result<std::unique_ptr<World>> read_shadow(FileSystem& files, const std::string& data,
                                           const std::string& definitions,
                                           const std::vector<state::Unmerge>& unmerges, World::Shadow by) {
  const JournalHead journal = SLUICE_TRY(read_journal_head(files, data));
  auto shadow = std::make_unique<World>(journal.identity.hash_seed, definitions, by);
  const auto checkpoints =
      SLUICE_TRY(Checkpoints::open(files, checkpoint_folder(data), journal.identity.id,
                                   journal.identity.generation, Checkpoints::Access::read_only));
  SLUICE_TRY(shadow->begin_shadow(*checkpoints, journal.first_seq, UINT64_MAX, unmerges));
  Status stepped = Done{};
  StepOutput out;
  SLUICE_TRY(read_journal(files, data, shadow->state.seq + 1, [&](const Input& input) {
    out.effects.clear();
    out.gate.clear();
    stepped = shadow->step(input, out);
    return static_cast<bool>(stepped);
  }));
  if (!stepped) return stepped.error();
  return shadow;
}

Result<StoreReport> verify_store(FileSystem& files, const std::string& data) {
  StoreReport report;
  const JournalHead journal = SLUICE_TRY(read_journal_head(files, data));
  auto checkpoints =
      SLUICE_TRY(Checkpoints::open(files, checkpoint_folder(data), journal.identity.id,
                                   journal.identity.generation, Checkpoints::Access::read_only));
  World newest(journal.identity.hash_seed);
  LoadReport loaded;
  report.checkpoint_seq = SLUICE_TRY(newest.restore(*checkpoints, loaded));
  report.problems = loaded.problems;
  if (report.checkpoint_seq == 0) {
    report.problems.emplace_back("there is no checkpoint yet: nothing to compare with");
    return report;
  }
  if (journal.next_seq <= report.checkpoint_seq) {
    report.problems.push_back("the journal ends at input " + std::to_string(journal.next_seq - 1) +
                              ", before this checkpoint: `sluice journal verify` says where it is damaged");
  }
  World again(journal.identity.hash_seed);
  // From the first input where the journal still has it; else from the oldest base.
  if (journal.first_seq > 1) {
    const auto base = checkpoints->oldest_base();
    if (!base || *base + 1 < journal.first_seq) {
      return Error{Code::corrupt,
                   "the journal begins at " + std::to_string(journal.first_seq) +
                       " and no base checkpoint reaches it: the state cannot be recomputed; a backup that "
                       "can be verified is the way back (sluice restore)"};
    }
    report.base_seq = *base;
    SLUICE_TRY(again.restore_base(*checkpoints, *base));
  } else {
    report.from_genesis = true;
  }
  Status stepped = Done{};
  StepOutput out;
  if (report.base_seq < report.checkpoint_seq) {
    SLUICE_TRY(read_journal(files, data, report.base_seq + 1, [&](const Input& input) {
      if (input.seq > report.checkpoint_seq) return false;
      out.effects.clear();
      out.gate.clear();
      stepped = again.step(input, out);
      ++report.inputs;
      return static_cast<bool>(stepped);
    }));
  }
  if (!stepped) return stepped.error();
  report.profiles = again.state.profiles();
  report.recorded = newest.state.hash();
  report.recomputed = again.state.hash();
  if (report.recomputed != report.recorded) {
    report.problems.emplace_back(
        "recomputing the state from the journal gives another hash than the checkpoint has");
  }
  return report;
}

}  // namespace sluice::hub
