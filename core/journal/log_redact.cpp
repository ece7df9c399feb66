// Erasing in place. A frame that is overwritten when the power goes would be neither the old nor the new one,
// so the plan is made durable first, in DIRECTORY/redaction, and carried out again by the next open().
#include <algorithm>
#include <map>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "journal/frame_reader.hpp"
#include "journal/log.hpp"
#include "journal/segment.hpp"

namespace sluice {
namespace {

constexpr std::string_view magic = "SLUICERD";
constexpr std::uint32_t format_version = 1;

std::string plan_path(const std::string& directory) {
  return directory + "/redaction";
}

}  // namespace

Status Log::redact(std::span<const std::uint64_t> seqs) {
  SLUICE_TRY(healthy());
  const std::lock_guard lock(maintenance_);
  const std::string plan = SLUICE_TRY(plan_redaction(seqs));
  if (plan.empty()) return Done{};
  SLUICE_TRY(replace_file(files_, plan_path(options_.directory), plan));
  if (Status done = apply_redaction(plan); !done) return poison(std::move(done).error());
  return Done{};
}

// Empty when there is nothing to do. Entries that retention has removed, or that are redacted already, are
// passed over.
Result<std::string> Log::plan_redaction(std::span<const std::uint64_t> seqs) const {
  std::vector<std::uint64_t> wanted(seqs.begin(), seqs.end());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  if (!wanted.empty() && wanted.back() > durable_seq()) {
    return Error{Code::rejected, options_.directory + ": entry " + std::to_string(wanted.back()) +
                                     " is not durable yet; redact it when it is"};
  }
  const std::uint64_t first = first_seq();
  std::string frames;
  ByteWriter w(frames);
  std::uint64_t count = 0;
  auto it = std::lower_bound(wanted.begin(), wanted.end(), first);
  while (it != wanted.end()) {
    Piece piece = piece_of(*it, next_seq());
    const std::unique_ptr<File> file = SLUICE_TRY(files_.open(piece.segment->path, OpenMode::read));
    FrameReader reader(*file, piece.offset, piece.end, piece.segment->seed);
    for (std::uint64_t seq = piece.seq; seq < piece.until && it != wanted.end(); ++seq) {
      const std::uint64_t offset = reader.offset();
      Frame frame;
      if (!SLUICE_TRY(reader.next(frame)) || frame.entry.seq != seq) {
        return Error{Code::corrupt, damage_text(piece.segment->path, offset, seq)};
      }
      if (seq != *it) continue;
      ++it;
      if ((frame.entry.flags & frame_redacted) != 0) continue;
      ++count;
      w.u64(piece.segment->header.id);
      w.u64(offset);
      w.u64(seq);
      w.u64(static_cast<std::uint64_t>(frame.entry.stamp));
      w.u64(frame.durable_seq);
      w.u32(static_cast<std::uint32_t>(frame.entry.payload.size()));
      w.u8(frame.entry.kind);
      w.u8(frame.entry.flags | frame_redacted);
    }
  }
  if (count == 0) return std::string();
  std::string plan(magic);
  ByteWriter header(plan);
  header.u32(format_version);
  header.u32(0);  // encryption key
  header.u64(count);
  plan += frames;
  header.u64(hash64(plan));
  return plan;
}

Status Log::apply_redaction(std::string_view plan) {
  ByteReader r(plan.substr(magic.size() + 8));
  std::map<std::uint64_t, std::shared_ptr<Segment>> segments;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& s : segments_) segments.emplace(s->header.id, s);
  }
  std::unique_ptr<File> file;
  std::uint64_t open_id = 0;
  std::string bytes;
  // The writer holds a part of the last segment in its hands.
  std::unique_lock writing(writing_, std::defer_lock);
  for (std::uint64_t left = r.u64(); left > 0; --left) {
    const std::uint64_t id = r.u64();
    const std::uint64_t offset = r.u64();
    Entry entry;
    entry.seq = r.u64();
    entry.stamp = static_cast<TimeUs>(r.u64());
    const std::uint64_t durable = r.u64();
    const std::string zeros(r.u32(), '\0');
    entry.kind = r.u8();
    entry.flags = r.u8();
    entry.payload = zeros;
    const auto segment = segments.find(id);
    if (segment == segments.end()) continue;  // retention was faster
    if (id != open_id) {
      if (file) SLUICE_TRY(file->sync());
      if (!writing) writing.lock();
      if (last_segment()->header.id != id) writing.unlock();
      file = SLUICE_TRY(files_.open(segment->second->path, OpenMode::read_write));
      open_id = id;
    }
    bytes.clear();
    append_frame(bytes, entry, durable, segment->second->seed);
    SLUICE_TRY(file->write_at(offset, bytes));
  }
  if (file) SLUICE_TRY(file->sync());
  if (writing && file_) SLUICE_TRY(file_->look_again());
  writing = {};
  SLUICE_TRY(files_.remove(plan_path(options_.directory)));
  return files_.sync_directory(options_.directory);
}

Status Log::finish_redaction() {
  const std::string path = plan_path(options_.directory);
  if (!SLUICE_TRY(files_.exists(path))) return Done{};
  const std::string plan = SLUICE_TRY(read_file(files_, path));
  const Error damaged{Code::corrupt,
                      path +
                          " is damaged: an erasure was interrupted and its plan cannot be read; "
                          "remove the file and erase again"};
  if (plan.size() < magic.size() + 24 || !plan.starts_with(magic)) return damaged;
  const std::string_view body = std::string_view(plan).substr(0, plan.size() - 8);
  if (ByteReader(std::string_view(plan).substr(body.size())).u64() != hash64(body)) return damaged;
  return apply_redaction(plan);
}

}  // namespace sluice
