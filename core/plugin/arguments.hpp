// Inside this room: what the calls are given, in C form.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/call.hpp"

namespace sluice::plugin {

// The records in C form. All is borrowed: for a connector apart because the way there copies and pads, for
// one in this process where a text has room for the padding behind it, as with_padding() makes them. What has
// none is copied.
class BatchView {
 public:
  enum class For : std::uint8_t { here, apart };
  BatchView(std::span<const Record> records, For where, const SnapshotPart& part = {}) : where_(where) {
    std::size_t bytes = 0;
    for (const Record& r : records) bytes += copied_bytes(r.payload) + copied_bytes(r.identifiers);
    padded_.reserve(bytes);
    records_.reserve(records.size());
    for (const Record& r : records) add(r);
    c_.size = sizeof c_;
    c_.stride = sizeof(sluice_record);
    c_.count = static_cast<std::uint32_t>(records_.size());
    c_.records = records_.data();
    plan_.size = sizeof plan_;
    plan_.part = part.part;
    plan_.batch = &c_;
    plan_.snapshot = str(part.snapshot);
  }
  BatchView(const BatchView&) = delete;
  BatchView& operator=(const BatchView&) = delete;
  const sluice_batch* get() const { return &c_; }
  const sluice_plan* plan() const { return &plan_; }

 private:
  void add(const Record& r) {
    sluice_record c{};
    c.size = sizeof c;
    c.op = r.op;
    c.attempt = r.attempt;
    c.time_us = r.time;
    c.id = str(r.id);
    c.key = str(r.key);
    c.name = str(r.name);
    c.payload = pad(r.payload);
    c.identifiers = pad(r.identifiers);
    c.address = str(r.address);
    c.remote_id = str(r.remote_id);
    c.audience_id = str(r.audience_id);
    records_.push_back(c);
  }
  std::size_t copied_bytes(const std::string& text) const {
    const bool borrowed = where_ == For::apart || text.empty() || has_padding(text);
    return borrowed ? 0 : text.size() + SLUICE_PADDING;
  }
  sluice_str pad(const std::string& text) {
    if (copied_bytes(text) == 0) return str(text);
    const char* const at = padded_.data() + padded_.size();  // reserved: it does not move
    padded_.append(text).append(SLUICE_PADDING, '\0');
    return {at, text.size()};
  }
  For where_;
  std::string padded_;
  std::vector<sluice_record> records_;
  sluice_batch c_{};
  sluice_plan plan_{};
};

class PollView {
 public:
  explicit PollView(const Poll& poll) {
    for (const std::string& field : poll.fields) fields_.push_back(str(field));
    c_.size = sizeof c_;
    c_.mode = poll.full ? SLUICE_FULL : SLUICE_INCREMENTAL;
    c_.flags = poll.until_idle ? SLUICE_UNTIL_IDLE : 0;
    c_.field_count = static_cast<std::uint32_t>(fields_.size());
    c_.stream = str(poll.stream);
    c_.cursor = str(poll.cursor);
    c_.since_us = poll.since;
    c_.fields = fields_.data();
  }
  const sluice_poll* get() const { return &c_; }

 private:
  std::vector<sluice_str> fields_;
  sluice_poll c_{};
};

}  // namespace sluice::plugin
