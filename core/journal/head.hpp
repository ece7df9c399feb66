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

}  // namespace sluice
