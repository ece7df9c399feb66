// Recursive descent over CEL's grammar, with precedence climbing for the binary operators.
#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "expr/lexer.hpp"
#include "expr/syntax.hpp"

namespace sluice::expr {

namespace {

struct Binary {
  std::string_view symbol;
  Op op;
  int level;
};
constexpr int relation_level = 3;
constexpr int unary_level = 6;
constexpr std::array<Binary, 13> binaries{{{"||", Op::or_, 1},
                                           {"&&", Op::and_, 2},
                                           {"==", Op::equal, relation_level},
                                           {"!=", Op::not_equal, relation_level},
                                           {"<", Op::less, relation_level},
                                           {"<=", Op::less_equal, relation_level},
                                           {">", Op::greater, relation_level},
                                           {">=", Op::greater_equal, relation_level},
                                           {"+", Op::add, 4},
                                           {"-", Op::subtract, 4},
                                           {"*", Op::multiply, 5},
                                           {"/", Op::divide, 5},
                                           {"%", Op::modulo, 5}}};

// Reserved by CEL: they may follow a dot, but are no names of their own.
constexpr std::array<std::string_view, 17> reserved{
    "as",  "break", "const",   "continue",  "else",   "for", "function", "if",   "import",
    "let", "loop",  "package", "namespace", "return", "var", "void",     "while"};

class Parser {
 public:
  Parser(std::string_view text, SyntaxTree& tree, std::vector<Problem>& problems)
      : lexer_(text), tree_(tree), problems_(problems) {}

  bool run() {
    std::uint32_t root = 0;
    if (!advance() || !expression(root)) return false;
    if (token_.kind != TokenKind::end) return unexpected();
    tree_.root = root;
    return true;
  }

 private:
  bool advance() {
    Problem problem;
    if (lexer_.next(token_, problem)) return true;
    problems_.push_back(std::move(problem));
    return false;
  }
  bool fail(std::size_t offset, std::size_t length, std::string what, std::string help = {}) {
    problems_.push_back({offset, std::max<std::size_t>(length, 1), std::move(what), std::move(help), false});
    return false;
  }
  bool too_deep(std::size_t offset) {
    return fail(offset, 1, "this is nested too deep: more than " + std::to_string(nesting_max) + " levels",
                "split it, for instance into computed traits or audiences");
  }
  bool unexpected();
  bool expect(std::string_view symbol, std::size_t opened) {
    if (token_.is(symbol)) return advance();
    if (token_.kind == TokenKind::end)
      return fail(opened, 1, "this is not closed", "a " + std::string(symbol) + " is missing");
    return unexpected();
  }

  Syntax here(Op op, std::vector<std::uint32_t> args) const {
    return {.op = op,
            .offset = token_.offset,
            .length = token_.length,
            .text = token_.text,
            .value = {},
            .args = std::move(args)};
  }
  bool make(Syntax node, std::uint32_t& out);
  bool expression(std::uint32_t& out);
  bool binary(int level, std::uint32_t& out);
  bool unary(std::uint32_t& out);
  bool select(std::uint32_t& out);
  bool primary(std::uint32_t& out);
  bool name(std::uint32_t& out);
  bool literal(std::uint32_t& out, bool negative);
  bool question(Syntax& mark);
  bool marked(Syntax mark, std::uint32_t& item);
  bool list(std::uint32_t& out);
  bool map(std::uint32_t& out);
  bool arguments(Syntax& call);
  const Binary* operator_here() const;

  Lexer lexer_;
  SyntaxTree& tree_;
  std::vector<Problem>& problems_;
  Token token_;
  std::uint32_t depth_ = 0;
};

bool Parser::unexpected() {
  if (token_.kind == TokenKind::end)
    return fail(token_.offset, 1, "the text ends too early: a value is missing");
  std::string help;
  if (token_.kind == TokenKind::identifier) {
    const std::string lower = lower_ascii(token_.text);
    if (lower == "and") help = "write && for and";
    if (lower == "or") help = "write || for or";
    if (lower == "not") help = "write ! for not";
    if (lower == "is" || lower == "equals") help = "write == to compare";
    if (!help.empty())
      return fail(token_.offset, token_.length, "'" + token_.text + "' is no operator", help);
    return fail(token_.offset, token_.length, "'" + token_.text + "' may not stand here",
                "an operator is missing before it, or quotes around a text");
  }
  if (token_.kind == TokenKind::symbol) {
    return fail(token_.offset, token_.length, "'" + token_.text + "' may not stand here");
  }
  return fail(token_.offset, token_.length, "a value may not stand here", "an operator is missing before it");
}

bool Parser::make(Syntax node, std::uint32_t& out) {
  for (const std::uint32_t arg : node.args) node.height = std::max(node.height, tree_.nodes[arg].height + 1);
  if (node.height > nesting_max) return too_deep(node.offset);
  out = static_cast<std::uint32_t>(tree_.nodes.size());
  tree_.nodes.push_back(std::move(node));
  return true;
}

bool Parser::expression(std::uint32_t& out) {
  if (++depth_ > nesting_max) return too_deep(token_.offset);
  if (!binary(1, out)) return false;
  if (token_.is("?")) {
    Syntax node{.op = Op::conditional, .offset = token_.offset, .text = {}, .value = {}, .args = {out, 0, 0}};
    if (!advance() || !binary(1, node.args[1])) return false;
    if (!token_.is(":")) return fail(node.offset, 1, "this ? has no :", "write CONDITION ? VALUE : OTHER");
    if (!advance() || !expression(node.args[2]) || !make(std::move(node), out)) return false;
  }
  --depth_;
  return true;
}

const Binary* Parser::operator_here() const {
  static constexpr Binary in{"in", Op::in, relation_level};
  if (token_.kind == TokenKind::identifier && token_.text == "in") return &in;
  if (token_.kind != TokenKind::symbol) return nullptr;
  const auto* found = std::find_if(binaries.begin(), binaries.end(),
                                   [&](const Binary& b) { return b.symbol == token_.text; });
  return found == binaries.end() ? nullptr : found;
}

bool Parser::binary(int level, std::uint32_t& out) {
  if (level == unary_level) return unary(out);
  if (!binary(level + 1, out)) return false;
  for (const Binary* b = operator_here(); b != nullptr && b->level == level; b = operator_here()) {
    const std::size_t offset = token_.offset;
    const std::size_t length = token_.length;
    std::uint32_t right = 0;
    if (!advance() || !binary(level + 1, right)) return false;
    Syntax& left = tree_.nodes[out];
    if (level <= 2 && left.op == b->op) {  // one node for a chain, so that long ones are not deep
      left.args.push_back(right);
      left.height = std::max(left.height, tree_.nodes[right].height + 1);
      if (left.height > nesting_max) return too_deep(offset);
      continue;
    }
    Syntax node{
        .op = b->op, .offset = offset, .length = length, .text = {}, .value = {}, .args = {out, right}};
    if (!make(std::move(node), out)) return false;
  }
  return true;
}

bool Parser::unary(std::uint32_t& out) {
  if (!token_.is("!") && !token_.is("-")) return primary(out) && select(out);
  const Token sign = token_;
  std::size_t count = 0;
  while (token_.is(sign.text)) {
    ++count;
    if (!advance()) return false;
  }
  const bool negative = sign.text == "-";
  if (negative && (token_.kind == TokenKind::integer || token_.kind == TokenKind::number)) {
    --count;  // the literal takes one: the smallest integer has no positive counterpart
    if (!literal(out, true) || !select(out)) return false;
  } else if (token_.is("!") || token_.is("-")) {
    if (++depth_ > nesting_max) return too_deep(token_.offset);
    if (!unary(out)) return false;
    --depth_;
  } else if (!primary(out) || !select(out)) {
    return false;
  }
  for (; count > 0; --count) {
    Syntax node{.op = negative ? Op::negate : Op::not_,
                .offset = sign.offset,
                .text = {},
                .value = {},
                .args = {out}};
    if (!make(std::move(node), out)) return false;
  }
  return true;
}

bool Parser::select(std::uint32_t& out) {
  while (token_.is(".") || token_.is("[")) {
    const Token opened = token_;
    if (!advance()) return false;
    const bool optional = token_.is("?");
    if (optional && !advance()) return false;
    if (opened.text == "[") {
      const Op op = optional ? Op::optional_index : Op::index;
      Syntax node{.op = op, .offset = opened.offset, .text = {}, .value = {}, .args = {out, 0}};
      if (!expression(node.args[1]) || !expect("]", opened.offset) || !make(std::move(node), out))
        return false;
      continue;
    }
    if (token_.kind != TokenKind::identifier && token_.kind != TokenKind::quoted_identifier) {
      if (token_.kind == TokenKind::end) return fail(opened.offset, 1, "a name is missing behind this dot");
      return unexpected();
    }
    const bool quoted = token_.kind == TokenKind::quoted_identifier;
    Syntax node = here(optional ? Op::optional_member : Op::member, {out});
    if (!advance()) return false;
    if (token_.is("(") && !quoted && !optional) {
      node.op = Op::call;
      node.target = true;
      if (!arguments(node)) return false;
    }
    if (!make(std::move(node), out)) return false;
  }
  return true;
}

bool Parser::arguments(Syntax& call) {
  const std::size_t opened = token_.offset;
  if (!advance()) return false;
  if (token_.is(")")) return advance();
  while (true) {
    std::uint32_t arg = 0;
    if (!expression(arg)) return false;
    call.args.push_back(arg);
    if (!token_.is(",")) return expect(")", opened);
    if (!advance()) return false;
  }
}

bool Parser::primary(std::uint32_t& out) {
  switch (token_.kind) {
    case TokenKind::end:
    case TokenKind::quoted_identifier:
      return unexpected();
    case TokenKind::identifier:
      return name(out);
    case TokenKind::symbol:
      break;
    default:
      return literal(out, false);
  }
  if (token_.is("(")) {
    const std::size_t opened = token_.offset;
    return advance() && expression(out) && expect(")", opened);
  }
  if (token_.is("[")) return list(out);
  if (token_.is("{")) return map(out);
  if (token_.is(".")) return advance() && (token_.kind == TokenKind::identifier ? name(out) : unexpected());
  return unexpected();
}

bool Parser::name(std::uint32_t& out) {
  Syntax node = here(Op::name, {});
  if (node.text == "in") return unexpected();
  if (node.text == "not" || node.text == "NOT") {
    if (!advance()) return false;
    const bool before_operand = token_.kind != TokenKind::symbol || token_.is("(") || token_.is("!");
    return fail(node.offset, node.length,
                "'" + node.text + (before_operand ? "' is no operator" : "' is not known here"),
                "write ! for not");
  }
  if (std::find(reserved.begin(), reserved.end(), node.text) != reserved.end()) {
    return fail(node.offset, node.length, "'" + node.text + "' is a reserved word");
  }
  const bool boolean = node.text == "true" || node.text == "false";
  if (boolean || node.text == "null") {
    node.op = Op::constant;
    node.value = boolean ? Value::boolean(node.text == "true") : Value::null();
  }
  if (!advance()) return false;
  if (node.op == Op::name && token_.is("(")) {
    node.op = Op::call;
    if (!arguments(node)) return false;
  }
  return make(std::move(node), out);
}

bool Parser::literal(std::uint32_t& out, bool negative) {
  Syntax node = here(Op::constant, {});
  constexpr std::uint64_t limit = std::uint64_t{1} << 63;
  switch (token_.kind) {
    case TokenKind::integer:
      if (token_.integer > (negative ? limit : limit - 1)) {
        return fail(token_.offset, token_.length, "this number is too large", "write it with .0 behind it");
      }
      node.value = Value::integer(static_cast<std::int64_t>(negative ? ~token_.integer + 1 : token_.integer));
      break;
    case TokenKind::unsigned_integer:
      node.value = Value::unsigned_integer(token_.integer);
      break;
    case TokenKind::number:
      node.value = Value::number(negative ? -token_.number : token_.number);
      break;
    case TokenKind::bytes:
      node.value = Value::bytes({});
      break;
    default:
      node.value = Value::string({});
      break;
  }
  return advance() && make(std::move(node), out);
}

// ?e: the mark stands around what may hold nothing.
bool Parser::question(Syntax& mark) {
  mark.offset = token_.offset;
  if (!token_.is("?")) return true;
  mark.op = Op::optional_entry;
  return advance();
}

bool Parser::marked(Syntax mark, std::uint32_t& item) {
  if (mark.op != Op::optional_entry) return true;
  mark.args = {item};
  return make(std::move(mark), item);
}

bool Parser::list(std::uint32_t& out) {
  Syntax node{.op = Op::list, .offset = token_.offset, .text = {}, .value = {}, .args = {}};
  if (!advance()) return false;
  while (!token_.is("]")) {
    std::uint32_t item = 0;
    Syntax mark;
    if (!question(mark) || !expression(item)) return false;
    if (!marked(std::move(mark), item)) return false;
    node.args.push_back(item);
    if (token_.is(",")) {
      if (!advance()) return false;
    } else if (!token_.is("]")) {
      return expect("]", node.offset);
    }
  }
  return advance() && make(std::move(node), out);
}

bool Parser::map(std::uint32_t& out) {
  Syntax node{.op = Op::map, .offset = token_.offset, .text = {}, .value = {}, .args = {}};
  if (!advance()) return false;
  while (!token_.is("}")) {
    std::uint32_t item = 0;
    Syntax mark;
    if (!question(mark) || !expression(item)) return false;
    node.args.push_back(item);
    if (!expect(":", node.offset) || !expression(item)) return false;
    if (!marked(std::move(mark), item)) return false;
    node.args.push_back(item);
    if (token_.is(",")) {
      if (!advance()) return false;
    } else if (!token_.is("}")) {
      return expect("}", node.offset);
    }
  }
  return advance() && make(std::move(node), out);
}

}  // namespace

bool parse_syntax(std::string_view text, SyntaxTree& tree, std::vector<Problem>& problems) {
  if (text.size() > text_bytes_max) {
    problems.push_back({text_bytes_max, 1,
                        "this text is longer than " + std::to_string(text_bytes_max) + " bytes",
                        "split it, for instance into computed traits or audiences", false});
    return false;
  }
  if (!valid_utf8(text)) {
    problems.push_back({0, 1, "this text is not UTF-8", "save the file as UTF-8", false});
    return false;
  }
  if (trim(text).empty()) {
    problems.push_back({0, 1, "this is empty: a value is missing", {}, false});
    return false;
  }
  return Parser(text, tree, problems).run();
}

}  // namespace sluice::expr
