// Who a journal is and how far it reaches, without opening it for writing: for commands beside a hub or
// without one.
#pragma once

#include <cstdint>
#include <string>

#include "base/file.hpp"
#include "journal/journal.hpp"

namespace sluice {

struct JournalHead {
  JournalIdentity identity;
  std::uint64_t first_seq = 1, next_seq = 1;
};

// misconfigured: there is no journal under this data directory.
Result<JournalHead> read_journal_head(FileSystem& files, const std::string& data_directory);

// Gives the journal a later generation, durably: `at_least`, or one more than it has. Who calls it is alone
// with the directory. Returns who it is now. misconfigured: its identity is missing.
Result<JournalIdentity> raise_generation(FileSystem& files, const std::string& data_directory,
                                         std::uint32_t at_least = 0);

}  // namespace sluice
