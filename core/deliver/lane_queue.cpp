#include "deliver/lane_queue.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace sluice::deliver {

LaneQueue::~LaneQueue() {
  for (auto& [order, person] : x_people) {
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
    item->supersede = std::max<std::uint64_t>(1, hash64(item->effect.supersede, item->order));
    x_latest[item->supersede] = item;
  }
  Frame& frame = x_frames[item->frame];
  if (frame.unfinished++ == 0) {
    frame.first = key;
    frame.offered = item->offered;
  }
  ++x_count;
  x_bytes += item->bytes;
  Person& person = x_people[item->order];
  person.order = item->order;
  item->next = nullptr;
  (person.tail != nullptr ? person.tail->next : person.head) = item;
  person.tail = item;
  ++person.records;
  person.bytes += item->bytes;
  if (person.ready) {
    ++x_ready_records;
    x_ready_bytes += item->bytes;
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
    ++x_ready_records;
    x_ready_bytes += item->bytes;
  }
}

LaneQueue::Person& LaneQueue::person_of(const Item& item) {
  const auto found = x_people.find(item.order);
  SLUICE_CHECK(found != x_people.end());
  return found->second;
}

void LaneQueue::join(ProfileId loser, ProfileId winner) {
  const auto found = x_people.find(loser);
  if (found == x_people.end()) return;
  Person& person = x_people[winner];
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
  if (old.blocked) --x_blocked;
  const std::uint32_t flying = old.flying;
  if (flying == 0) {
    if (x_current == &old) x_current = nullptr;
    x_people.erase(found);
  } else {
    old.blocked = false;
    old.due = 0;
    x_heirs[loser] = winner;
    person.flying += 1;  // stands for all of the loser's; see land()
  }
  if (person.ready && (person.flying > 0 || person.due > 0)) leave(person);
  settle(person, true);
}

void LaneQueue::enter(Person& person, bool front) {
  person.ready = true;
  x_ready_records += person.records;
  x_ready_bytes += person.bytes;
  person.before = front ? nullptr : x_ready_tail;
  person.after = front ? x_ready_head : nullptr;
  (person.before != nullptr ? person.before->after : x_ready_head) = &person;
  (person.after != nullptr ? person.after->before : x_ready_tail) = &person;
}

void LaneQueue::leave(Person& person) {
  person.ready = false;
  x_ready_records -= person.records;
  x_ready_bytes -= person.bytes;
  (person.before != nullptr ? person.before->after : x_ready_head) = person.after;
  (person.after != nullptr ? person.after->before : x_ready_tail) = person.before;
  person.before = person.after = nullptr;
}

void LaneQueue::settle(Person& person, bool front) {
  if (person.ready || person.flying > 0) return;
  if (person.due > 0) {
    if (!person.blocked) {
      person.blocked = true;
      ++x_blocked;
    }
    if (person.queued < person.due) {
      person.queued = person.due;
      x_due.push({person.due, person.order});
    }
  } else if (person.head != nullptr) {
    enter(person, front);
  } else {
    if (x_current == &person) x_current = nullptr;
    x_people.erase(person.order);
  }
}

Item* LaneQueue::choose(std::uint64_t batch, bool one_per_person, Person** chosen) const {
  // A person whose record was the last one taken goes on, so that his records travel together.
  if (!one_per_person && x_current != nullptr && x_current->batch == batch && x_current->flying > 0 &&
      x_current->due == 0 && x_current->head != nullptr) {
    *chosen = x_current;
  } else {
    *chosen = x_ready_head;
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
  x_current = person;
  return item;
}

void LaneQueue::land(Person& person, bool front) {
  SLUICE_CHECK(person.flying > 0);
  --person.flying;
  if (person.flying > 0) return;
  if (const auto heir = x_heirs.find(person.order); heir != x_heirs.end()) {
    const ProfileId winner = heir->second;
    x_heirs.erase(heir);
    Person& next = x_people[winner];
    if (x_current == &person) x_current = nullptr;
    x_people.erase(person.order);
    land(next, true);
    return;
  }
  settle(person, front);
}

LaneQueue::Person& LaneQueue::line_of(Item* item) {
  for (auto heir = x_heirs.find(item->order); heir != x_heirs.end(); heir = x_heirs.find(item->order)) {
    item->order = heir->second;
  }
  return person_of(*item);
}

void LaneQueue::put_back(Item* item, bool front) {
  Person& flown = person_of(*item);
  if (x_current == &flown) x_current = nullptr;
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
    const auto latest = x_latest.find(item->supersede);
    if (latest != x_latest.end() && latest->second == item) x_latest.erase(latest);
  }
  const auto frame = x_frames.find(item->frame);
  SLUICE_CHECK(frame != x_frames.end());
  if (--frame->second.unfinished == 0) x_frames.erase(frame);
  --x_count;
  x_bytes -= item->bytes;
  land(person_of(*item), true);
  return owned;
}

bool LaneQueue::held_back(const Item& item) const {
  std::uint64_t order = item.order;
  for (auto heir = x_heirs.find(order); heir != x_heirs.end(); heir = x_heirs.find(order))
    order = heir->second;
  const auto found = x_people.find(order);
  if (found == x_people.end()) return false;
  const Person& person = found->second;
  return person.due > 0 || (person.head != nullptr && person.head->effect.key < item.effect.key);
}

DurationUs LaneQueue::wake(DurationUs now) {
  while (!x_due.empty() && x_due.top().at <= now) {
    const auto found = x_people.find(x_due.top().order);
    x_due.pop();
    if (found == x_people.end()) continue;
    Person& person = found->second;
    if (!person.blocked || person.due > now) continue;  // since then put off, or in flight
    person.blocked = false;
    person.due = 0;
    --x_blocked;
    settle(person, true);
  }
  return next_due();
}

bool LaneQueue::superseded(const Item& item) const {
  if (item.supersede == 0) return false;
  const auto latest = x_latest.find(item.supersede);
  return latest != x_latest.end() && latest->second != &item;
}

bool LaneQueue::lowest(std::uint64_t& frame, EffectKey& key) const {
  if (x_frames.empty()) return false;
  frame = x_frames.begin()->first;
  key = x_frames.begin()->second.first;
  return true;
}

}  // namespace sluice::deliver
