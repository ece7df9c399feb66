// The JSON Schema (draft-07) that editors check connectors.yaml with, out of the tables that the loader
// checks with.
#include "base/json.hpp"
#include "base/text.hpp"
#include "config/config.hpp"
#include "config/fields.hpp"

namespace sluice::config {

namespace {

constexpr const char* span_pattern =
    "^([0-9]+ *(ms|s|m|h|d|w|mo|y|seconds?|minutes?|hours?|days?|weeks?|months?|years?) *)+$";

class SchemaWriter {
 public:
  SchemaWriter(const std::vector<ConnectorInfo>& connectors, std::string& out)
      : connectors_(connectors), w_(out) {}

  void run() {
    w_.begin_object();
    w_.member("$schema", "http://json-schema.org/draft-07/schema#")
        .member("title", "connectors.yaml of Sluice");
    section_body(root_section());
    w_.end_object();
  }

 private:
  void section(const Section& s) {
    w_.begin_object();
    if (s.shorthand.empty()) {
      section_body(s);
    } else {
      w_.key("anyOf").begin_array();
      w_.begin_object();
      type_body(*s.field(s.shorthand));
      w_.end_object().begin_object();
      section_body(s);
      w_.end_object().end_array();
    }
    w_.end_object();
  }

  void section_body(const Section& s) {
    w_.member("type", "object").member_boolean("additionalProperties", false);
    w_.key("properties").begin_object();
    for (const Field& f : s.fields) field(f);
    for (const Field& f : common_fields()) {
      if (f.name != "enabled" || s.can_disable) field(f);
    }
    w_.end_object();
    w_.key("required").begin_array();
    for (const Field& f : s.fields) {
      if (f.required) w_.string(f.name);
    }
    w_.end_array();
    const Field* with = s.field("with");
    if (with != nullptr && with->type == Type::settings) settings_of(s.title == "a source");
  }

  void field(const Field& f) {
    w_.key(f.name).begin_object();
    if (f.later) {
      w_.member("description", "not supported yet: " + std::string(f.doc))
          .key("not")
          .begin_object()
          .end_object();
    } else {
      w_.member("description", f.doc);
      type_body(f);
    }
    w_.end_object();
  }

  void pattern(const char* expression) { w_.member("type", "string").member("pattern", expression); }
  void anything_bare() {  // YAML reads 06, no and 12 as other types than the text that is meant
    w_.key("type").begin_array().string("string").string("number").string("boolean").end_array();
  }
  void words(std::string_view choices) {
    w_.key("enum").begin_array();
    for (const std::string_view word : split(choices, '|')) w_.string(word);
    w_.end_array();
  }
  void map_of_values(const char* literal) {
    w_.member("type", "object").key("additionalProperties").begin_object();
    if (literal == nullptr) {
      anything_bare();
    } else {
      w_.key("anyOf").begin_array().begin_object();
      anything_bare();
      w_.end_object().begin_object().member("type", "object").member_boolean("additionalProperties", false);
      w_.key("required").begin_array().string(literal).end_array();
      w_.key("properties").begin_object().key(literal).begin_object();
      anything_bare();
      w_.end_object().end_object().end_object().end_array();
    }
    w_.end_object();
  }

  void type_body(const Field& f) {
    switch (f.type) {
      case Type::boolean:
        w_.member("type", "boolean");
        return;
      case Type::integer:
        w_.member("type", "integer").member_integer("minimum", f.least);
        return;
      case Type::duration:
      case Type::span:
        pattern(span_pattern);
        return;
      case Type::rate:
        pattern("^[0-9.]+ per [0-9]");
        return;
      case Type::size:
        pattern("^[0-9]+ *([KMGT]iB|[kMGT]?B)$");
        return;
      case Type::choice:
        words(f.choices);
        return;
      case Type::country:
        pattern("^[A-Z]{2}$");
        return;
      case Type::address:
        pattern(":[0-9]+$");
        return;
      case Type::admin:
        pattern("^unix:.|:[0-9]+$");
        return;
      case Type::url:
        w_.member("type", "string").member("format", "uri");
        return;
      case Type::texts:
      case Type::hosts:
        w_.key("anyOf").begin_array().begin_object();
        anything_bare();
        w_.end_object().begin_object().member("type", "array").key("items").begin_object();
        anything_bare();
        w_.end_object().end_object().end_array();
        return;
      case Type::mapping:
        map_of_values("value");
        return;
      case Type::labels:
      case Type::messages:
        map_of_values(nullptr);
        return;
      case Type::settings:
        w_.member("type", "object");
        return;
      case Type::object:
        object(f);
        return;
      case Type::map:
        w_.member("type", "object").key("additionalProperties");
        section(*f.of);
        return;
      case Type::list:
        w_.member("type", "array").key("items");
        section(*f.of);
        return;
      default:
        anything_bare();
        return;
    }
  }

  void object(const Field& f) {
    if (f.choices.empty()) return section_body(*f.of);
    w_.key("anyOf").begin_array().begin_object();
    words(f.choices);
    w_.end_object();
    section(*f.of);
    w_.end_array();
  }

  // `with` by the connector that `plugin` names.
  void settings_of(bool source) {
    w_.key("allOf").begin_array();
    for (const ConnectorInfo& c : connectors_) {
      if (source ? !c.source : !c.destination) continue;
      const Json schema = parser_.parse(c.manifest.empty() ? "{}" : c.manifest)["config"];
      if (!schema.is_object()) continue;
      w_.begin_object()
          .key("if")
          .begin_object()
          .key("properties")
          .begin_object()
          .key("plugin")
          .begin_object();
      w_.member("const", c.plugin).end_object().end_object().end_object();
      w_.key("then").begin_object().key("properties").begin_object().key("with");
      settings(schema);
      w_.end_object().end_object().end_object();
    }
    w_.end_array();
  }

  // A connector's schema with what the loader takes for granted written out: no other keys than those it
  // lists.
  void settings(Json schema) {
    const bool closed = schema["properties"].is_object() && !schema["additionalProperties"];
    w_.begin_object();
    schema.members([this](std::string_view key, Json value) { w_.key(key).raw(value.text()); });
    if (closed) w_.member_boolean("additionalProperties", false);
    w_.end_object();
  }

  const std::vector<ConnectorInfo>& connectors_;
  JsonParser parser_;
  JsonWriter w_;
};

}  // namespace

std::string schema(const std::vector<ConnectorInfo>& connectors) {
  std::string out;
  SchemaWriter(connectors, out).run();
  return out;
}

}  // namespace sluice::config
