#include "journal/log.hpp"

#include <algorithm>
#include <tuple>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "journal/frame_reader.hpp"
#include "journal/segment.hpp"

namespace sluice {

Log::Log(FileSystem& files, LogOptions options) : files_(files), options_(std::move(options)) {}
Log::~Log() = default;

std::string Log::segment_path(std::uint64_t id) const {
  const std::string digits = std::to_string(id);
  return options_.directory + "/" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits +
         ".log";
}

Status Log::healthy() const {
  if (read_only_) return Error{Code::misconfigured, options_.directory + ": opened for reading"};
  const std::lock_guard lock(mutex_);
  if (failure_) return *failure_;
  return Done{};
}

Status Log::poison(Error error) {
  const std::lock_guard lock(mutex_);
  if (!failure_)
    failure_ = Error{error.code, error.detail + " (an earlier write failed: restart to recover)"};
  return error;
}

std::shared_ptr<Log::Segment> Log::last_segment() const {
  const std::lock_guard lock(mutex_);
  return segments_.empty() ? nullptr : segments_.back();
}

Status Log::append(std::span<const Entry> entries) {
  SLUICE_TRY(healthy());
  std::uint64_t size = 0;
  std::uint64_t seq = next_seq();
  for (const Entry& e : entries) {
    SLUICE_CHECK(e.seq == seq++);
    if (e.payload.size() > frame_payload_bytes_max) {
      return Error{Code::rejected, options_.directory + ": an entry is longer than 64 MiB"};
    }
    size += frame_bytes(e.payload.size());
  }
  if (size > append_bytes_max)
    return Error{Code::rejected, options_.directory + ": a write is longer than 256 MiB"};
  if (entries.empty()) return Done{};

  const std::lock_guard writing(writing_);
  std::shared_ptr<Segment> last = last_segment();
  if (last->end > header_bytes && last->end + size > options_.segment_bytes) {
    if (Status rolled = roll(size); !rolled) return poison(std::move(rolled).error());
    last = last_segment();
  }
  buffer_.clear();
  for (const Entry& e : entries) {
    Entry framed = e;
    if (&e == &entries.back()) framed.flags |= frame_commit_end;
    append_frame(buffer_, framed, durable_seq(), last->seed);
  }
  if (Status written = file_->append(buffer_); !written) return poison(std::move(written).error());
  {
    const std::lock_guard lock(mutex_);
    std::uint64_t offset = last->end;
    for (const Entry& e : entries) {
      last->note(e.seq, offset);
      offset += frame_bytes(e.payload.size());
    }
    last->end = offset;
  }
  last_stamp_.store(entries.back().stamp, std::memory_order_release);
  next_seq_.store(seq, std::memory_order_release);
  if (buffer_.capacity() > options_.segment_bytes)
    buffer_ = std::string();  // do not keep the room of a rare giant
  return Done{};
}

Status Log::sync() {
  SLUICE_TRY(healthy());
  const std::uint64_t written = next_seq() - 1;
  if (written == durable_seq()) return Done{};
  if (Status synced = file_->sync(); !synced) return poison(std::move(synced).error());
  durable_seq_.store(written, std::memory_order_release);
  return Done{};
}

Status Log::roll(std::uint64_t bytes_min) {
  // Gives back what was preallocated; then all of it is durable before the next segment can exist.
  SLUICE_TRY(file_->close());
  SLUICE_TRY(file_->sync());
  durable_seq_.store(next_seq() - 1, std::memory_order_release);
  return make_segment(next_seq(), bytes_min);
}

Status Log::make_segment(std::uint64_t first_seq, std::uint64_t bytes_min) {
  const auto segment = std::make_shared<Segment>();
  const std::shared_ptr<Segment> last = last_segment();
  segment->header.id = last ? last->header.id + 1 : 1;
  segment->header.first_seq = first_seq;
  segment->header.salt = last ? last->header.salt : options_.salt;
  segment->header.stamp_before = last_stamp();
  segment->seed = hash64_pair(segment->header.salt, segment->header.id);
  segment->path = segment_path(segment->header.id);

  const std::unique_ptr<File> file = SLUICE_TRY(files_.open(segment->path, OpenMode::create));
  bytes_min += header_bytes;
  // On a disk that is nearly full, the room that this write needs will do.
  std::uint64_t room = std::max(options_.segment_bytes, bytes_min);
  if (!file->preallocate(room)) {
    room = bytes_min;
    SLUICE_TRY(file->preallocate(room));
  }
  SLUICE_TRY(file->write_at(0, segment->header.encode()));
  SLUICE_TRY(file->sync());
  SLUICE_TRY(files_.sync_directory(options_.directory));
  file_ = SLUICE_TRY(Appender::open(files_, segment->path, options_.direct, header_bytes, room));
  const std::lock_guard lock(mutex_);
  segments_.push_back(segment);
  return Done{};
}

std::uint64_t Log::first_seq() const {
  const std::lock_guard lock(mutex_);
  return segments_.empty() ? next_seq() : segments_.front()->header.first_seq;
}

std::uint64_t Log::bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& s : segments_) sum += s->end;
  return sum;
}

Status Log::read(std::uint64_t from, const std::function<bool(const Entry&)>& each) const {
  const std::uint64_t until = next_seq();
  const auto not_kept = [this](std::uint64_t seq, std::uint64_t first) {
    return Error{Code::rejected, options_.directory + ": entry " + std::to_string(seq) +
                                     " is no longer kept; the oldest is " + std::to_string(first)};
  };
  bool more = true;
  while (from < until && more) {
    const Piece piece = piece_of(from, until);
    if (const std::uint64_t first = piece.segment->header.first_seq; from < first)
      return not_kept(from, first);
    const Result<bool> read = read_piece(piece, from, each);
    if (!read) {
      // Retention may have removed the file between the look and the opening of it.
      if (const std::uint64_t first = first_seq(); from < first) return not_kept(from, first);
      return read.error();
    }
    more = read.value();
    from = piece.until;
  }
  return Done{};
}

Log::Piece Log::piece_of(std::uint64_t seq, std::uint64_t until) const {
  const std::lock_guard lock(mutex_);
  const auto after = std::upper_bound(
      segments_.begin(), segments_.end(), seq,
      [](std::uint64_t wanted, const auto& segment) { return wanted < segment->header.first_seq; });
  const auto it = after == segments_.begin() ? after : std::prev(after);
  Piece piece;
  piece.segment = *it;
  std::tie(piece.seq, piece.offset) = (*it)->near(seq);
  piece.end = (*it)->end;
  piece.until = after == segments_.end() ? until : std::min(until, (*after)->header.first_seq);
  return piece;
}

Result<bool> Log::read_piece(const Piece& piece, std::uint64_t from,
                             const std::function<bool(const Entry&)>& each) const {
  const std::unique_ptr<File> file = SLUICE_TRY(files_.open(piece.segment->path, OpenMode::read));
  FrameReader reader(*file, piece.offset, piece.end, piece.segment->seed);
  std::uint64_t noted = piece.offset;
  for (std::uint64_t seq = piece.seq; seq < piece.until; ++seq) {
    const std::uint64_t offset = reader.offset();
    Frame frame;
    bool good = SLUICE_TRY(reader.next(frame, seq >= from));
    if (!good || frame.entry.seq != seq) {
      // A redaction may have been at work on just this frame: look again when it is done.
      const std::lock_guard lock(maintenance_);
      reader.seek(offset);
      good = SLUICE_TRY(reader.next(frame));
      if (!good || frame.entry.seq != seq) {
        return Error{Code::corrupt, damage_text(piece.segment->path, offset, seq)};
      }
    }
    if (offset >= noted + Segment::index_step) {
      noted = offset;
      const std::lock_guard lock(mutex_);
      piece.segment->note(seq, offset);
    }
    if (seq >= from && !each(frame.entry)) return false;
  }
  return true;
}

Status Log::drop_before(std::uint64_t seq) {
  SLUICE_TRY(healthy());
  const std::lock_guard maintenance(maintenance_);
  for (;;) {
    std::shared_ptr<Segment> oldest;
    {
      const std::lock_guard lock(mutex_);
      if (segments_.size() < 2 || segments_[1]->header.first_seq > seq) return Done{};
      oldest = segments_.front();
      // First here, then on the disk: who reads beside us is told that it is no longer kept.
      segments_.erase(segments_.begin());
    }
    // One at a time, so that a crash never leaves a gap.
    Status removed = files_.remove(oldest->path);
    if (!removed) {
      const std::lock_guard lock(mutex_);
      segments_.insert(segments_.begin(), std::move(oldest));
      return removed;
    }
    SLUICE_TRY(files_.sync_directory(options_.directory));
  }
}

std::string damage_text(const std::string& path, std::uint64_t offset, std::uint64_t seq) {
  return path + " is damaged at byte " + std::to_string(offset) + " (entry " + std::to_string(seq) +
         "): what stands there is not what was written; `sluice journal repair` keeps a copy and says what "
         "is lost";
}

}  // namespace sluice
