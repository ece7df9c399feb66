#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_set>

#include "api/admin.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "hub/views.hpp"
#include "view/context.hpp"

namespace sluice::api {

namespace {

using state::Profile;

constexpr std::size_t limit_default = 10;
constexpr std::size_t limit_max = 200;

// One answer of the Profile API: items of one kind, and where the next page begins.
struct Page {
  std::size_t offset = 0, limit = limit_default;
};

Result<Page> page_of(const net::Request& request) {
  Page page;
  bool good = true;
  const auto number = [&](std::string_view name, std::size_t& out) {
    const std::string text = request.query(name);
    if (text.empty()) return;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out);
    good = good && bad == std::errc{} && end == text.data() + text.size();
  };
  number("next", page.offset);
  number("limit", page.limit);
  if (!good) return Error{Code::rejected, "limit and next are numbers; next is what the page before said"};
  page.limit = std::clamp<std::size_t>(page.limit, 1, limit_max);
  return page;
}

// What `include` names; everything where it is left out.
class Included {
 public:
  explicit Included(const net::Request& request) : text_(request.query("include")) {}
  bool has(std::string_view name) const {
    if (text_.empty()) return true;
    const std::vector<std::string_view> wanted = split(text_, ',');
    return std::any_of(wanted.begin(), wanted.end(), [&](std::string_view w) { return trim(w) == name; });
  }

 private:
  std::string text_;
};

void write_cursor(JsonWriter& w, const net::Request& request, const Page& page, std::size_t items) {
  const bool more = page.offset < items && items - page.offset > page.limit;
  w.key("cursor").begin_object().member("url", request.path).member_boolean("has_more", more);
  w.member("next", more ? std::to_string(page.offset + page.limit) : "");
  w.member_integer("limit", static_cast<std::int64_t>(page.limit)).end_object();
}

struct Item {
  std::string name, json;
};

// Traits, then computed traits, then audiences as booleans; `class` chooses, `include` names some.
std::vector<Item> traits_of(const hub::World& world, const Profile& profile, const net::Request& request) {
  const view::Compiled& compiled = *world.pipeline.compiled();
  const std::string kind = request.query("class");
  std::vector<Item> items;
  if (kind.empty() || kind == "trait") {
    for (const state::Trait& trait : profile.traits) {
      if (trait.value.kind() == state::StoredValue::Kind::null) continue;
      items.push_back({std::string(world.state.name(trait.name)), {}});
      trait.value.append_json(items.back().json);
    }
  }
  if (kind.empty() || kind == "computed_trait") {
    view::PersonContext context(compiled, world.state);
    context.at(&profile, world.state.now, nullptr);
    for (std::size_t i = 0; i < compiled.config->computed.size(); ++i) {
      const expr::Value value = context.computed(i);
      if (value.is_unknown()) continue;
      items.push_back({compiled.config->computed[i].name, {}});
      value.append_json(items.back().json);
    }
  }
  if (kind.empty() || kind == "audience") {
    for (const config::Audience& audience : compiled.config->audiences) {
      const bool inside = profile.membership(state::name_id(audience.name)) != nullptr;
      items.push_back({audience.name, inside ? "true" : "false"});
    }
  }
  const Included included(request);
  std::erase_if(items, [&](const Item& item) { return !included.has(item.name); });
  return items;
}

// Where the page ends among so many items.
std::size_t end_of(const Page& page, std::size_t items) {
  return page.offset < items ? page.offset + std::min(page.limit, items - page.offset) : page.offset;
}

void write_traits(JsonWriter& w, const std::vector<Item>& items, const Page& page) {
  w.key("traits").begin_object();
  for (std::size_t i = page.offset; i < end_of(page, items.size()); ++i) {
    w.key(items[i].name).raw(items[i].json);
  }
  w.end_object();
}

std::size_t write_identifiers(JsonWriter& w, const hub::World& world, const Profile& profile,
                              const net::Request& request, const Page& page) {
  const Included included(request);
  std::vector<const state::Identifier*> all;
  for (const state::Identifier& identifier : profile.identifiers) {
    if (included.has(world.state.name(identifier.type))) all.push_back(&identifier);
  }
  w.key("data").begin_array();
  for (std::size_t i = page.offset; i < end_of(page, all.size()); ++i) {
    w.begin_object().member("source_id", world.state.name(all[i]->source)).member("collection", "users");
    w.member("id", all[i]->value)
        .member("type", world.state.name(all[i]->type))
        .member("created_at", format_time(all[i]->first_seen));
    w.member("encoding", "none").end_object();
  }
  w.end_array();
  return all.size();
}

void write_metadata(JsonWriter& w, const Profile& profile) {
  w.key("metadata").begin_object().member("created_at", format_time(profile.first_seen));
  w.member("updated_at", format_time(profile.last_seen))
      .member("id", format_profile_id(profile.id))
      .end_object();
}

// The event as it was sent, with when it happened by the hub's reckoning where it does not say so itself, and
// when it was received.
std::string with_times(const Event& event, TimeUs received) {
  std::string out(event.raw);
  const auto add = [&](const char* name, TimeUs time) {
    if (event.root[name] || !out.ends_with('}')) return;
    out.pop_back();
    out.append(",\"").append(name).append("\":\"").append(format_time(time)).append("\"}");
  };
  add("timestamp", event.time);
  add("receivedAt", received);
  return out;
}

// The person's own events, newest first, read back from the journal: those that carry one of the identifiers.
std::vector<std::string> events_of(hub::Hub& hub, const Profile& profile, const Included& included) {
  constexpr std::size_t inputs_max = 200'000;  // looked through: the newest ones
  constexpr std::size_t events_max = 1'000;
  std::vector<std::string> found;
  std::unordered_set<std::string> seen;  // a message id sent again had no effect
  const std::uint64_t next = hub.journal().log().next_seq();
  const std::uint64_t from =
      std::max(hub.journal().log().first_seq(), next > inputs_max ? next - inputs_max : 1);
  const auto config = hub.config();
  unify::Reader reader(*config);
  Event event;
  (void)hub.journal().replay(from, [&](const Input& input) {
    EventInput payload;
    if (input.kind != InputKind::event || input.redacted || !EventInput::decode(input.payload, payload))
      return true;
    if (!reader.read_event(payload, event)) return true;
    const bool theirs = std::any_of(event.ids.begin(), event.ids.end(), [&](const ExternalId& id) {
      return profile.has_identifier(state::name_id(id.type), id.value);
    });
    const auto is_new = [&] {
      const std::string_view id = event.message_id;
      return id.empty() || seen.insert(std::string(event.source).append("\n").append(id)).second;
    };
    if (theirs && included.has(event.name) && is_new()) found.push_back(with_times(event, payload.received));
    if (found.size() > events_max) found.erase(found.begin());
    return true;
  });
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace

net::Response profile_api(hub::Hub& hub, std::string_view rest, const net::Request& request) {
  const std::size_t slash = rest.rfind('/');
  const std::string_view what = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  const std::string_view who = rest.substr(0, slash);
  constexpr std::array<std::string_view, 5> kinds{"traits", "external_ids", "events", "metadata", "links"};
  if (std::find(kinds.begin(), kinds.end(), what) == kinds.end()) {
    return error_answer(404, "not_found",
                        "ask for traits, external_ids, events, metadata or links of a profile");
  }
  const Result<Page> asked = page_of(request);
  if (!asked) return error_answer(400, "invalid", asked.error().detail);
  const Page page = asked.value();
  net::Response out;
  Profile copy;
  bool known = false;
  hub.read([&](const hub::World& world) {
    const state::Reading profile = world.state.find(hub::find_person(world, who));
    if (!profile) return;
    known = true;
    JsonWriter w(out.body);
    w.begin_object();
    std::size_t items = 0;
    if (what == "traits") {
      const std::vector<Item> traits = traits_of(world, *profile, request);
      write_traits(w, traits, page);
      items = traits.size();
    } else if (what == "external_ids") {
      items = write_identifiers(w, world, *profile, request, page);
    } else if (what == "metadata") {
      write_metadata(w, *profile);
    } else if (what == "links") {
      w.key("data").begin_array().end_array();
    } else {
      copy = *profile;  // events come from the journal, which is read without holding the state
      out.body.clear();
      return;
    }
    write_cursor(w, request, page, items);
    w.end_object();
  });
  if (!known) return error_answer(404, "not_found", "The resource was not found.");
  if (what != "events") return out;
  const std::vector<std::string> events = events_of(hub, copy, Included(request));
  JsonWriter w(out.body);
  w.begin_object().key("data").begin_array();
  for (std::size_t i = page.offset; i < end_of(page, events.size()); ++i) w.raw(events[i]);
  w.end_array();
  write_cursor(w, request, page, events.size());
  w.end_object();
  return out;
}

}  // namespace sluice::api
