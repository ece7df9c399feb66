// Opening a Log: its segments, the end of the last one, and what an interrupted write left behind it.
#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "journal/frame_reader.hpp"
#include "journal/log.hpp"
#include "journal/segment.hpp"

namespace sluice {
namespace {

// A read-only Log may look while the writer removes, cuts or goes on; what it saw then is not there at a
// second look.
constexpr int read_only_attempts = 3;

std::uint64_t end_of_data(std::string_view bytes) {
  const std::size_t last = bytes.find_last_not_of('\0');
  return last == std::string_view::npos ? 0 : last + 1;
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(FileSystem& files, LogOptions options, OpenReport& report) {
  report = {};
  SLUICE_CHECK(options.first_seq > 0);
  const std::uint64_t first_seq = options.first_seq;
  std::unique_ptr<Log> log(new Log(files, std::move(options)));
  SLUICE_TRY(files.make_directory(log->options_.directory));
  SLUICE_TRY(log->load_segments());
  if (log->segments_.empty()) {
    log->next_seq_ = first_seq;
    log->durable_seq_ = first_seq - 1;
    SLUICE_TRY(log->make_segment(first_seq, 0));
    report.created = true;
    return log;
  }
  SLUICE_TRY(log->finish_redaction());
  SLUICE_TRY(log->recover_tail(report));
  return log;
}

Result<std::unique_ptr<Log>> Log::open_read_only(FileSystem& files, std::string directory,
                                                 std::uint64_t known_durable) {
  LogOptions options;
  options.directory = std::move(directory);
  options.known_durable = known_durable;
  std::unique_ptr<Log> log(new Log(files, std::move(options)));
  log->read_only_ = true;
  SLUICE_TRY(log->refresh());
  return log;
}

Status Log::refresh() {
  SLUICE_CHECK(read_only_);
  for (int attempt = 1;; ++attempt) {
    Status taken = take_tail();
    if (taken || (attempt >= read_only_attempts && taken.error().code != Code::transient)) return taken;
  }
}

Status Log::take_tail() {
  const std::vector<std::uint64_t> ids = SLUICE_TRY(list_segments());
  std::shared_ptr<Segment> last = last_segment();
  // Only this thread changes a read-only Log.
  if (!last || ids.empty() || ids.back() != last->header.id || ids.front() != segments_.front()->header.id) {
    SLUICE_TRY(load_segments());
    last = last_segment();
    if (!last) return Error{Code::misconfigured, options_.directory + ": there is no journal here"};
  }
  const std::unique_ptr<File> file = SLUICE_TRY(files_.open(last->path, OpenMode::read));
  Tail tail = SLUICE_TRY(scan_tail(*last, *file));
  set_tail(*last, tail);
  return Done{};
}

Result<std::vector<std::uint64_t>> Log::list_segments() const {
  std::vector<std::uint64_t> ids;
  for (const std::string& name : SLUICE_TRY(files_.list(options_.directory))) {
    const std::size_t digits = name.find_first_not_of("0123456789");
    if (digits < 8 || digits > 18 ||
        name.substr(digits == std::string::npos ? name.size() : digits) != ".log")
      continue;
    ids.push_back(std::stoull(name.substr(0, digits)));
  }
  std::sort(ids.begin(), ids.end());
  for (std::size_t i = 1; i < ids.size(); ++i) {
    if (ids[i] == ids[i - 1] + 1) continue;
    return Error{Code::corrupt, segment_path(ids[i - 1] + 1) + " is missing: put it back from a backup"};
  }
  return ids;
}

// nullptr: the last segment's making was interrupted; nothing was ever written to it.
Result<std::shared_ptr<Log::Segment>> Log::load_segment(std::uint64_t id, bool last) const {
  const auto segment = std::make_shared<Segment>();
  segment->path = segment_path(id);
  const std::unique_ptr<File> file = SLUICE_TRY(files_.open(segment->path, OpenMode::read));
  const std::uint64_t size = SLUICE_TRY(file->size());
  std::string head(std::min(size, header_bytes), '\0');
  head.resize(SLUICE_TRY(file->read_at(0, head)));
  Result<SegmentHeader> header = SegmentHeader::decode(head, segment->path);
  if (header && header.value().id != id) {
    header = Error{Code::corrupt, segment->path + ": holds segment " + std::to_string(header.value().id) +
                                      "; give the files their names back"};
  }
  if (!header) {
    if (!last || header.error().code != Code::corrupt) return std::move(header).error();
    // The header is synced before the first frame is written: where a frame was, the header had been whole.
    std::string rest(size - head.size(), '\0');
    rest.resize(SLUICE_TRY(file->read_at(head.size(), rest)));
    if (end_of_data(rest) > 0) return std::move(header).error();
    return std::shared_ptr<Segment>();
  }
  segment->header = header.value();
  segment->seed = hash64_pair(segment->header.salt, id);
  segment->end = last ? header_bytes : size;
  return segment;
}

Status Log::load_segments() {
  std::vector<std::uint64_t> ids = SLUICE_TRY(list_segments());
  std::vector<std::shared_ptr<Segment>> loaded;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool last = i + 1 == ids.size();
    std::shared_ptr<Segment> segment = SLUICE_TRY(load_segment(ids[i], last));
    if (segment && !loaded.empty() && segment->header.first_seq < loaded.back()->header.first_seq) {
      return Error{Code::corrupt, segment->path + ": its entries do not follow those of the file before it"};
    }
    if (segment) {
      loaded.push_back(std::move(segment));
    } else {
      if (!read_only_) {
        SLUICE_TRY(files_.remove(segment_path(ids[i])));
        SLUICE_TRY(files_.sync_directory(options_.directory));
      }
      if (!loaded.empty()) loaded.back()->end = header_bytes;  // it is the last one again
    }
  }
  const std::lock_guard lock(mutex_);
  segments_ = std::move(loaded);
  return Done{};
}

// From the segment's known end on; `segment.end` itself is set by set_tail().
Result<Log::Tail> Log::scan_tail(const Segment& segment, File& file) const {
  const std::uint64_t size = SLUICE_TRY(file.size());
  Tail tail;
  tail.end = tail.proven_end = tail.data_end = segment.end;
  tail.next_seq = segment.end == header_bytes ? segment.header.first_seq : next_seq();
  tail.last_stamp = segment.end == header_bytes ? segment.header.stamp_before : last_stamp();

  FrameReader reader(file, segment.end, size, segment.seed);
  std::uint64_t seq = tail.next_seq;
  std::uint64_t durable = seq - 1;
  std::uint64_t open_entries = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>>
      offsets;  // of the frames that are not known to be synced
  Frame frame;
  for (;;) {
    const std::uint64_t offset = reader.offset();
    const bool good = SLUICE_TRY(reader.next(frame));
    if (!good || frame.entry.seq != seq) {
      if (tail.next_seq <= options_.known_durable)
        return Error{Code::corrupt, damage_text(segment.path, offset, seq)};
      SLUICE_TRY(check_lost(segment, file, offset, seq, tail));
      break;
    }
    tail.index.emplace_back(seq, offset);
    ++seq;
    ++open_entries;
    durable = std::max(durable, frame.durable_seq);
    if ((frame.entry.flags & frame_commit_end) == 0) continue;
    open_entries = 0;
    tail.end = reader.offset();
    tail.next_seq = seq;
    tail.last_stamp = frame.entry.stamp;
  }
  tail.dropped = open_entries;
  tail.data_end = std::max(tail.data_end, tail.end);
  std::erase_if(tail.index, [&](const auto& point) { return point.first >= tail.next_seq; });
  const auto unproven =
      std::upper_bound(tail.index.begin(), tail.index.end(), durable,
                       [](std::uint64_t wanted, const auto& point) { return wanted < point.first; });
  tail.proven_end = unproven == tail.index.end() ? tail.end : unproven->second;
  return tail;
}

// At `offset` stands no frame with number `seq`. Looks for proof that one stood there and was synced: then
// this is damage.
Status Log::check_lost(const Segment& segment, File& file, std::uint64_t offset, std::uint64_t seq,
                       Tail& tail) const {
  std::uint64_t size = SLUICE_TRY(file.size());
  if (read_only_) size = std::min<std::uint64_t>(size, offset + FrameReader::chunk_bytes);  // it looks often
  std::string rest(size - std::min(offset, size), '\0');
  rest.resize(SLUICE_TRY(file.read_at(offset, rest)));
  const std::uint64_t data = end_of_data(rest);
  tail.data_end = offset + data;
  // It was read before its writer was there, and what is behind it afterwards.
  if (const FrameResult now = parse_frame(rest, segment.seed);
      read_only_ && now.error == FrameError::none && now.frame.entry.seq == seq)
    return Error{Code::transient, segment.path + " is being written"};
  for (std::size_t at = 0; at < data; at += 8) {
    const FrameResult result = parse_frame(std::string_view(rest).substr(at), segment.seed);
    if (result.error != FrameError::none || result.frame.durable_seq < seq) continue;
    return Error{Code::corrupt, damage_text(segment.path, offset, seq)};
  }
  return Done{};
}

Status Log::recover_tail(OpenReport& report) {
  const std::shared_ptr<Segment> last = last_segment();
  const std::unique_ptr<File> file = SLUICE_TRY(files_.open(last->path, OpenMode::read_write));
  Tail tail = SLUICE_TRY(scan_tail(*last, *file));
  // The process before may have ended just because a sync failed: what reads well then need not stand on the
  // disk, and would not be written by another sync. Written again, it is.
  SLUICE_TRY(write_again(*last, *file, 0, header_bytes));
  SLUICE_TRY(write_again(*last, *file, tail.proven_end, tail.end));
  if (tail.data_end > tail.end) {
    report.cut_bytes = tail.data_end - tail.end;
    report.cut_entries = tail.dropped;
    report.cut_place = last->path + " at byte " + std::to_string(tail.end);
    const std::uint64_t size = SLUICE_TRY(file->size());
    SLUICE_TRY(file->resize(tail.end));
    (void)file->preallocate(size);  // on a full disk it grows as it is written
  }
  SLUICE_TRY(file->sync());
  // Nor need its name, where it ended between making the file and syncing the directory.
  SLUICE_TRY(files_.sync_directory(options_.directory));
  set_tail(*last, tail);
  durable_seq_ = tail.next_seq - 1;
  const std::uint64_t room = SLUICE_TRY(file->size());
  file_ = SLUICE_TRY(Appender::open(files_, last->path, options_.direct, last->end, room));
  return Done{};
}

Status Log::write_again(const Segment& segment, File& file, std::uint64_t begin, std::uint64_t end) {
  std::string bytes;
  while (begin < end) {
    bytes.resize(std::min<std::uint64_t>(end - begin, FrameReader::chunk_bytes));
    if (SLUICE_TRY(file.read_at(begin, bytes)) != bytes.size()) {
      return Error{Code::corrupt, segment.path + ": became shorter while it was read"};
    }
    SLUICE_TRY(file.write_at(begin, bytes));
    begin += bytes.size();
  }
  return Done{};
}

void Log::set_tail(Segment& segment, Tail& tail) {
  const std::lock_guard lock(mutex_);
  for (const auto& [seq, offset] : tail.index) segment.note(seq, offset);
  segment.end = tail.end;
  last_stamp_ = tail.last_stamp;
  next_seq_ = tail.next_seq;
  if (read_only_) durable_seq_ = tail.next_seq - 1;
}

}  // namespace sluice
