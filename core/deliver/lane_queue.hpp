// What a lane has in memory, in the order that matters: each person's records one after the other. Ready
// people stand in a line; a person with a record in flight, or waiting for a retry, stands outside it and
// holds back nobody else. No thread, no clock, no I/O: the lane brings them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"
#include "model/effect.hpp"

namespace sluice::deliver {

struct Kept;

struct Item {  // one record without an outcome
  Effect effect;
  std::uint64_t frame = 0;      // of the lane's log: where it stands, or the first in which it may ever stand
  std::uint64_t offer = 0;      // counts those that came to memory at once; 0: read from the log
  std::uint64_t order = 0;      // its person; of nobody: its own
  std::uint64_t supersede = 0;  // hash of person and supersede text; 0: none
  std::uint32_t bytes = 0;      // encoded
  std::uint32_t attempts = 0;   // sends so far
  std::uint32_t tries = 0;      // failures since whose last one others were taken
  TimeUs offered = 0;           // wall clock: its age counts from here
  // Governor::successes() at its first and at its latest failure, and 1; 0: none yet.
  std::uint64_t failed_after = 0, failed_again_after = 0;
  bool unknown = false;                        // a crash came between its intent and its outcome
  bool intent = false;                         // the log says that it is on its way
  std::shared_ptr<const Kept> kept = nullptr;  // what goes on with it; null: it is planned
  Item* next = nullptr;                        // of the same person
  bool unwritten = false;                      // in memory alone: see unwritten.hpp, whose are all three
  Item *older = nullptr, *newer = nullptr;
};

class LaneQueue {  // one thread at a time
 public:
  ~LaneQueue();
  LaneQueue() = default;
  LaneQueue(const LaneQueue&) = delete;
  LaneQueue& operator=(const LaneQueue&) = delete;

  // Records come in the order of their keys; `person` is whose line it is, effect.person after merges.
  void push(std::unique_ptr<Item> item, ProfileId person);
  // `loser` has become `winner`: their records are one line from now on, by key.
  void join(ProfileId loser, ProfileId winner);

  // The next record that may go out, which is in flight from then on; null: none. `batch` numbers the batch
  // being formed: in one batch a person's records may follow each other, unless `one_per_person`.
  Item* next(std::uint64_t batch, bool one_per_person);
  const Item* peek(std::uint64_t batch, bool one_per_person) const;  // what next() would give
  // Not sent after all: in flight no more, first of its person again; its person stands first or last in the
  // line.
  void put_back(Item* item, bool front = true);
  // Its outcome is known: forgets it. Returns it, for its texts.
  std::unique_ptr<Item> finish(Item* item);
  // It is to be sent again, not before `due`; its person waits with it.
  void retry(Item* item, DurationUs due);
  // Whether earlier records of this person wait, for a retry or again: what is planned and unsent must stay
  // behind them.
  bool held_back(const Item& item) const;
  // Lets those go whose time has come; returns the next time at which it has to be called, or `never`.
  DurationUs wake(DurationUs now);
  DurationUs next_due() const { return due_.empty() ? never : due_.top().at; }

  bool superseded(const Item& item) const;  // a later record says the same and more
  bool empty() const { return count_ == 0; }
  bool ready() const { return ready_head_ != nullptr; }
  std::uint64_t ready_records() const { return ready_records_; }  // of people who may send
  std::uint64_t ready_bytes() const { return ready_bytes_; }
  std::uint64_t count() const { return count_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t blocked_people() const { return blocked_; }
  // Of the lowest frame with an unfinished record: the frame's number and its first key. False: there is
  // none.
  bool lowest(std::uint64_t& frame, EffectKey& key) const;
  TimeUs oldest() const { return frames_.empty() ? 0 : frames_.begin()->second.offered; }

 private:
  struct Person {
    std::uint64_t order = 0;
    Item* head = nullptr;
    Item* tail = nullptr;
    std::uint64_t records = 0, bytes = 0;  // in the line of this person
    std::uint32_t flying = 0;
    std::uint64_t batch = 0;  // of those in flight
    DurationUs due = 0;       // of a retry; 0: none
    DurationUs queued = 0;    // the latest `due` that due_ has
    bool blocked = false, ready = false;
    Person* before = nullptr;  // in the line of ready people
    Person* after = nullptr;
  };
  using Place = std::pair<std::uint64_t, std::uint64_t>;  // frame and offer
  struct Frame {
    EffectKey first;
    TimeUs offered = 0;
    std::uint32_t unfinished = 0;
  };
  struct Due {
    DurationUs at;
    std::uint64_t order;
    bool operator<(const Due& other) const { return at > other.at; }  // the earliest on top
  };

  void enter(Person& person, bool front);
  void leave(Person& person);
  void settle(Person& person, bool front);  // after a change: ready, blocked, or forgotten
  void insert_by_key(Person& person, Item* item);
  void land(Person& person, bool front);
  Person& person_of(const Item& item);
  Person& line_of(
      Item* item);  // where it waits: its person's, or the winner's of a merge that came while it flew
  Item* choose(std::uint64_t batch, bool one_per_person, Person** person) const;

  std::unordered_map<std::uint64_t, Person> people_;
  Person* ready_head_ = nullptr;
  Person* ready_tail_ = nullptr;
  Person* current_ = nullptr;  // whose records next() took last: they may follow each other in a batch
  // A loser with records in flight, and the winner, who waits for them: one of his `flying` stands for all of
  // them.
  std::unordered_map<std::uint64_t, std::uint64_t> heirs_;
  std::priority_queue<Due> due_;
  std::unordered_map<std::uint64_t, const Item*> latest_;  // by supersede
  std::map<Place, Frame> frames_;                          // with unfinished records
  std::uint64_t count_ = 0, bytes_ = 0, blocked_ = 0, ready_records_ = 0, ready_bytes_ = 0;
};

}  // namespace sluice::deliver
