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
#include "state/dense_map.hpp"
#include "state/numbers.hpp"
#include "state/profile.hpp"
#include "state/row_heap.hpp"

namespace sluice::state {

// Beyond so many unpacked people rest() lets go of some. Some 20 MB; more would not stay in the caches.
inline constexpr std::size_t pool_people_max = 4'096;

class People {
 public:
  std::size_t size() const { return rows_.size(); }
  bool contains(ProfileId id) const { return rows_.find(id) != nullptr; }
  Row* row(ProfileId id) const {  // null: nobody. Until the person's next packing, or shed()
    const std::uint64_t* const at = rows_.find(id);
    return at == nullptr ? nullptr : row_of(*at);
  }
  // Asks for the memory that row() looks at.
  void bring_row_near(ProfileId id) const { rows_.bring_near(id); }
  // [step] The person unpacked: until rest(), remove() or pack_away().
  Profile& unpacked(Row& row);
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
  // [step] Between inputs: holds to it, and to few holes between the rows; in either case a bite at a time,
  // so that the next input does not wait long. `others` is what must be taken from the bound for other
  // tables.
  void shed(std::uint64_t others) {
    if (heap_.emptying() || memory() + others > memory_max_ || too_many_holes()) move_some(others);
  }
  std::uint64_t memory() const { return heap_.bytes() + heads_.bytes(); }  // of rows
  std::uint64_t table_bytes() const { return rows_.bytes(); }              // by which they are found
  std::uint64_t cold_bytes() const { return cold_ == nullptr ? 0 : cold_->bytes(); }
  // [step] Reads who is away into the pool: before the inputs that are about them.
  void fetch(Row& row) {
    if (row.away != 0) (void)unpacked(row);
  }
  // [step] Lets go of this one, who was not unpacked before somebody looked.
  void pack_away(Row& row);

  // [any, while the step rests] Who is in the pool, as they are there; null: they are not.
  const Profile* in_pool(const Row& row) const {
    return row.place == Row::nowhere ? nullptr : &pool_[row.place].profile;
  }
  // [any, while the step rests] Unpacks into `out`, whose memory is used again, whoever is not in the pool.
  const Profile& read(const Row& row, Profile& out) const;
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
  template <typename F>
  void each_row(F each) const {  // in no order
    rows_.each([&](std::uint64_t at) { each(*row_of(at)); });
  }
  Numbers numbers;

 private:
  struct Place {
    Profile profile;
    bool touched = false;  // since it was unpacked
    bool wanted = false;   // since the hand came by
  };
  static Row* row_of(std::uint64_t at) { return reinterpret_cast<Row*>(at); }
  Row* make_row(ProfileId id, std::string_view bytes);
  void free_row(Row* row);
  void keep_row(Row* row) { rows_.set(row->id, reinterpret_cast<std::uint64_t>(row)); }
  std::string_view bytes_of(const Row& row, std::string& scratch) const;
  std::uint64_t place_of(const Row& row) const;  // where it is away
  // Holes between rows: what they take is not given out again while rows of other sizes come.
  bool too_many_holes() const {
    return heap_.holes() > 2 * RowHeap::segment_bytes && heap_.holes() > heap_.bytes() / 4;
  }
  void move_some(std::uint64_t others);
  bool move(Row* row);
  bool put_away(Row* row);
  void tidy();
  void look_ahead(ProfileId after);
  void replace_bytes(Row& row, std::string_view bytes);
  void let_go(std::size_t most);
  void bring_near_leaving() const;
  void pack(Row& row);  // the place is free after it

  RowHeap heap_, heads_;  // rows with their bytes, and those of who is away
  DenseMap rows_;         // to rows, as numbers
  struct {
    ProfileId after = nobody, to = nobody;
    std::vector<ProfileId> ids;  // everybody with an id in (after, to], in their order
  } ahead_;
  std::deque<Place> pool_;
  std::vector<std::uint32_t> free_;  // places of the pool
  std::size_t pool_max_ = pool_people_max;
  std::size_t hand_ = 0;  // goes around the pool, as in the clock algorithm
  std::string scratch_, cold_scratch_;
  std::uint64_t memory_max_ = UINT64_MAX;
  std::unique_ptr<ColdRows> cold_;  // null: no bound
  bool putting_away_ = false;       // who lies in the segment that is being emptied and is not wanted
};

}  // namespace sluice::state
