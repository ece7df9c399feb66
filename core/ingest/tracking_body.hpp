// What is in the body of a tracking request: the events, each checked and made an input of the journal, or
// the reason why it is none. Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/json_slices.hpp"
#include "ingest/tracking_salvage.hpp"
#include "journal/journal.hpp"
#include "model/event.hpp"

namespace sluice::ingest {

inline constexpr std::size_t batch_events_max = 2'500;
// Of a batch's common `context` and of its `integrations`: both are kept with each of its events.
inline constexpr std::size_t batch_context_bytes_max = 8 * 1024;

// Why an event is not taken.
enum class Flaw : std::uint8_t {
  not_an_object,
  too_large,
  missing_type,
  unknown_type,
  bad_user_id,
  bad_anonymous_id,
  missing_user,
  missing_previous_id,
  missing_group_id,
  missing_event_name,
  bad_message_id,
  bad_json,
};
inline constexpr std::size_t flaw_count = 12;
std::string_view code_of(Flaw flaw);     // "missing_user": stable
std::string_view message_of(Flaw flaw);  // for the developer who sent it

struct Rejected {
  std::size_t index;       // in the batch
  std::string message_id;  // empty: it had none that could be repeated
  Flaw flaw;
};

struct ParsedBody {
  std::vector<Draft> drafts;
  std::vector<Rejected> rejected;
};

// What ingest knows of the request beside its body.
struct RequestFacts {
  std::string_view source;
  TimeUs received = 0;
  std::string_view ip;              // to keep with the events; empty: not to
  std::optional<EventKind> single;  // the path's type: the body is one event
};

// The type of that name; nothing when there is none.
std::optional<EventKind> kind_of(std::string_view name);

// Reads one body at a time. One a thread; reuse it: its memory is kept.
class TrackingBody {
 public:
  // Parses. `body` has json_padding spare bytes of capacity and stays as it is until read() has returned.
  // What strict parsers refuse and JSON's grammar allows is mended; of a batch in which single events cannot
  // be read, those are rejected by read(). Errors: rejected - no JSON, or no object.
  Status open(const std::string& body);
  std::string_view write_key() const;  // the root's `writeKey`; empty if it has none
  // The events of what was opened. Their text is journaled as it was received, but for what had to be mended
  // and two cases: a `writeKey` is left out, since no credential enters the journal, and a single call's
  // `type` is set to its path's. Errors: rejected - no `batch`, more than batch_events_max events, a common
  // context over its limit.
  Result<ParsedBody> read(const RequestFacts& facts);

 private:
  struct Common {
    TimeUs sent = no_time;
    std::string_view context, integrations;
  };
  bool open_loosely();
  Result<Common> read_common();
  void take_loosely(const RequestFacts& facts, const Common& common, ParsedBody& parsed);
  void take(Json event, std::string_view text, std::size_t index, const RequestFacts& facts,
            const Common& common, ParsedBody& parsed);
  bool rewrite(std::string_view text, std::optional<EventKind> kind);

  std::string_view text_;
  Json root_;
  JsonParser parser_;
  std::vector<JsonPart> members_;
  std::vector<std::string_view> elements_;
  JsonParser event_parser_;
  std::vector<JsonPart> event_members_;
  std::vector<std::string_view> no_elements_;
  std::string rewritten_;
  std::string mended_;               // the body, where it had to be
  std::optional<LooseBatch> loose_;  // of a body in which single events cannot be read
};

}  // namespace sluice::ingest
