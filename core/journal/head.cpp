#include "journal/head.hpp"

#include <algorithm>

#include "journal/identity_file.hpp"

namespace sluice {

Result<JournalHead> read_journal_head(FileSystem& files, const std::string& data_directory) {
  const std::string directory = data_directory + "/journal";
  const auto identity = SLUICE_TRY(read_identity(files, directory));
  if (!identity) {
    return Error{Code::misconfigured,
                 "there is no journal in " + directory + ": has a hub run with this configuration?"};
  }
  const auto log = SLUICE_TRY(Log::open_read_only(files, directory));
  return JournalHead{*identity, log->first_seq(), log->next_seq()};
}

Result<JournalIdentity> raise_generation(FileSystem& files, const std::string& data_directory,
                                         std::uint32_t at_least) {
  const std::string directory = data_directory + "/journal";
  std::optional<JournalIdentity> identity = SLUICE_TRY(read_identity(files, directory));
  if (!identity)
    return Error{Code::misconfigured, directory + "/identity is missing: put it back from a backup"};
  identity->generation = std::max(identity->generation + 1, at_least);
  SLUICE_TRY(write_identity(files, directory, *identity));
  return *identity;
}

}  // namespace sluice
