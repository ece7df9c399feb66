#include "store/vault.hpp"

#include <sys/stat.h>

#include "base/file.hpp"

namespace sluice::store {
namespace {

std::string row(std::string_view name) {
  return "secret/" + std::string(name);
}

}  // namespace

Result<std::optional<SealKey>> Vault::read_key() const {
  struct stat file{};
  if (::stat(key_file_.c_str(), &file) != 0) return std::optional<SealKey>();
  if ((file.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error{Code::misconfigured,
                 "'" + key_file_ + "', the key of the kept tokens, is open to others: chmod 600"};
  }
  const auto files = make_file_system();
  Result<SealKey> key = SealKey::parse(SLUICE_TRY(read_file(*files, key_file_)));
  if (!key) {
    return Error{Code::misconfigured, "'" + key_file_ + "', the key of the kept tokens: " +
                                          key.error().detail + "; put the file back as it was"};
  }
  return std::optional<SealKey>(std::move(key).value());
}

Result<SealKey> Vault::key(bool make) {
  const std::lock_guard lock(mutex_);
  if (key_) return *key_;
  std::optional<SealKey> found = SLUICE_TRY(read_key());
  if (!found && !make) {
    return Error{Code::misconfigured,
                 "'" + key_file_ +
                     "', the key of the kept tokens, is missing: put it back, or give a new "
                     "refresh token in 'with:'"};
  }
  if (!found) {
    found = SLUICE_TRY(SealKey::make());
    const auto files = make_file_system();
    SLUICE_TRY(replace_file(*files, key_file_, found->text()));
  }
  key_ = std::move(found);
  return *key_;
}

Result<std::optional<std::string>> Vault::get(std::string_view name) {
  const std::optional<std::string> sealed = SLUICE_TRY(database_.meta(row(name)));
  if (!sealed) return std::optional<std::string>();
  const SealKey opener = SLUICE_TRY(key(false));
  Result<std::string> secret = opener.open(name, *sealed);
  if (secret) return std::optional<std::string>(std::move(secret).value());
  return Error{Code::misconfigured, "the token kept for '" + std::string(name) +
                                        "' cannot be opened: " + secret.error().detail + "; put '" +
                                        key_file_ + "' back, or give a new refresh token in 'with:'"};
}

Status Vault::put(std::string_view name, std::string_view secret) {
  const SealKey sealer = SLUICE_TRY(key(true));
  return database_.keep_meta(row(name), SLUICE_TRY(sealer.seal(name, secret)));
}

std::shared_ptr<void> Vault::turn(std::string_view name) {
  std::shared_ptr<std::mutex> mutex;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<std::mutex>& found = turns_[std::string(name)];
    if (!found) found = std::make_shared<std::mutex>();
    mutex = found;
  }
  // The lock goes before the mutex that it holds.
  struct Held {
    std::shared_ptr<std::mutex> mutex;
    std::unique_lock<std::mutex> lock;
  };
  auto held = std::make_shared<Held>();
  held->mutex = std::move(mutex);
  held->lock = std::unique_lock(*held->mutex);
  return held;
}

}  // namespace sluice::store
