#include "journal/log_copy.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "base/hash.hpp"
#include "journal/frame_reader.hpp"
#include "journal/segment.hpp"

namespace sluice {
namespace {

constexpr std::size_t chunk_bytes = 1024 * 1024;
constexpr std::uint64_t sync_bytes = 16 * chunk_bytes;  // one great sync at the end would stall the journal's

// Behind the last whole commit of a segment that may still be written; 0: its header is not whole yet. Only
// what was read and found whole is copied: bytes behind it may be written between two reads.
Result<std::uint64_t> end_of_commits(FileSystem& files, const std::string& path) {
  const std::unique_ptr<File> file = SLUICE_TRY(files.open(path, OpenMode::read));
  std::string head(Log::header_bytes, '\0');
  head.resize(SLUICE_TRY(file->read_at(0, head)));
  const Result<SegmentHeader> header = SegmentHeader::decode(head, path);
  if (!header) {
    if (header.error().code == Code::corrupt) return std::uint64_t{0};
    return header.error();
  }
  FrameReader reader(*file, Log::header_bytes, SLUICE_TRY(file->size()),
                     hash64_pair(header.value().salt, header.value().id));
  std::uint64_t end = Log::header_bytes, seq = header.value().first_seq;
  Frame frame;
  while (SLUICE_TRY(reader.next(frame)) && frame.entry.seq == seq) {
    ++seq;
    if ((frame.entry.flags & frame_commit_end) != 0) end = reader.offset();
  }
  return end;
}

}  // namespace

Status copy_file(FileSystem& files, const std::string& from, const std::string& to, std::uint64_t bytes_max) {
  const std::unique_ptr<File> in = SLUICE_TRY(files.open(from, OpenMode::read));
  SLUICE_TRY(files.remove(to));
  const std::unique_ptr<File> out = SLUICE_TRY(files.open(to, OpenMode::create));
  const std::uint64_t bytes = std::min(bytes_max, SLUICE_TRY(in->size()));
  std::string chunk;
  for (std::uint64_t at = 0; at < bytes;) {
    chunk.resize(std::min<std::uint64_t>(bytes - at, chunk_bytes));
    if (SLUICE_TRY(in->read_at(at, chunk)) != chunk.size())
      return Error{Code::transient, from + " became shorter while it was copied"};
    SLUICE_TRY(out->write_at(at, chunk));
    at += chunk.size();
    if (at % sync_bytes == 0) SLUICE_TRY(out->sync());
  }
  return out->sync();
}

Status copy_log(FileSystem& files, const std::string& from, const std::string& to) {
  std::vector<std::string> names = SLUICE_TRY(files.list(from));
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".log"); });
  SLUICE_TRY(files.make_directory(to));
  for (const std::string& name : names) {
    const std::string path = from + '/' + name;
    std::uint64_t end = UINT64_MAX;
    if (name == names.back()) {
      end = SLUICE_TRY(end_of_commits(files, path));
      if (end == 0) break;
    }
    SLUICE_TRY(copy_file(files, path, to + '/' + name, end));
  }
  return files.sync_directory(to);
}

}  // namespace sluice
