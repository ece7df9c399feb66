#include "ingest/tracking_body.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "model/event_members.hpp"
#include "model/event_time.hpp"

namespace sluice::ingest {

namespace {

struct FlawText {
  std::string_view code, message;
};

// By Flaw.
constexpr std::array<FlawText, flaw_count> flaw_texts{{
    {"not_an_object", "an event has to be a JSON object"},
    {"too_large", "an event may have at most 32 KiB of JSON"},
    {"missing_type", "type is missing: one of track, identify, page, screen, group, alias"},
    {"unknown_type", "type has to be one of track, identify, page, screen, group, alias"},
    {"bad_user_id", "userId has to be a string of at most 512 bytes, or a number"},
    {"bad_anonymous_id", "anonymousId has to be a string of at most 512 bytes, or a number"},
    {"missing_user", "userId or anonymousId is missing; alias needs userId"},
    {"missing_previous_id", "alias needs previousId: a string of at most 512 bytes, or a number"},
    {"missing_group_id", "group needs groupId: a string of at most 512 bytes, or a number"},
    {"missing_event_name", "track needs event: a string of 1 to 512 bytes"},
    {"bad_message_id", "messageId has to be a string of at most 100 bytes"},
    {"bad_json",
     "it is no JSON: a number out of range, a bad escape, bytes that are no UTF-8, or nested too deep"},
}};

enum class Id : std::uint8_t { absent, present, bad };

// null and "" stand for absent: SDKs send both before they know the person.
Id id_of(Json value) {
  switch (value.type()) {
    case JsonType::missing:
    case JsonType::null:
      return Id::absent;
    case JsonType::number:
      return Id::present;
    case JsonType::string: {
      const std::size_t size = value.string_or({}).size();
      return size == 0 ? Id::absent : size <= identifier_bytes_max ? Id::present : Id::bad;
    }
    default:
      return Id::bad;
  }
}

std::optional<Flaw> flaw_of_kind(const EventMembers& m, EventKind kind) {
  switch (kind) {
    case EventKind::track: {
      const std::size_t size = m.event.string_or({}).size();
      if (size == 0 || size > name_bytes_max) return Flaw::missing_event_name;
      return {};
    }
    case EventKind::group:
      if (id_of(m.group_id) != Id::present) return Flaw::missing_group_id;
      return {};
    case EventKind::alias:
      if (id_of(m.previous_id) != Id::present) return Flaw::missing_previous_id;
      return {};
    default:
      return {};
  }
}

std::optional<Flaw> flaw_of(const EventMembers& m, EventKind kind) {
  const Id user = id_of(m.user_id);
  const Id anonymous = id_of(m.anonymous_id);
  if (user == Id::bad) return Flaw::bad_user_id;
  if (anonymous == Id::bad) return Flaw::bad_anonymous_id;
  if (user == Id::absent && (anonymous == Id::absent || kind == EventKind::alias)) return Flaw::missing_user;
  if (!m.message_id.is_null_or_missing() &&
      (!m.message_id.is_string() || m.message_id.string_or({}).size() > message_id_bytes_max)) {
    return Flaw::bad_message_id;
  }
  return flaw_of_kind(m, kind);
}

std::string repeatable(Json message_id) {
  const std::string_view text = message_id.string_or({});
  return text.size() <= message_id_bytes_max ? std::string(text) : std::string{};
}

// A context without the visitor's address.
std::string without_ip(std::string_view context) {
  JsonParser parser;
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  if (parser.parse(context)) {
    std::vector<JsonPart> members;
    std::vector<std::string_view> no_elements;
    cut_json(parser, context, {}, members, no_elements);
    for (const JsonPart& member : members) {
      if (member.key != "ip") w.key(member.key).raw(member.text);
    }
  }
  w.end_object();
  return out;
}

// Whether the event may have an address where a look at its `context` does not find it: in a second one, or
// under a key that is written with escapes.
bool may_hide_address(std::string_view text) {
  constexpr std::string_view context = "\"context\"";
  const std::size_t first = text.find(context);
  return (first != std::string_view::npos &&
          text.find(context, first + context.size()) != std::string_view::npos) ||
         text.find("\\u00") != std::string_view::npos;
}

Error rejected(std::string what) {
  return {Code::rejected, std::move(what)};
}

}  // namespace

std::string_view code_of(Flaw flaw) {
  return flaw_texts.at(static_cast<std::size_t>(flaw)).code;
}
std::string_view message_of(Flaw flaw) {
  return flaw_texts.at(static_cast<std::size_t>(flaw)).message;
}

std::optional<EventKind> kind_of(std::string_view name) {
  for (const EventKind kind : {EventKind::track, EventKind::identify, EventKind::page, EventKind::screen,
                               EventKind::group, EventKind::alias}) {
    if (name_of(kind) == name) return kind;
  }
  return {};
}

Status TrackingBody::open(const std::string& body) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  text_ = body;
  if (text_.starts_with(byte_order_mark)) text_.remove_prefix(byte_order_mark.size());
  loose_.reset();
  root_ = parser_.parse_padded(text_);
  if (!root_) {
    Error refusal = rejected("the body is not JSON: " + std::string(parser_.error()));
    if (!open_loosely()) return refusal;
  }
  if (!root_.is_object()) return rejected("the body has to be a JSON object");
  return Done{};
}

bool TrackingBody::open_loosely() {
  mended_ = mend_json(text_);
  text_ = mended_;
  root_ = parser_.parse(text_);
  if (root_) {
    mended_.reserve(mended_.size() + json_padding);
    text_ = mended_;
    return true;
  }
  loose_ = cut_batch(text_);
  if (!loose_) return false;
  loose_->rest.reserve(loose_->rest.size() + json_padding);
  text_ = loose_->rest;
  root_ = parser_.parse_padded(text_);
  return static_cast<bool>(root_);
}

void TrackingBody::take_loosely(const RequestFacts& facts, const Common& common, ParsedBody& parsed) {
  JsonParser parser;
  for (std::size_t index = 0; index < loose_->elements.size(); ++index) {
    const std::string_view text = loose_->elements[index];
    const Json event = parser.parse(text);
    if (event) {
      take(event, text, index, facts, common, parsed);
    } else {
      parsed.rejected.push_back({index, {}, Flaw::bad_json});
    }
  }
}

std::string_view TrackingBody::write_key() const {
  return root_["writeKey"].string_or({});
}

Result<TrackingBody::Common> TrackingBody::read_common(const RequestFacts& facts) {
  Common common;
  common.sent = time_of(root_["sentAt"]);
  for (const JsonPart& member : members_) {
    if (member.key == "context" && member.text.starts_with('{')) common.context = member.text;
    if (member.key == "integrations" && member.text.starts_with('{')) common.integrations = member.text;
  }
  if (common.context.size() > batch_context_bytes_max ||
      common.integrations.size() > batch_context_bytes_max) {
    return rejected(
        "the batch's context and integrations may have at most 8 KiB each; put what is longer into its "
        "events");
  }
  if (facts.derive != nullptr && facts.derive->takes_address() && !common.context.empty()) {
    common_context_ = without_ip(common.context);
    common.context = common_context_;
  }
  return common;
}

Result<ParsedBody> TrackingBody::read(const RequestFacts& facts) {
  ParsedBody parsed;
  if (facts.single) {
    take(root_, trim(text_), 0, facts, {}, parsed);
    return parsed;
  }
  const Json batch = root_["batch"];
  if (batch.type() != JsonType::array) return rejected("batch is missing: it has to be an array of events");
  cut_json(parser_, text_, "batch", members_, elements_);
  if (std::max(elements_.size(), loose_ ? loose_->elements.size() : 0) > batch_events_max)
    return rejected("a batch may have at most 2,500 events");
  const Common common = SLUICE_TRY(read_common(facts));
  parsed.drafts.reserve(elements_.size());
  if (loose_) {
    take_loosely(facts, common, parsed);
    return parsed;
  }
  std::size_t index = 0;
  batch.elements([&](Json event) {
    if (index < elements_.size()) take(event, elements_[index], index, facts, common, parsed);
    ++index;
  });
  return parsed;
}

void TrackingBody::take(Json event, std::string_view text, std::size_t index, const RequestFacts& facts,
                        const Common& common, ParsedBody& parsed) {
  const auto reject = [&](Flaw flaw, Json message_id) {
    parsed.rejected.push_back({index, repeatable(message_id), flaw});
  };
  if (!event.is_object()) return reject(Flaw::not_an_object, {});
  const EventMembers m = members_of(event);
  if (text.size() > event_bytes_max) return reject(Flaw::too_large, m.message_id);
  const std::string_view type = m.type.string_or({});
  const auto kind = facts.single ? facts.single : kind_of(type);
  if (!kind)
    return reject(m.type.is_null_or_missing() ? Flaw::missing_type : Flaw::unknown_type, m.message_id);
  if (const auto flaw = flaw_of(m, *kind)) return reject(*flaw, m.message_id);

  std::string derived;
  bool has_address = false;
  if (facts.derive != nullptr) {
    const Json context = m.context ? m.context : facts.single ? Json() : root_["context"];
    const std::string_view ip = facts.caller.empty() ? context["ip"].string_or("") : facts.caller;
    derived = facts.derive->find(event, context, {ip, facts.user_agent});
    has_address = facts.derive->takes_address() && (m.context["ip"] || may_hide_address(text));
  }

  const bool retype = facts.single && type != name_of(*kind);
  if (retype || m.write_key || has_address) {
    if (!rewrite(text, retype ? kind : std::nullopt, has_address))
      return reject(Flaw::not_an_object, m.message_id);
    text = rewritten_;
  }

  EventInput input;
  input.source = facts.source;
  input.received = facts.received;
  input.sent = common.sent;
  input.ip = facts.ip;
  input.context = common.context;
  input.integrations = common.integrations;
  input.text = text;
  input.derived = derived;
  constexpr std::size_t frame_bytes = 48;  // more than the lengths, flags and times take
  Draft draft;
  draft.kind = InputKind::event;
  draft.event_time = event_time(m.timestamp, m.original_timestamp, m.sent_at, common.sent, facts.received);
  draft.payload.reserve(text.size() + input.source.size() + input.ip.size() + input.context.size() +
                        input.integrations.size() + derived.size() + frame_bytes);
  input.encode(draft.payload);
  parsed.drafts.push_back(std::move(draft));
}

// Into rewritten_: the event without its `writeKey` and with the given type; every other value byte for byte.
bool TrackingBody::rewrite(std::string_view text, std::optional<EventKind> kind, bool without_address) {
  if (!event_parser_.parse(text)) return false;
  cut_json(event_parser_, text, {}, event_members_, no_elements_);
  rewritten_.clear();
  JsonWriter out(rewritten_);
  out.begin_object();
  if (kind) out.member("type", name_of(*kind));
  for (const JsonPart& member : event_members_) {
    if (member.key == "writeKey" || (kind && member.key == "type")) continue;
    if (without_address && member.key == "context") {
      out.key(member.key).raw(without_ip(member.text));
    } else {
      out.key(member.key).raw(member.text);
    }
  }
  out.end_object();
  return true;
}

}  // namespace sluice::ingest
