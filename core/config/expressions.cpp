#include "config/expressions.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "config/scalars.hpp"

namespace sluice::config {

namespace {

// What YAML does to a bare text explains many a text that is no CEL.
std::string quoting_hint(const Node& node) {
  if (!node.is_plain()) return {};
  const std::string_view source = node.file->text();
  const std::size_t line_end = node.file->line_end(node.file->line_of(node.end));
  const std::string_view rest = source.substr(node.end, line_end - std::min(node.end, line_end));
  const auto odd_quotes = [&node](char q) {
    return std::count(node.text.begin(), node.text.end(), q) % 2 != 0;
  };
  if (trim(rest).starts_with('#') && (odd_quotes('"') || odd_quotes('\''))) {
    return "YAML takes ' #' for the beginning of a comment: put the whole text in single quotes, or write | "
           "and put it "
           "on the next line";
  }
  const auto count = [&node](char c) { return std::count(node.text.begin(), node.text.end(), c); };
  if (node.flow && (count('(') != count(')') || count('[') != count(']'))) {
    return "inside { } quote whatever has a comma, bracket or brace";
  }
  return {};
}

void report_problems(Reading& reading, const Node& node, std::size_t skip,
                     const std::vector<expr::Problem>& problems) {
  const std::vector<std::size_t> offsets = source_offsets(node);
  const auto place = [&](std::size_t at) { return offsets[std::min(at + skip, offsets.size() - 1)]; };
  for (const expr::Problem& p : problems) {
    const std::size_t begin = place(p.offset);
    const std::size_t end = p.length == 0 ? begin + 1 : place(p.offset + p.length - 1) + 1;
    const std::string hint = p.warning ? std::string() : quoting_hint(node);
    reading.report.add(p.warning ? Report::Kind::warning : Report::Kind::error, *node.file, begin,
                       std::max(end, begin + 1), p.warning ? "expression-warning" : "bad-expression", p.what,
                       hint.empty() ? p.help : hint);
  }
}

void note_row_fields(const Reading& reading, const Node& node, std::size_t skip,
                     const expr::Program& program) {
  Stream& stream = *reading.row_reader;
  stream.reads_whole_row = stream.reads_whole_row || program.reads_whole_row();
  for (const expr::Symbol& symbol : program.row_paths()) {
    const auto same = [&](const RowField& field) { return field.path == symbol.name; };
    if (std::any_of(stream.reads.begin(), stream.reads.end(), same)) continue;
    stream.reads.push_back({symbol.name, node.file->place(offset_in_file(node, symbol.offset + skip))});
  }
}

expr::ProgramPtr parse(Reading& reading, const Node& node, std::size_t skip, const expr::Scope& scope,
                       bool condition) {
  std::string_view text = std::string_view(node.text).substr(skip);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const expr::Program::Parsed parsed = expr::Program::parse(text, scope, condition);
  report_problems(reading, node, skip, parsed.problems);
  if (!parsed.program) node.bad = true;
  if (parsed.program && reading.row_reader != nullptr) note_row_fields(reading, node, skip, *parsed.program);
  return parsed.program;
}

// A literal of YAML as CEL: numbers and true/false where they stand bare, texts otherwise.
std::string as_cel(const Node& literal) {
  const bool bare = literal.is_plain();
  if (bare && parse_boolean(literal.text)) return literal.text;
  if (bare && is_json_number(literal.text)) {
    const bool fits = parse_integer(literal.text).has_value();
    const bool whole = literal.text.find_first_of(".eE") == std::string::npos;
    return fits || !whole ? literal.text : literal.text + ".0";
  }
  return json_string(literal.text);  // JSON's escapes are CEL's
}

expr::ProgramPtr parse_literal(Reading& reading, const Node& literal, const expr::Scope& scope,
                               bool condition) {
  const expr::Program::Parsed parsed = expr::Program::parse(as_cel(literal), scope, condition);
  for (const expr::Problem& p : parsed.problems) {
    if (!p.warning) error(reading.report, literal, "bad-expression", p.what, p.help);
  }
  return parsed.program;
}

}  // namespace

std::size_t offset_in_file(const Node& scalar, std::size_t offset) {
  const std::vector<std::size_t> offsets = source_offsets(scalar);
  return offsets[std::min(offset, offsets.size() - 1)];
}

expr::Scope people_scope(const Reading& reading) {
  expr::Scope scope;
  scope.traits = scope.audiences = scope.consent = scope.profile = scope.account = true;
  scope.now = scope.selectors = true;
  scope.audience_names = reading.audiences.known;
  scope.purpose_names = reading.purposes.known;
  return scope;
}

expr::Scope event_scope(const Reading& reading) {
  expr::Scope scope = people_scope(reading);
  scope.event = true;
  return scope;
}

expr::Scope computed_scope(const Reading& reading) {
  expr::Scope scope = people_scope(reading);
  scope.audiences = false;
  scope.audience_names.clear();
  return scope;
}

expr::Scope row_scope() {
  expr::Scope scope;
  scope.row = true;
  return scope;
}

expr::ProgramPtr read_expression(Reading& reading, const Node* node, const expr::Scope& scope,
                                 bool condition) {
  if (node == nullptr || node->bad || !node->is_scalar()) return nullptr;
  return parse(reading, *node, 0, scope, condition);
}

expr::ProgramPtr read_expression_part(Reading& reading, const Node& node, std::size_t skip,
                                      const expr::Scope& scope) {
  return parse(reading, node, skip, scope, false);
}

std::vector<Mapped> read_mapping(Reading& reading, const Node* node, const expr::Scope& scope,
                                 bool condition) {
  std::vector<Mapped> all;
  if (node == nullptr) return all;
  for (const Member& m : node->members) {
    if (m.key.bad || m.value.bad) continue;
    expr::ProgramPtr program;
    if (m.value.is_map()) {
      if (const Node* literal = m.value.find("value"))
        program = parse_literal(reading, *literal, scope, condition);
    } else {
      if (m.value.is_plain() && !m.value.text.empty() &&
          m.value.text.find_first_of("!@#%&*-?,[]{}|>`'\"") == 0) {
        error(reading.report, m.value, "quoting",
              "a value that stands bare must begin with a letter, a digit or (",
              "put it in single quotes, or write | and put it on the next line");
        continue;
      }
      program = parse(reading, m.value, 0, scope, condition);
    }
    all.push_back({m.key.text, std::move(program), reading.place(m.key)});
  }
  return all;
}

std::shared_ptr<const expr::Template> read_template(Reading& reading, const Node& node,
                                                    const expr::Scope& scope, expr::Template::Escape escape) {
  const expr::Template::Parsed parsed = expr::Template::parse(node.text, scope, escape);
  report_problems(reading, node, 0, parsed.problems);
  return parsed.value;
}

std::shared_ptr<const expr::Template> read_template_text(Reading& reading, const SourceText& file,
                                                         const expr::Scope& scope,
                                                         expr::Template::Escape escape) {
  const expr::Template::Parsed parsed = expr::Template::parse(file.text(), scope, escape);
  for (const expr::Problem& p : parsed.problems) {
    const std::size_t begin = std::min(p.offset, file.text().size());
    reading.report.add(p.warning ? Report::Kind::warning : Report::Kind::error, file, begin, begin + p.length,
                       p.warning ? "expression-warning" : "bad-expression", p.what, p.help);
  }
  return parsed.value;
}

}  // namespace sluice::config
