#include "unify/reader.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "model/event_time.hpp"

namespace sluice::unify {

namespace {

EventKind kind_of(std::string_view type) {
  for (const EventKind kind : {EventKind::track, EventKind::identify, EventKind::page, EventKind::screen,
                               EventKind::group, EventKind::alias}) {
    if (name_of(kind) == type) return kind;
  }
  return EventKind::track;
}

// What `row.NAME` sees.
class RowContext final : public expr::EmptyContext {
 public:
  explicit RowContext(Json row) : row_(row) {}
  expr::Value row() override { return expr::Value::json(row_); }

 private:
  Json row_;
};

// "clientId" for "client_id": a configured identifier is found in both spellings.
std::string camel(std::string_view snake) {
  std::string out;
  for (std::size_t i = 0; i < snake.size(); ++i) {
    if (snake[i] == '_' && i + 1 < snake.size() && snake[i + 1] >= 'a' && snake[i + 1] <= 'z') {
      out += static_cast<char>(snake[++i] - 'a' + 'A');
    } else {
      out += snake[i];
    }
  }
  return out;
}

// Whether a cell of a CRM says yes or no; nothing when it says neither.
std::optional<bool> read_consent_value(const expr::Value& value) {
  using Kind = expr::Value::Kind;
  if (value.kind() == Kind::boolean) return value.as_boolean();
  if (value.kind() == Kind::number || value.kind() == Kind::integer) return value.to_double() != 0;
  if (value.kind() != Kind::string) return {};
  const std::string text = lower_ascii(trim(value.as_text()));
  for (const std::string_view yes : {"true", "yes", "y", "1", "oui", "ja", "si"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "no", "n", "0", "non", "nein"}) {
    if (text == no) return false;
  }
  return {};
}

// All of it but the memory of its lists.
void clear(Event& event) {
  std::vector<ExternalId> ids = std::move(event.ids);
  std::vector<ConsentClaim> consent = std::move(event.consent);
  ids.clear();
  consent.clear();
  event = Event();
  event.ids = std::move(ids);
  event.consent = std::move(consent);
}

}  // namespace

Reader::Reader(const config::Config& config) : config_(config) {}

void Reader::add_id(Event& event, std::string_view type, Json value) {
  if (event.ids.size() >= external_ids_max) return;
  std::string_view text;
  if (const auto string = value.string()) {
    text = *string;
  } else if (value.number()) {
    text = keep(value.text());
  }
  if (text.empty() || text.size() > identifier_bytes_max) return;
  const auto same = [&](const ExternalId& id) { return id.type == type && id.value == text; };
  if (std::none_of(event.ids.begin(), event.ids.end(), same)) event.ids.push_back({type, text});
}

void Reader::read_external_ids(Event& event, Json context) {
  context["externalIds"].elements([&](Json item) {
    const std::string_view type = item["type"].string_or("");
    const auto& rules = config_.identity;
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const auto& r) { return r.id == type; });
    if (rule != rules.end() && item["collection"].string_or("users") == "users")
      add_id(event, rule->id, item["id"]);
  });
}

void Reader::read_rule_id(Event& event, Json context_traits, const config::IdentityRule& rule) {
  // The e-mail address and the phone number of a person are traits; one in an order's properties may be
  // somebody else's.
  const bool own_only = rule.normalize != config::Normalize::none;
  const std::array<Json, 3> places{event.traits, context_traits, own_only ? Json() : event.properties};
  for (const Json& place : places) {
    if (!place) continue;
    Json value = place[rule.id];
    if (!value && rule.id.find('_') != std::string::npos) value = place[camel(rule.id)];
    if (value) add_id(event, rule.id, value);
  }
}

void Reader::read_ids(Event& event, const EventMembers& members, const config::Source& source) {
  const Json context_traits = event.context["traits"];
  for (const config::IdentityRule& rule : config_.identity) {
    if (rule.id == "user_id") {
      add_id(event, rule.id, members.user_id);
    } else if (rule.id == "anonymous_id") {
      add_id(event, rule.id, members.anonymous_id);
    } else if (event.traits || event.context || event.properties) {
      read_rule_id(event, context_traits, rule);
    }
  }
  if (event.context) read_external_ids(event, event.context);
  if (!source.anonymous) return;
  // An anonymous source's people have no name, address or number: what names a known person is not taken.
  std::erase_if(event.ids, [](const ExternalId& id) {
    return id.type == "user_id" || id.type == "email" || id.type == "phone";
  });
}

void Reader::read_consent(Event& event, const config::Source& source) {
  if (source.consent_categories.empty() || !event.context) return;
  const Json categories = event.context["consent"]["categoryPreferences"];
  categories.members([&](std::string_view category, Json value) {
    const auto purpose = source.consent_categories.find(std::string(category));
    if (purpose == source.consent_categories.end()) return;
    if (const auto granted = value.boolean()) event.consent.push_back({purpose->second, *granted});
  });
}

Status Reader::read_event(const EventInput& input, Event& event) {
  if (!texts_.empty()) texts_.clear();
  clear(event);
  const config::Source* source = config_.source(input.source);
  if (source == nullptr) return Error{Code::rejected, "unknown_source"};
  event.root = parser_.parse(input.text);
  if (!event.root.is_object()) return Error{Code::rejected, "not_json"};
  event.raw = input.text;
  event.source = source->name;
  event.trusted = source->trust == config::Trust::server;
  event.third_party_anonymous = source->anonymous;
  const EventMembers members = members_of(event.root);
  event.kind = kind_of(members.type.string_or(input.type));
  event.message_id = members.message_id.string_or("");
  event.time =
      event_time(members.timestamp, members.original_timestamp, members.sent_at, input.sent, input.received);
  event.traits = members.traits;
  event.properties = members.properties;
  event.context = members.context;
  if (!event.context && !input.context.empty()) event.context = context_parser_.parse(input.context);
  if (!input.derived.empty()) event.derived = derived_parser_.parse(input.derived);
  switch (event.kind) {
    case EventKind::track:
      event.name = members.event.string_or("");
      break;
    case EventKind::page:
      event.name = "$page";
      break;
    case EventKind::screen:
      event.name = "$screen";
      break;
    case EventKind::group:
      event.name = members.group_id.string_or("");
      if (event.name.empty() && members.group_id.type() == JsonType::number)
        event.name = members.group_id.text();
      break;
    default:
      break;
  }
  if (event.name.size() > name_bytes_max) return Error{Code::rejected, "name_too_long"};
  // RudderStack's browser SDK puts the traits of identify into the context alone.
  if (event.kind == EventKind::identify && !event.traits) event.traits = event.context["traits"];
  if (event.kind != EventKind::identify) event.traits = Json();
  read_ids(event, members, *source);
  if (event.ids.empty()) return Error{Code::rejected, "no_identifier"};
  read_consent(event, *source);
  return Done{};
}

Result<Event> Reader::read_record(const RecordInput& input) {
  texts_.clear();
  arena_.reset();
  const config::Source* source = config_.source(input.source);
  if (source == nullptr) return Error{Code::rejected, "unknown_source"};
  const auto stream = std::find_if(source->streams.begin(), source->streams.end(),
                                   [&](const config::Stream& s) { return s.name == input.stream; });
  if (stream == source->streams.end()) return Error{Code::rejected, "unmapped_stream"};
  if (input.deleted) return Error{Code::cancelled, "deleted"};  // the step withdraws
  return map_record(input, *source, *stream);
}

void Reader::append_mapped(std::string& json, const std::vector<config::Mapped>& fields,
                           expr::Context& context) {
  json += '{';
  bool first = true;
  for (const config::Mapped& field : fields) {
    const expr::Value value = field.program->evaluate(context, arena_);
    if (value.is_unknown()) continue;  // a cell that is not there says nothing about the person
    if (!first) json += ',';
    first = false;
    append_json_string(json, field.name);
    json += ':';
    value.append_json(json);
  }
  json += '}';
}

Result<Event> Reader::map_record(const RecordInput& input, const config::Source& source,
                                 const config::Stream& stream) {
  const Json row = parser_.parse(input.payload);
  if (!row.is_object()) return Error{Code::rejected, "not_json"};
  RowContext context(row);
  if (stream.where && !stream.where->holds(context, arena_)) return Error{Code::cancelled, "filtered"};
  Event event;
  event.source = source.name;
  event.trusted = source.trust == config::Trust::server;
  event.third_party_anonymous = source.anonymous;
  event.message_id = input.key;
  if (stream.drop_source && !input.entity.empty()) {
    event.stream = stream.name;
    event.entity = input.entity;
  }
  event.kind = stream.as == config::StreamKind::event ? EventKind::track : EventKind::identify;
  event.time = input.time;
  if (stream.time) {
    const expr::Value time = stream.time->evaluate(context, arena_);
    using Kind = expr::Value::Kind;
    const auto parsed = time.kind() == Kind::timestamp ? std::optional(time.as_integer())
                        : time.kind() == Kind::string  ? parse_time(time.as_text())
                                                       : std::nullopt;
    if (!parsed) return Error{Code::rejected, "bad_time"};
    event.time = *parsed;
  }
  event.name = stream.event_name;
  if (stream.event_name_program) {
    std::string name;
    const expr::Value value = stream.event_name_program->evaluate(context, arena_);
    if (value.kind() != expr::Value::Kind::string) return Error{Code::rejected, "bad_name"};
    event.name = keep(std::string(value.as_text()));
  }
  // One JSON text with what was mapped, in the shape of a tracking call: routes and conditions read it as
  // such.
  std::string json = R"({"type":)";
  append_json_string(json, name_of(event.kind));
  if (event.kind == EventKind::track) {
    json += R"(,"event":)";
    append_json_string(json, event.name);
    json += R"(,"properties":)";
    append_mapped(json, stream.properties, context);
  }
  if (!stream.traits.empty()) {
    json += R"(,"traits":)";
    append_mapped(json, stream.traits, context);
  }
  json += R"(,"ids":)";
  append_mapped(json, stream.ids, context);
  if (event.time != no_time) json += R"(,"timestamp":)" + json_string(format_time(event.time));
  json += '}';
  event.raw = keep(std::move(json));
  event.root = made_parser_.parse(event.raw);
  event.properties = event.root["properties"];
  event.traits = event.root["traits"];
  event.root["ids"].members([&](std::string_view type, Json value) {
    if (source.anonymous && (type == "user_id" || type == "email" || type == "phone")) return;
    add_id(event, type, value);
  });
  if (event.ids.empty()) return Error{Code::rejected, "no_identifier"};
  for (const config::Mapped& claim : stream.consent) {
    const expr::Value value = claim.program->evaluate(context, arena_);
    if (const auto said = read_consent_value(value)) event.consent.push_back({claim.name, *said});
  }
  return event;
}

}  // namespace sluice::unify
