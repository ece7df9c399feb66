// The canonical text of a syntax tree: under it equal aggregates are shared.
#include <array>
#include <charconv>
#include <cmath>

#include "expr/syntax.hpp"

namespace sluice::expr {

Value Syntax::literal() const {
  if (value.kind() == Value::Kind::string) return Value::string(text);
  if (value.kind() == Value::Kind::bytes) return Value::bytes(text);
  return value;
}

namespace {

// From loosest to tightest; operands of lower level than their place get parentheses.
int level_of(Op op) {
  switch (op) {
    case Op::conditional:
      return 0;
    case Op::or_:
      return 1;
    case Op::and_:
      return 2;
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::in:
      return 3;
    case Op::add:
    case Op::subtract:
      return 4;
    case Op::multiply:
    case Op::divide:
    case Op::modulo:
      return 5;
    case Op::not_:
    case Op::negate:
      return 6;
    default:
      return 7;
  }
}

std::string_view symbol_of(Op op) {
  switch (op) {
    case Op::or_:
      return " || ";
    case Op::and_:
      return " && ";
    case Op::equal:
      return " == ";
    case Op::not_equal:
      return " != ";
    case Op::less:
      return " < ";
    case Op::less_equal:
      return " <= ";
    case Op::greater:
      return " > ";
    case Op::greater_equal:
      return " >= ";
    case Op::in:
      return " in ";
    case Op::add:
      return " + ";
    case Op::subtract:
      return " - ";
    case Op::multiply:
      return " * ";
    case Op::divide:
      return " / ";
    case Op::modulo:
      return " % ";
    default:
      return "";
  }
}

class Writer {
 public:
  Writer(const SyntaxTree& tree, std::string_view element, std::string& out)
      : tree_(tree), element_(element), out_(out) {}

  void write(std::uint32_t index, int level) {
    const Syntax& node = tree_[index];
    const int own = level_of(node.op);
    if (own < level) out_ += '(';
    node_text(node, own);
    if (own < level) out_ += ')';
  }

 private:
  void node_text(const Syntax& node, int own);
  void constant(const Syntax& node);
  bool begins_with_literal(std::uint32_t index) const;
  void selected(std::string_view name, bool optional);
  void quoted(std::string_view text, bool bytes);
  void items(const Syntax& node, std::size_t first, bool pairs);

  const SyntaxTree& tree_;
  std::string_view element_;
  std::string& out_;
};

void Writer::quoted(std::string_view text, bool bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  out_ += bytes ? "b\"" : "\"";
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += c;
    } else if (u < 0x20 || u == 0x7F || (bytes && u >= 0x80)) {
      out_ += "\\x";
      out_ += digits[u >> 4];
      out_ += digits[u & 15];
    } else {
      out_ += c;
    }
  }
  out_ += '"';
}

// `.name`, or `["any name"]`; `optional`: `.?name`.
void Writer::selected(std::string_view name, bool optional) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  const bool plain = !name.empty() && (name.front() < '0' || name.front() > '9') &&
                     name.find_first_not_of(letters) == std::string_view::npos;
  if (plain) {
    out_ += optional ? ".?" : ".";
    out_ += name;
    return;
  }
  out_ += optional ? "[?" : "[";
  quoted(name, false);
  out_ += ']';
}

void Writer::constant(const Syntax& node) {
  switch (node.value.kind()) {
    case Value::Kind::null:
      out_ += "null";
      return;
    case Value::Kind::boolean:
      out_ += node.value.is_true() ? "true" : "false";
      return;
    case Value::Kind::integer:
      out_ += std::to_string(node.value.as_integer());
      return;
    case Value::Kind::unsigned_integer:
      out_ += std::to_string(node.value.as_unsigned()) + "u";
      return;
    case Value::Kind::number: {
      std::array<char, 40> buffer{};
      const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), node.value.as_number());
      const std::string_view text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
      out_ += text;
      if (text.find_first_of(".e") == std::string_view::npos) out_ += ".0";
      return;
    }
    case Value::Kind::bytes:
      quoted(node.text, true);
      return;
    default:
      quoted(node.text, false);
      return;
  }
}

bool Writer::begins_with_literal(std::uint32_t index) const {
  const Syntax& node = tree_[index];
  if (node.op == Op::constant) return true;
  const bool path =
      (node.op >= Op::member && node.op <= Op::optional_index) || (node.op == Op::call && node.target);
  return path && begins_with_literal(node.args[0]);
}

void Writer::items(const Syntax& node, std::size_t first, bool pairs) {
  for (std::size_t i = first; i < node.args.size(); ++i) {
    const bool value = pairs && (i - first) % 2 == 1;
    if (i > first) out_ += value ? ": " : ", ";
    const std::size_t entry = pairs && !value ? i + 1 : i;  // the ? of a pair stands before its key
    const bool optional = tree_[node.args[entry]].op == Op::optional_entry;
    if (optional && !value) out_ += '?';
    write(optional && entry == i ? tree_[node.args[i]].args[0] : node.args[i], 0);
  }
}

void Writer::node_text(const Syntax& node, int own) {
  switch (node.op) {
    case Op::constant:
      constant(node);
      return;
    case Op::name:
      out_ += node.text == element_ ? "event" : node.text;
      return;
    case Op::member:
    case Op::optional_member:
      write(node.args[0], own);
      selected(node.text, node.op == Op::optional_member);
      return;
    case Op::index:
    case Op::optional_index:
      write(node.args[0], own);
      if (tree_[node.args[1]].is_string()) {
        selected(tree_[node.args[1]].text, node.op == Op::optional_index);
        return;
      }
      out_ += node.op == Op::index ? "[" : "[?";
      write(node.args[1], 0);
      out_ += ']';
      return;
    case Op::call:
      if (node.target) {
        write(node.args[0], own);
        out_ += '.';
      }
      out_ += node.text + "(";
      items(node, node.target ? 1 : 0, false);
      out_ += ')';
      return;
    case Op::list:
    case Op::map:
      out_ += node.op == Op::list ? '[' : '{';
      items(node, 0, node.op == Op::map);
      out_ += node.op == Op::list ? ']' : '}';
      return;
    case Op::not_:
    case Op::negate:
      out_ += node.op == Op::not_ ? "!" : "-";
      // A literal behind a minus keeps its parentheses, lest the two become one literal.
      write(node.args[0], begins_with_literal(node.args[0]) ? 8 : own);
      return;
    case Op::conditional:
      write(node.args[0], own + 1);
      out_ += " ? ";
      write(node.args[1], own + 1);
      out_ += " : ";
      write(node.args[2], own);
      return;
    default:
      for (std::size_t i = 0; i < node.args.size(); ++i) {
        if (i > 0) out_ += symbol_of(node.op);
        write(node.args[i], i == 0 ? own : own + 1);
      }
  }
}

}  // namespace

std::string canonical(const SyntaxTree& tree, std::uint32_t node, std::string_view element) {
  std::string out;
  Writer(tree, element, out).write(node, 0);
  return out;
}

}  // namespace sluice::expr
