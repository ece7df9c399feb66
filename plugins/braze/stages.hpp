// Cuts a batch into Braze's requests so that each person's records take effect in the order in which they
// stand.
//
// Inside one /users/track Braze applies all attributes, then all events. So a person's attribute change that
// follows an event of his own goes into the next request, as does whatever needs another call; everybody
// else's records stay where they are. Most batches are one request. Requests that share a person are sent in
// the order of the stages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::braze {

enum class Kind : std::uint8_t { attribute, event, remove, message };

inline constexpr std::uint32_t track_objects_max = 75;  // over the arrays of one /users/track
inline constexpr std::uint32_t message_recipients_max = 50;
inline constexpr std::uint32_t removed_people_max =
    10;  // each has up to five e-mail addresses, of 50 that a call takes

struct Stage {
  Kind kind = Kind::event;             // attribute and event share their stages
  std::string campaign;                // of messages: one campaign a call
  std::string attributes;              // objects, with commas
  std::string events;                  // objects, with commas; recipients, of messages
  std::string slots;                   // 'a' or 'e' for each record: which array it stands in
  std::vector<std::uint32_t> records;  // indexes of the batch
};

class Stages {
 public:
  explicit Stages(std::uint32_t records, bool mixed);  // mixed: not only events, and not only attributes
  // The stage for the next record of this person. The caller appends the record's object and calls taken().
  Stage& next(std::string_view person, Kind kind, std::string_view campaign = {});
  std::vector<Stage>& list() { return stages_; }

 private:
  struct Seen {
    std::uint64_t person = 0;  // a hash; two people who share one are merely cut apart once too often
    std::uint32_t stage = 0;   // of the last record
    bool event = false;        // an event of the person stands in that stage
    bool used = false;
  };
  Seen& seen(std::string_view person);
  std::vector<Stage> stages_;
  std::vector<Seen> seen_;  // open addressing, a power of two; empty where the order needs no watching
};

}  // namespace sluice::braze
