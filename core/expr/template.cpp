// Messages with {{ … }} in them.
#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "expr/functions.hpp"
#include "expr/program.hpp"
#include "expr/syntax.hpp"

namespace sluice::expr {

namespace {

// A path and nothing else: names, members, indexes by literals.
bool is_path(const SyntaxTree& tree, std::uint32_t index) {
  const Syntax& node = tree[index];
  if (node.op == Op::name) return true;
  if (node.op == Op::member) return is_path(tree, node.args[0]);
  return node.op == Op::index && tree[node.args[1]].op == Op::constant && is_path(tree, node.args[0]);
}

// What stands between {{ and }}: where the path and the filter are.
struct Tag {
  std::string_view path, filter;
  std::size_t path_at = 0, filter_at = 0;
  bool filtered = false;
};

// The first | outside of quotes parts path and filter.
Tag cut(std::string_view inside, std::size_t at) {
  Tag tag;
  char quote = '\0';
  std::size_t bar = std::string_view::npos;
  for (std::size_t i = 0; i < inside.size() && bar == std::string_view::npos; ++i) {
    const char c = inside[i];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '|') {
      bar = i;
    }
  }
  tag.filtered = bar != std::string_view::npos;
  const std::string_view path = inside.substr(0, bar);
  const std::string_view filter = tag.filtered ? inside.substr(bar + 1) : std::string_view{};
  tag.path = trim(path);
  tag.path_at = at + (tag.path.empty() ? 0 : static_cast<std::size_t>(tag.path.data() - inside.data()));
  tag.filter = trim(filter);
  tag.filter_at =
      at + (tag.filter.empty() ? bar : static_cast<std::size_t>(tag.filter.data() - inside.data()));
  return tag;
}

// `default: "x"`; nothing with a problem for any other filter.
std::optional<std::string> default_of(const Tag& tag, std::vector<Problem>& problems) {
  const std::size_t length = std::max<std::size_t>(tag.filter.size(), 1);
  const std::string_view name = tag.filter.substr(0, tag.filter.find_first_of(": |"));
  if (name != "default") {
    problems.push_back({tag.filter_at, length, "not supported yet: the filter '" + std::string(name) + "'",
                        "default: \"…\" is there", false});
    return {};
  }
  std::string_view value = trim(tag.filter.substr(name.size()));
  if (value.starts_with(':')) value = trim(value.substr(1));
  const bool quoted = value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
                      value.find(value.front(), 1) == value.size() - 1;
  if (!quoted) {
    problems.push_back(
        {tag.filter_at, length, "default needs one text in quotes", "write | default: \"there\"", false});
    return {};
  }
  return std::string(value.substr(1, value.size() - 2));
}

// Programs know nothing of templates: their problems move to where the path stands in the text.
ProgramPtr program_of(const Tag& tag, const Scope& scope, std::vector<Problem>& problems) {
  SyntaxTree tree;
  std::vector<Problem> found;
  ProgramPtr program;
  if (parse_syntax(tag.path, tree, found)) {
    if (is_path(tree, tree.root)) {
      Program::Parsed parsed = Program::parse(tag.path, scope, false);
      found = std::move(parsed.problems);
      program = std::move(parsed.program);
    } else {
      found.push_back({0, tag.path.size(), "not supported yet: more than a path between {{ and }}",
                       "compute it as a trait, and write {{ traits.NAME }}", false});
    }
  }
  for (Problem& p : found) {
    p.offset += tag.path_at;
    problems.push_back(std::move(p));
  }
  return program;
}

bool is_blank(const Value& v) {
  return v.is_unknown() || v.kind() == Value::Kind::null ||
         (v.kind() == Value::Kind::boolean && !v.as_boolean()) ||
         (v.kind() == Value::Kind::string && v.as_text().empty());
}

void append_value(std::string& out, const Value& v, Template::Escape escape, Arena& arena) {
  if (v.is_unknown() || v.kind() == Value::Kind::null) return;
  const Value text = convert(Function::to_string, v, arena.impl());
  std::string json;
  if (text.is_unknown()) v.append_json(json);
  const std::string_view shown = text.is_unknown() ? std::string_view(json) : text.as_text();
  if (escape == Template::Escape::html) return append_html_escaped(out, shown);
  out += shown;
}

}  // namespace

Template::Parsed Template::parse(std::string_view text, const Scope& scope, Escape escape) {
  Parsed parsed;
  auto made = std::make_shared<Template>();
  made->text_ = text;
  made->escape_ = escape;
  std::size_t at = 0;
  while (true) {
    const std::size_t open = std::min(text.find("{{", at), text.find("{%", at));
    Piece piece;
    piece.literal = text.substr(at, open == std::string_view::npos ? open : open - at);
    if (open == std::string_view::npos) {
      if (!piece.literal.empty()) made->pieces_.push_back(std::move(piece));
      break;
    }
    const bool statement = text[open + 1] == '%';
    const std::size_t close = text.find(statement ? "%}" : "}}", open + 2);
    if (close == std::string_view::npos) {
      parsed.problems.push_back({open, 2, std::string(text.substr(open, 2)) + " is not closed",
                                 statement ? "end it with %}" : "end it with }}", false});
      break;
    }
    at = close + 2;
    if (statement) {
      parsed.problems.push_back({open, at - open, "not supported yet: {% … %}",
                                 "{{ traits.NAME | default: \"…\" }} is there", false});
      continue;
    }
    const Tag tag = cut(text.substr(open + 2, close - open - 2), open + 2);
    if (tag.filtered) piece.otherwise = default_of(tag, parsed.problems);
    if (ProgramPtr program = program_of(tag, scope, parsed.problems)) {
      piece.program = made->programs_.size();
      made->programs_.push_back(std::move(program));
    }
    made->pieces_.push_back(std::move(piece));
  }
  const bool wrong = std::any_of(parsed.problems.begin(), parsed.problems.end(),
                                 [](const Problem& p) { return !p.warning; });
  if (!wrong) parsed.value = std::move(made);
  return parsed;
}

void Template::render(Context& context, Arena& arena, std::string& out) const {
  for (const Piece& piece : pieces_) {
    out += piece.literal;
    if (piece.program == SIZE_MAX) continue;
    const Value value = programs_[piece.program]->evaluate(context, arena);
    if (piece.otherwise && is_blank(value)) {
      append_value(out, Value::string(*piece.otherwise), escape_, arena);
    } else {
      append_value(out, value, escape_, arena);
    }
  }
}

}  // namespace sluice::expr
