// The files of checkpoints as a set: what is there, what a new one builds on, what may go.
#include <algorithm>

#include "base/check.hpp"
#include "store/checkpoint.hpp"

namespace sluice {

Result<std::vector<CheckpointInfo>> Checkpoints::bases() const {
  std::vector<FileInfo> known;
  {
    const std::lock_guard lock(mutex_);
    known = known_;
  }
  std::vector<CheckpointInfo> found;
  for (const FileInfo& f : known) {
    if (f.kind != CheckpointKind::base) continue;
    Header header = SLUICE_TRY(read_checkpoint(f.kind, f.seq, nullptr));
    found.push_back(std::move(header.info));
  }
  return found;
}

Result<CheckpointInfo> Checkpoints::load_base(std::uint64_t seq, const EachRow& each) const {
  SLUICE_TRY(read_checkpoint(CheckpointKind::base, seq, nullptr));  // whole, before the first row is given
  return SLUICE_TRY(read_checkpoint(CheckpointKind::base, seq, &each)).info;
}

Result<std::unique_ptr<CheckpointWriter>> Checkpoints::begin(CheckpointInfo info, CheckpointKind kind) {
  SLUICE_CHECK(access_ == Access::read_write);
  std::uint64_t previous = 0;
  {
    const std::lock_guard lock(mutex_);
    SLUICE_CHECK(!writing_);
    SLUICE_CHECK(!latest_ || info.seq >= latest_->seq);
    SLUICE_CHECK(latest_ || kind == CheckpointKind::base);
    // A delta of the same seq would take the name, or the place in the order, of what it builds on.
    if (kind == CheckpointKind::delta && info.seq == latest_->seq) {
      return Error{Code::rejected, directory_ + ": nothing has happened since the last checkpoint"};
    }
    if (latest_) previous = latest_->seq;
    writing_ = true;
  }
  std::unique_ptr<CheckpointWriter> writer(new CheckpointWriter(*this, std::move(info), kind));
  SLUICE_TRY(writer->start(previous));
  return writer;
}

Status Checkpoints::committed(const CheckpointWriter& writer) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(known_,
                  [&](const FileInfo& f) { return f.kind == writer.kind_ && f.seq == writer.info_.seq; });
    known_.push_back({writer.kind_, writer.info_.seq, writer.offset_});
    sort_known();
    if (writer.of_ == CheckpointWriter::Of::files) return Done{};  // merge() removes what is old
    latest_ = writer.info_;
    if (writer.kind_ == CheckpointKind::base) wants_base_ = false;
  }
  return writer.kind_ == CheckpointKind::base ? remove_old() : Status(Done{});
}

// After a base: everything before the newest but the one base that the journal's tail is counted from.
Status Checkpoints::remove_old() {
  std::vector<FileInfo> old;
  {
    const std::lock_guard lock(mutex_);
    const auto is_base = [](const FileInfo& f) { return f.kind == CheckpointKind::base; };
    const auto newest = std::find_if(known_.rbegin(), known_.rend(), is_base);
    if (newest == known_.rend()) return Done{};
    bool kept = false;
    for (auto at = known_.begin(); at != std::prev(newest.base()); ++at) {
      const FileInfo& f = *at;
      if (f.kind == CheckpointKind::base && f.seq >= keep_ && !kept) {
        kept = true;
        continue;
      }
      old.push_back(f);
    }
  }
  for (const FileInfo& f : old) SLUICE_TRY(remove_in_pieces(files_, path_of(f.kind, f.seq)));
  for (const std::string& name : SLUICE_TRY(files_.list(directory_))) {
    if (name.ends_with(".damaged")) SLUICE_TRY(files_.remove(directory_ + "/" + name));
  }
  SLUICE_TRY(files_.sync_directory(directory_));  // what an erasure removes must not come back
  const std::lock_guard lock(mutex_);
  std::erase_if(known_, [&](const FileInfo& f) {
    return std::any_of(old.begin(), old.end(),
                       [&](const FileInfo& o) { return o.seq == f.seq && o.kind == f.kind; });
  });
  return Done{};
}

std::uint64_t Checkpoints::base_bytes() const {
  const std::lock_guard lock(mutex_);
  for (auto f = known_.rbegin(); f != known_.rend(); ++f) {
    if (f->kind == CheckpointKind::base) return f->bytes;
  }
  return 0;
}

std::uint64_t Checkpoints::delta_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (auto f = known_.rbegin(); f != known_.rend() && f->kind == CheckpointKind::delta; ++f) sum += f->bytes;
  return sum;
}

bool Checkpoints::wants_base() const {
  const std::lock_guard lock(mutex_);
  return wants_base_;
}

std::optional<CheckpointInfo> Checkpoints::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

void Checkpoints::keep_base_at_or_after(std::uint64_t seq) {
  const std::lock_guard lock(mutex_);
  keep_ = seq;
}

std::optional<std::uint64_t> Checkpoints::oldest_base() const {
  const std::lock_guard lock(mutex_);
  for (const FileInfo& f : known_) {
    if (f.kind == CheckpointKind::base) return f.seq;
  }
  return std::nullopt;
}

}  // namespace sluice
