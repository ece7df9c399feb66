#include "stages.hpp"

#include <algorithm>
#include <bit>
#include <functional>

namespace sluice::braze {

namespace {

bool is_track(Kind kind) {
  return kind == Kind::attribute || kind == Kind::event;
}

std::uint32_t room(Kind kind) {
  if (kind == Kind::remove) return removed_people_max;
  return kind == Kind::message ? message_recipients_max : track_objects_max;
}

bool takes(const Stage& stage, Kind kind, std::string_view campaign) {
  const bool same = is_track(kind) ? is_track(stage.kind) : stage.kind == kind && stage.campaign == campaign;
  return same && stage.records.size() < room(kind);
}

}  // namespace

Stages::Stages(std::uint32_t records, bool mixed) {
  if (mixed) seen_.resize(std::bit_ceil(std::size_t{records} * 2 + 1));
}

Stages::Seen& Stages::seen(std::string_view person) {
  const std::uint64_t hash = std::hash<std::string_view>{}(person);
  const std::size_t mask = seen_.size() - 1;
  std::size_t at = hash & mask;
  while (seen_[at].used && seen_[at].person != hash) at = (at + 1) & mask;
  seen_[at].person = hash;
  return seen_[at];
}

Stage& Stages::next(std::string_view person, Kind kind, std::string_view campaign) {
  std::uint32_t at = 0;
  Seen* before = seen_.empty() ? nullptr : &seen(person);
  if (before != nullptr && before->used)
    at = before->stage + (kind == Kind::attribute && before->event ? 1 : 0);
  while (at < stages_.size() && !takes(stages_[at], kind, campaign)) ++at;
  if (at == stages_.size()) {
    stages_.emplace_back();
    stages_.back().kind = kind;
    stages_.back().campaign = campaign;
  }
  if (before != nullptr) {
    const bool same_stage = before->used && before->stage == at;
    *before = {.person = before->person,
               .stage = at,
               .event = kind == Kind::event || (same_stage && before->event),
               .used = true};
  }
  return stages_[at];
}

}  // namespace sluice::braze
