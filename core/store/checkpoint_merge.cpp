// A base made out of files: of the newest base and the deltas behind it, of each key the newest row.
#include <algorithm>
#include <optional>
#include <utility>

#include "store/checkpoint.hpp"
#include "store/checkpoint_newest.hpp"

namespace sluice {
Status Checkpoints::merge(const std::function<bool()>& go_on) {
  std::vector<FileInfo> chain;
  {
    const std::lock_guard lock(mutex_);
    const auto is_base = [](const FileInfo& f) { return f.kind == CheckpointKind::base; };
    const auto base = std::find_if(known_.rbegin(), known_.rend(), is_base);
    if (base != known_.rend()) chain.assign(std::prev(base.base()), known_.end());
  }
  if (chain.size() < 2) return Done{};
  const Status merged = merge(chain, go_on);
  if (merged) return remove_old();
  const std::lock_guard lock(mutex_);
  // Another base has come meanwhile, and has taken away what this one would have been made of.
  const bool replaced = std::any_of(known_.begin(), known_.end(), [&](const FileInfo& f) {
    return f.kind == CheckpointKind::base && f.seq > chain.front().seq;
  });
  if (replaced) return Done{};
  wants_base_ = wants_base_ || merged.error().code == Code::corrupt;
  return merged;
}

Status Checkpoints::merge(const std::vector<FileInfo>& chain, const std::function<bool()>& go_on) {
  NewestRows newest(chain.size());
  std::optional<Header> last;
  for (std::size_t i = chain.size() - 1; i > 0; --i) {
    const EachRow note = [&](std::uint8_t table, std::string_view key, std::string_view, bool) {
      newest.note(i, table, key);
    };
    Header header = SLUICE_TRY(read_checkpoint(chain[i].kind, chain[i].seq, &note));
    if (!last) last = std::move(header);
  }
  const std::uint64_t rows = last->info.rows;
  CheckpointWriter writer(*this, std::move(last->info), CheckpointKind::base, CheckpointWriter::Of::files);
  SLUICE_TRY(writer.start(chain.back().seq));
  Status written = Done{};
  std::uint64_t paused_at = 0;
  const auto add = [&](std::uint8_t table, std::string_view key, std::string_view value) {
    if (!written) return;
    written = writer.add(table, key, value);
    if (writer.bytes() - paused_at < CheckpointWriter::chunk_bytes) return;
    paused_at = writer.bytes();
    if (written && !go_on()) written = Error{Code::cancelled, "the hub is stopping"};
  };
  for (std::size_t i = 0; i < chain.size() && written; ++i) {
    const EachRow copy = [&](std::uint8_t table, std::string_view key, std::string_view value, bool erased) {
      if (newest.is_newest(i, table, key) && !erased) add(table, key, value);
    };
    SLUICE_TRY(read_checkpoint(chain[i].kind, chain[i].seq, &copy));
  }
  if (!written) return written;
  return writer.commit(rows);
}

}  // namespace sluice
