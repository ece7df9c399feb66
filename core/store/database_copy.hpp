// For a backup: the store copied while it is in use.
#pragma once

#include <string>

#include "sluice/result.hpp"

namespace sluice::store {

// Makes `to` (0600), durably, of the database `from` as of one moment, without what was deleted from it.
// Others may read and write `from` meanwhile; its write-ahead log grows for as long as that takes.
Status copy_database(const std::string& from, const std::string& to);

}  // namespace sluice::store
