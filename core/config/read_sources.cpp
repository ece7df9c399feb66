#include <algorithm>

#include "base/json.hpp"
#include "config/expressions.hpp"
#include "config/reading.hpp"

namespace sluice::config {

namespace {

bool is_tracking(const Node& section) {
  return text_of(section, "plugin") == "tracking";
}

void check_ids(Reading& reading, const Source& source, const Node& ids) {
  if (ids.members.empty()) {
    error(reading.report, ids, "empty-value", "'ids' names no identifier",
          "without one a row is about nobody");
  }
  for (const Member& m : ids.members) {
    if (m.key.bad || !reading.known(m.key, reading.identifiers, "identifier") || !source.anonymous) continue;
    const auto rule = std::find_if(reading.config.identity.begin(), reading.config.identity.end(),
                                   [&m](const IdentityRule& r) { return r.id == m.key.text; });
    const bool names = m.key.text == "user_id" ||
                       (rule != reading.config.identity.end() && rule->normalize != Normalize::none);
    if (names) {
      error(reading.report, m.key, "conflict", "an anonymous source cannot map '" + m.key.text + "'",
            "it may say only what joins no known person, like a cookie");
    }
  }
}

void check_traits(Reading& reading, const Node& traits) {
  for (const Member& m : traits.members) {
    if (m.key.bad || (!reading.computed.has(m.key.text) && !reading.computed.off.contains(m.key.text)))
      continue;
    error(reading.report, m.key, "reserved-name",
          "the trait '" + m.key.text + "' is computed: no source can write it",
          "give one of the two another name");
  }
}

void read_event_name(Reading& reading, const Node& section, const Node& key, Stream& stream) {
  const Node* name = section.find("name");
  if (stream.as == StreamKind::identify) {
    for (const char* only : {"name", "properties"}) {
      if (const Member* m = section.member(only)) {
        error(reading.report, m->key, "conflict", "'" + std::string(only) + "' is for events",
              "write as: event, or leave it out");
      }
    }
  } else if (name == nullptr) {
    if (section.member("name") == nullptr) {
      error(reading.report, key, "missing-key", "a stream of events needs 'name'",
            "the event's name, or a CEL expression in quotes that begins with =");
    }
  } else if (name->text.starts_with('=')) {
    if (name->is_plain()) {
      error(reading.report, *name, "quoting", "a name that begins with = goes in quotes",
            "write \"=row.NAME\"");
    }
    stream.event_name_program = read_expression_part(reading, *name, 1, row_scope());
  } else {
    stream.event_name = name->text;
  }
}

Stream read_stream(Reading& reading, const Source& source, const Member& m) {
  const Node& section = m.value;
  const expr::Scope scope = row_scope();
  Stream stream;
  stream.name = m.key.text;
  stream.place = reading.place(m.key);
  stream.as = text_of(section, "as") == "event" ? StreamKind::event : StreamKind::identify;
  stream.drop_source = text_of(section, "deleted") == "drop_source";
  if (stream.drop_source && stream.as == StreamKind::event) {
    error(reading.report, *section.find("deleted"), "conflict",
          "an event that happened is not withdrawn: 'deleted: drop_source' is for as: identify",
          "write deleted: ignore, or leave it out");
  }
  reading.row_reader = &stream;
  if (section.find("as") != nullptr) read_event_name(reading, section, m.key, stream);
  stream.where = read_expression(reading, section.find("where"), scope, true);
  stream.time = read_expression(reading, section.find("time"), scope, false);
  if (const Node* ids = section.find("ids")) {
    check_ids(reading, source, *ids);
    stream.ids = read_mapping(reading, ids, scope);
  }
  if (const Node* traits = section.find("traits")) {
    check_traits(reading, *traits);
    stream.traits = read_mapping(reading, traits, scope);
  }
  if (const Node* consent = section.find("consent")) {
    for (const Member& p : consent->members) {
      if (!p.key.bad) reading.known(p.key, reading.purposes, "purpose");
    }
    stream.consent = read_mapping(reading, consent, scope);
  }
  stream.properties = read_mapping(reading, section.find("properties"), scope);
  reading.row_reader = nullptr;
  return stream;
}

void read_categories(Reading& reading, const Node& section, Source& source) {
  const Node* consent = section.find("consent");
  if (consent == nullptr) return;
  for (const Member& m : consent->members) {
    if (m.key.bad || m.value.bad || !reading.known(m.key, reading.purposes, "purpose")) continue;
    const auto [at, fresh] = source.consent_categories.emplace(m.value.text, m.key.text);
    if (!fresh) {
      error(reading.report, m.value, "duplicate-name",
            "the category '" + m.value.text + "' stands for '" + at->second + "' already",
            "one category stands for one purpose");
    }
  }
}

// What the connector does not emit would never be mapped.
void check_stream_name(Reading& reading, const Source& source, const Node& name) {
  const auto& connectors = reading.options.connectors;
  const auto info = std::find_if(connectors.begin(), connectors.end(), [&source](const ConnectorInfo& c) {
    return c.source && c.plugin == source.plugin;
  });
  if (info == connectors.end()) return;
  JsonParser parser;
  std::vector<std::string> names;
  std::string known;
  parser.parse(info->manifest)["streams"].elements([&](Json stream) {
    names.emplace_back(stream.is_string() ? stream.string_or("") : stream["name"].string_or(""));
    known += (known.empty() ? "known: " : ", ") + names.back();
  });
  if (names.empty() || std::find(names.begin(), names.end(), name.text) != names.end()) return;
  error(reading.report, name, "unknown-name",
        "the connector '" + source.plugin + "' has no stream '" + name.text + "'",
        did_you_mean(name.text, names, known));
}

void read_streams(Reading& reading, const Node& section, const Node& key, Source& source) {
  const Member* streams = section.member("streams");
  if (is_tracking(section)) {
    const auto refuse = [&](const char* not_here, const char* why) {
      if (const Member* m = section.member(not_here)) {
        error(reading.report, m->key, "conflict",
              "the tracking source has no '" + std::string(not_here) + "'", why);
      }
    };
    for (const char* not_here : {"streams", "every"}) refuse(not_here, "what it receives is events already");
    for (const char* not_here : {"isolation", "memory"})
      refuse(not_here, "it is the hub's own door, and no connector");
    return;
  }
  if (streams == nullptr || (streams->value.is_map() && streams->value.members.empty())) {
    if (section.find("plugin") != nullptr) {
      error(reading.report, key, "missing-key", "a source needs 'streams'",
            "how its rows become events and people");
    }
    return;
  }
  if (streams->value.bad || !streams->value.is_map()) return;
  for (const Member& m : streams->value.members) {
    if (m.key.bad || m.value.bad || !m.value.is_map()) continue;
    check_stream_name(reading, source, m.key);
    Stream stream = read_stream(reading, source, m);
    if (enabled(m.value)) source.streams.push_back(std::move(stream));
  }
}

Source read_source(Reading& reading, const Member& m) {
  const Node& section = m.value;
  Source source;
  source.name = m.key.text;
  source.place = reading.place(m.key);
  source.plugin = text_of(section, "plugin");
  source.trust = text_of(section, "trust") == "public" ? Trust::publik : Trust::server;
  source.party = text_of(section, "party", "first");
  source.anonymous = boolean_of(section, "anonymous");
  source.every = duration_of(section, "every");
  if (source.every && *source.every < us_per_s) {
    error(reading.report, *section.find("every"), "out-of-range", "'every' is less than a second",
          "write 1s or more");
  }
  source.with = read_settings(reading, section, m.key, true, "sources." + source.name);
  if (!is_tracking(section)) source.isolation = read_isolation(reading, section, true);
  source.derive = read_derive(reading, section, is_tracking(section));
  read_categories(reading, section, source);
  if (source.trust == Trust::publik && reading.config.consent.present &&
      section.member("consent") == nullptr) {
    warn(reading.report, m.key, "public-consent",
         "what this public source says about consent counts for nothing",
         "map it: consent: { PURPOSE: CATEGORY }");
  }
  read_streams(reading, section, m.key, source);
  return source;
}

// The key says which source an event came in by. In the journal's copy of the file all that are written out
// read ***.
void check_write_key(Reading& reading, const Node& section, std::vector<const Node*>& keys) {
  if (!reading.options.check_secrets) return;
  const Node* with = section.find("with");
  const Node* key = with != nullptr ? with->find("write_key") : nullptr;
  if (key == nullptr || !key->is_scalar()) return;
  const auto same =
      std::find_if(keys.begin(), keys.end(), [key](const Node* other) { return other->text == key->text; });
  if (same != keys.end()) {
    error(reading.report, *key, "duplicate-name", "another source has this write key",
          "first in line " + std::to_string(reading.place(**same).line) + "; give each source its own");
  }
  keys.push_back(key);
}

}  // namespace

void read_sources(Reading& reading) {
  std::vector<const Node*> keys;
  for (const Member* m : reading.members("sources")) {
    if (m->value.bad || !m->value.is_map()) continue;
    Source source = read_source(reading, *m);
    if (is_tracking(m->value) && enabled(m->value)) check_write_key(reading, m->value, keys);
    if (enabled(m->value)) reading.config.sources.push_back(std::move(source));
  }
}

}  // namespace sluice::config
