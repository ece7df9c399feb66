// Names and paths: traits.city, event.properties.total, traits["prénom"], has(…).
#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "expr/checker.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr std::array<std::string_view, 9> root_names{"traits",  "scores", "audiences", "consent", "profile",
                                                     "account", "event",  "row",       "now"};

struct Field {
  std::string_view name;
  Kind type;
};
constexpr std::array<Field, 11> event_fields{{{"name", Kind::string},
                                              {"type", Kind::string},
                                              {"time", Kind::timestamp},
                                              {"properties", Kind::unknown},
                                              {"traits", Kind::unknown},
                                              {"context", Kind::unknown},
                                              {"derived", Kind::unknown},
                                              {"source", Kind::string},
                                              {"user_id", Kind::string},
                                              {"anonymous_id", Kind::string},
                                              {"message_id", Kind::string}}};
constexpr std::array<Field, 5> profile_fields{{{"id", Kind::string},
                                               {"first_seen", Kind::timestamp},
                                               {"last_seen", Kind::timestamp},
                                               {"timezone", Kind::string},
                                               {"locale", Kind::string}}};

template <std::size_t N>
const Field* find_field(const std::array<Field, N>& fields, std::string_view name) {
  const auto* found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == name; });
  return found == fields.end() ? nullptr : found;
}

template <std::size_t N>
std::vector<std::string> names_of(const std::array<Field, N>& fields) {
  std::vector<std::string> names;
  for (const Field& f : fields) names.emplace_back(f.name);
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ", ") + n;
  return out;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string best = closest(name, candidates);
  return best.empty() ? "" : "did you mean '" + best + "'?";
}

// A type's name as a value: type(x) == int.
const Value* type_named(std::string_view name) {
  static const std::array<Value, 12> types = [] {
    constexpr std::array<Kind, 12> all{Kind::boolean, Kind::integer,   Kind::unsigned_integer,
                                       Kind::number,  Kind::string,    Kind::bytes,
                                       Kind::list,    Kind::map,       Kind::null,
                                       Kind::type,    Kind::timestamp, Kind::duration};
    std::array<Value, 12> out;
    std::transform(all.begin(), all.end(), out.begin(), [](Kind k) { return Value::type_name(name_of(k)); });
    return out;
  }();
  const auto* found =
      std::find_if(types.begin(), types.end(), [&](const Value& t) { return t.as_text() == name; });
  return found == types.end() ? nullptr : found;
}

}  // namespace

std::size_t Checker::variable_named(std::string_view name) const {
  for (std::size_t i = variables_.size(); i-- > 0;) {
    if (variables_[i].name == name) return i;
  }
  return SIZE_MAX;
}

Checker::Root Checker::root_of(const Syntax& syntax) const {
  if (syntax.op != Op::name || variable_named(syntax.text) != SIZE_MAX) return Root::none;
  if (!scope_.element.empty() && syntax.text == scope_.element) return Root::event;
  const auto* found = std::find(root_names.begin(), root_names.end(), syntax.text);
  return found == root_names.end() ? Root::none : static_cast<Root>(found - root_names.begin() + 1);
}

bool Checker::allowed(Root root) const {
  switch (root) {
    case Root::none:
      return true;
    case Root::traits:
      return scope_.traits;
    case Root::scores:
      return scope_.scores;
    case Root::audiences:
      return scope_.audiences;
    case Root::consent:
      return scope_.consent;
    case Root::profile:
      return scope_.profile;
    case Root::account:
      return scope_.account;
    case Root::event:
      return scope_.event || !scope_.element.empty();
    case Root::row:
      return scope_.row;
    case Root::now:
      return scope_.now;
  }
  return false;
}

std::string Checker::what_may_be_read() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < root_names.size(); ++i) {
    const auto root = static_cast<Root>(i + 1);
    if (root == Root::scores) continue;
    if (root == Root::event && !scope_.event && !scope_.element.empty()) {
      names.push_back(scope_.element);
    } else if (allowed(root)) {
      names.emplace_back(root_names[i]);
    }
  }
  if (scope_.selectors) names.emplace_back("events(\"…\")");
  return names.empty() ? "nothing can be read here" : "what can be read here: " + joined(names);
}

// The literal name that a path takes: `.name` or `["name"]`.
bool Checker::selected(const Syntax& syntax, std::string& name) const {
  if (syntax.op == Op::member || syntax.op == Op::optional_member) return name = syntax.text, true;
  const bool index = syntax.op == Op::index || syntax.op == Op::optional_index;
  if (!index || !tree_[syntax.args[1]].is_string()) return false;
  return name = tree_[syntax.args[1]].text, true;
}

bool Checker::is_declared(std::string_view name) const {
  return std::find(scope_.variables.begin(), scope_.variables.end(), name) != scope_.variables.end();
}

// The name that a path spells: a.b.c. False where it begins with a macro's variable or is no such path.
bool Checker::spelled(std::uint32_t index, std::string& name) const {
  const Syntax& syntax = tree_[index];
  if (syntax.op == Op::name) return name = syntax.text, variable_named(name) == SIZE_MAX;
  if (syntax.op != Op::member || !spelled(syntax.args[0], name)) return false;
  return name += '.' + syntax.text, true;
}

// The members that a path takes of the row, if it begins there and each is a literal name: "Account.Name".
bool Checker::row_path(const Syntax& syntax, std::string& path) const {
  std::string name;
  if (!selected(syntax, name) || name.find('.') != std::string::npos) return false;
  const Syntax& base = tree_[syntax.args[0]];
  if (root_of(base) == Root::row) return path = std::move(name), true;
  if (!row_path(base, path)) return false;
  path += '.' + name;
  return true;
}

namespace {
std::uint32_t symbol_index(std::vector<Symbol>& symbols, const std::string& name, std::size_t offset) {
  const auto found =
      std::find_if(symbols.begin(), symbols.end(), [&](const Symbol& s) { return s.name == name; });
  const auto index = static_cast<std::uint32_t>(found - symbols.begin());
  if (found == symbols.end()) symbols.push_back({name, index, offset});
  return index;
}
}  // namespace

void Checker::note_row_path(const Syntax& syntax) {
  std::string path;
  if (in_row_path_ || !row_path(syntax, path)) return;
  in_row_path_ = true;
  symbol_index(code_.row_paths, path, syntax.offset);
}

Typed Checker::name(const Syntax& syntax) {
  if (const std::size_t variable = variable_named(syntax.text); variable != SIZE_MAX) {
    Typed value = emit_leaf(Op::local, static_cast<std::uint32_t>(variable), Kind::unknown);
    value.domain = variables_[variable].domain;
    return value;
  }
  if (is_declared(syntax.text)) return variable(syntax, syntax.text);
  const Root root = root_of(syntax);
  if (root == Root::none) {
    if (const Value* type = type_named(syntax.text)) return constant(*type);
    std::vector<std::string> candidates(root_names.begin(), root_names.end());
    for (const Variable& v : variables_) candidates.push_back(v.name);
    std::string help = did_you_mean(syntax.text, candidates);
    if (help.empty())
      help = scope_.traits
                 ? "write traits." + syntax.text + " for a trait, \"" + syntax.text + "\" for a text"
                 : what_may_be_read();
    return problem(syntax, "nothing is named '" + syntax.text + "'", std::move(help));
  }
  if (root == Root::scores) return problem(syntax, "not supported yet: " + syntax.text);
  if (!allowed(root)) return problem(syntax, syntax.text + " cannot be read here", what_may_be_read());
  if (root == Root::row) {
    code_.reads_whole_row = code_.reads_whole_row || !in_row_path_;
    return emit_leaf(Op::row, 0, Kind::unknown);
  }
  if (root != Root::now)
    return problem(syntax, syntax.text + " is no value of its own", "write " + syntax.text + ".NAME");
  if (!in_now_comparison_ || !variables_.empty()) {
    return problem(syntax, "now may only stand in a comparison whose moment can be computed",
                   "compare times: now - traits.since > duration(\"7d\")");
  }
  code_.reads_now = true;
  return emit_leaf(Op::now, 0, Kind::timestamp);
}

Typed Checker::path(std::uint32_t index) {
  const Syntax& syntax = tree_[index];
  const Syntax& base = tree_[syntax.args[0]];
  const Root root = root_of(base);
  std::string name;
  if (!scope_.variables.empty() && spelled(index, name) && is_declared(name)) return variable(syntax, name);
  const bool literal = selected(syntax, name);
  if (root != Root::none && root != Root::row && root != Root::now) {
    if (literal) return root_member(root, base, syntax, name);
    return problem(syntax, "the name of " + base.text + "[…] must be a text in quotes",
                   "write " + base.text + "[\"NAME\"]");
  }
  if (syntax.op == Op::member) {
    if (const Value* type = type_named(path_text(index))) return constant(*type);
  }
  const bool within = in_row_path_;
  note_row_path(syntax);
  const Typed container = compile(syntax.args[0]);
  in_row_path_ = within;
  return element(syntax, container, literal ? &name : nullptr);
}

// container.name, container[key], container.?name, container[?key].
Typed Checker::element(const Syntax& syntax, const Typed& container, const std::string* name) {
  const bool optional = syntax.op == Op::optional_member || syntax.op == Op::optional_index;
  const bool of_optional = container.type == Kind::optional;
  const bool may_have = container.type == Kind::unknown || container.type == Kind::map ||
                        container.type == Kind::json || of_optional;
  const Kind type = optional || of_optional ? Kind::optional : Kind::unknown;
  if (name != nullptr && !may_have)
    return problem(syntax, "'" + *name + "' is a member of nothing: this is no map");
  if (name != nullptr) {
    const Op op = optional ? Op::optional_member : Op::member;
    return emit({.op = op, .mix = container.domain, .index = name_index(*name)}, {container}, type,
                container.domain);
  }
  if (!may_have && container.type != Kind::list) return problem(syntax, "[…] needs a list or a map");
  const Typed key = compile(syntax.args[1]);
  return emit({.op = syntax.op, .mix = container.domain}, {container, key}, type, container.domain);
}

// traits.?city, event.properties.?coupon, a[?0]: what is missing is an optional value that holds nothing.
Typed Checker::optional_path(const Syntax& syntax) {
  const Syntax& base = tree_[syntax.args[0]];
  const Root root = root_of(base);
  std::string name;
  const bool literal = selected(syntax, name);
  if (root == Root::none || root == Root::row || root == Root::now) {
    const bool within = in_row_path_;
    note_row_path(syntax);
    const Typed container = compile(syntax.args[0]);
    in_row_path_ = within;
    return element(syntax, container, literal ? &name : nullptr);
  }
  if (!literal) {
    return problem(syntax, "the name of " + base.text + "[?…] must be a text in quotes",
                   "write " + base.text + "[?\"NAME\"]");
  }
  return emit({.op = Op::optional_value}, {root_member(root, base, syntax, name)}, Kind::optional, true);
}

Typed Checker::root_member(Root root, const Syntax& base, const Syntax& at, const std::string& name) {
  if (root == Root::scores) return problem(base, "not supported yet: " + base.text);
  if (!allowed(root)) return problem(base, base.text + " cannot be read here", what_may_be_read());
  switch (root) {
    case Root::traits:
      return trait(at, name);
    case Root::audiences:
      return listed(Op::audience, code_.audiences, scope_.audience_names, at, name);
    case Root::consent:
      return listed(Op::consent, code_.purposes, scope_.purpose_names, at, name);
    case Root::profile:
      return field_of_profile(at, name);
    case Root::account:
      return emit_leaf(Op::account_field, symbol_index(code_.accounts, name, at.offset), Kind::unknown);
    default:
      return field_of_event(at, name);
  }
}

Typed Checker::variable(const Syntax& at, const std::string& name) {
  Typed value = emit_leaf(Op::variable, symbol_index(code_.variables, name, at.offset), Kind::unknown);
  value.domain = false;
  return value;
}

Typed Checker::trait(const Syntax& at, const std::string& name) {
  return emit_leaf(Op::trait, symbol_index(code_.traits, name, at.offset), Kind::unknown);
}

Typed Checker::listed(Op op, std::vector<Symbol>& symbols, const std::vector<std::string>& known,
                      const Syntax& at, const std::string& name) {
  if (!known.empty() && std::find(known.begin(), known.end(), name) == known.end()) {
    const std::string what = op == Op::audience ? "no audience is named '" : "no purpose is named '";
    std::string help = did_you_mean(name, known);
    if (help.empty()) help = "there are: " + joined(known);
    return problem(at, what + name + "'", std::move(help));
  }
  return emit_leaf(op, symbol_index(symbols, name, at.offset), Kind::boolean);
}

Typed Checker::field_of_event(const Syntax& at, const std::string& name) {
  const Field* field = find_field(event_fields, name);
  if (field == nullptr) {
    std::string help = did_you_mean(name, names_of(event_fields));
    if (help.empty()) help = "for what the event carries write .properties." + name;
    return problem(at, "an event has no '" + name + "'", std::move(help));
  }
  code_.reads_event = true;
  return emit_leaf(Op::event_field, name_index(name), field->type);
}

Typed Checker::field_of_profile(const Syntax& at, const std::string& name) {
  const Field* field = find_field(profile_fields, name);
  if (field == nullptr) {
    std::string help = did_you_mean(name, names_of(profile_fields));
    if (help.empty()) help = "a profile has " + joined(names_of(profile_fields));
    return problem(at, "a profile has no '" + name + "'", std::move(help));
  }
  code_.reads_profile = true;
  return emit_leaf(Op::profile_field, name_index(name), field->type);
}

Typed Checker::has(const Syntax& syntax) {
  const std::uint32_t index = syntax.args[0];
  const Syntax& arg = tree_[index];
  std::string name;
  if ((arg.op != Op::member && arg.op != Op::index) || !selected(arg, name)) {
    return problem(arg, "has() needs a path, as in has(traits.email)",
                   is_selector(index) ? "for events write events(\"…\").exists()" : "");
  }
  const Root root = root_of(tree_[arg.args[0]]);
  if (root == Root::audiences || root == Root::consent) {
    return problem(arg, "has() of an audience or a consent says nothing",
                   "write " + path_text(index) + " alone: it is true or false");
  }
  if (is_selector(index) || (root != Root::none && root != Root::row && root != Root::now)) {
    return emit({.op = Op::has_value}, {compile(index)}, Kind::boolean, false);
  }
  const bool within = in_row_path_;
  note_row_path(arg);
  const Typed container = compile(arg.args[0]);
  in_row_path_ = within;
  return emit({.op = Op::has_member, .mix = container.domain, .index = name_index(name)}, {container},
              Kind::boolean, false);
}

}  // namespace sluice::expr
