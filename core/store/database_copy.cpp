#include "store/database_copy.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "store/sqlite.hpp"

namespace sluice::store {

Status copy_database(const std::string& from, const std::string& to) {
  const auto connection = SLUICE_TRY(Connection::open(from, true));
  // SQLite fills a file that is there and empty: so the copy has our mode and not its own.
  const int fd = ::open(to.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return Error{Code::transient, "'" + to + "' cannot be made"};
  Status copied = [&]() -> Status {
    const auto vacuum = SLUICE_TRY(connection->prepare("VACUUM INTO ?"));
    vacuum->bind(std::string_view(to));
    return vacuum->run();
  }();
  if (copied && ::fsync(fd) != 0) copied = Error{Code::transient, "'" + to + "' cannot be synced"};
  ::close(fd);
  return copied;
}

}  // namespace sluice::store
