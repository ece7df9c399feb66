// Everybody, packed: one row of bytes a person. The step works on plain Profiles: whoever it asks for is
// unpacked into a pool of recycled ones and stays there for a while; whoever leaves is packed again if
// touched. The pool is a cache: which people are in it changes no result. One thread owns it (the step's);
// while that rests, others may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "base/time.hpp"
#include "state/cold_rows.hpp"
#include "state/flat_map.hpp"
#include "state/numbers.hpp"
#include "state/profile.hpp"

namespace sluice::state {

// Beyond so many unpacked people rest() lets go of some. Some 20 MB; more would not stay in the caches.
inline constexpr std::size_t pool_people_max = 4'096;

// A person at rest. The packed bytes stand behind it, in the same piece of memory.
struct Row {
  static constexpr std::uint32_t nowhere = UINT32_MAX;

  TimeUs due = never;             // the earliest timer that is set
  TimeUs queued = never;          // where it stands in the queue of timers: at or before `due`
  std::uint32_t changed_in = 0;   // checkpoint generation of the last change
  std::uint32_t written_in = 0;   // checkpoint generation that has the row
  std::uint32_t place = nowhere;  // in the pool
  std::uint32_t size : 28;        // of the packed bytes
  std::uint32_t refused : 1;      // some purpose: as of when it was packed
  std::uint32_t plain : 1;        // its bytes are of the plain spelling: restored and not yet packed
  std::uint32_t away : 1;         // its bytes are among the ColdRows; their place stands here instead
  std::uint32_t wanted : 1;       // was unpacked since the hand of shed() came by

  static constexpr std::uint32_t size_max = (1U << 28U) - 1;
  void set_size(std::size_t bytes) { size = static_cast<std::uint32_t>(bytes) & size_max; }
};

class People {
 public:
  People() = default;
  ~People();
  People(const People&) = delete;
  People& operator=(const People&) = delete;

  std::size_t size() const { return rows_.size(); }
  bool contains(ProfileId id) const { return rows_.contains(id); }
  Row* row(ProfileId id) const {  // null: nobody. Until the person's next packing
    const auto at = rows_.find(id);
    return at == rows_.end() ? nullptr : at->second;
  }
  // [step] The person unpacked: until rest(), remove() or pack_away().
  Profile& unpacked(ProfileId id, Row& row);
  Profile& add(ProfileId id);                                      // a new one, touched
  void touch(const Row& row) { pool_[row.place].touched = true; }  // who is unpacked is going to change
  void remove(ProfileId id);
  // [step] Between inputs: lets go of people until `most` are unpacked.
  void rest() { rest(pool_max_); }
  void rest(std::size_t most) {
    if (pool_.size() - free_.size() > most) let_go(most);
  }
  // [main] From now on rows beyond `bytes` of memory go to `cold`, those first that nobody has wanted for
  // longest; the pool takes an eighth of it at most.
  void keep_within(std::unique_ptr<ColdRows> cold, std::uint64_t bytes);
  // [step] Between inputs: holds to it. `others` is what must be taken from it for other tables.
  void shed(std::uint64_t others) {
    if (cold_ != nullptr && memory_ + others > memory_max_) put_away_some(others);
  }
  std::uint64_t memory() const { return memory_; }  // of rows
  std::uint64_t cold_bytes() const { return cold_ == nullptr ? 0 : cold_->bytes(); }
  // [step] Reads who is away into the pool: before the inputs that are about them.
  void fetch(ProfileId id, Row& row) {
    if (row.away != 0) (void)unpacked(id, row);
  }
  // [step] Lets go of this one, who was not unpacked before somebody looked.
  void pack_away(ProfileId id, Row& row);

  // [any, while the step rests] Who is in the pool, as they are there; null: they are not.
  const Profile* in_pool(const Row& row) const {
    return row.place == Row::nowhere ? nullptr : &pool_[row.place].profile;
  }
  // [any, while the step rests] Unpacks into `out`, whose memory is used again, whoever is not in the pool.
  const Profile& read(ProfileId id, const Row& row, Profile& out) const;
  // Likewise, but only as far as Profile::unpack_index() goes.
  const Profile& index(const Row& row, Profile& out) const;
  // [step] The packed bytes as they would be now; `scratch` may hold them.
  std::string_view packed(const Row& row, std::string& scratch);

  void expect(std::uint64_t people) { rows_.reserve(people); }
  // Restoring: puts a row in place of what was there. Its bytes are not looked at until look_through().
  Row& put(ProfileId id, std::string_view bytes);
  // Packs rows that came in the plain spelling; then gives everybody as far as Profile::unpack_index() goes.
  // False: a row cannot be read.
  bool look_through(const std::function<void(const Profile&, Row&)>& each);

  std::vector<ProfileId> ids() const;  // in no order
  // [step] The first so many ids behind `after`, up to `last`, in their order. Who goes through everybody
  // part by part has all ids looked at once for some thirty thousand of them.
  std::vector<ProfileId> ids_after(ProfileId after, ProfileId last, std::size_t most);
  const FlatMap<Row*>& rows() const { return rows_; }
  Numbers numbers;

 private:
  struct Place {
    Profile profile;
    bool touched = false;  // since it was unpacked
    bool wanted = false;   // since the hand came by
  };
  Row* make_row(std::string_view bytes);
  void free_row(Row* row);
  std::string_view bytes_of(const Row& row, std::string& scratch) const;
  std::uint64_t place_of(const Row& row) const;  // where it is away
  Row* moved(const Row& row, std::string_view bytes);
  void put_away_some(std::uint64_t others);
  bool put_away(Row*& row, ProfileId id);
  void tidy();
  void look_ahead(ProfileId after);
  void replace_bytes(ProfileId id, Row& row, std::string_view bytes);
  void let_go(std::size_t most);
  void bring_near_leaving() const;
  void pack(ProfileId id, Row& row);  // the place is free after it

  FlatMap<Row*> rows_;
  struct {
    ProfileId after = nobody, to = nobody;
    std::vector<ProfileId> ids;  // everybody with an id in (after, to], in their order
  } ahead_;
  std::deque<Place> pool_;
  std::vector<std::uint32_t> free_;  // places of the pool
  std::size_t pool_max_ = pool_people_max;
  std::size_t hand_ = 0;  // goes around the pool, as in the clock algorithm
  std::string scratch_, cold_scratch_;
  std::uint64_t memory_ = 0, memory_max_ = 0;  // of rows
  std::unique_ptr<ColdRows> cold_;             // null: no bound
  ProfileId cold_hand_ = nobody;               // goes around the rows, as in the clock algorithm
};

}  // namespace sluice::state
