#include "objects.hpp"

#include "sluice/json.hpp"
#include "sluice/time.hpp"

#include "scan.hpp"

namespace sluice::braze {

namespace {

constexpr std::string_view renamed_prefix = "property_";

bool is_refused_property(std::string_view name) {
  return name.starts_with('$') || name == "time" || name == "event_name";
}

// Opens an object with its ids. Only an alias needs leave to create its profile: Braze skips it silently
// otherwise.
void open_object(std::string& out, const Person& person, const Settings& settings) {
  out += '{';
  append_ids(out, person, settings);
  if (person.kind == IdKind::alias) out += ",\"_update_existing_only\":false";
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  out += value;
}

struct Properties {
  std::string_view text;
  bool refused = false;  // Braze refuses one of the names
};

bool any_refused(Walk names) {
  bool refused = false;
  for (Member m; names.next(m);) refused = refused || is_refused_property(m.name);
  return refused;
}

void append_properties(std::string& out, const Properties& properties) {
  if (!properties.refused) {
    out += properties.text;
    return;
  }
  char separator = '{';
  Walk members(properties.text);
  for (Member m; members.next(m);) {
    const bool rename = is_refused_property(m.name);
    out += separator;
    out += '"';
    if (rename) out += renamed_prefix;
    out += rename && m.name.front() == '$' ? m.name.substr(1) : m.name;
    out += "\":";
    out += m.value;
    separator = ',';
  }
  out += '}';
}

// A route without `fields` hands over the event as it was received:
// {"type":"track","event":…,"properties":{…}, …}.
Properties properties_of(std::string_view payload) {
  std::string_view type, event;
  Properties properties;
  Walk walk(payload);
  for (Member m; walk.next_name(m);) {
    if (m.name == "properties" && walk.opens()) {
      Walk names = walk.inside();
      bool refused = false;
      for (Member one; names.next(one);) refused = refused || is_refused_property(one.name);
      if (!walk.value(m, names)) break;
      properties = {m.value, refused};
    } else if (!walk.value(m)) {
      break;
    }
    if (m.name == "properties") properties.text = m.value;
    if (m.name == "type") type = m.value;
    if (m.name == "event") event = m.value;
    if (!type.empty() && !event.empty() && !properties.text.empty()) break;
  }
  const bool tracked = type == "\"track\"" && !event.empty();
  const bool viewed = (type == "\"page\"" || type == "\"screen\"") && is_object(properties.text);
  if (tracked || viewed) return properties;
  return {payload, any_refused(Walk(payload))};
}

}  // namespace

Person person_of(const sdk::Record& record) {
  const std::string_view user = first(member(record.identifiers, "user_id"));
  if (is_text(user)) return {IdKind::external_id, user};
  const std::string_view email = first(member(record.identifiers, "email"));
  if (is_text(email)) return {IdKind::email, email};
  if (!record.key.empty()) return {IdKind::alias, record.key};
  return {};
}

void append_alias(std::string& out, std::string_view profile, const Settings& settings) {
  out += "{\"alias_name\":";
  sdk::append_json_string(out, profile);
  append_member(out, "alias_label", settings.alias_label);
  out += '}';
}

void append_ids(std::string& out, const Person& person, const Settings& settings,
                std::string_view external_name) {
  if (person.kind == IdKind::alias) {
    out += "\"user_alias\":";
    append_alias(out, person.id, settings);
    return;
  }
  out += '"';
  out += person.kind == IdKind::external_id ? external_name : "email";
  out += "\":";
  out += person.id;
}

void append_event(std::string& out, const sdk::Record& record, const Person& person,
                  const Settings& settings) {
  open_object(out, person, settings);
  out += ",\"name\":";
  sdk::append_json_string(out, record.name);
  out += ",\"time\":\"";
  sdk::append_time(out, record.time_us);
  out += '"';
  if (!settings.app_id.empty()) append_member(out, "app_id", settings.app_id);
  const Properties properties = properties_of(record.payload);
  if (!inside(properties.text).empty()) {
    out += ",\"properties\":";
    append_properties(out, properties);
  }
  out += '}';
}

void append_attributes(std::string& out, const sdk::Record& record, const Person& person,
                       const Settings& settings) {
  open_object(out, person, settings);
  Walk walk(record.payload);
  for (Member m; walk.next(m);) {
    // Where `email` is the id, a second one would make it another person.
    if (person.kind != IdKind::email || m.name != "email") append_attribute(out, m.name, m.value, record);
  }
  out += '}';
}

void append_membership(std::string& out, const sdk::Record& record, const Person& person,
                       const Settings& settings) {
  open_object(out, person, settings);
  append_member(out, audience_key(record.name), record.op == SLUICE_ENTER ? "true" : "false");
  out += '}';
}

bool append_consent(std::string& out, const sdk::Record& record, const Person& person,
                    const Settings& settings) {
  const sdk::Json payload = sdk::Json::parse(record.payload).value_or(sdk::Json());
  const auto found = settings.consent.find(std::string(payload["purpose"].text_or("")));
  const std::optional<bool> granted = payload["granted"].boolean_value();
  if (found == settings.consent.end() || !granted) return false;
  open_object(out, person, settings);
  if (found->second == "email_subscribe" || found->second == "push_subscribe") {
    append_member(out, found->second, *granted ? "\"opted_in\"" : "\"unsubscribed\"");
  } else {
    out += ",\"subscription_groups\":[{\"subscription_group_id\":";
    sdk::append_json_string(out, found->second);
    append_member(out, "subscription_state", *granted ? "\"subscribed\"" : "\"unsubscribed\"");
    out += "}]";
  }
  out += '}';
  return true;
}

void append_recipient(std::string& out, const sdk::Record& record, const Person& person,
                      const Settings& settings) {
  out += '{';
  append_ids(out, person, settings, "external_user_id");
  if (person.kind == IdKind::email) out += ",\"prioritization\":[\"identified\",\"most_recently_updated\"]";
  out += ",\"trigger_properties\":{";
  bool more = false;
  Walk walk(record.payload);
  for (Member m; walk.next(m);) {
    if (m.name == "campaign_id") continue;
    out += more ? ",\"" : "\"";
    out += m.name;
    out += "\":";
    out += m.value;
    more = true;
  }
  out += "}}";
}

std::string audience_key(std::string_view name) {
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
  };
  std::string key;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool hump = upper(c) && i > 0 && plain(name[i - 1]);
    if ((hump || !(plain(c) || upper(c))) && !key.empty() && key.back() != '_') key += '_';
    if (upper(c)) key += static_cast<char>(c - 'A' + 'a');
    if (plain(c)) key += c;
  }
  while (key.ends_with('_')) key.pop_back();
  return key;
}

}  // namespace sluice::braze
