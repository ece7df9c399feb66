#include "state/cold_rows.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace sluice::state {

namespace {

// Before each row: whose it is and how long it is.
constexpr std::size_t head_bytes = 12;

// A place: the segment's number and the offset in it.
constexpr unsigned offset_bits = 32;
std::uint64_t place_of(std::uint64_t number, std::uint64_t offset) {
  return number << offset_bits | offset;
}
std::uint64_t number_of(std::uint64_t place) {
  return place >> offset_bits;
}
std::uint64_t offset_of(std::uint64_t place) {
  return place & ((1ULL << offset_bits) - 1);
}

}  // namespace

Result<std::unique_ptr<ColdRows>> ColdRows::open(FileSystem& files, std::string folder,
                                                 std::uint64_t segment) {
  SLUICE_TRY(files.make_directory(folder));
  for (const std::string& name : SLUICE_TRY(files.list(folder)))
    SLUICE_TRY(files.remove(folder + '/' + name));
  return std::unique_ptr<ColdRows>(new ColdRows(files, std::move(folder), segment));
}

std::string ColdRows::path_of(std::uint64_t number) const {
  return folder_ + '/' + std::to_string(number) + ".rows";
}

Result<std::uint64_t> ColdRows::put(ProfileId id, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (segments_.empty() || segments_.rbegin()->second.size >= segment_bytes_) {
    Segment fresh;
    fresh.file = SLUICE_TRY(files_.open(path_of(next_), OpenMode::create));
    segments_.emplace(next_++, std::move(fresh));
  }
  auto& [number, segment] = *segments_.rbegin();
  std::string record;
  ByteWriter w(record);
  w.u64(id);
  w.u32(static_cast<std::uint32_t>(bytes.size()));
  w.bytes(bytes);
  SLUICE_TRY(segment.file->write_at(segment.size, record));
  const std::uint64_t place = place_of(number, segment.size);
  segment.size += record.size();
  segment.needed += record.size();
  size_ += record.size();
  needed_ += record.size();
  return place;
}

Status ColdRows::read(std::uint64_t place, std::string& out) const {
  const std::lock_guard lock(mutex_);
  const auto at = segments_.find(number_of(place));
  const Error lost{Code::corrupt, folder_ + ": a row that was put away is not there"};
  if (at == segments_.end()) return lost;
  // Mostly one read: head and row together.
  constexpr std::size_t mostly = 1'024;
  std::string record(std::min<std::uint64_t>(head_bytes + mostly, at->second.size - offset_of(place)), '\0');
  if (SLUICE_TRY(at->second.file->read_at(offset_of(place), record)) != record.size()) return lost;
  ByteReader head(record);
  (void)head.u64();
  const std::uint32_t size = head.u32();
  if (record.size() < head_bytes + size) {
    record.resize(head_bytes + size);
    if (SLUICE_TRY(at->second.file->read_at(offset_of(place), record)) != record.size()) return lost;
  }
  out.assign(record, head_bytes, size);
  return Done{};
}

void ColdRows::drop(std::uint64_t place, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto at = segments_.find(number_of(place));
  if (at == segments_.end()) return;
  at->second.needed -= head_bytes + bytes;
  needed_ -= head_bytes + bytes;
  if (at->second.needed == 0 && number_of(place) + 1 != next_) remove(at->first);
}

// A file that cannot be removed stays until the next start.
void ColdRows::remove(std::uint64_t number) {
  const auto at = segments_.find(number);
  size_ -= at->second.size;
  segments_.erase(at);
  (void)files_.remove(path_of(number));
}

Status ColdRows::tidy(const std::function<Status(ProfileId, std::uint64_t, std::string_view)>& each) {
  std::string bytes;
  std::uint64_t number = 0, begin = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!segments_.contains(tidied_)) {
      if (segments_.size() < 3 || size_ < needed_ * 2) return Done{};
      const auto share = [](const Segment& s) {
        return static_cast<double>(s.needed) / static_cast<double>(s.size);
      };
      tidied_ =
          std::min_element(segments_.begin(), std::prev(segments_.end()), [&](const auto& a, const auto& b) {
            return share(a.second) < share(b.second);
          })->first;
      tidied_to_ = 0;
    }
    number = tidied_;
    begin = tidied_to_;
    const Segment& segment = segments_.find(number)->second;
    bytes.resize(std::min<std::uint64_t>(bite_bytes, segment.size - begin));
    for (;;) {  // at least one whole row
      if (SLUICE_TRY(segment.file->read_at(begin, bytes)) != bytes.size())
        return Error{Code::corrupt, path_of(number) + " is shorter than what was written to it"};
      ByteReader head(bytes);
      (void)head.u64();
      const std::size_t first = head_bytes + head.u32();
      if (first <= bytes.size()) break;
      bytes.resize(first);
    }
  }
  std::uint64_t end = begin;
  for (ByteReader r(bytes); !r.at_end();) {
    const ProfileId id = r.u64();
    const std::string_view row = r.bytes(r.u32());
    if (!r.ok()) break;  // the rest of it is in the next bite
    SLUICE_TRY(each(id, place_of(number, end), row));
    end += head_bytes + row.size();
  }
  const std::lock_guard lock(mutex_);
  const auto at = segments_.find(number);
  if (at == segments_.end()) return Done{};  // with the last row that was needed it went
  tidied_to_ = end;
  if (end < at->second.size) return Done{};
  tidied_ = UINT64_MAX;
  if (at->second.needed == 0) remove(number);
  return Done{};
}

std::uint64_t ColdRows::bytes() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

}  // namespace sluice::state
