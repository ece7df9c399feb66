#include "state/people.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/near.hpp"

namespace sluice::state {

namespace {

constexpr std::size_t ids_ahead = 32'768;
constexpr std::size_t index_bytes = 256;  // of a row: head, memberships and identifiers of most

// As malloc rounds: rows whose bytes grow within it stay where they are.
constexpr std::size_t rounded(std::size_t bytes) {
  return ((sizeof(Row) + bytes + 8 + 15) / 16) * 16 - 8;
}

}  // namespace

Row* People::make_row(std::string_view bytes) {
  SLUICE_CHECK(bytes.size() <= Row::size_max);
  Row* const row = new (::operator new(rounded(bytes.size()))) Row;
  memory_ += rounded(bytes.size());
  row->set_size(bytes.size());
  row->refused = row->plain = row->away = row->wanted = 0;
  std::memcpy(static_cast<void*>(row + 1), bytes.data(), bytes.size());
  return row;
}

void People::free_row(Row* row) {
  memory_ -= rounded(row->away != 0 ? sizeof(std::uint64_t) : row->size);
  row->~Row();
  ::operator delete(row);
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

// Another row with the same head, and these bytes behind it.
Row* People::moved(const Row& row, std::string_view bytes) {
  Row* const made = make_row(bytes);
  *made = row;
  made->set_size(bytes.size());
  made->away = 0;
  return made;
}

People::~People() {
  for (const auto& [id, row] : rows_) free_row(row);
}

void People::replace_bytes(ProfileId id, Row& row, std::string_view bytes) {
  if (row.away == 0 && rounded(bytes.size()) == rounded(row.size)) {
    SLUICE_CHECK(bytes.size() <= Row::size_max);
    row.set_size(bytes.size());
    std::memcpy(static_cast<void*>(&row + 1), bytes.data(), bytes.size());
    return;
  }
  if (row.away != 0) cold_->drop(place_of(row), row.size);
  rows_.find(id)->second = moved(row, bytes);
  free_row(&row);
}

Profile& People::unpacked(ProfileId id, Row& row) {
  if (row.place == Row::nowhere) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(pool_.size()));
      pool_.emplace_back();
    }
    row.place = free_.back();
    free_.pop_back();
    Profile& profile = pool_[row.place].profile;
    SLUICE_CHECK(Profile::unpack(bytes_of(row, profile.lent), numbers, profile));
    profile.id = id;
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
  Row* const row = make_row(scratch_);
  SLUICE_CHECK(rows_.emplace(id, row).second);
  if (id > ahead_.after && id <= ahead_.to)
    ahead_.ids.insert(std::lower_bound(ahead_.ids.begin(), ahead_.ids.end(), id), id);
  if (ahead_.ids.size() > 2 * ids_ahead) ahead_ = {};
  Profile& made = unpacked(id, *row);
  touch(*row);
  return made;
}

void People::remove(ProfileId id) {
  const auto at = rows_.find(id);
  if (at == rows_.end()) return;
  Row* const row = at->second;
  if (row->place != Row::nowhere) {
    pool_[row->place].profile.row = nullptr;
    free_.push_back(row->place);
  }
  rows_.erase(at);
  const auto ahead = std::lower_bound(ahead_.ids.begin(), ahead_.ids.end(), id);
  if (ahead != ahead_.ids.end() && *ahead == id) ahead_.ids.erase(ahead);
  if (row->away != 0) cold_->drop(place_of(*row), row->size);
  free_row(row);
}

void People::pack(ProfileId id, Row& row) {
  Place& place = pool_[row.place];
  free_.push_back(row.place);
  row.place = Row::nowhere;
  place.profile.row = nullptr;
  row.wanted = 1;
  if (!place.touched) return;
  row.refused = place.profile.has_refused() ? 1 : 0;
  scratch_.clear();
  place.profile.pack(scratch_, numbers);
  replace_bytes(id, row, scratch_);
}

void People::pack_away(ProfileId id, Row& row) {
  if (row.place != Row::nowhere) pack(id, row);
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
    pack(place.profile.id, *place.profile.row);
  }
}

const Profile& People::read(ProfileId id, const Row& row, Profile& out) const {
  if (const Profile* const there = in_pool(row)) return *there;
  SLUICE_CHECK(Profile::unpack(bytes_of(row, out.lent), numbers, out));
  out.id = id;
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
  Row*& row = rows_.try_emplace(id, nullptr).first->second;
  if (row != nullptr && row->away != 0) cold_->drop(place_of(*row), row->size);
  if (row != nullptr) free_row(row);
  row = make_row(bytes);
  return *row;
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
  for (const auto& [id, row] : rows_) {
    if (id > after && id <= ahead_.to) ahead_.ids.push_back(id);
  }
  std::sort(ahead_.ids.begin(), ahead_.ids.end());
}

bool People::look_through(const std::function<void(const Profile&, Row&)>& each) {
  Profile person;
  constexpr std::size_t near = 8;  // rows that are fetched while others are looked at
  auto ahead = rows_.begin();
  for (std::size_t i = 0; i < near && ahead != rows_.end(); ++i) ++ahead;
  for (auto& [id, row] : rows_) {
    if (ahead != rows_.end()) bring_near(ahead++->second, index_bytes);
    if (row->plain != 0) {
      if (!Profile::decode(bytes_of(*row, cold_scratch_), person)) return false;
      row->plain = 0;
      row->refused = person.has_refused() ? 1 : 0;
      scratch_.clear();
      person.pack(scratch_, numbers);
      replace_bytes(id, *row, scratch_);
    }
    if (!Profile::unpack_index(bytes_of(*row, cold_scratch_), numbers, person)) return false;
    person.id = id;
    each(person, *row);
  }
  return true;
}

void People::keep_within(std::unique_ptr<ColdRows> cold, std::uint64_t bytes) {
  SLUICE_CHECK(cold_ == nullptr);
  cold_ = std::move(cold);
  memory_max_ = bytes;
  constexpr std::uint64_t unpacked_bytes = 4'096;  // about what one takes in the pool
  pool_max_ = std::clamp<std::uint64_t>(bytes / 8 / unpacked_bytes, 4, pool_people_max);
}

// Goes around the rows until enough are away. A disk that is full leaves them here: memory is then what it
// takes, and the next call tries again.
void People::put_away_some(std::uint64_t others) {
  // What the other tables leave; at least an eighth, or each row would come and go with each input.
  const std::uint64_t most = std::max(memory_max_ - std::min(memory_max_, others), memory_max_ / 8);
  if (memory_ <= most) return;
  auto at = rows_.find(cold_hand_);
  for (std::size_t looked = 0; memory_ > most && looked < 2 * rows_.size(); ++looked) {
    if (at == rows_.end()) at = rows_.begin();
    Row*& row = at->second;
    const bool here = row->away == 0 && row->place == Row::nowhere;
    if (here && row->wanted == 0 && !put_away(row, at->first)) break;
    row->wanted = 0;
    ++at;
  }
  cold_hand_ = at == rows_.end() ? nobody : at->first;
  tidy();
}

bool People::put_away(Row*& row, ProfileId id) {
  const auto place = cold_->put(id, bytes_of(*row, cold_scratch_));
  if (!place) return false;
  std::string text(sizeof(std::uint64_t), '\0');
  std::memcpy(text.data(), &place.value(), sizeof(std::uint64_t));
  const std::uint32_t size = row->size;
  Row* const left = moved(*row, text);
  free_row(row);
  left->away = 1;
  left->set_size(size);
  row = left;
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
  for (const auto& [id, row] : rows_) ids.push_back(id);
  return ids;
}

}  // namespace sluice::state
