#include "deliver/lane_queue.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace sluice::deliver {

LaneQueue::~LaneQueue() {
  for (auto& [order, person] : people_) {
    while (person.head != nullptr) {
      const std::unique_ptr<Item> dead(std::exchange(person.head, person.head->next));
    }
  }
}

void LaneQueue::push(std::unique_ptr<Item> owned, ProfileId person_id) {
  Item* item = owned.release();
  const EffectKey key = item->effect.key;
  item->order = person_id != nobody ? person_id : hash64_pair(hash64_pair(key.seq, key.ordinal), ~0ULL);
  if (!item->effect.supersede.empty()) {
    // By the person that it was made for: who has become another has other identifiers over there.
    const std::uint64_t person = person_id != nobody ? item->effect.person : item->order;
    item->supersede = std::max<std::uint64_t>(1, hash64(item->effect.supersede, person));
    latest_[item->supersede] = item;
  }
  const Place place{item->frame, item->offer};
  const bool as_the_last = !frames_.empty() && frames_.rbegin()->first == place;
  Frame& frame = as_the_last ? frames_.rbegin()->second : frames_[place];
  if (frame.unfinished++ == 0) {
    frame.first = key;
    frame.offered = item->offered;
  }
  ++count_;
  bytes_ += item->bytes;
  Person& person = people_[item->order];
  person.order = item->order;
  item->next = nullptr;
  (person.tail != nullptr ? person.tail->next : person.head) = item;
  person.tail = item;
  ++person.records;
  person.bytes += item->bytes;
  if (person.ready) {
    ++ready_records_;
    ready_bytes_ += item->bytes;
  } else {
    settle(person, false);
  }
}

void LaneQueue::insert_by_key(Person& person, Item* item) {
  Item** at = &person.head;
  while (*at != nullptr && (*at)->effect.key < item->effect.key) at = &(*at)->next;
  item->next = *at;
  *at = item;
  if (item->next == nullptr) person.tail = item;
  ++person.records;
  person.bytes += item->bytes;
  if (person.ready) {
    ++ready_records_;
    ready_bytes_ += item->bytes;
  }
}

LaneQueue::Person& LaneQueue::person_of(const Item& item) {
  const auto found = people_.find(item.order);
  SLUICE_CHECK(found != people_.end());
  return found->second;
}

void LaneQueue::join(ProfileId loser, ProfileId winner) {
  const auto found = people_.find(loser);
  if (found == people_.end()) return;
  Person& person = people_[winner];
  person.order = winner;
  Person& old = found->second;
  if (old.ready) leave(old);
  // What is in flight still says the loser's name: it keeps a line of its own until it has landed, and the
  // winner waits.
  while (old.head != nullptr) {
    Item* item = std::exchange(old.head, old.head->next);
    item->order = winner;
    insert_by_key(person, item);
  }
  old.tail = nullptr;
  old.records = old.bytes = 0;
  person.due = std::max(person.due, old.due);
  if (old.blocked) --blocked_;
  const std::uint32_t flying = old.flying;
  if (flying == 0) {
    if (current_ == &old) current_ = nullptr;
    people_.erase(found);
  } else {
    old.blocked = false;
    old.due = 0;
    heirs_[loser] = winner;
    person.flying += 1;  // stands for all of the loser's; see land()
  }
  if (person.ready && (person.flying > 0 || person.due > 0)) leave(person);
  settle(person, true);
}

void LaneQueue::enter(Person& person, bool front) {
  person.ready = true;
  ready_records_ += person.records;
  ready_bytes_ += person.bytes;
  person.before = front ? nullptr : ready_tail_;
  person.after = front ? ready_head_ : nullptr;
  (person.before != nullptr ? person.before->after : ready_head_) = &person;
  (person.after != nullptr ? person.after->before : ready_tail_) = &person;
}

void LaneQueue::leave(Person& person) {
  person.ready = false;
  ready_records_ -= person.records;
  ready_bytes_ -= person.bytes;
  (person.before != nullptr ? person.before->after : ready_head_) = person.after;
  (person.after != nullptr ? person.after->before : ready_tail_) = person.before;
  person.before = person.after = nullptr;
}

void LaneQueue::settle(Person& person, bool front) {
  if (person.ready || person.flying > 0) return;
  if (person.due > 0) {
    if (!person.blocked) {
      person.blocked = true;
      ++blocked_;
    }
    if (person.queued < person.due) {
      person.queued = person.due;
      due_.push({person.due, person.order});
    }
  } else if (person.head != nullptr) {
    enter(person, front);
  } else {
    if (current_ == &person) current_ = nullptr;
    people_.erase(person.order);
  }
}

Item* LaneQueue::choose(std::uint64_t batch, bool one_per_person, Person** chosen) const {
  // A person whose record was the last one taken goes on, so that his records travel together.
  if (!one_per_person && current_ != nullptr && current_->batch == batch && current_->flying > 0 &&
      current_->due == 0 && current_->head != nullptr) {
    *chosen = current_;
  } else {
    *chosen = ready_head_;
  }
  return *chosen != nullptr ? (*chosen)->head : nullptr;
}

const Item* LaneQueue::peek(std::uint64_t batch, bool one_per_person) const {
  Person* person = nullptr;
  return choose(batch, one_per_person, &person);
}

Item* LaneQueue::next(std::uint64_t batch, bool one_per_person) {
  Person* person = nullptr;
  Item* item = choose(batch, one_per_person, &person);
  if (item == nullptr) return nullptr;
  if (person->ready) leave(*person);
  person->head = item->next;
  if (person->head == nullptr) person->tail = nullptr;
  item->next = nullptr;
  --person->records;
  person->bytes -= item->bytes;
  ++person->flying;
  person->batch = batch;
  current_ = person;
  return item;
}

void LaneQueue::land(Person& person, bool front) {
  SLUICE_CHECK(person.flying > 0);
  --person.flying;
  if (person.flying > 0) return;
  if (const auto heir = heirs_.find(person.order); heir != heirs_.end()) {
    const ProfileId winner = heir->second;
    heirs_.erase(heir);
    Person& next = people_[winner];
    if (current_ == &person) current_ = nullptr;
    people_.erase(person.order);
    land(next, true);
    return;
  }
  settle(person, front);
}

LaneQueue::Person& LaneQueue::line_of(Item* item) {
  for (auto heir = heirs_.find(item->order); heir != heirs_.end(); heir = heirs_.find(item->order)) {
    item->order = heir->second;
  }
  return person_of(*item);
}

void LaneQueue::put_back(Item* item, bool front) {
  Person& flown = person_of(*item);
  if (current_ == &flown) current_ = nullptr;
  insert_by_key(line_of(item), item);
  land(flown, front);
}

void LaneQueue::retry(Item* item, DurationUs due) {
  Person& flown = person_of(*item);
  Person& line = line_of(item);
  line.due = std::max({line.due, due, DurationUs{1}});
  insert_by_key(line, item);
  land(flown, true);
}

std::unique_ptr<Item> LaneQueue::finish(Item* item) {
  std::unique_ptr<Item> owned(item);
  if (item->supersede != 0) {
    const auto latest = latest_.find(item->supersede);
    if (latest != latest_.end() && latest->second == item) latest_.erase(latest);
  }
  const auto frame = frames_.find({item->frame, item->offer});
  SLUICE_CHECK(frame != frames_.end());
  if (--frame->second.unfinished == 0) frames_.erase(frame);
  --count_;
  bytes_ -= item->bytes;
  land(person_of(*item), true);
  return owned;
}

bool LaneQueue::held_back(const Item& item) const {
  std::uint64_t order = item.order;
  for (auto heir = heirs_.find(order); heir != heirs_.end(); heir = heirs_.find(order)) order = heir->second;
  const auto found = people_.find(order);
  if (found == people_.end()) return false;
  const Person& person = found->second;
  return person.due > 0 || (person.head != nullptr && person.head->effect.key < item.effect.key);
}

DurationUs LaneQueue::wake(DurationUs now) {
  while (!due_.empty() && due_.top().at <= now) {
    const auto found = people_.find(due_.top().order);
    due_.pop();
    if (found == people_.end()) continue;
    Person& person = found->second;
    if (!person.blocked || person.due > now) continue;  // since then put off, or in flight
    person.blocked = false;
    person.due = 0;
    --blocked_;
    settle(person, true);
  }
  return next_due();
}

bool LaneQueue::superseded(const Item& item) const {
  if (item.supersede == 0) return false;
  const auto latest = latest_.find(item.supersede);
  return latest != latest_.end() && latest->second != &item;
}

bool LaneQueue::lowest(std::uint64_t& frame, EffectKey& key) const {
  if (frames_.empty()) return false;
  frame = frames_.begin()->first.first;
  key = frames_.begin()->second.first;
  return true;
}

}  // namespace sluice::deliver
