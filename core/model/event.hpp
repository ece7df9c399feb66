// What a source says happened, in the one shape that all stages read. An Event borrows: its texts and Json
// are valid while the input that it was read from is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"

namespace sluice {

enum class EventKind : std::uint8_t { track = 1, identify, page, screen, group, alias };
std::string_view name_of(EventKind kind);

// Limits of one event (Segment's documented ones, where it has them).
inline constexpr std::size_t event_bytes_max = 32 * 1024;
inline constexpr std::size_t message_id_bytes_max = 100;
inline constexpr std::size_t name_bytes_max = 512;  // of an event, a trait, an identifier's type
inline constexpr std::size_t identifier_bytes_max = 512;
inline constexpr std::size_t external_ids_max = 20;  // identifiers on one event

struct ExternalId {
  std::string_view type;   // "user_id", "email", "cookie": a name of the identity: list
  std::string_view value;  // as received
};

struct ConsentClaim {
  std::string_view purpose;
  bool granted;
};

struct Event {
  EventKind kind = EventKind::track;
  std::string_view source;             // its name in connectors.yaml
  std::string_view name;               // track: the event's; page, screen: theirs; group: the group's id
  std::string_view stream, entity;     // of a record whose going withdraws what it said; else empty
  std::string_view message_id;         // empty: none was given, nothing to remove duplicates by
  TimeUs time = 0;                     // its own, skew corrected and clamped; microseconds
  bool trusted = true;                 // from a source with trust: server
  bool third_party_anonymous = false;  // from a source with anonymous: true
  std::vector<ExternalId> ids;
  std::vector<ConsentClaim> consent;
  Json traits;           // object or missing
  Json properties;       // object or missing
  Json context;          // object or missing
  Json derived;          // object or missing: what the door found out
  Json root;             // the whole event
  std::string_view raw;  // its text: a call as it was received, a record as its stream maps it
};

// The payload of a journal frame of kind `event`: what ingest found out, and the event's own JSON as
// received.
struct EventInput {
  std::string_view source;
  TimeUs received = 0;            // wall clock at receipt
  TimeUs sent = no_time;          // the batch's sentAt, if it was there
  std::string_view ip;            // the caller's address, for sources in browsers; else empty
  std::string_view context;       // the batch's `context` object, merged under the event's; or empty
  std::string_view integrations;  // likewise
  std::string_view type;     // of the path that it was sent to, for an event that has none: "track"; or empty
  std::string_view text;     // one JSON object
  std::string_view derived;  // one JSON object, of `derive:`; or empty

  void encode(std::string& out) const;
  static bool decode(std::string_view payload, EventInput& out);  // borrows; false: not what encode() writes
};

// The payload of a frame of kind `record`: one record of a plugin source, as emitted. The last of a commit
// carries the cursor.
struct RecordInput {
  std::string_view source;
  std::string_view stream;
  std::string_view key;     // drops duplicates; unique within the source
  std::string_view entity;  // the vendor's own key of the object; may be empty
  TimeUs time = no_time;    // as the plugin gave it; the stream's `time:` wins
  bool deleted = false;
  std::string_view payload;  // one JSON object
  std::string_view cursor;   // empty: none; else where the source goes on after this record

  void encode(std::string& out) const;
  static bool decode(std::string_view payload, RecordInput& out);
};

}  // namespace sluice
