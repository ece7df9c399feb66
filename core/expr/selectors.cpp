// events(NAME)[.where(e, COND)][.then(NAME)…][.within(D) | .since(T) | .between(T, T)].count() and its like:
// what must be kept per person.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "expr/checker.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

struct End {
  std::string_view name;
  Aggregation op;
  std::size_t arguments;
  Kind type;
};
constexpr std::array<End, 10> ends{{{"count", Aggregation::count, 0, Kind::number},
                                    {"sum", Aggregation::sum, 2, Kind::number},
                                    {"min", Aggregation::min, 2, Kind::unknown},
                                    {"max", Aggregation::max, 2, Kind::unknown},
                                    {"avg", Aggregation::avg, 2, Kind::number},
                                    {"exists", Aggregation::exists, 0, Kind::boolean},
                                    {"first", Aggregation::first, 0, Kind::unknown},
                                    {"last", Aggregation::last, 0, Kind::unknown},
                                    {"unique", Aggregation::unique, 2, Kind::list},
                                    {"top", Aggregation::top, 3, Kind::list}}};
constexpr std::int64_t top_max = 1000;
constexpr std::string_view all_ends =
    "count(), sum(e, X), min, max, avg, exists(), first().PATH, last().PATH, unique(e, X) or top(e, X, n)";

const End* find_end(std::string_view name) {
  const auto* found = std::find_if(ends.begin(), ends.end(), [&](const End& e) { return e.name == name; });
  return found == ends.end() ? nullptr : found;
}

constexpr std::int64_t local_days_max = 3'660;

bool is_window(std::string_view name) {
  return name == "within" || name == "since" || name == "between";
}

// "7 days local", "1 day local".
std::optional<std::uint32_t> parse_local_days(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view unit = text.substr(space);
  if (unit != " days local" && unit != " day local") return std::nullopt;
  std::uint32_t days = 0;
  const char* const end = text.data() + space;
  if (const auto read = std::from_chars(text.data(), end, days); read.ec != std::errc{} || read.ptr != end)
    return std::nullopt;
  if (days < 1 || days > local_days_max) return std::nullopt;
  return days;
}

// How far a node is along a selector.
enum class Stage : std::uint8_t { none, open, closed, record };

Stage stage_of(const SyntaxTree& tree, std::uint32_t index) {
  const Syntax& node = tree[index];
  if (node.op == Op::call && !node.target) return node.text == "events" ? Stage::open : Stage::none;
  const bool path = node.op == Op::member || (node.op == Op::index && tree[node.args[1]].is_string());
  if (!path && node.op != Op::call) return Stage::none;
  const Stage base = stage_of(tree, node.args[0]);
  if (path) return base == Stage::record || base == Stage::open ? base : Stage::none;
  if (base != Stage::open) return Stage::none;
  const End* end = find_end(node.text);
  if (end == nullptr) return Stage::open;
  return end->op == Aggregation::first || end->op == Aggregation::last ? Stage::record : Stage::closed;
}

}  // namespace

struct Checker::Selector {
  AggregateSpec spec;
  const End* end = nullptr;
  SyntaxTree path;  // behind first() and last(): event.properties.category
};

bool Checker::is_selector(std::uint32_t index) const {
  return stage_of(tree_, index) != Stage::none;
}

Typed Checker::selector(std::uint32_t index) {
  std::vector<std::uint32_t> chain;
  for (std::uint32_t at = index;; at = tree_[at].args[0]) {
    chain.push_back(at);
    if (tree_[at].op == Op::call && !tree_[at].target) break;
  }
  std::reverse(chain.begin(), chain.end());
  const Syntax& root = tree_[chain[0]];
  if (!scope_.selectors) return problem(root, "events(…) cannot be read here", what_may_be_read());
  if (root.args.size() != 1 || !tree_[root.args[0]].is_string() || tree_[root.args[0]].text.empty()) {
    return problem(root, "events() needs the event's name in quotes", "write events(\"Order Completed\")");
  }
  if (!variables_.empty())
    return problem(root, "events(…) may not stand inside a macro", "compute it as a trait under computed:");
  Selector selector;
  selector.spec.event = tree_[root.args[0]].text;
  selector.path.nodes.push_back({.op = Op::name, .text = "event", .value = {}, .args = {}});
  for (std::size_t i = 1; i < chain.size(); ++i) {
    const Syntax& step = tree_[chain[i]];
    std::string field;
    if (step.op == Op::call) {
      if (!selector_step(step, selector)) return nothing();
    } else if (selector.end == nullptr) {
      return problem(step, "a selector has no members", "end it with " + std::string(all_ends));
    } else {
      (void)selected(step, field);
      const auto base = static_cast<std::uint32_t>(selector.path.nodes.size() - 1);
      selector.path.nodes.push_back({.op = Op::member, .text = field, .value = {}, .args = {base}});
    }
  }
  const Syntax& last = tree_[index];
  if (selector.end == nullptr)
    return problem(last, "this selector has no end", "add ." + std::string(all_ends));
  if (!selector.spec.then.empty() && !sequence_is_whole(last, selector)) return nothing();
  const bool record = selector.end->op == Aggregation::first || selector.end->op == Aggregation::last;
  if (record && selector.path.nodes.size() == 1) {
    return problem(last, last.text + "() gives an event, which is no value",
                   "add what you want of it: ." + last.text + "().properties.NAME or .time");
  }
  if (record) {
    selector.spec.value_text =
        canonical(selector.path, static_cast<std::uint32_t>(selector.path.nodes.size() - 1), {});
    if (!event_program(last, selector.spec.value_text, false, selector.spec.value)) return nothing();
  }
  Typed value = aggregate(std::move(selector.spec));
  value.type = selector.end->type;
  return value;
}

bool Checker::selector_step(const Syntax& call, Selector& selector) {
  AggregateSpec& spec = selector.spec;
  if (call.text == "where") {
    ProgramPtr& where = spec.then.empty() ? spec.where : spec.then.back().where;
    std::string& text = spec.then.empty() ? spec.where_text : spec.then.back().where_text;
    if (where != nullptr) return problem(call, ".where() stands twice", "join the conditions with &&"), false;
    if (call.args.size() != 3)
      return problem(call, ".where() takes a variable and a condition",
                     "write .where(e, e.properties.total > 50.0)"),
             false;
    return over_event(call, 1, 2, true, text, where);
  }
  if (call.text == "then") return selector_then(call, spec);
  return is_window(call.text) ? selector_window(call, spec) : selector_end(call, selector);
}

bool Checker::selector_then(const Syntax& call, AggregateSpec& spec) {
  const std::string example = "write .then(\"Order Completed\"), or .then(\"Order Completed\", \"1h\")";
  if (call.args.size() != 2 && call.args.size() != 3)
    return problem(call, ".then() takes an event's name, and how long after the one before at most", example),
           false;
  const Syntax& name = tree_[call.args[1]];
  if (!name.is_string() || name.text.empty())
    return problem(name, ".then() needs the event's name in quotes", example), false;
  if (has_window(spec))
    return problem(call, ".then() stands before the window", "the window holds for the whole sequence"),
           false;
  if (spec.then.size() + 2 > sequence_steps_max)
    return problem(call, "a sequence has at most " + std::to_string(sequence_steps_max) + " steps"), false;
  SequenceStep step;
  step.event = name.text;
  if (call.args.size() == 3) {
    const Syntax* literal = quoted(call.args[2], "duration", ".then()", example);
    const auto gap = literal == nullptr ? std::nullopt : parse_length(*literal);
    if (!gap) return false;
    step.gap = *gap;
  }
  spec.then.push_back(std::move(step));
  return true;
}

// The text that a window's or step's argument is, also within duration() or timestamp(); null after a
// problem.
const Syntax* Checker::quoted(std::uint32_t index, std::string_view wrapper, const std::string& what,
                              const std::string& example) {
  const Syntax* literal = &tree_[index];
  const bool wrapped =
      literal->op == Op::call && !literal->target && literal->args.size() == 1 && literal->text == wrapper;
  if (wrapped) literal = &tree_[literal->args[0]];
  if (literal->is_string()) return literal;
  problem(*literal, what + " needs a text in quotes", example);
  return nullptr;
}

std::optional<DurationUs> Checker::parse_length(const Syntax& literal) {
  const auto span = parse_span(literal.text);
  if (span && span->months != 0) {
    problem(literal, "months and years have no fixed length",
            "write days: .within(\"30d\"), .within(\"365d\")");
    return std::nullopt;
  }
  if (span && span->us > 0) return span->us;
  problem(literal, "this is no duration", "write 90s, 15m, 1h30m, 7d or 2w");
  return std::nullopt;
}

bool Checker::has_window(const AggregateSpec& spec) {
  return spec.within != 0 || spec.local_days != 0 || spec.since != no_time;
}

bool Checker::selector_window(const Syntax& call, AggregateSpec& spec) {
  if (has_window(spec)) {
    return problem(call, "a selector has one window", "keep one of .within(), .since() and .between()"),
           false;
  }
  const bool within = call.text == "within";
  const bool between = call.text == "between";
  const std::string example = within    ? "write .within(\"90d\")"
                              : between ? "write .between(\"2026-01-01\", \"2026-02-01\")"
                                        : "write .since(\"2026-01-01\")";
  const std::size_t arguments = between ? 2 : 1;
  if (call.args.size() != arguments + 1) {
    const std::string count = between ? "2 arguments" : "1 argument";
    return problem(call, "." + call.text + "() takes " + count, example), false;
  }
  for (std::size_t i = 1; i <= arguments; ++i) {
    const Syntax* literal =
        quoted(call.args[i], within ? "duration" : "timestamp", "." + call.text + "()", example);
    if (literal == nullptr) return false;
    if (within) return selector_within(*literal, spec);
    const auto time = parse_time(literal->text);
    if (!time) return problem(*literal, "this is no time", example), false;
    (i == 1 ? spec.since : spec.until) = *time;
  }
  if (between && spec.until <= spec.since)
    return problem(call, "this ends before it begins", "write the earlier time first"), false;
  return true;
}

bool Checker::selector_within(const Syntax& literal, AggregateSpec& spec) {
  if (literal.text.ends_with(" local")) {
    const auto days = parse_local_days(literal.text);
    if (!days)
      return problem(literal, "these are no calendar days",
                     "write .within(\"7 days local\"), with 1 to " + std::to_string(local_days_max)),
             false;
    spec.local_days = *days;
    return true;
  }
  const auto length = parse_length(literal);
  if (length) spec.within = *length;
  return length.has_value();
}

// A sequence is kept in events, not in sums: it needs a window that lets them go, and is counted.
bool Checker::sequence_is_whole(const Syntax& last, const Selector& selector) {
  const AggregateSpec& spec = selector.spec;
  if (spec.op != Aggregation::count && spec.op != Aggregation::exists)
    return problem(last, "a sequence ends with .exists() or .count()"), false;
  if (spec.within == 0 && spec.local_days == 0)
    return problem(last, "a sequence needs a window", "add .within(\"7d\") behind its last step"), false;
  return true;
}

bool Checker::selector_end(const Syntax& call, Selector& selector) {
  const End* end = find_end(call.text);
  if (end == nullptr)
    return problem(call, "a selector has no '" + call.text + "'", "end it with " + std::string(all_ends)),
           false;
  if (call.args.size() - 1 != end->arguments) {
    const std::string example = end->arguments == 0   ? "()"
                                : end->arguments == 2 ? "(e, e.properties.NAME)"
                                                      : "(e, e.properties.NAME, 3)";
    return problem(call, "." + call.text + "() is written otherwise", "write ." + call.text + example), false;
  }
  selector.end = end;
  selector.spec.op = end->op;
  if (end->op == Aggregation::top) {
    const Syntax& n = tree_[call.args[3]];
    const bool whole = n.op == Op::constant && n.value.kind() == Kind::integer;
    if (!whole || n.value.as_integer() < 1 || n.value.as_integer() > top_max) {
      return problem(n, "how many must be a whole number from 1 to " + std::to_string(top_max)), false;
    }
    selector.spec.top = static_cast<std::uint32_t>(n.value.as_integer());
  }
  return end->arguments == 0 || over_event(call, 1, 2, false, selector.spec.value_text, selector.spec.value);
}

// Compiles (e, X): X is checked where it stands, so that mistakes have their place; then as a program of its
// own.
bool Checker::over_event(const Syntax& call, std::size_t first, std::size_t body, bool boolean,
                         std::string& text, ProgramPtr& program) {
  std::string element;
  if (!variable_name(call.args[first], element)) return false;
  Scope scope;
  scope.element = element;
  Code scratch;
  const std::size_t before = problems_.size();
  Checker(tree_, scope, scratch, problems_).run(call.args[body], boolean);
  const bool wrong = std::any_of(problems_.begin() + static_cast<std::ptrdiff_t>(before), problems_.end(),
                                 [](const Problem& p) { return !p.warning; });
  if (wrong) return false;
  text = canonical(tree_, call.args[body], element);
  return event_program(call, text, boolean, program);
}

bool Checker::event_program(const Syntax& at, const std::string& text, bool boolean, ProgramPtr& program) {
  Scope scope;
  scope.event = true;
  Program::Parsed parsed = Program::parse(text, scope, boolean);
  if (parsed.program != nullptr) return program = std::move(parsed.program), true;
  for (const Problem& p : parsed.problems) {
    if (!p.warning) return problem(at, p.what, p.help), false;
  }
  return problem(at, "this is no value of an event"), false;
}

Typed Checker::aggregate(AggregateSpec spec) {
  SyntaxTree written;
  written.nodes.push_back({.op = Op::constant, .text = spec.event, .value = Value::string({}), .args = {}});
  const auto name = [&](const std::string& event) {
    written.nodes[0].text = event;
    return canonical(written, 0, {});
  };
  spec.text = "events(" + name(spec.event) + ")";
  if (spec.where != nullptr) spec.text += ".where(event, " + spec.where_text + ")";
  for (const SequenceStep& step : spec.then) {
    spec.text += ".then(" + name(step.event);
    if (step.gap != 0) spec.text += ", \"" + format_duration(step.gap) + "\"";
    spec.text += ")";
    if (step.where != nullptr) spec.text += ".where(event, " + step.where_text + ")";
  }
  if (spec.within != 0) spec.text += ".within(\"" + format_duration(spec.within) + "\")";
  if (spec.local_days != 0)
    spec.text += ".within(\"" + std::to_string(spec.local_days) + (spec.local_days == 1 ? " day" : " days") +
                 " local\")";
  if (spec.until != no_time) {
    spec.text += ".between(\"" + format_time(spec.since) + "\", \"" + format_time(spec.until) + "\")";
  } else if (spec.since != no_time) {
    spec.text += ".since(\"" + format_time(spec.since) + "\")";
  }
  const auto* end = std::find_if(ends.begin(), ends.end(), [&](const End& e) { return e.op == spec.op; });
  spec.text += "." + std::string(end->name) + "(";
  if (spec.op == Aggregation::first || spec.op == Aggregation::last) {
    spec.text += ")" + spec.value_text.substr(std::string_view("event").size());
  } else {
    if (spec.value != nullptr) spec.text += "event, " + spec.value_text;
    if (spec.top > 0) spec.text += ", " + std::to_string(spec.top);
    spec.text += ")";
  }
  const auto found = std::find_if(code_.aggregates.begin(), code_.aggregates.end(),
                                  [&](const AggregateSpec& a) { return a.text == spec.text; });
  const auto index = static_cast<std::uint32_t>(found - code_.aggregates.begin());
  if (found == code_.aggregates.end()) {
    code_.aggregates.push_back(std::move(spec));
    code_.aggregate_slots.push_back(index);
  }
  return emit_leaf(Op::aggregate, index, Kind::unknown);
}

}  // namespace sluice::expr
