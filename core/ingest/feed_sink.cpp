#include "ingest/feed_sink.hpp"

#include "sluice/plugin.h"

#include "base/check.hpp"

namespace sluice::ingest {
namespace {

Draft draft_of(const RecordInput& input, TimeUs time) {
  Draft out{.kind = InputKind::record, .event_time = time, .payload = {}};
  input.encode(out.payload);
  return out;
}

}  // namespace

FeedSink::FeedSink(const Feed& feed, RejectsFile& rejects, Commit commit)
    : feed_(feed), rejects_(rejects), commit_(std::move(commit)), cursor_(feed.cursor) {}

RecordInput FeedSink::input_of(const plugin::Emitted& r) const {
  RecordInput out;
  out.source = feed_.source;
  out.stream = r.name.empty() ? std::string_view(feed_.stream) : r.name;
  out.key = r.key;
  out.entity = r.entity;
  out.time = r.time;
  out.deleted = r.op == SLUICE_DELETE;
  out.payload = r.payload;
  return out;
}

Status FeedSink::record(const plugin::Emitted& r) {
  if (r.op != SLUICE_EVENT && r.op != SLUICE_DELETE) {
    return Error{Code::rejected, "the source sends snapshots, which are not supported yet"};
  }
  const RecordInput input = input_of(r);
  if (r.payload.size() > event_bytes_max) return add_reject(r.place, "too_large", r.payload);
  TimeUs time = r.time;
  if (feed_.event_time) {
    const Result<TimeUs> mapped = feed_.event_time(input);
    if (!mapped) return add_reject(r.place, mapped.error().detail, r.payload);
    time = mapped.value();
  }
  items_.push_back({.draft = draft_of(input, time), .place = std::string(r.place), .has_cursor = false});
  ++counts_.records;
  bytes_ += items_.back().draft.payload.size();
  if (bytes_ > uncommitted_bytes_max) {
    return Error{Code::rejected, "the connector emitted more than 64 MiB without a checkpoint"};
  }
  return Done{};
}

Status FeedSink::reject(const plugin::Rejected& row) {
  return add_reject(row.place, row.reason, row.text);
}

Status FeedSink::add_reject(std::string_view place, std::string_view reason, std::string_view row) {
  reject_lines_ += reject_line(place, reason, row);
  ++counts_.rejected;
  if (reject_lines_.size() < commit_bytes_max) return Done{};
  const std::string lines = std::exchange(reject_lines_, {});
  return rejects_.append(lines);
}

Status FeedSink::checkpoint(std::string_view cursor) {
  return hand_over(cursor);
}

void FeedSink::drop() {
  items_.clear();
  reject_lines_.clear();
  counts_ = {};
  bytes_ = 0;
}

Status FeedSink::hand_over(std::string_view cursor) {
  if (!reject_lines_.empty()) {
    const std::string lines = std::exchange(reject_lines_, {});
    SLUICE_TRY(rejects_.append(lines));
  }
  const bool moved = !cursor.empty() && cursor != cursor_;
  if (moved && items_.empty()) {
    RecordInput only_cursor;
    only_cursor.source = feed_.source;
    only_cursor.stream = feed_.stream;
    only_cursor.cursor = cursor;
    items_.push_back({.draft = draft_of(only_cursor, no_time), .place = {}, .has_cursor = true});
  } else if (moved) {
    MergeItem& last = items_.back();
    RecordInput input;
    SLUICE_CHECK(RecordInput::decode(last.draft.payload, input));
    input.cursor = cursor;
    last = {
        .draft = draft_of(input, last.draft.event_time), .place = std::move(last.place), .has_cursor = true};
  }
  std::vector<MergeItem> items = std::exchange(items_, {});
  const Counts counts = std::exchange(counts_, {});
  bytes_ = 0;
  if (items.empty() && counts.rejected == 0) return Done{};
  SLUICE_TRY(commit_(std::move(items), counts));
  if (moved) cursor_ = cursor;
  return Done{};
}

}  // namespace sluice::ingest
