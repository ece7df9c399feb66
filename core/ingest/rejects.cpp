#include "ingest/rejects.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include "base/json.hpp"

namespace sluice::ingest {

std::string reject_line(std::string_view place, std::string_view reason, std::string_view row) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().member("place", place).member("reason", reason);
  writer.member("row", row.substr(0, rejected_row_bytes_max)).end_object();
  return out += '\n';
}

RejectsFile::RejectsFile(std::string folder, const std::string& source)
    : folder_(std::move(folder)), path_(folder_ + '/' + source + ".jsonl") {}

Status RejectsFile::append(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{Code::transient,
                 "the folder of rejects cannot be made: " + std::string(std::strerror(errno))};
  }
  const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return Error{Code::transient, "the rejects file cannot be opened: " + std::string(std::strerror(errno))};
  const ssize_t n = ::write(fd, lines.data(), lines.size());
  const int error = errno;
  ::close(fd);
  if (n == static_cast<ssize_t>(lines.size())) return Done{};
  return Error{Code::transient,
               "the rejects file cannot be written: " + std::string(std::strerror(n < 0 ? error : ENOSPC))};
}

}  // namespace sluice::ingest
