#include "store/vault.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>
#include <sys/stat.h>

namespace sluice::store {
namespace {

struct Store {
  Store() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice-vault-XXXXXX").string();
    folder = mkdtemp(name.data());
    database = std::move(Database::open(folder + "/store.db")).value();
  }
  ~Store() { std::filesystem::remove_all(folder); }
  Store(const Store&) = delete;
  std::string key() const { return folder + "/secrets.key"; }
  std::string folder;
  std::unique_ptr<Database> database;
};

TEST_CASE("what is kept is sealed, and only its own name and its own key open it", "[store]") {
  Store store;
  Vault vault(*store.database, store.key());
  CHECK(vault.get("a").value() == std::nullopt);
  CHECK_FALSE(std::filesystem::exists(store.key()));
  REQUIRE(vault.put("a", "the token"));
  CHECK(vault.get("a").value() == std::string("the token"));
  const std::string sealed = store.database->meta("secret/a").value().value();
  CHECK(sealed.find("the token") == std::string::npos);
  struct stat file{};
  REQUIRE(::stat(store.key().c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0600);
  REQUIRE(store.database->put_meta("secret/b", sealed));
  CHECK_FALSE(vault.get("b"));
  std::string changed = sealed;
  changed[changed.size() / 2] ^= 1;
  REQUIRE(store.database->put_meta("secret/a", changed));
  CHECK_FALSE(vault.get("a"));
  REQUIRE(store.database->put_meta("secret/a", sealed));
  CHECK(Vault(*store.database, store.key()).get("a").value() == std::string("the token"));
}

TEST_CASE("a key that is missing, another or open to others is told, and never replaced unasked", "[store]") {
  Store store;
  REQUIRE(Vault(*store.database, store.key()).put("a", "the token"));
  REQUIRE(::chmod(store.key().c_str(), 0640) == 0);
  CHECK(Vault(*store.database, store.key()).get("a").error().detail.find("chmod 600") != std::string::npos);
  std::filesystem::remove(store.key());
  CHECK(Vault(*store.database, store.key()).get("a").error().detail.find("missing") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(store.key()));
  Vault other(*store.database, store.key());
  REQUIRE(other.put("b", "another"));
  CHECK(other.get("a").error().code == Code::misconfigured);
  std::ofstream(store.key()) << "no key";
  CHECK_FALSE(Vault(*store.database, store.key()).put("c", "x"));
}

}  // namespace
}  // namespace sluice::store
