// Rows that memory has no room for, on disk: a cache that begins empty at each start, and that nobody needs
// after a crash. Segments, appended to; one of which nothing is needed any more is removed, and when half of
// all is not, the emptiest is written anew, a little at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

#include "base/file.hpp"
#include "model/effect.hpp"

namespace sluice::state {

class ColdRows {
 public:
  static constexpr std::uint64_t segment_bytes = 64ULL << 20;
  static constexpr std::size_t bite_bytes = 256 * 1024;  // that tidy() reads at once

  // [main] Removes what an earlier process left in the folder.
  static Result<std::unique_ptr<ColdRows>> open(FileSystem& files, std::string folder,
                                                std::uint64_t segment = segment_bytes);

  // [step] Where the row lies from now on. Errors: transient (disk full); then nothing has changed.
  Result<std::uint64_t> put(ProfileId id, std::string_view bytes);
  // [any] The bytes that put() was given.
  Status read(std::uint64_t place, std::string& out) const;
  // [step] Nobody reads this place any more.
  void drop(std::uint64_t place, std::size_t bytes);
  // [step] Where more than half is not needed: gives some rows of the emptiest segment, to be put again and
  // then dropped by who finds that they are needed.
  Status tidy(const std::function<Status(ProfileId id, std::uint64_t place, std::string_view bytes)>& each);

  std::uint64_t bytes() const;  // [step] on disk

 private:
  struct Segment {
    std::unique_ptr<File> file;
    std::uint64_t size = 0, needed = 0;  // bytes, heads included
  };
  ColdRows(FileSystem& files, std::string folder, std::uint64_t segment)
      : files_(files), folder_(std::move(folder)), segment_bytes_(segment) {}
  std::string path_of(std::uint64_t number) const;
  void remove(std::uint64_t number);

  FileSystem& files_;
  std::string folder_;
  std::uint64_t segment_bytes_;
  std::map<std::uint64_t, Segment> segments_;  // by number; the last one is written to
  std::uint64_t next_ = 0;                     // number
  std::uint64_t size_ = 0, needed_ = 0;        // of all segments
  std::uint64_t tidied_ = UINT64_MAX;          // number of the one that is being written anew; none
  std::uint64_t tidied_to_ = 0;                // offset in it
  mutable std::mutex mutex_;                   // one reads or writes at a time
};

}  // namespace sluice::state
