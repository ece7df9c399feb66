#include "store/checkpoint.hpp"

#include <algorithm>
#include <future>
#include <utility>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/hash.hpp"
#include "journal/frame.hpp"
#include "store/checkpoint_newest.hpp"
#include "store/frames_ahead.hpp"

namespace sluice {
namespace {

constexpr std::string_view magic = "SLUICECP";
constexpr std::uint32_t format_version = 1;
constexpr std::uint64_t head_bytes = 16;
enum FrameKind : std::uint8_t { kind_info = 1, kind_rows = 2, kind_end = 3 };
enum RowFlag : std::uint8_t { row_set = 0, row_erased = 1 };

std::string file_name(CheckpointKind kind, std::uint64_t seq) {
  const std::string digits = std::to_string(seq);
  return std::string(20 - digits.size(), '0') + digits + (kind == CheckpointKind::base ? ".base" : ".delta");
}

bool parse_name(const std::string& name, CheckpointKind& kind, std::uint64_t& seq) {
  if (name.size() < 25 || name.find_first_not_of("0123456789") != 20) return false;
  const std::string_view end = std::string_view(name).substr(20);
  if (end != ".base" && end != ".delta") return false;
  kind = end == ".base" ? CheckpointKind::base : CheckpointKind::delta;
  seq = 0;
  for (const char c : name.substr(0, 20)) seq = seq * 10 + static_cast<unsigned>(c - '0');
  return true;
}

// Of the name alone: a file of another journal reads well, and is told apart by its first frame.
std::uint64_t seed_of(CheckpointKind kind, std::uint64_t seq) {
  return hash64_pair(static_cast<std::uint64_t>(kind), seq);
}

// What the end frame says, so that a file without its last part is not taken for whole.
// The state's size stands here too: it is known when its last row is. Before it stood the state's hash (ADR
// 57).
std::string encode_end(std::uint64_t rows, std::uint64_t frames, const CheckpointInfo& info) {
  std::string out;
  ByteWriter w(out);
  w.u64(rows);
  w.u64(frames);
  w.u64(0);
  w.u64(0);
  w.u64(info.rows);
  return out;
}

}  // namespace

// --- one file ---

CheckpointWriter::CheckpointWriter(Checkpoints& owner, CheckpointInfo info, CheckpointKind kind, Of of)
    : owner_(owner), info_(std::move(info)), kind_(kind), of_(of), seed_(seed_of(kind, info_.seq)) {}

CheckpointWriter::~CheckpointWriter() {
  if (!committed_ && file_) (void)owner_.files_.remove(path_);  // else the next open() does
  const std::lock_guard lock(owner_.mutex_);
  if (of_ == Of::state) owner_.writing_ = false;
}

Status CheckpointWriter::start(std::uint64_t previous) {
  path_ = owner_.path_of(kind_, info_.seq) + (of_ == Of::files ? ".merge.tmp" : ".tmp");
  SLUICE_TRY(owner_.files_.remove(path_));
  file_ = SLUICE_TRY(owner_.files_.open(path_, OpenMode::create));
  buffer_ = magic;
  ByteWriter head(buffer_);
  head.u32(format_version);
  head.u32(0);
  std::string info;
  ByteWriter w(info);
  w.text(owner_.journal_id_);
  w.u32(owner_.generation_);
  w.u64(info_.seq);
  w.u64(static_cast<std::uint64_t>(info_.stamp));
  w.u64(previous);
  w.text(info_.extra);
  return frame(kind_info, info);
}

Status CheckpointWriter::add(std::uint8_t table, std::string_view key, std::string_view value) {
  return row(table, false, key, value);
}

Status CheckpointWriter::erase(std::uint8_t table, std::string_view key) {
  return row(table, true, key, {});
}

Status CheckpointWriter::row(std::uint8_t table, bool erased, std::string_view key, std::string_view value) {
  SLUICE_CHECK(!committed_);
  ByteWriter w(rows_);
  w.u8(table);
  w.u8(erased ? row_erased : row_set);
  w.text(key);
  if (!erased) w.text(value);
  ++count_;
  return rows_.size() >= chunk_bytes ? flush_rows() : Status(Done{});
}

Status CheckpointWriter::flush_rows() {
  if (rows_.empty()) return Done{};
  SLUICE_TRY(frame(kind_rows, rows_));
  rows_.clear();
  return Done{};
}

Status CheckpointWriter::frame(std::uint8_t kind, std::string_view payload) {
  if (payload.size() > frame_payload_bytes_max) {
    return Error{Code::rejected, path_ + ": a row is longer than 64 MiB"};
  }
  append_frame(buffer_, {++frames_, info_.stamp, kind, frame_commit_end, payload}, 0, seed_);
  return buffer_.size() >= chunk_bytes ? write_out() : Status(Done{});
}

Status CheckpointWriter::write_out() {
  SLUICE_TRY(file_->write_at(offset_, buffer_));
  offset_ += buffer_.size();
  buffer_.clear();
  return file_->sync();
}

Status CheckpointWriter::commit(std::uint64_t state_rows) {
  SLUICE_CHECK(!committed_);
  info_.rows = state_rows;
  SLUICE_TRY(flush_rows());
  SLUICE_TRY(frame(kind_end, encode_end(count_, frames_, info_)));
  SLUICE_TRY(write_out());
  file_.reset();
  SLUICE_TRY(owner_.files_.rename(path_, owner_.path_of(kind_, info_.seq)));
  SLUICE_TRY(owner_.files_.sync_directory(owner_.directory_));
  committed_ = true;
  return owner_.committed(*this);
}

// Reads a file from its begin to its end frame; with `each`, gives its rows. Errors: corrupt where it is not
// whole.
Result<Checkpoints::Header> Checkpoints::read_checkpoint(CheckpointKind kind, std::uint64_t seq,
                                                         const EachRow* each, bool ahead) const {
  const std::string path = path_of(kind, seq);
  const Error damaged{Code::corrupt, path + " is damaged or was not written to its end"};
  const std::unique_ptr<File> file = SLUICE_TRY(files_.open(path, OpenMode::read));
  const std::uint64_t size = SLUICE_TRY(file->size());
  std::string head(head_bytes, '\0');
  if (SLUICE_TRY(file->read_at(0, head)) != head_bytes || !head.starts_with(magic)) return damaged;
  ByteReader h(std::string_view(head).substr(magic.size()));
  if (h.u32() != format_version || h.u32() != 0) {
    return Error{Code::misconfigured, path + ": written by a later version of Sluice; use that one"};
  }
  FramesAhead reader(*file, head_bytes, size, seed_of(kind, seq), ahead);
  Header header;
  std::uint64_t rows = 0;
  for (std::uint64_t n = 1;; ++n) {
    Frame frame;
    if (!SLUICE_TRY(reader.next(frame)) || frame.entry.seq != n) return damaged;
    if ((n == 1) != (frame.entry.kind == kind_info)) return damaged;
    if (n == 1 && !decode_info(frame.entry.payload, header)) return damaged;
    if (n == 1 && (header.journal_id != journal_id_ || header.generation > generation_)) {
      return Error{Code::misconfigured,
                   path +
                       " belongs to another journal or to a later generation of this one: "
                       "journal and checkpoints must come from the same backup"};
    }
    if (frame.entry.kind == kind_rows && !read_rows(frame.entry.payload, each, rows)) return damaged;
    if (frame.entry.kind != kind_end) continue;
    ByteReader end(frame.entry.payload);
    const bool whole = end.u64() == rows && end.u64() == n - 1 && header.info.seq == seq;
    (void)end.u64(), (void)end.u64();
    header.info.rows = end.u64();
    if (!whole || !end.ok() || !end.at_end()) return damaged;
    return header;
  }
}

bool Checkpoints::decode_info(std::string_view payload, Header& out) {
  ByteReader r(payload);
  out.journal_id = r.text();
  out.generation = r.u32();
  out.info.seq = r.u64();
  out.info.stamp = static_cast<TimeUs>(r.u64());
  out.previous = r.u64();
  out.info.extra = r.text();
  return r.ok() && r.at_end();
}

bool Checkpoints::read_rows(std::string_view payload, const EachRow* each, std::uint64_t& count) {
  ByteReader r(payload);
  while (r.ok() && !r.at_end()) {
    const std::uint8_t table = r.u8();
    const bool erased = r.u8() == row_erased;
    const std::string_view key = r.text();
    const std::string_view value = erased ? std::string_view() : r.text();
    if (!r.ok()) return false;
    ++count;
    if (each != nullptr) (*each)(table, key, value, erased);
  }
  return true;
}

std::string Checkpoints::path_of(CheckpointKind kind, std::uint64_t seq) const {
  return directory_ + "/" + file_name(kind, seq);
}

// --- the set ---

Checkpoints::Checkpoints(FileSystem& files, std::string directory, std::string journal_id,
                         std::uint32_t generation, Access access)
    : files_(files),
      directory_(std::move(directory)),
      journal_id_(std::move(journal_id)),
      generation_(generation),
      access_(access) {}

Result<std::unique_ptr<Checkpoints>> Checkpoints::open(FileSystem& files, std::string directory,
                                                       std::string journal_id, std::uint32_t generation,
                                                       Access access) {
  std::unique_ptr<Checkpoints> set(
      new Checkpoints(files, std::move(directory), std::move(journal_id), generation, access));
  if (access == Access::read_write) SLUICE_TRY(files.make_directory(set->directory_));
  SLUICE_TRY(set->scan());
  return set;
}

Status Checkpoints::scan() {
  for (const std::string& name : SLUICE_TRY(files_.list(directory_))) {
    if (name.ends_with(".tmp") && access_ == Access::read_write)
      SLUICE_TRY(files_.remove(directory_ + "/" + name));
    FileInfo info{};
    if (!parse_name(name, info.kind, info.seq)) continue;
    const std::unique_ptr<File> file = SLUICE_TRY(files_.open(directory_ + "/" + name, OpenMode::read));
    info.bytes = SLUICE_TRY(file->size());
    known_.push_back(info);
  }
  sort_known();
  return Done{};
}

// By seq; where a base and a delta are of the same one, the delta first: it belongs to what was before.
void Checkpoints::sort_known() {
  std::sort(known_.begin(), known_.end(), [](const FileInfo& a, const FileInfo& b) {
    return a.seq != b.seq ? a.seq < b.seq : a.kind > b.kind;
  });
}

Result<std::optional<CheckpointInfo>> Checkpoints::load(const EachRow& each, LoadReport& report,
                                                        const std::function<void(std::uint64_t)>& expect,
                                                        bool threads) {
  std::vector<FileInfo> left;
  {
    const std::lock_guard lock(mutex_);
    left = known_;
  }
  std::vector<FileInfo> damaged;
  std::optional<CheckpointInfo> found;
  while (!left.empty() && !found) {
    const auto is_base = [](const FileInfo& f) { return f.kind == CheckpointKind::base; };
    const auto base = std::find_if(left.rbegin(), left.rend(), is_base);
    const auto first = base == left.rend() ? left.begin() : std::prev(base.base());
    const std::vector<FileInfo> chain(first, left.end());
    left.erase(first, left.end());
    NewestRows newest(chain.size());
    const Good good = SLUICE_TRY(check_chain(chain, newest, report, threads));
    if (expect && good.files > 0) expect(good.rows);
    for (std::size_t i = 0; i < good.files; ++i) {
      const EachRow some = [&](std::uint8_t table, std::string_view key, std::string_view value,
                               bool erased) {
        if (newest.is_newest(i, table, key)) each(table, key, value, erased);
      };
      found = SLUICE_TRY(read_checkpoint(chain[i].kind, chain[i].seq, &some, threads)).info;
    }
    damaged.insert(damaged.end(), chain.begin() + static_cast<std::ptrdiff_t>(good.files), chain.end());
  }
  SLUICE_TRY(set_aside(damaged));
  const std::lock_guard lock(mutex_);
  latest_ = found;
  return found;
}

// How many files from the front, a base and its deltas, can be used. The last is read first: for `newest`.
Result<Checkpoints::Good> Checkpoints::check_chain(const std::vector<FileInfo>& chain, NewestRows& newest,
                                                   LoadReport& report, bool threads) const {
  // As long as the deltas together, and read beside them.
  std::future<Result<Header>> first = std::async(threads ? std::launch::async : std::launch::deferred, [&] {
    return read_checkpoint(chain[0].kind, chain[0].seq, nullptr);
  });
  Good good;
  std::optional<std::string> problem;  // of the first file that cannot be used
  for (std::size_t i = chain.size(); i-- > 0;) {
    const EachRow note = [&](std::uint8_t table, std::string_view key, std::string_view, bool) {
      newest.note(i, table, key);
    };
    const std::string path = path_of(chain[i].kind, chain[i].seq);
    const Result<Header> header = i > 0 ? read_checkpoint(chain[i].kind, chain[i].seq, &note) : first.get();
    if (!header && header.error().code != Code::corrupt) return header.error();
    if (!header) {
      problem = header.error().detail + ": passed over";
    } else if (i == 0 && chain[0].kind != CheckpointKind::base) {
      problem = path + " has no base: passed over";
    } else if (i > 0 && header.value().previous != chain[i - 1].seq) {
      problem = path + " builds on a checkpoint that is not there: passed over";
    } else {
      if (good.files == 0) good = {i + 1, header.value().info.rows};
      continue;
    }
    good = {};
    newest.forget();
  }
  if (problem) report.problems.push_back(std::move(*problem));
  return good;
}

Status Checkpoints::set_aside(const std::vector<FileInfo>& damaged) {
  if (access_ == Access::read_only || damaged.empty()) return Done{};
  for (const FileInfo& f : damaged) {
    const std::string path = path_of(f.kind, f.seq);
    SLUICE_TRY(files_.rename(path, path + ".damaged"));
  }
  SLUICE_TRY(files_.sync_directory(directory_));
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [&](const FileInfo& f) {
    return std::any_of(damaged.begin(), damaged.end(),
                       [&](const FileInfo& d) { return d.seq == f.seq && d.kind == f.kind; });
  });
  return Done{};
}

}  // namespace sluice
