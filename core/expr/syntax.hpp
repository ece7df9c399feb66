// The syntax tree of a CEL text: what the parser makes, the checker reads and canonical() writes again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "expr/program.hpp"
#include "expr/value.hpp"

namespace sluice::expr {

inline constexpr std::size_t text_bytes_max = 16 * 1024;
inline constexpr std::uint32_t nesting_max = 200;  // height of the tree; chains of && and || count as one

// Operations of the syntax tree and of the compiled code.
enum class Op : std::uint8_t {
  // in both
  constant,
  list,
  map,
  not_,
  negate,
  and_,
  or_,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  add,
  subtract,
  multiply,
  divide,
  modulo,
  conditional,
  member,
  index,
  optional_member,  // a.?b
  optional_index,   // a[?b]
  call,
  optional_entry,  // ?e in a list; the value of ?k: e in a map
  // syntax alone
  name,
  // code alone
  local,
  variable,
  trait,
  audience,
  consent,
  profile_field,
  account_field,
  event_field,
  row,
  now,
  aggregate,
  has_value,
  has_member,
  optional_value,  // of what may be missing
  or_optional,     // a.or(b)
  or_value,        // a.orValue(b)
  // with variables of their own
  all,
  exists,
  exists_one,
  map_list,
  transform_map,
  optional_map,       // a.optMap(x, e)
  optional_flat_map,  // a.optFlatMap(x, e)
  bind,               // cel.bind(x, a, e)
};

struct Syntax {
  Op op = Op::constant;
  std::size_t offset = 0, length = 1;  // of the token that stands for it
  std::uint32_t height = 1;
  bool target = false;  // call: args[0] is what stands before the dot
  std::string text;     // name, member, called function; a literal's text or bytes
  Value value;          // constant: the value, its text aside
  std::vector<std::uint32_t> args;

  Value literal() const;  // constant: the value, borrowing `text`
  bool is_string() const { return op == Op::constant && value.kind() == Value::Kind::string; }
};

struct SyntaxTree {
  std::vector<Syntax> nodes;
  std::uint32_t root = 0;
  const Syntax& operator[](std::uint32_t i) const { return nodes[i]; }
};

// Parses the whole text; false after the first mistake, which is added to `problems`.
bool parse_syntax(std::string_view text, SyntaxTree& tree, std::vector<Problem>& problems);

// The tree as text in one form: equal trees give equal texts. The name `element` is written as `event`.
std::string canonical(const SyntaxTree& tree, std::uint32_t node, std::string_view element);

}  // namespace sluice::expr
