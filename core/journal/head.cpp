#include "journal/head.hpp"

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

}  // namespace sluice
