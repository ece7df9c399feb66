// Log::repair: what is damaged is replaced by entries without content, so that what is whole keeps its
// numbers.
#include <algorithm>

#include "base/hash.hpp"
#include "journal/log.hpp"
#include "journal/segment.hpp"

namespace sluice {
namespace {

struct Found {
  std::uint64_t offset = 0, seq = 0;
};

// The next whole frame behind `offset` that has a later number than `seq`.
std::optional<Found> next_frame(std::string_view bytes, std::uint64_t offset, std::uint64_t seq,
                                std::uint64_t seed) {
  for (std::uint64_t at = offset; at < bytes.size(); at += 8) {
    const FrameResult result = parse_frame(bytes.substr(at), seed);
    if (result.error == FrameError::none && result.frame.entry.seq > seq)
      return Found{at, result.frame.entry.seq};
  }
  return std::nullopt;
}

// `count` redacted entries from `seq` on, together `space` bytes long where that is enough for them.
std::string filler(std::uint64_t seq, std::uint64_t count, std::uint64_t space, TimeUs stamp,
                   std::uint64_t seed) {
  std::string out;
  const std::uint64_t least = count * frame_header_bytes;
  const std::string zeros(space > least ? space - least : 0, '\0');
  for (std::uint64_t i = 0; i < count; ++i) {
    Entry entry;
    entry.seq = seq + i;
    entry.stamp = stamp;
    entry.kind = lost_entry_kind;
    entry.flags = frame_commit_end | frame_redacted;
    if (i + 1 == count) entry.payload = zeros;
    append_frame(out, entry, seq - 1, seed);
  }
  return out;
}

Result<std::string> keep_copy(FileSystem& files, const std::string& path, std::string_view bytes) {
  std::string copy = path + ".damaged";
  while (SLUICE_TRY(files.exists(copy))) copy += "-again";
  SLUICE_TRY(replace_file(files, copy, bytes));
  return copy;
}

// Mends the bytes of one segment, whose frames begin at `header.first_seq`. `next_first`: of the segment
// behind it, 0 if it is the last: entries up to `known_durable` have stood there.
Result<std::vector<LogDamage>> mend(std::string& bytes, const SegmentHeader& header, std::uint64_t next_first,
                                    std::uint64_t known_durable, const std::string& path) {
  const std::uint64_t seed = hash64_pair(header.salt, header.id);
  std::vector<LogDamage> damages;
  std::uint64_t offset = Log::header_bytes;
  std::uint64_t seq = header.first_seq;
  TimeUs stamp = header.stamp_before;
  while (next_first == 0 || seq < next_first) {
    const FrameResult result =
        parse_frame(std::string_view(bytes).substr(std::min<std::size_t>(offset, bytes.size())), seed);
    if (result.error == FrameError::none && result.frame.entry.seq == seq) {
      offset += result.frame.bytes;
      stamp = result.frame.entry.stamp;
      ++seq;
      continue;
    }
    std::optional<Found> found = next_frame(bytes, offset, seq, seed);
    const bool open_end = !found && next_first == 0;
    if (open_end && seq > known_durable) break;  // nothing is proven behind it: open() cuts there
    if (open_end) bytes.resize(std::max<std::uint64_t>(offset, (bytes.find_last_not_of('\0') + 8) / 8 * 8));
    const std::uint64_t end = found ? found->offset : std::max<std::uint64_t>(bytes.size(), offset);
    const std::uint64_t next = found ? found->seq : open_end ? known_durable + 1 : next_first;
    const std::uint64_t space = (end - offset) / 8 * 8;
    // A hole in a file holds what it held; only where the file's end is lost may it have held more.
    if ((next - seq) * frame_header_bytes > (found ? space : frame_payload_bytes_max)) {
      return Error{Code::corrupt,
                   path + " cannot be mended at byte " + std::to_string(offset) + ": restore a backup"};
    }
    const std::string fill = filler(seq, next - seq, space, stamp, seed);
    damages.push_back({path, offset, end - offset, seq, next - seq, {}});
    bytes.replace(offset, end - offset, fill);
  }
  return damages;
}

}  // namespace

Result<std::vector<LogDamage>> Log::repair(FileSystem& files, const std::string& directory,
                                           std::uint64_t known_durable) {
  LogOptions options;
  options.directory = directory;
  Log log(files, std::move(options));
  const std::vector<std::uint64_t> ids = SLUICE_TRY(log.list_segments());
  std::vector<LogDamage> all;
  std::vector<std::shared_ptr<Segment>> segments;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::shared_ptr<Segment> segment = SLUICE_TRY(log.load_segment(ids[i], i + 1 == ids.size()));
    if (segment) segments.push_back(std::move(segment));
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string& path = segments[i]->path;
    const std::uint64_t next_first = i + 1 < segments.size() ? segments[i + 1]->header.first_seq : 0;
    const std::string before = SLUICE_TRY(read_file(files, path));
    std::string bytes = before;
    std::vector<LogDamage> damages =
        SLUICE_TRY(mend(bytes, segments[i]->header, next_first, known_durable, path));
    if (damages.empty()) continue;
    const std::string copy = SLUICE_TRY(keep_copy(files, path, before));
    SLUICE_TRY(replace_file(files, path, bytes));
    for (LogDamage& d : damages) {
      d.copy = copy;
      all.push_back(std::move(d));
    }
  }
  return all;
}

}  // namespace sluice
