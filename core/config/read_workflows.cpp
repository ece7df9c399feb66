#include <algorithm>
#include <filesystem>
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "config/expressions.hpp"
#include "config/reading.hpp"
#include "config/secrets.hpp"

namespace sluice::config {

namespace {

constexpr std::size_t message_bytes_max = 1U << 20;

void read_trigger(Reading& reading, const Node& section, Workflow& workflow) {
  const Node* trigger = section.find("trigger");
  if (trigger == nullptr || !trigger->is_map()) return;
  const Member* first = nullptr;
  for (const Member& member : trigger->members) {
    const Member* m = &member;
    const std::string& kind = m->key.text;
    if (kind != "event" && kind != "enters" && kind != "leaves") continue;
    if (first != nullptr) {
      error(reading.report, m->key, "conflict",
            "a trigger has '" + first->key.text + "' or '" + kind + "', not both",
            "make two workflows of it");
      continue;
    }
    first = m;
    workflow.trigger = kind == "event"    ? Workflow::Trigger::event
                       : kind == "enters" ? Workflow::Trigger::enters
                                          : Workflow::Trigger::leaves;
    if (m->value.bad || !m->value.is_scalar()) continue;
    workflow.of = m->value.text;
    if (workflow.trigger == Workflow::Trigger::event && workflow.of == "*") {
      error(reading.report, m->value, "bad-value", "a trigger names one event",
            "write event: Order Completed");
    }
    if (workflow.trigger != Workflow::Trigger::event) reading.known(m->value, reading.audiences, "audience");
  }
  bool not_yet = false;
  for (const Member& m : trigger->members) not_yet |= m.key.bad || m.value.bad;
  if (first == nullptr && !not_yet) {
    error(reading.report, section.member("trigger")->key, "missing-key",
          "a trigger needs 'event', 'enters' or 'leaves'", "write trigger: { enters: AUDIENCE }");
  }
}

// The text of `file:PATH`, which becomes part of the configuration. Null when it cannot be had.
const SourceText* read_message_file(Reading& reading, const Node& node) {
  const std::string path = node.text.substr(5);
  const Document& document = reading.document_of(node);
  const std::optional<std::string> whole = path_under(document.folder, path);
  if (!whole || std::filesystem::path(path).is_absolute()) {
    error(reading.report, node, "bad-path", "'" + path + "' is not under the folder of this file",
          "keep messages beside the file, and write their path from there");
    return nullptr;
  }
  std::optional<std::string> read = reading.read_file(*whole, message_bytes_max);
  if (!read) {
    error(reading.report, node, "no-file", "the file '" + path + "' cannot be read",
          "its path is relative to this file");
    return nullptr;
  }
  std::string text = std::move(*read);
  if (text.size() > message_bytes_max || !valid_utf8(text)) {
    error(reading.report, node, "bad-file", "the file '" + path + "' is no UTF-8 text of at most 1 MiB", "");
    return nullptr;
  }
  const std::filesystem::path shown = std::filesystem::path(node.file->name()).parent_path() / path;
  reading.files.push_back(std::make_unique<SourceText>(shown.lexically_normal().string(), std::move(text)));
  return reading.files.back().get();
}

std::string either(Json alternatives) {
  std::string out;
  alternatives.elements([&out](Json one) {
    one["required"].elements(
        [&out](Json name) { out += (out.empty() ? "'" : " or '") + std::string(name.string_or("")) + "'"; });
  });
  return out;
}

// What the connector's manifest says of a message, in its `input`.
void check_message(Reading& reading, const Node& section, const Node& to) {
  std::string plugin;
  for (const Member* m : reading.members("destinations")) {
    if (m->key.text == to.text) plugin = text_of(m->value, "plugin");
  }
  const auto& connectors = reading.options.connectors;
  const auto info = std::find_if(connectors.begin(), connectors.end(), [&plugin](const ConnectorInfo& c) {
    return c.destination && c.plugin == plugin;
  });
  if (info == connectors.end()) return;
  JsonParser parser;
  const Json input = parser.parse(info->manifest.empty() ? "{}" : info->manifest)["input"];
  if (input["additionalProperties"].boolean().value_or(true)) return;
  const Node none;
  const Member* with = section.member("with");
  const Node& given = with != nullptr ? with->value : none;
  const Node& at = with != nullptr ? with->key : section;
  if (given.bad || (with != nullptr && !given.is_map())) return;
  std::vector<std::string> names;
  std::string known;
  input["properties"].members([&](std::string_view name, Json) {
    names.emplace_back(name);
    known += (known.empty() ? "known: " : ", ") + names.back();
  });
  bool misspelt = false;
  for (const Member& m : given.members) {
    if (m.key.bad || std::find(names.begin(), names.end(), m.key.text) != names.end()) continue;
    misspelt = true;
    error(reading.report, m.key, "unknown-key", "unknown key '" + m.key.text + "' in a message of " + plugin,
          did_you_mean(m.key.text, names, known));
  }
  if (misspelt) return;
  input["required"].elements([&](Json name) {
    const std::string wanted(name.string_or(""));
    if (given.member(wanted) == nullptr)
      error(reading.report, at, "missing-key", "a message of " + plugin + " needs '" + wanted + "'", known);
  });
  bool one = !input["anyOf"];
  input["anyOf"].elements([&](Json alternative) {
    alternative["required"].elements(
        [&](Json name) { one = one || given.member(std::string(name.string_or(""))) != nullptr; });
  });
  if (!one) {
    error(reading.report, at, "missing-key", "a message of " + plugin + " needs " + either(input["anyOf"]),
          known);
  }
}

void read_messages(Reading& reading, const Node& section, const expr::Scope& scope, Step& step) {
  const Node* with = section.find("with");
  if (with == nullptr) return;
  for (const Member& m : with->members) {
    if (m.key.bad || m.value.bad || !m.value.is_scalar()) continue;
    const bool html = m.key.text == "html";
    const auto escape = html ? expr::Template::Escape::html : expr::Template::Escape::none;
    std::shared_ptr<const expr::Template> message;
    if ((html || m.key.text == "text") && m.value.text.starts_with("file:")) {
      if (const SourceText* file = read_message_file(reading, m.value)) {
        message = read_template_text(reading, *file, scope, escape);
      }
    } else {
      message = read_template(reading, m.value, scope, escape);
    }
    step.with.emplace_back(m.key.text, std::move(message));
  }
}

Step read_step(Reading& reading, const Node& section, const expr::Scope& scope, std::size_t index) {
  Step step;
  step.id = text_of(section, "id", "steps[" + std::to_string(index) + "]");
  step.place = reading.place(section);
  const Member* wait = section.member("wait");
  const Member* send = section.member("send");
  bool not_yet = false;
  for (const Member& m : section.members) not_yet |= m.key.bad || m.value.bad;
  if (wait != nullptr && send != nullptr) {
    error(reading.report, send->key, "conflict", "a step has 'wait' or 'send', not both",
          "make two steps of it");
  } else if (wait == nullptr && send == nullptr && !not_yet) {
    error(reading.report, section, "missing-key", "a step needs 'wait' or 'send'",
          "write wait: 1h, or send: DESTINATION");
  }
  step.wait = span_of(section, "wait");
  if (const Node* to = section.find("send")) {
    if (reading.known(*to, reading.destinations, "destination")) check_message(reading, section, *to);
    step.send = to->text;
  }
  for (const char* only : {"with", "purpose"}) {
    const Member* m = section.member(only);
    if (m != nullptr && wait != nullptr && send == nullptr) {
      error(reading.report, m->key, "conflict", "'" + std::string(only) + "' goes with send", "leave it out");
    }
  }
  if (const Node* purpose = section.find("purpose")) {
    if (reading.config.consent.present) reading.known(*purpose, reading.purposes, "purpose");
    step.purpose = purpose->text;
  }
  read_messages(reading, section, scope, step);
  return step;
}

void read_steps(Reading& reading, const Node& steps, const expr::Scope& scope, Workflow& workflow) {
  if (steps.items.empty()) {
    error(reading.report, steps, "empty-value", "'steps' holds none",
          "write - wait: 1h, or - send: DESTINATION");
  }
  std::set<std::string> ids;
  for (std::size_t i = 0; i < steps.items.size(); ++i) {
    const Node& item = steps.items[i];
    if (item.bad || !item.is_map()) continue;
    Step step = read_step(reading, item, scope, i);
    if (!ids.insert(step.id).second) {
      const Node* id = item.find("id");
      error(reading.report, id != nullptr ? *id : item, "duplicate-name",
            "two steps have the id '" + step.id + "'", "an id names one step of its workflow");
    }
    if (enabled(item)) workflow.steps.push_back(std::move(step));
  }
}

Workflow read_workflow(Reading& reading, const Member& m) {
  const Node& section = m.value;
  const expr::Scope scope = event_scope(reading);
  Workflow workflow;
  workflow.name = m.key.text;
  workflow.place = reading.place(m.key);
  read_trigger(reading, section, workflow);
  workflow.where = read_expression(reading, section.find("where"), scope, true);
  if (const Node* again = section.find("again"); again != nullptr && again->is_map()) {
    workflow.again = span_of(*again, "after");
  }
  if (const Node* steps = section.find("steps")) read_steps(reading, *steps, scope, workflow);
  return workflow;
}

void check_backfills(Reading& reading) {
  const auto& workflows = reading.config.workflows;
  for (const Member* m : reading.members("audiences")) {
    const Node* backfill = m->value.is_map() ? m->value.find("backfill") : nullptr;
    if (backfill == nullptr || backfill->text != "trigger") continue;
    if (std::any_of(workflows.begin(), workflows.end(), [&](const Workflow& w) {
          return w.trigger == Workflow::Trigger::enters && w.of == m->key.text;
        }))
      continue;
    warn(reading.report, *backfill, "no-effect", "entering '" + m->key.text + "' triggers no workflow",
         "leave it out, or let one start: trigger: { enters: " + m->key.text + " }");
  }
}

}  // namespace

void read_workflows(Reading& reading) {
  for (const Member* m : reading.members("workflows")) {
    if (m->value.bad || !m->value.is_map()) continue;
    Workflow workflow = read_workflow(reading, *m);
    if (enabled(m->value)) reading.config.workflows.push_back(std::move(workflow));
  }
  check_backfills(reading);
}

}  // namespace sluice::config
