// The file journal/identity: magic "SLUICEID" | u32 version = 1 | u32 id of the encryption key = 0 |
// JournalIdentity::encode | u64 XXH3-64 of the bytes before. It outlives the genesis input, which retention
// may remove. Internal to the room.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "journal/journal.hpp"

namespace sluice {

JournalIdentity new_identity(const std::array<std::uint64_t, 2>& seed);
Status write_identity(FileSystem& files, const std::string& directory, const JournalIdentity& identity);
Result<std::optional<JournalIdentity>> read_identity(FileSystem& files,
                                                     const std::string& directory);  // nullopt: none

}  // namespace sluice
