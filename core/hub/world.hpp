// State, pipeline and configuration in one: what recovery makes, what the step thread steps, and what
// commands read when no hub runs. One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/file.hpp"
#include "config/config.hpp"
#include "hub/pipeline.hpp"
#include "journal/journal.hpp"
#include "store/checkpoint.hpp"

namespace sluice::hub {

class World {
 public:
  explicit World(std::uint64_t hash_seed) : World(hash_seed, {}) {}
  // A shadow, which reads the history again by `definitions`, or by the identity rules of these alone: see
  // compile_shadow() and compile_rules(). Empty: the world itself.
  enum class Shadow : std::uint8_t { definitions, rules };
  World(std::uint64_t hash_seed, std::string definitions, Shadow by = Shadow::definitions);

  state::State state;
  Pipeline pipeline;
  std::string epoch;    // payload of the epoch that holds; empty before the first
  std::string failure;  // why an epoch could not be read; then nothing must be stepped any more

  // Puts the newest checkpoint in. Returns the seq after which the journal has to be replayed (0: all of it).
  // `threads`: others may read its files meanwhile.
  Result<std::uint64_t> restore(Checkpoints& checkpoints, LoadReport& report, bool threads = false);
  Status restore_base(const Checkpoints& checkpoints, std::uint64_t seq);
  // Steps one input of the journal.
  Status step(const Input& input, StepOutput& out);
  // A shadow, before its first step: begins at the journal's first input, or where that is gone behind the
  // oldest base checkpoint, which must stand at or before `at_most` and before every merge of `unmerges` that
  // is not done. What the series of a checkpoint have not counted since the first event, by what it says, is
  // not believed. Returns the input behind which it begins. rejected: the history is not kept far enough.
  Result<std::uint64_t> begin_shadow(const Checkpoints& checkpoints, std::uint64_t first_seq,
                                     std::uint64_t at_most, const std::vector<state::Unmerge>& unmerges);
  TimeUs since = no_time;  // of a shadow: when the checkpoint that it began at was; no_time: it has seen all

 private:
  std::shared_ptr<const view::Compiled> load(std::string_view payload);
  Status resume(const CheckpointInfo& info);

  std::string definitions_;
  Shadow by_;
};

// Checkpoint and journal tail of a data directory, without changing them: for commands when no hub runs. The
// journal may grow meanwhile.
Result<std::unique_ptr<World>> read_world(FileSystem& files, const std::string& data_directory);

// A shadow with the history as far as it is kept, up to the journal's end; likewise. `unmerges`: the merges
// that are taken back in it.
Result<std::unique_ptr<World>> read_shadow(FileSystem& files, const std::string& data_directory,
                                           const std::string& definitions,
                                           const std::vector<state::Unmerge>& unmerges,
                                           World::Shadow by = World::Shadow::definitions);

// `sluice store verify`: recomputes the newest checkpoint from a base and the journal, and compares the
// hashes.
struct StoreReport {
  std::uint64_t base_seq = 0, checkpoint_seq = 0, inputs = 0, profiles = 0;
  Hash128 recorded, recomputed;
  bool from_genesis = false;  // no base was needed: recomputed from the first input
  std::vector<std::string> problems;
};
Result<StoreReport> verify_store(FileSystem& files, const std::string& data_directory);

// Where things lie in a data directory.
std::string checkpoint_folder(const std::string& data_directory);
// The input up to which the newest checkpoint goes, by the names of the files; 0: there is none.
std::uint64_t newest_checkpoint(FileSystem& files, const std::string& data_directory);
std::string database_path(const std::string& data_directory);
std::string key_path(const std::string& data_directory);  // of the store's Vault
std::string lanes_folder(const std::string& data_directory);
std::string cold_folder(const std::string& data_directory);  // a cache, of no use to anybody else
std::string rejects_folder(const std::string& data_directory);

}  // namespace sluice::hub
