#include "config/checker.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "config/scalars.hpp"

namespace sluice::config {

namespace {

std::vector<std::string> words(std::string_view choices) {
  std::vector<std::string> all;
  if (choices.empty()) return all;
  for (const std::string_view word : split(choices, '|')) all.emplace_back(word);
  return all;
}

bool has(const std::vector<std::string>& all, std::string_view word) {
  return std::find(all.begin(), all.end(), word) != all.end();
}

std::string listed(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& word : all) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, 60)) + "'";
}

class Checker {
 public:
  explicit Checker(Report& report) : report_(report) {}

  void section(const Node& node, const Section& section, bool required, const Node* owner) {
    if (node.bad) return;
    if (!section.shorthand.empty() && node.is_scalar()) {
      scalar(node, *section.field(section.shorthand), std::string(section.title));
      return;
    }
    if (!node.is_map()) {
      const Node& at = node.kind == Node::Kind::null && owner != nullptr ? *owner : node;
      bad(at, node, "wrong-type", std::string(section.title) + " must be keys with values", example(section));
      return;
    }
    std::set<std::string_view> meant;
    for (const Member& m : node.members) {
      if (m.key.bad) continue;
      if (const Field* field = section.field(m.key.text)) {
        value(m, *field);
      } else {
        meant.insert(unknown_key(m, section));
      }
    }
    if (!required) return;
    for (const Field& f : section.fields) {
      if (!f.required || node.member(f.name) != nullptr || meant.contains(f.name)) continue;
      bad(owner != nullptr ? *owner : node, node, "missing-key",
          std::string(section.title) + " needs '" + std::string(f.name) + "'", std::string(f.doc));
      node.bad = false;  // what is there is still worth reading
    }
  }

 private:
  void bad(const Node& at, const Node& node, std::string code, std::string what, std::string help) {
    error(report_, at, std::move(code), std::move(what), std::move(help));
    node.bad = true;
  }

  static std::string example(const Section& section) {
    std::string keys;
    for (const Field& f : section.fields) {
      if (!f.later && f.required) keys += (keys.empty() ? "" : ", ") + std::string(f.name);
    }
    return keys.empty() ? std::string() : "it needs: " + keys;
  }

  // The field that was meant, as a view of the tables; empty if none is near.
  std::string_view unknown_key(const Member& m, const Section& section) {
    m.key.bad = true;
    std::vector<std::string> names;
    for (const Field& f : section.fields) names.emplace_back(f.name);
    for (const Field& f : common_fields()) {
      if (f.name != "enabled" || section.can_disable) names.emplace_back(f.name);
    }
    const std::string near = closest(m.key.text, names);
    const bool cut = m.key.flow && m.value.kind == Node::Kind::null;
    std::string help =
        cut ? "inside { } quote whatever has a comma, bracket or brace" : "known: " + listed(names);
    if (!near.empty()) help = "did you mean '" + near + "'?";
    error(report_, m.key, "unknown-key",
          "unknown key " + quoted(m.key.text) + " in " + std::string(section.title), std::move(help));
    const Field* field = near.empty() ? nullptr : section.field(near);
    return field != nullptr ? field->name : std::string_view();
  }

  void value(const Member& m, const Field& field) {
    if (m.value.bad) return;
    if (field.later) {
      bad(m.key, m.value, "not-supported-yet", quoted(field.name) + " is not supported yet",
          "leave it out for now");
      return;
    }
    const bool group = field.type == Type::map || field.type == Type::object || field.type == Type::list ||
                       field.type == Type::mapping || field.type == Type::labels ||
                       field.type == Type::messages || field.type == Type::settings;
    if (m.value.kind == Node::Kind::null) {
      if (!group || field.required) {
        bad(m.key, m.value, "empty-value", quoted(field.name) + " has no value", std::string(field.doc));
      }
      return;
    }
    if (group) {
      compound(m, field);
    } else if (field.type == Type::texts || field.type == Type::hosts) {
      texts(m.value, field);
    } else {
      scalar(m.value, field, quoted(field.name));
    }
  }

  void compound(const Member& m, const Field& field) {
    const Node& node = m.value;
    switch (field.type) {
      case Type::object:
        if (node.is_scalar() && !field.choices.empty()) return choice(node, field, quoted(field.name));
        return section(node, *field.of, true, &m.key);
      case Type::list:
        if (!node.is_list()) {
          return bad(node, node, "wrong-type", quoted(field.name) + " must be a list",
                     "begin each entry with '- '");
        }
        for (const Node& item : node.items) section(item, *field.of, true, nullptr);
        return;
      default:
        break;
    }
    if (!node.is_map()) {
      return bad(node, node, "wrong-type", quoted(field.name) + " must be names with values",
                 "write NAME: VALUE");
    }
    for (const Member& entry : node.members) {
      if (!entry.key.bad && !entry.value.bad) element(entry, field);
    }
  }

  void element(const Member& entry, const Field& field) {
    if (field.type == Type::settings) return;  // by the connector's manifest
    if (field.type == Type::map) {
      const bool free_name = field.name == "computed" || field.name == "streams" || field.name == "traits";
      if (!free_name && !is_name(entry.key.text)) {
        return bad(entry.key, entry.value, "bad-name", quoted(entry.key.text) + " cannot be a name here",
                   "use up to 64 letters, digits, _ - and .");
      }
      const bool may_be_empty = field.of->shorthand.empty() && example(*field.of).empty();
      if (entry.value.kind == Node::Kind::null && may_be_empty) return;
      if (entry.value.kind == Node::Kind::null && !field.of->shorthand.empty()) {
        return bad(entry.key, entry.value, "empty-value", quoted(entry.key.text) + " has no value",
                   std::string(field.of->field(field.of->shorthand)->doc));
      }
      return section(entry.value, *field.of, true, &entry.key);
    }
    if (entry.value.kind == Node::Kind::null) {
      return bad(entry.key, entry.value, "empty-value", quoted(entry.key.text) + " has no value",
                 entry.key.flow ? "inside { } quote whatever has a comma, bracket or brace" : "");
    }
    if (field.type == Type::mapping) return mapped(entry.value);
    if (!entry.value.is_scalar()) {
      return bad(entry.value, entry.value, "wrong-type", quoted(entry.key.text) + " must be a text", "");
    }
  }

  void mapped(const Node& node) {
    if (node.is_scalar()) return;
    if (node.is_map()) {
      const Node* literal = node.find("value");
      if (literal != nullptr && literal->is_scalar() && node.members.size() == 1) return;
    }
    bad(node, node, "wrong-type", "a value is a CEL expression or { value: LITERAL }",
        node.is_list() ? "a list in CEL goes in quotes: '[1, 2]'" : "");
  }

  void texts(const Node& node, const Field& field) {
    if (node.is_scalar()) return text_item(node, field);
    if (!node.is_list()) {
      return bad(node, node, "wrong-type", quoted(field.name) + " must be a text or a list of texts", "");
    }
    for (const Node& item : node.items) {
      if (item.bad) continue;
      if (!item.is_scalar()) {
        bad(item, item, "wrong-type", "each entry of " + quoted(field.name) + " must be a text", "");
      } else {
        text_item(item, field);
      }
    }
  }

  void text_item(const Node& node, const Field& field) {
    if (field.type == Type::hosts && !is_host_pattern(node.text)) {
      return bad(node, node, "bad-host", quoted(node.text) + " is no host",
                 "write host.example.com, *.example.com or host.example.com:8443, without a scheme or path");
    }
    text(node, field);
  }

  void text(const Node& node, const Field& field) {
    if (node.text.empty()) {
      return bad(node, node, "empty-value", quoted(field.name) + " is empty", std::string(field.doc));
    }
    if (node.text.find("${") != std::string::npos) {
      bad(node, node, "misplaced-secret",
          "a secret is looked up under 'with:' alone, not in " + quoted(field.name),
          "write the value itself");
    }
  }

  void choice(const Node& node, const Field& field, const std::string& name) {
    const std::vector<std::string> known = words(field.choices), yet = words(field.choices_later);
    if (has(known, node.text)) return;
    if (has(yet, node.text)) {
      return bad(node, node, "not-supported-yet", name + ": " + quoted(node.text) + " is not supported yet",
                 "for now: " + listed(known));
    }
    bad(node, node, "bad-value", quoted(node.text) + " is no value of " + name,
        did_you_mean(node.text, known,
                     field.of != nullptr ? std::string(field.doc) : "known: " + listed(known)));
  }

  // A bare condition that YAML might read otherwise tomorrow is refused today: the quoting rule.
  void quoting(const Node& node) {
    const char first = node.text.empty() ? '\0' : node.text[0];
    const bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_' ||
                        static_cast<unsigned char>(first) >= 0x80;
    const bool digit = first >= '0' && first <= '9';
    if (!node.is_plain() || letter || digit || first == '(') return;
    bad(node, node, "quoting", "a condition or value that stands bare must begin with a letter, a digit or (",
        "put it in single quotes, or write | and put it on the next line");
  }

  void unit(const Node& node, bool good, const std::string& name, const char* what, const char* help) {
    if (good) return;
    const bool bare = is_json_number(node.text);
    bad(node, node, bare ? "missing-unit" : "bad-value",
        bare ? name + " needs a unit: " + quoted(node.text) + " is a bare number"
             : quoted(node.text) + " is no " + what,
        help);
  }

  void scalar(const Node& node, const Field& field, const std::string& name) {
    if (node.bad) return;
    if (!node.is_scalar()) {
      if (node.is_map() && field.of != nullptr) {
        section(node, *field.of, true, nullptr);
        node.bad = true;
        return;
      }
      return bad(node, node, "wrong-type",
                 name + " must be one value, not a " + (node.is_map() ? "group of keys" : "list"),
                 std::string(field.doc));
    }
    const std::string& t = node.text;
    switch (field.type) {
      case Type::boolean:
        return boolean(node, name);
      case Type::integer:
        return integer(node, field, name);
      case Type::duration:
        return unit(node, parse_duration(t).value_or(-1) >= 0, name, "length of time",
                    "write 90s, 15m, 1h30m, 7d or 2w");
      case Type::span:
        return unit(node, parse_span(t).has_value(), name, "length of time",
                    "write 90s, 15m, 1h30m, 7d, 2w, 25mo or 3y");
      case Type::rate:
        return unit(node, parse_rate(t).has_value(), name, "rate", "write 250 per 1s");
      case Type::size:
        return unit(node, parse_size(t).has_value(), name, "size", "write 512MiB, 64KiB or 1GB");
      case Type::choice:
        return choice(node, field, name);
      case Type::time_zone:
        if (!is_time_zone(t)) place(node, "time zone", closest_time_zone(t), "write Europe/Paris");
        return;
      case Type::country:
        if (!is_country(t))
          place(node, "country", closest_country(t), "write its two letters of ISO 3166: FR");
        return;
      case Type::address:
        if (!is_host_port(t))
          bad(node, node, "bad-address", quoted(t) + " is no HOST:PORT", "write 127.0.0.1:8080");
        return;
      case Type::admin:
        return admin(node);
      case Type::url:
        if (!is_url(t)) bad(node, node, "bad-url", quoted(t) + " is no URL", "write https://hub.example.com");
        return;
      case Type::condition:
      case Type::value:
        return t.empty() ? bad(node, node, "empty-value", name + " is empty", "") : quoting(node);
      default:
        return text(node, field);
    }
  }

  void admin(const Node& node) {
    const bool socket = node.text.starts_with("unix:") && node.text.size() > 5;
    if (socket || is_host_port(node.text)) return;
    bad(node, node, "bad-address", quoted(node.text) + " is neither unix:PATH nor HOST:PORT",
        "write unix:./data/admin.sock or 127.0.0.1:8081");
  }

  void place(const Node& node, const char* what, const std::string& near, const char* help) {
    bad(node, node, "bad-value", "no " + std::string(what) + " is named " + quoted(node.text),
        near.empty() ? help : "did you mean '" + near + "'?");
  }

  void boolean(const Node& node, const std::string& name) {
    if (node.is_plain() && parse_boolean(node.text)) return;
    const std::string lower = lower_ascii(node.text);
    const bool yes = lower == "yes" || lower == "on" || lower == "true" || lower == "1";
    const bool no = lower == "no" || lower == "off" || lower == "false" || lower == "0";
    bad(node, node, "wrong-type", name + " is true or false, not " + quoted(node.text),
        yes  ? "write true"
        : no ? "write false"
             : "");
  }

  void integer(const Node& node, const Field& field, const std::string& name) {
    const std::optional<std::int64_t> n = node.is_plain() ? parse_integer(node.text) : std::nullopt;
    if (!n) return bad(node, node, "wrong-type", name + " is a whole number, not " + quoted(node.text), "");
    if (*n < field.least || *n > 1'000'000'000) {
      bad(node, node, "out-of-range",
          name + " must be between " + std::to_string(field.least) + " and 1000000000", "");
    }
  }

  Report& report_;
};

}  // namespace

void check_section(const Node& node, const Section& section, Report& report, bool required,
                   const Node* owner) {
  Checker(report).section(node, section, required, owner);
}

void error(Report& report, const Node& at, std::string code, std::string what, std::string help) {
  report.add(Report::Kind::error, *at.file, at.begin, at.end, std::move(code), std::move(what),
             std::move(help));
}

void warn(Report& report, const Node& at, std::string code, std::string what, std::string help) {
  report.add(Report::Kind::warning, *at.file, at.begin, at.end, std::move(code), std::move(what),
             std::move(help));
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates,
                         std::string other) {
  const std::string near = closest(name, candidates);
  return near.empty() ? other : "did you mean '" + near + "'?";
}

std::string text_of(const Node& section, std::string_view key, std::string_view otherwise) {
  const Node* node = section.find(key);
  return node != nullptr && node->is_scalar() ? node->text : std::string(otherwise);
}

bool boolean_of(const Node& section, std::string_view key, bool otherwise) {
  const Node* node = section.find(key);
  return node != nullptr ? parse_boolean(node->text).value_or(otherwise) : otherwise;
}

std::optional<Span> span_of(const Node& section, std::string_view key) {
  const Node* node = section.find(key);
  return node != nullptr ? parse_span(node->text) : std::nullopt;
}

std::optional<DurationUs> duration_of(const Node& section, std::string_view key) {
  const Node* node = section.find(key);
  return node != nullptr ? parse_duration(node->text) : std::nullopt;
}

std::vector<const Node*> texts_of(const Node& section, std::string_view key) {
  std::vector<const Node*> all;
  const Node* node = section.find(key);
  if (node == nullptr) return all;
  if (node->is_scalar()) all.push_back(node);
  for (const Node& item : node->items) {
    if (item.is_scalar() && !item.bad) all.push_back(&item);
  }
  return all;
}

bool enabled(const Node& section) {
  return boolean_of(section, "enabled", true);
}

}  // namespace sluice::config
