#include "state/people.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/near.hpp"

namespace sluice::state {

namespace {

constexpr std::size_t ids_ahead = 32'768;
constexpr std::size_t index_bytes = 256;  // of a row: head, memberships and identifiers of most

// Of the segment that is being emptied, with one call: some sixty rows, of which some go to disk.
constexpr std::size_t bite_bytes = 16UL * 1024;

}  // namespace

Row* People::make_row(ProfileId id, std::string_view bytes) {
  Row* const row = heap_.take(id, bytes.size());
  std::memcpy(static_cast<void*>(row + 1), bytes.data(), bytes.size());
  return row;
}

void People::free_row(Row* row) {
  (row->away != 0 ? heads_ : heap_).give_back(row);
}

std::uint64_t People::place_of(const Row& row) const {
  std::uint64_t place = 0;
  std::memcpy(&place, static_cast<const void*>(&row + 1), sizeof place);
  return place;
}

// A row that cannot be read back ends the process: the next start has it from checkpoint and journal.
std::string_view People::bytes_of(const Row& row, std::string& scratch) const {
  if (row.away == 0) return {reinterpret_cast<const char*>(&row + 1), row.size};
  const Status read = cold_->read(place_of(row), scratch);
  SLUICE_CHECK(read && scratch.size() == row.size);
  return scratch;
}

void People::replace_bytes(Row& row, std::string_view bytes) {
  if (row.away == 0 && RowHeap::block_of(bytes.size()) == RowHeap::block_of(row.size)) {
    SLUICE_CHECK(bytes.size() <= Row::size_max);
    row.set_size(bytes.size());
    std::memcpy(static_cast<void*>(&row + 1), bytes.data(), bytes.size());
    return;
  }
  if (row.away != 0) cold_->drop(place_of(row), row.size);
  Row* const made = make_row(row.id, bytes);
  *made = row;
  made->set_size(bytes.size());
  made->away = 0;
  keep_row(made);
  free_row(&row);
}

Profile& People::unpacked(Row& row) {
  if (row.place == Row::nowhere) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(pool_.size()));
      pool_.emplace_back();
    }
    row.place = free_.back();
    free_.pop_back();
    Profile& profile = pool_[row.place].profile;
    SLUICE_CHECK(Profile::unpack(bytes_of(row, profile.lent), numbers, profile));
    profile.id = row.id;
    profile.row = &row;
    pool_[row.place].touched = false;
  }
  pool_[row.place].wanted = true;
  return pool_[row.place].profile;
}

Profile& People::add(ProfileId id) {
  scratch_.clear();
  Profile nobody_yet;
  nobody_yet.pack(scratch_, numbers);
  SLUICE_CHECK(!contains(id));
  Row* const row = make_row(id, scratch_);
  keep_row(row);
  if (id > ahead_.after && id <= ahead_.to)
    ahead_.ids.insert(std::lower_bound(ahead_.ids.begin(), ahead_.ids.end(), id), id);
  if (ahead_.ids.size() > 2 * ids_ahead) ahead_ = {};
  Profile& made = unpacked(*row);
  touch(*row);
  return made;
}

void People::remove(ProfileId id) {
  Row* const row = this->row(id);
  if (row == nullptr) return;
  if (row->place != Row::nowhere) {
    pool_[row->place].profile.row = nullptr;
    free_.push_back(row->place);
  }
  rows_.erase(id);
  const auto ahead = std::lower_bound(ahead_.ids.begin(), ahead_.ids.end(), id);
  if (ahead != ahead_.ids.end() && *ahead == id) ahead_.ids.erase(ahead);
  if (row->away != 0) cold_->drop(place_of(*row), row->size);
  free_row(row);
}

void People::pack(Row& row) {
  Place& place = pool_[row.place];
  free_.push_back(row.place);
  row.place = Row::nowhere;
  place.profile.row = nullptr;
  row.wanted = 1;
  if (!place.touched) return;
  row.refused = place.profile.has_refused() ? 1 : 0;
  scratch_.clear();
  place.profile.pack(scratch_, numbers);
  replace_bytes(row, scratch_);
}

void People::pack_away(Row& row) {
  if (row.place != Row::nowhere) pack(row);
}

// Asks for the memory of those who are likely to leave next, which has lain untouched for long: of the
// nearest what stands furthest from the place.
void People::bring_near_leaving() const {
  const auto ahead = [&](std::size_t places) -> const Place& {
    const std::size_t at = hand_ + places;
    return pool_[at < pool_.size() ? at : at - pool_.size()];
  };
  const auto leaves = [](const Place& place) { return !place.wanted && place.profile.row != nullptr; };
  if (pool_.size() < 16) return;
  const Place& far = ahead(6);
  bring_near(&far, sizeof far);
  if (const Place& next = ahead(3); leaves(next)) next.profile.bring_near();
  if (const Place& next = ahead(1); leaves(next)) next.profile.bring_series_near();
}

void People::let_go(std::size_t most) {
  while (pool_.size() - free_.size() > most) {
    hand_ = hand_ + 1 < pool_.size() ? hand_ + 1 : 0;
    bring_near_leaving();
    Place& place = pool_[hand_];
    if (place.profile.row == nullptr) continue;
    if (std::exchange(place.wanted, false)) continue;
    pack(*place.profile.row);
  }
}

const Profile& People::read(const Row& row, Profile& out) const {
  if (const Profile* const there = in_pool(row)) return *there;
  SLUICE_CHECK(Profile::unpack(bytes_of(row, out.lent), numbers, out));
  out.id = row.id;
  return out;
}

const Profile& People::index(const Row& row, Profile& out) const {
  if (const Profile* const there = in_pool(row)) return *there;
  std::string scratch;
  SLUICE_CHECK(Profile::unpack_index(bytes_of(row, scratch), numbers, out));
  return out;
}

std::string_view People::packed(const Row& row, std::string& scratch) {
  if (row.place == Row::nowhere || !pool_[row.place].touched) return bytes_of(row, scratch);
  scratch.clear();
  pool_[row.place].profile.pack(scratch, numbers);
  return scratch;
}

Row& People::put(ProfileId id, std::string_view bytes) {
  ahead_ = {};
  Row* const before = row(id);
  if (before != nullptr && before->away != 0) cold_->drop(place_of(*before), before->size);
  if (before != nullptr) free_row(before);
  Row* const made = make_row(id, bytes);
  keep_row(made);
  return *made;
}

std::vector<ProfileId> People::ids_after(ProfileId after, ProfileId last, std::size_t most) {
  std::vector<ProfileId> ids;
  while (after < last && ids.size() < most) {
    if (after < ahead_.after || after >= ahead_.to) look_ahead(after);
    const auto from = std::upper_bound(ahead_.ids.begin(), ahead_.ids.end(), after);
    const auto to = std::upper_bound(from, ahead_.ids.end(), last);
    const auto wanted = static_cast<std::ptrdiff_t>(std::min<std::size_t>(most - ids.size(), SIZE_MAX / 2));
    ids.insert(ids.end(), from, to - from > wanted ? from + wanted : to);
    after = ahead_.to;
  }
  if (ids.size() < most && last == UINT64_MAX) ahead_ = {};  // there is nobody behind them
  return ids;
}

// Ids are as good as random: of a range so wide as few as are wanted are expected, whatever they are.
void People::look_ahead(ProfileId after) {
  const std::uint64_t width = UINT64_MAX / (rows_.size() + 1) * ids_ahead;
  const bool all = rows_.size() < ids_ahead || UINT64_MAX - after <= width;
  ahead_.after = after;
  ahead_.to = all ? UINT64_MAX : after + width;
  ahead_.ids.clear();
  rows_.each_key([&](ProfileId id) {
    if (id > after && id <= ahead_.to) ahead_.ids.push_back(id);
  });
  std::sort(ahead_.ids.begin(), ahead_.ids.end());
}

bool People::look_through(const std::function<void(const Profile&, Row&)>& each) {
  Profile person;
  const auto look = [&](Row* row) {
    if (row->plain != 0) {
      if (!Profile::decode(bytes_of(*row, cold_scratch_), person)) return false;
      row->plain = 0;
      row->refused = person.has_refused() ? 1 : 0;
      scratch_.clear();
      person.pack(scratch_, numbers);
      const ProfileId id = row->id;
      replace_bytes(*row, scratch_);
      row = this->row(id);
    }
    if (!Profile::unpack_index(bytes_of(*row, cold_scratch_), numbers, person)) return false;
    person.id = row->id;
    each(person, *row);
    return true;
  };
  bool good = true;
  std::array<Row*, 8> near{};  // rows that are fetched while others are looked at
  std::size_t seen = 0;
  each_row([&](Row& row) {
    bring_near(&row, index_bytes);
    Row* const before = std::exchange(near.at(seen++ % near.size()), &row);
    good = good && (before == nullptr || look(before));
  });
  for (std::size_t i = 0; i < near.size(); ++i, ++seen) {
    Row* const left = near.at(seen % near.size());
    good = good && (left == nullptr || look(left));
  }
  return good;
}

void People::keep_within(std::unique_ptr<ColdRows> cold, std::uint64_t bytes) {
  SLUICE_CHECK(cold_ == nullptr);
  cold_ = std::move(cold);
  memory_max_ = bytes;
  constexpr std::uint64_t unpacked_bytes = 4'096;  // about what one takes in the pool
  pool_max_ = std::clamp<std::uint64_t>(bytes / 8 / unpacked_bytes, 4, pool_people_max);
}

// Beyond the bound the oldest segment is emptied, as in the clock algorithm: who was not wanted since the
// hand came by last goes to disk, others to the newest segment. Where much lies free between rows the
// emptiest is, and all go to the newest. A disk that is full leaves them here: memory is then what it takes,
// and the next call tries again.
void People::move_some(std::uint64_t others) {
  // What the other tables leave; at least an eighth, or each row would come and go with each input.
  const std::uint64_t most =
      cold_ == nullptr ? UINT64_MAX : std::max(memory_max_ - std::min(memory_max_, others), memory_max_ / 8);
  const std::uint64_t twice_around = 2 * heap_.bytes() + bite_bytes;
  const auto go_on = [&](std::uint64_t moved) {
    return moved < bite_bytes || (memory() > most + most / 16 && moved < twice_around);
  };
  for (std::uint64_t moved = 0; go_on(moved);) {
    if (!heap_.emptying()) {
      putting_away_ = memory() > most;
      if (putting_away_)
        heap_.empty_oldest();
      else if (too_many_holes())
        heap_.empty_emptiest();
      if (!heap_.emptying()) break;
    }
    Row* const row = heap_.next_to_move();
    if (row == nullptr) continue;
    moved += RowHeap::block_of(row->size);
    if (!move(row)) break;
  }
  if (cold_ != nullptr) tidy();
}

// False: the disk is full.
bool People::move(Row* row) {
  if (row->place != Row::nowhere) {  // who is unpacked borrows from the bytes
    const ProfileId id = row->id;
    pack(*row);
    if (this->row(id) != row) return true;  // they have grown, and lie elsewhere by now
  }
  if (putting_away_ && row->wanted == 0) return put_away(row);
  Row* const made = make_row(row->id, {reinterpret_cast<const char*>(row + 1), row->size});
  *made = *row;
  if (putting_away_) made->wanted = 0;
  keep_row(made);
  free_row(row);
  return true;
}

bool People::put_away(Row* row) {
  const auto place = cold_->put(row->id, bytes_of(*row, cold_scratch_));
  if (!place) return false;
  Row* const head = heads_.take(row->id, sizeof(std::uint64_t));
  *head = *row;
  head->away = 1;
  std::memcpy(static_cast<void*>(head + 1), &place.value(), sizeof(std::uint64_t));
  keep_row(head);
  free_row(row);
  return true;
}

// Rows that are read again, or go, leave holes on disk.
void People::tidy() {
  const Status done = cold_->tidy([&](ProfileId id, std::uint64_t place, std::string_view bytes) -> Status {
    Row* const found = row(id);
    if (found == nullptr || found->away == 0 || place_of(*found) != place) return Done{};
    const std::uint64_t now = SLUICE_TRY(cold_->put(id, bytes));
    std::memcpy(static_cast<void*>(found + 1), &now, sizeof now);
    cold_->drop(place, bytes.size());
    return Done{};
  });
  (void)done;  // a full disk: what is there stays where it is, and the next call tries again
}

std::vector<ProfileId> People::ids() const {
  std::vector<ProfileId> ids;
  ids.reserve(rows_.size());
  rows_.each_key([&](ProfileId id) { ids.push_back(id); });
  return ids;
}

}  // namespace sluice::state
