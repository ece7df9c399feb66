#include "state/people.hpp"

#include <cstring>
#include <new>

namespace sluice::state {

namespace {

// As malloc rounds: rows whose bytes grow within it stay where they are.
constexpr std::size_t rounded(std::size_t bytes) {
  return ((sizeof(Row) + bytes + 8 + 15) / 16) * 16 - 8;
}

}  // namespace

Row* People::make_row(std::string_view bytes) {
  SLUICE_CHECK(bytes.size() <= Row::size_max);
  Row* const row = new (::operator new(rounded(bytes.size()))) Row;
  row->set_size(bytes.size());
  row->hashed = row->refused = row->plain = 0;
  std::memcpy(static_cast<void*>(row + 1), bytes.data(), bytes.size());
  return row;
}

void People::free_row(Row* row) {
  row->~Row();
  ::operator delete(row);
}

People::~People() {
  for (const auto& [id, row] : rows_) free_row(row);
}

void People::replace_bytes(ProfileId id, Row& row, std::string_view bytes) {
  if (rounded(bytes.size()) == rounded(row.size)) {
    row.set_size(bytes.size());
    std::memcpy(static_cast<void*>(&row + 1), bytes.data(), bytes.size());
    return;
  }
  Row* const moved = make_row(bytes);
  const std::uint32_t size = moved->size;
  *moved = row;
  moved->set_size(size);
  rows_.find(id)->second = moved;
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
    SLUICE_CHECK(Profile::unpack(row.bytes(), numbers, profile));
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
  free_row(row);
}

void People::pack(ProfileId id, Row& row) {
  Place& place = pool_[row.place];
  free_.push_back(row.place);
  row.place = Row::nowhere;
  place.profile.row = nullptr;
  if (!place.touched) return;
  row.refused = place.profile.has_refused() ? 1 : 0;
  scratch_.clear();
  place.profile.pack(scratch_, numbers);
  replace_bytes(id, row, scratch_);
}

void People::pack_away(ProfileId id, Row& row) {
  if (row.place != Row::nowhere) pack(id, row);
}

void People::let_go(std::size_t most) {
  while (pool_.size() - free_.size() > most) {
    hand_ = hand_ + 1 < pool_.size() ? hand_ + 1 : 0;
    Place& place = pool_[hand_];
    if (place.profile.row == nullptr) continue;
    if (std::exchange(place.wanted, false)) continue;
    pack(place.profile.id, *place.profile.row);
  }
}

const Profile& People::read(ProfileId id, const Row& row, Profile& out) const {
  if (const Profile* const there = in_pool(row)) return *there;
  SLUICE_CHECK(Profile::unpack(row.bytes(), numbers, out));
  out.id = id;
  return out;
}

const Profile& People::index(const Row& row, Profile& out) const {
  if (const Profile* const there = in_pool(row)) return *there;
  SLUICE_CHECK(Profile::unpack_index(row.bytes(), numbers, out));
  return out;
}

std::string_view People::packed(const Row& row, std::string& scratch) {
  if (row.place == Row::nowhere || !pool_[row.place].touched) return row.bytes();
  scratch.clear();
  pool_[row.place].profile.pack(scratch, numbers);
  return scratch;
}

Row& People::put(ProfileId id, std::string_view bytes) {
  Row*& row = rows_.try_emplace(id, nullptr).first->second;
  if (row != nullptr) free_row(row);
  row = make_row(bytes);
  return *row;
}

bool People::look_through(const std::function<void(const Profile&, Row&)>& each) {
  Profile person;
  for (auto& [id, row] : rows_) {
    if (row->plain != 0) {
      if (!Profile::decode(row->bytes(), person)) return false;
      row->plain = 0;
      row->refused = person.has_refused() ? 1 : 0;
      scratch_.clear();
      person.pack(scratch_, numbers);
      Row* const packed = make_row(scratch_);
      const std::uint32_t size = packed->size;
      *packed = *row;
      packed->set_size(size);
      free_row(row);
      row = packed;
    }
    if (!Profile::unpack_index(row->bytes(), numbers, person)) return false;
    person.id = id;
    each(person, *row);
  }
  return true;
}

std::vector<ProfileId> People::ids() const {
  std::vector<ProfileId> ids;
  ids.reserve(rows_.size());
  for (const auto& [id, row] : rows_) ids.push_back(id);
  return ids;
}

}  // namespace sluice::state
