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
#include "base/hash.hpp"
#include "base/time.hpp"
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
  Hash128 hash;                   // of the row as the state's hash counts it
  std::uint32_t changed_in = 0;   // checkpoint generation of the last change
  std::uint32_t written_in = 0;   // checkpoint generation that has the row
  std::uint32_t place = nowhere;  // in the pool
  std::uint32_t size : 29;        // of the packed bytes
  std::uint32_t hashed : 1;       // `hash` is of the row as it is
  std::uint32_t refused : 1;      // some purpose: as of when it was packed
  std::uint32_t plain : 1;        // its bytes are of the plain spelling: restored and not yet packed

  static constexpr std::uint32_t size_max = (1U << 29U) - 1;
  void set_size(std::size_t bytes) { size = static_cast<std::uint32_t>(bytes) & size_max; }
  std::string_view bytes() const { return {reinterpret_cast<const char*>(this + 1), size}; }
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
  void rest(std::size_t most = pool_people_max) {
    if (pool_.size() - free_.size() > most) let_go(most);
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
  // [any, while the step rests] The packed bytes as they would be now; `scratch` may hold them. [step] where
  // the person is touched: they may need new numbers.
  std::string_view packed(const Row& row, std::string& scratch);

  // Restoring: puts a row in place of what was there. Its bytes are not looked at until look_through().
  Row& put(ProfileId id, std::string_view bytes);
  // Packs rows that came in the plain spelling; then gives everybody as far as Profile::unpack_index() goes.
  // False: a row cannot be read.
  bool look_through(const std::function<void(const Profile&, Row&)>& each);

  std::vector<ProfileId> ids() const;  // in no order
  const FlatMap<Row*>& rows() const { return rows_; }
  Numbers numbers;

 private:
  struct Place {
    Profile profile;
    bool touched = false;  // since it was unpacked
    bool wanted = false;   // since the hand came by
  };
  static Row* make_row(std::string_view bytes);
  static void free_row(Row* row);
  void replace_bytes(ProfileId id, Row& row, std::string_view bytes);
  void let_go(std::size_t most);
  void pack(ProfileId id, Row& row);  // the place is free after it

  FlatMap<Row*> rows_;
  std::deque<Place> pool_;
  std::vector<std::uint32_t> free_;  // places of the pool
  std::size_t hand_ = 0;             // goes around the pool, as in the clock algorithm
  std::string scratch_;
};

}  // namespace sluice::state
