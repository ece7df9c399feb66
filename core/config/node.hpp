// YAML as a tree in which everything knows where it stands. Scalars are texts: what they mean is up to who
// reads them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/source_text.hpp"

namespace sluice::config {

struct Member;

struct Node {
  enum class Kind : std::uint8_t { null, scalar, list, map };
  enum class Style : std::uint8_t { plain, single_quoted, double_quoted, literal, folded };

  Kind kind = Kind::null;
  Style style = Style::plain;
  bool flow = false;  // stands within [ ] or { }, or is one
  std::string text;   // of a scalar
  std::vector<Node> items;
  std::vector<Member> members;
  const SourceText* file = nullptr;
  std::size_t begin = 0, end = 0;  // bytes of the file; for a block of lines, of its first line
  // A mistake in it has been reported: who reads on leaves it alone.
  mutable bool bad = false;

  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_map() const { return kind == Kind::map; }
  bool is_list() const { return kind == Kind::list; }
  bool is_plain() const { return is_scalar() && style == Style::plain; }
  // The first member of that name; null if there is none.
  const Member* member(std::string_view name) const;
  // Its value if it is there, has one, and is not bad; else null.
  const Node* find(std::string_view name) const;
};

struct Member {
  Node key;
  Node value;
};

// For each byte of a scalar's text, and for its end, the offset in the file that it was read from.
std::vector<std::size_t> source_offsets(const Node& scalar);

}  // namespace sluice::config
