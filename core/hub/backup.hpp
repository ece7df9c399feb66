// `sluice backup` and `sluice restore`: a copy of a data directory, taken while the hub runs or not, and a
// data directory made of one.
//
// A backup holds journal, checkpoints, lanes, rejects, configurations and store, each as files of the same
// form, and backup.json, which lists them with their sizes and hashes. backup.json is written last: without
// it the copy is not whole. The rooms are copied in an order in which whatever happens meanwhile leaves them
// consistent: checkpoints, then lanes (which hold at least what the checkpoint caused), then the store (which
// holds at least the dead letters that the lanes name), then the journal (which holds at least what the
// lanes' records come from). What the copy of the journal has more than the others is stepped again at the
// first start, as after a crash.
//
// secrets.key, which opens the tokens in the store, is copied only when asked for.
#pragma once

#include <cstdint>
#include <string>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "base/time.hpp"

namespace sluice::hub {

enum class SecretsKey : std::uint8_t { leave, copy };

struct BackupReport {
  std::string journal;           // its id
  std::uint32_t generation = 0;  // of the journal; of a restore: the new one
  std::uint64_t checkpoint_seq = 0, next_seq = 0;
  std::uint64_t files = 0, bytes = 0;
  TimeUs made = 0;
  bool with_key = false;
};

// [any] `target` is made; it must be empty where it exists. `now`: wall clock. Errors: misconfigured (no
// data, or a target that is not empty), corrupt (the data is damaged: the place, and what to do), transient.
Result<BackupReport> back_up(FileSystem& files, const std::string& data_directory, const std::string& target,
                             SecretsKey key, TimeUs now);

// Checks the backup against its list and makes `data_directory` of it, which must be empty or not there:
// whole or not at all. The journal gets a generation that none of its copies had or will have - the seconds
// of `now` since 1970, or one more than it had if that is later - so that no idempotency key is given twice,
// also when one backup is restored twice.
Result<BackupReport> restore(FileSystem& files, const std::string& source, const std::string& data_directory,
                             TimeUs now);

}  // namespace sluice::hub
