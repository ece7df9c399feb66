// A MaxMind database. libmaxminddb maps the file that it is given, and a mapped file that somebody writes
// over takes the process with it: so it is given a copy in memory that nobody else has.
#include <array>
#include <fcntl.h>
#include <maxminddb.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/text.hpp"
#include "ingest/derive.hpp"

namespace sluice::ingest {

namespace {

constexpr std::int64_t file_bytes_max = std::int64_t{1} << 30;

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) (void)::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Error bad(const std::string& path, const std::string& why) {
  return {Code::misconfigured, "derive: location: '" + path + "' " + why};
}

std::string text_at(MMDB_entry_s& entry, const char* const* way) {
  MMDB_entry_data_s data{};
  if (MMDB_aget_value(&entry, &data, way) != MMDB_SUCCESS || !data.has_data) return {};
  constexpr std::uint32_t code_bytes_max = 8;
  if (data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size > code_bytes_max) return {};
  std::string text(data.utf8_string, data.data_size);
  return valid_utf8(text) ? text : std::string{};
}

}  // namespace

struct Locations::Database {
  MMDB_s mmdb{};
  bool open = false;
  ~Database() {
    if (open) MMDB_close(&mmdb);
  }
};

Locations::Locations(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Locations::~Locations() = default;

Result<std::shared_ptr<const Locations>> Locations::open(const std::string& path) {
  const File from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (from.fd() < 0 || ::fstat(from.fd(), &status) != 0 || !S_ISREG(status.st_mode))
    return bad(path, "cannot be read: put a database in MaxMind's format there");
  if (status.st_size > file_bytes_max) return bad(path, "has more than 1 GiB");
  const File copy(::memfd_create("locations", MFD_CLOEXEC));
  for (std::int64_t left = copy.fd() < 0 ? -1 : status.st_size; left != 0;) {
    const ssize_t moved =
        left < 0 ? -1 : ::sendfile(copy.fd(), from.fd(), nullptr, static_cast<std::size_t>(left));
    if (moved <= 0) return bad(path, "cannot be read into memory");
    left -= moved;
  }
  auto database = std::make_unique<Database>();
  const std::string name = "/proc/self/fd/" + std::to_string(copy.fd());
  const int opened = MMDB_open(name.c_str(), MMDB_MODE_MMAP, &database->mmdb);
  if (opened != MMDB_SUCCESS)
    return bad(path, std::string("is no database in MaxMind's format: ") + MMDB_strerror(opened));
  database->open = true;
  return std::shared_ptr<const Locations>(new Locations(std::move(database)));
}

Locations::Found Locations::find(const std::string& ip) const {
  Found found;
  int no_address = 0, no_entry = 0;
  MMDB_lookup_result_s result = MMDB_lookup_string(&database_->mmdb, ip.c_str(), &no_address, &no_entry);
  if (no_address != 0 || no_entry != MMDB_SUCCESS || !result.found_entry) return found;
  static constexpr std::array<const char*, 3> country{"country", "iso_code", nullptr};
  static constexpr std::array<const char*, 4> region{"subdivisions", "0", "iso_code", nullptr};
  found.country = text_at(result.entry, country.data());
  found.region = text_at(result.entry, region.data());
  return found;
}

}  // namespace sluice::ingest
