// What the hub keeps secret for its connectors (rotated refresh tokens), sealed in the database's `meta`. The
// key is a file beside the database, 0600, made when first something is kept: who copies the database alone
// has no secret, and who loses the file connects anew. docs/adr says why.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

#include "base/seal.hpp"
#include "store/database.hpp"

namespace sluice::store {

// Under which names a source's and a destination's secrets lie.
inline std::string vault_folder_of_source(std::string_view name) {
  return "connector/" + std::string(name) + '/';
}
inline std::string vault_folder_of_destination(std::string_view name) {
  return "destination/" + std::string(name) + '/';
}

class Vault {  // [any]
 public:
  Vault(Database& database, std::string key_file) : database_(database), key_file_(std::move(key_file)) {}
  // Nothing: none is kept. misconfigured: the key file is not there, is another, or others may read it.
  Result<std::optional<std::string>> get(std::string_view name);
  Status put(std::string_view name, std::string_view secret);  // on the disk when it returns
  // Waits until nobody holds this name's turn; held until what is returned goes.
  std::shared_ptr<void> turn(std::string_view name);

 private:
  Result<std::optional<SealKey>> read_key() const;
  Result<SealKey> key(bool make);
  Database& database_;
  std::string key_file_;
  std::mutex mutex_;  // guards key_, its file while it is made, and turns_
  std::optional<SealKey> key_;
  std::map<std::string, std::shared_ptr<std::mutex>> turns_;  // by name: one a connection, never taken out
};

}  // namespace sluice::store
