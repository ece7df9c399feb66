// The gate: what may not leave, asked again just before each send. Consent withdrawn, suppression and erasure
// are written by the step's thread; lanes read. Only denials are stored, so that the usual person costs
// nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/effect.hpp"

namespace sluice::deliver {

class Gate {  // [any]; no call blocks for longer than a look-up in a hash map
 public:
  // A record of `person` with this purpose may not leave until allow(). The purpose "" means every purpose.
  void deny(ProfileId person, std::string_view purpose);
  void allow(ProfileId person, std::string_view purpose);
  // Nothing of this person leaves again, whatever allow() says: suppressed or erased. Erasure's own records
  // (op erase and delete) still pass, for they are what tells the destination.
  void forget(ProfileId person);
  // `loser` is `winner` from now on: denials of either hold for both, and lanes keep one order for the two.
  void merge(ProfileId loser, ProfileId winner);

  // The merge is taken back: `loser` is asked for by themselves again, with the denials that the two had.
  // Lanes keep one order for the two while the hub runs: what was made for one of them still stands in it.
  void split(ProfileId loser);

  bool allows(ProfileId person, std::string_view purpose) const;
  bool allows(const Effect& effect) const;  // knows which operations an erasure lets through

  // The person that `person` has become: itself, or the winner of its merges.
  ProfileId winner_of(ProfileId person) const;
  // Whose records stand in one order with theirs, by one id for all of them.
  ProfileId line_of(ProfileId person) const;
  // Merges in the order in which they came, from number `from` on; lanes follow along. Appended to `out`.
  struct Merge {
    ProfileId loser, winner;
    ProfileId old_line, line;  // the same where they stood in one order already
  };
  void merges_since(std::uint64_t from, std::vector<Merge>& out) const;
  std::uint64_t merge_count() const { return merge_count_.load(std::memory_order_acquire); }

 private:
  struct Denied {
    bool forgotten = false;
    std::vector<std::string> purposes;
  };
  struct Shard {
    mutable std::shared_mutex mutex;  // guards the map
    std::atomic<std::size_t> people =
        0;  // in the map: where there are none, nobody has to wait for the mutex
    std::unordered_map<ProfileId, Denied> denied;
  };
  static constexpr std::size_t shard_count = 64;
  bool denies(ProfileId id, std::string_view purpose) const;
  Shard& shard(ProfileId person) { return shards_[person % shard_count]; }
  const Shard& shard(ProfileId person) const { return shards_[person % shard_count]; }

  std::array<Shard, shard_count> shards_;
  mutable std::shared_mutex merge_mutex_;  // guards winner_, line_ and merges_
  std::unordered_map<ProfileId, ProfileId> winner_, line_;
  std::vector<Merge> merges_;
  std::atomic<std::uint64_t> merge_count_{0};
};

}  // namespace sluice::deliver
