// `with:` of a source or destination, held against the `config` schema of its connector's manifest.
#include <algorithm>

#include <re2/re2.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "config/reading.hpp"
#include "config/scalars.hpp"
#include "config/secrets.hpp"

namespace sluice::config {

namespace {

// The hub's own door has no manifest file.
constexpr std::string_view tracking_manifest =
    R"({"config":{"type":"object","required":["write_key"],)"
    R"("properties":{"write_key":{"type":"string","x-secret":true}}}})";

constexpr std::uint64_t memory_bytes_min = std::uint64_t{16} << 20,
                        memory_bytes_max = std::uint64_t{64} << 30;

std::string quoted(std::string_view text) {
  return "'" + std::string(text.substr(0, 60)) + "'";
}

class Settings {
 public:
  Settings(Reading& reading, std::string folder, std::string prefix)
      : reading_(reading), report_(reading.report), folder_(std::move(folder)), prefix_(std::move(prefix)) {}

  // Writes `node` as `schema` wants it: as the connector gets it, and as people may see it.
  void write(const Node& node, Json schema) {
    if (node.bad) return null();
    if (schema["anyOf"]) return any_of(node, schema["anyOf"]);
    const std::string_view type = schema["type"].string_or("");
    if (schema["x-secret"].boolean().value_or(false)) return secret(node);
    if (type == "object" || (type.empty() && node.is_map())) return object(node, schema);
    if (type == "array" || (type.empty() && node.is_list())) return array(node, schema);
    if (!node.is_scalar()) return wrong(node, type.empty() ? "a value" : type);
    if (type == "integer" || type == "number") return number(node, schema, type == "integer");
    if (type == "boolean") return boolean(node);
    if (type.empty() && node.is_plain() && (is_json_number(node.text) || parse_boolean(node.text)))
      return raw(node.text);
    string(node, schema);
  }

  void object(const Node& node, Json schema, const Node* owner = nullptr) {
    if (!node.is_map() && node.kind != Node::Kind::null) return wrong(node, "object");
    const Json properties = schema["properties"];
    const Json more = schema["additionalProperties"];
    const bool open = more.boolean().value_or(more.is_object() || (!properties && !schema["type"]));
    std::vector<std::string> names, given;
    properties.members([&names](std::string_view key, Json) { names.emplace_back(key); });
    begin('{');
    for (const Member& m : node.members) {
      if (m.key.bad) continue;
      given.push_back(m.key.text);
      const Json property = properties[m.key.text];
      if (!property && !open) {
        const std::string near = closest(m.key.text, names);
        if (!near.empty()) given.push_back(near);
        error(report_, m.key, "unknown-key", "unknown key " + quoted(m.key.text) + " in 'with'",
              near.empty() ? known(names) : "did you mean '" + near + "'?");
        continue;
      }
      key(m.key.text);
      if (m.value.kind == Node::Kind::null && property["type"].string_or("") != "object") {
        error(report_, m.key, "empty-value", quoted(m.key.text) + " has no value", describe(property));
        null();
      } else {
        write(m.value, property ? property : more);
      }
    }
    end('}');
    schema["required"].elements([&](Json name) {
      const std::string wanted(name.string_or(""));
      if (std::find(given.begin(), given.end(), wanted) != given.end()) return;
      error(report_, owner != nullptr ? *owner : node, "missing-key", "'with' needs " + quoted(wanted),
            describe(properties[wanted]));
    });
  }

  // Of a connector that nobody knows: its secrets alone can be checked.
  void secrets_of(const Node& node) {
    if (node.is_scalar()) check_references(node, secret_references(node.text));
    for (const Node& item : node.items) secrets_of(item);
    for (const Member& m : node.members) secrets_of(m.value);
  }

  std::string real, shown;

 private:
  static std::string known(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "known: " : ", ") + name;
    return out;
  }
  static std::string describe(Json schema) { return std::string(schema["description"].string_or("")); }

  // The first alternative whose kind the value has; what it asks further is asked of that one.
  void any_of(const Node& node, Json alternatives) {
    Json fitting;
    alternatives.elements([&](Json schema) {
      const std::string_view type = schema["type"].string_or("");
      const Json only = schema["const"];
      const std::string word = only.is_string() ? std::string(only.string_or("")) : only.text();
      const bool fits = only                ? node.is_scalar() && node.text == word
                        : type == "array"   ? node.is_list()
                        : type == "object"  ? node.is_map()
                        : type == "boolean" ? node.is_plain() && parse_boolean(node.text).has_value()
                        : type == "number" || type == "integer" ? node.is_plain() && is_json_number(node.text)
                                                                : node.is_scalar();
      if (fits && !fitting) fitting = schema;
    });
    if (!fitting) return wrong(node, "one of the forms that the connector knows");
    if (const Json only = fitting["const"]) return raw(only.text());
    write(node, fitting);
  }

  void array(const Node& node, Json schema) {
    if (!node.is_list()) return wrong(node, "list");
    if (node.items.size() <
        static_cast<std::size_t>(std::max<std::int64_t>(0, schema["minItems"].integer().value_or(0)))) {
      error(report_, node, "empty-value", "this list needs at least " + schema["minItems"].text(), "");
    }
    begin('[');
    for (const Node& item : node.items) {
      comma();
      write(item, schema["items"]);
    }
    end(']');
  }

  void wrong(const Node& node, std::string_view type) {
    if (!node.bad) {
      error(report_, node, "wrong-type",
            "this must be " + std::string(type == "object" ? "keys with values" : type), "");
    }
    node.bad = true;
    null();
  }

  void number(const Node& node, Json schema, bool whole) {
    const std::optional<double> n = node.is_plain() ? parse_number(node.text) : std::nullopt;
    if (!n || (whole && !parse_integer(node.text))) return wrong(node, whole ? "a whole number" : "a number");
    const std::optional<double> least = schema["minimum"].number(), most = schema["maximum"].number();
    if ((least && *n < *least) || (most && *n > *most)) {
      std::string range = least ? "from " + schema["minimum"].text() : "";
      if (most) range += (range.empty() ? "up to " : " to ") + schema["maximum"].text();
      error(report_, node, "out-of-range", "this number is out of range", "it goes " + range);
      return null();
    }
    one_of(node, schema);
    raw(node.text);
  }

  void boolean(const Node& node) {
    if (!node.is_plain() || !parse_boolean(node.text)) return wrong(node, "true or false");
    raw(node.text);
  }

  bool one_of(const Node& node, Json schema) {
    const Json choices = schema["enum"];
    if (!choices) return true;
    std::vector<std::string> names;
    choices.elements(
        [&names](Json c) { names.push_back(c.is_string() ? std::string(c.string_or("")) : c.text()); });
    if (std::find(names.begin(), names.end(), node.text) != names.end()) return true;
    error(report_, node, "bad-value", quoted(node.text) + " is none of the values that are known here",
          did_you_mean(node.text, names, known(names)));
    return false;
  }

  void string(const Node& node, Json schema) {
    const std::vector<SecretReference> references = secret_references(node.text);
    check_references(node, references);
    if (references.empty()) {
      const std::string pattern(schema["pattern"].string_or(""));
      const int length = code_points(node.text);
      if (!one_of(node, schema)) return null();
      if (!has_format(node, schema["format"].string_or(""))) {
        // said already
      } else if (length < schema["minLength"].integer().value_or(0) ||
                 length > schema["maxLength"].integer().value_or(length)) {
        error(report_, node, "out-of-range", length == 0 ? "this is empty" : "this is too long or too short",
              describe(schema));
      } else if (!pattern.empty() && !RE2::PartialMatch(node.text, RE2(pattern, RE2::Quiet))) {
        error(report_, node, "bad-value", "this has not the form that the connector expects",
              describe(schema));
      }
    }
    std::string text = rebased(node.text, references);
    if (schema["format"].string_or("") == "path" && !text.starts_with('/')) text = prefix_ + text;
    both(json_string(text));
  }

  bool has_format(const Node& node, std::string_view format) {
    if (format == "uri" && !is_url(node.text)) {
      error(report_, node, "bad-url", "this is no URL", "write its scheme too: https://host.example.com");
    } else if (format == "timezone" && !is_time_zone(node.text)) {
      const std::string near = closest_time_zone(node.text);
      error(report_, node, "bad-value", "no time zone is named " + quoted(node.text),
            near.empty() ? "write a name of the IANA list: Europe/Paris" : "did you mean '" + near + "'?");
    } else if (format == "path" && leaves_folder(node.text)) {
      error(report_, node, "bad-path", quoted(node.text) + " leaves the folder of this file",
            "relative paths stay under it; for elsewhere write the whole path, from /");
    } else {
      return true;
    }
    return false;
  }

  void secret(const Node& node) {
    if (!node.is_scalar()) return wrong(node, "a secret's reference");
    const std::vector<SecretReference> references = secret_references(node.text);
    check_references(node, references);
    if (!references.empty()) return both(json_string(rebased(node.text, references)));
    for (const Document& d : reading_.documents) {
      if (d.file.get() == node.file) d.file->mask(node.begin, hidden_end(node));
    }
    warn(report_, node, "literal-secret", "a secret stands here for everyone who can read this file",
         "write a reference, \"${NAME}\" or \"${file:PATH}\"");
    real += json_string(node.text);
    shown += "\"***\"";
  }

  // A secret may go on over several lines.
  static std::size_t hidden_end(const Node& node) {
    const std::vector<std::size_t> offsets = source_offsets(node);
    return std::max(node.end, offsets.back());
  }

  void check_references(const Node& node, const std::vector<SecretReference>& references) {
    for (const SecretReference& r : references) {
      if (!r.valid) {
        error(report_, node, "bad-secret", "'${' begins a reference to a secret, and this is none",
              "write \"${NAME}\" or \"${file:PATH}\"");
      } else if (reading_.options.check_secrets) {
        if (const std::optional<std::string> why = missing_secret(r, folder_)) {
          const std::vector<std::size_t> at = source_offsets(node);
          report_.add(Report::Kind::error, *node.file, at[r.begin], at[r.end - 1] + 1, "missing-secret", *why,
                      r.file ? "paths are relative to this file" : "set it before the hub starts");
        }
      }
    }
  }

  // The connector's settings have one folder, the first file's: a path of an included file is written from
  // there.
  std::string rebased(const std::string& text, const std::vector<SecretReference>& references) const {
    std::string out;
    std::size_t done = 0;
    for (const SecretReference& r : references) {
      if (!r.file || prefix_.empty() || r.name.starts_with('/')) continue;
      out += text.substr(done, r.begin - done) + "${file:" + prefix_ + r.name + "}";
      done = r.end;
    }
    return out + text.substr(done);
  }

  void comma() {
    if (!shown.empty() && shown.back() != '{' && shown.back() != '[' && shown.back() != ':') both(",");
  }
  void key(const std::string& name) {
    comma();
    both(json_string(name) + ":");
  }
  void both(const std::string& json) {
    real += json;
    shown += json;
  }
  void raw(const std::string& json) { both(json); }
  void null() { both("null"); }
  void begin(char c) { both(std::string(1, c)); }
  void end(char c) { both(std::string(1, c)); }

  Reading& reading_;
  Report& report_;
  std::string folder_, prefix_;
};

// Where vendors call back, the hub must know that it is they who call, and by which URL.
void check_routes(Reading& reading, const Node& plugin, Json routes, Json settings, bool source) {
  const bool is_public = !reading.config.hub.public_url.empty();
  routes.elements([&](Json route) {
    const std::string path(route["path"].string_or(""));
    const std::string what = "the route " + quoted(path) + " of " + quoted(plugin.text);
    const Json verify = route["verify"];
    const std::string_view type = verify["type"].string_or("");
    if (type.empty()) {
      error(reading.report, plugin, "unverified-route", what + " does not say how its callers are verified",
            R"(its manifest needs "verify", or {"type": "none"} if anybody may call)");
    } else if (type == "none") {
      warn(reading.report, plugin, "unverified-route", "anybody may call " + what, "");
    } else if (type == "twilio" && !is_public && source) {
      error(reading.report, plugin, "missing-key", what + " is verified by its public URL",
            "add public_url: under hub:");
    }
    bool named = false, set = false;
    const auto look = [&](std::string_view field) {
      named = true;
      set = set || settings[field].string_or("") != "";
    };
    if (const Json secret = verify["secret"]; secret.is_string()) look(secret.string_or(""));
    verify["secret"].elements([&](Json field) { look(field.string_or("")); });
    if (named && !set) {
      warn(reading.report, plugin, "unverified-route",
           "nobody can call " + what + ": no secret that signs is set",
           std::string(verify["secret"].text()) + " under 'with'");
    }
  });
  if (!source && !is_public && routes.size() > 0) {
    warn(reading.report, plugin, "no-public-url",
         "what becomes of messages is not told: " + quoted(plugin.text) + " cannot call this hub",
         "add public_url: under hub:");
  }
}

}  // namespace

std::string read_settings(Reading& reading, const Node& section, const Node& owner, bool source,
                          const std::string& path) {
  const Node* plugin = section.find("plugin");
  if (plugin == nullptr) return "{}";
  std::vector<std::string> names;
  const ConnectorInfo* info = nullptr;
  if (source) names.emplace_back("tracking");
  for (const ConnectorInfo& c : reading.options.connectors) {
    if (source ? !c.source : !c.destination) continue;
    names.push_back(c.plugin);
    if (c.plugin == plugin->text) info = &c;
  }
  const bool tracking = source && plugin->text == "tracking";
  if (info == nullptr && !tracking) {
    const bool other = std::any_of(reading.options.connectors.begin(), reading.options.connectors.end(),
                                   [plugin](const ConnectorInfo& c) { return c.plugin == plugin->text; });
    const std::string kind = source ? "source" : "destination";
    error(reading.report, *plugin, "unknown-plugin",
          other ? "the connector " + quoted(plugin->text) + " is no " + kind
                : "no connector is named " + quoted(plugin->text),
          did_you_mean(plugin->text, names, "'sluice plugin list' shows what is installed"));
    const Document& document = reading.document_of(section);
    if (const Node* with = section.find("with"))
      Settings(reading, document.folder, document.prefix).secrets_of(*with);
    return "{}";
  }
  const std::string manifest(info != nullptr ? std::string_view(info->manifest) : tracking_manifest);
  JsonParser parser;
  const Json root = parser.parse(manifest.empty() ? "{}" : manifest);
  const Document& document = reading.document_of(section);
  Settings settings(reading, document.folder, document.prefix);
  const Member* with = section.member("with");
  if (with != nullptr && with->value.bad) return "{}";
  const Node none;
  settings.object(with != nullptr ? with->value : none, root["config"],
                  with != nullptr ? &with->key : &owner);
  reading.redacted[path] = settings.shown;
  JsonParser given;
  check_routes(reading, *plugin, root["routes"], given.parse(settings.real), source);
  return settings.real;
}

Isolation read_isolation(Reading& reading, const Node& section, bool source) {
  Isolation out;
  const std::string plugin = text_of(section, "plugin");
  const auto& all = reading.options.connectors;
  const auto info = std::find_if(all.begin(), all.end(), [&](const ConnectorInfo& c) {
    return c.plugin == plugin && (source ? c.source : c.destination);
  });
  const bool own = info == all.end() || info->own;
  const Node* written = section.find("isolation");
  if (written != nullptr && !written->bad) out.written = written->text == "process";
  out.process = out.written.value_or(!own);
  if (!out.process && !own) {
    error(reading.report, *written, "foreign-connector",
          quoted(plugin) + " was not installed with Sluice: it may not run in the hub's process",
          "write process, or leave it out");
  }
  const Node* memory = section.find("memory");
  if (memory == nullptr || memory->bad) return out;
  out.memory_bytes = parse_size(memory->text).value_or(out.memory_bytes);
  if (out.memory_bytes < memory_bytes_min || out.memory_bytes > memory_bytes_max) {
    error(reading.report, *memory, "out-of-range", "'memory' is not between 16MiB and 64GiB",
          "512MiB holds without it");
  } else if (!out.process) {
    warn(reading.report, *memory, "no-effect",
         "'memory' has no effect: " + quoted(plugin) + " runs in the hub's process",
         "write isolation: process, or leave it out");
  }
  return out;
}

}  // namespace sluice::config
