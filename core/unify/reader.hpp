// From an input of the journal to the one Event shape: Segment's calls as SDKs send them, and records of
// plugin sources as their stream maps them. Pure: the same input and configuration give the same Event.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "config/config.hpp"
#include "model/event.hpp"
#include "model/event_members.hpp"
#include "model/input.hpp"
#include "view/compiled.hpp"

namespace sluice::unify {

class Reader {  // one thread at a time
 public:
  explicit Reader(const config::Config& config);

  // The Event borrows from `input` and from this reader, until the next call. rejected: the input is no event
  // (an unknown source, a row whose `where:` does not hold, …); the text says why. What `event` was before is
  // gone in any case, but for its memory.
  Status read_event(const EventInput& input, Event& event);
  Result<Event> read_record(const RecordInput& input);

 private:
  void read_ids(Event& event, const EventMembers& members, const config::Source& source);
  void add_id(Event& event, std::string_view type, Json value);
  void read_external_ids(Event& event, Json context);
  void read_rule_id(Event& event, Json context_traits, const config::IdentityRule& rule);
  void read_consent(Event& event, const config::Source& source);
  Result<Event> map_record(const RecordInput& input, const config::Source& source,
                           const config::Stream& stream);
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  void append_mapped(std::string& json, const std::vector<config::Mapped>& fields, expr::Context& context);

  const config::Config& config_;
  JsonParser parser_, made_parser_, context_parser_, derived_parser_;
  expr::Arena arena_;
  std::deque<std::string> texts_;  // what the Event borrows and no input holds
};

}  // namespace sluice::unify
