// Inside this room: takes what one feed's connector emits and makes commits of it, each ending at a
// checkpoint.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ingest/rejects.hpp"
#include "ingest/source_runner.hpp"
#include "ingest/time_merge.hpp"
#include "plugin/types.hpp"

namespace sluice::ingest {

class FeedSink final : public plugin::Sink {  // [the feed's thread]
 public:
  struct Counts {
    std::uint64_t records = 0, rejected = 0;
  };
  // `commit` takes items whose last one carries the cursor; it may wait. An error ends the reading.
  using Commit = std::function<Status(std::vector<MergeItem>, Counts)>;

  FeedSink(const Feed& feed, RejectsFile& rejects, Commit commit);

  Status record(const plugin::Emitted& record) override;
  Status reject(const plugin::Rejected& row) override;
  Status checkpoint(std::string_view cursor) override;
  void ended() override { ended_ = true; }

  // After a call that succeeded: commits what came after its last checkpoint, without a cursor.
  Status finish() { return hand_over({}); }
  // After one that failed: forgets it.
  void drop();
  bool has_ended() const { return ended_; }
  const std::string& cursor() const { return cursor_; }  // of the last checkpoint

 private:
  Status hand_over(std::string_view cursor);
  Status add_reject(std::string_view place, std::string_view reason, std::string_view row);
  RecordInput input_of(const plugin::Emitted& record) const;

  const Feed& feed_;
  RejectsFile& rejects_;
  Commit commit_;
  std::string cursor_;
  bool ended_ = false;
  std::vector<MergeItem> items_;  // since the last checkpoint
  std::string reject_lines_;
  Counts counts_;
  std::size_t bytes_ = 0;
};

}  // namespace sluice::ingest
