// What the .cpp files of the database share.
#pragma once

#include <memory>
#include <mutex>

#include "store/database.hpp"
#include "store/sqlite.hpp"

namespace sluice::store {

struct Database::Impl {
  std::mutex mutex;  // guards the connection: held for one transaction
  std::unique_ptr<Connection> connection;
};

inline std::int64_t to_column(ProfileId id) {
  return static_cast<std::int64_t>(id);
}
inline ProfileId to_profile(std::int64_t column) {
  return static_cast<ProfileId>(column);
}

}  // namespace sluice::store
