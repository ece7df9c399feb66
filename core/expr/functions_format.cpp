// TEXT.format([…]): the clauses of CEL's strings extension.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "expr/functions.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr int precision_max = 100;

// %[.N]LETTER
struct Clause {
  char letter = 0;
  int precision = 6;
};

// Takes the clause behind a % off the front of `rest`; null, or what is wrong.
const char* parse_clause(std::string_view& rest, Clause& clause) {
  if (rest.starts_with('.')) {
    const auto end = std::from_chars(rest.data() + 1, rest.data() + rest.size(), clause.precision);
    if (end.ec != std::errc{} || clause.precision < 0 || rest[1] == '-')
      return "a precision is missing behind %.";
    if (clause.precision > precision_max) return "the precision is larger than 100";
    rest.remove_prefix(static_cast<std::size_t>(end.ptr - rest.data()));
  }
  if (rest.empty()) return "the text ends within a clause";
  clause.letter = rest.front();
  if (std::string_view("dsfebxXo").find(clause.letter) == std::string_view::npos)
    return "it knows %d, %s, %f, %e, %b, %x, %X, %o and %%";
  rest.remove_prefix(1);
  return nullptr;
}

bool not_finite(double d, TextMaker& out) {
  if (std::isfinite(d)) return false;
  out.add(std::isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
  return true;
}

template <typename... How>
void add_number(TextMaker& out, How... how) {
  std::array<char, 512> buffer{};  // a double has at most 309 digits before the point
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), how...);
  out.add({buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data())});
}

void add_hex(TextMaker& out, std::string_view bytes, bool upper) {
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out.add(digits[b >> 4]);
    out.add(digits[b & 15]);
  }
}

// %b, %x, %X and %o.
bool add_in_base(TextMaker& out, char letter, const Value& v) {
  const int base = letter == 'b' ? 2 : letter == 'o' ? 8 : 16;
  const bool hex = base == 16;
  if (hex && (v.kind() == Kind::string || v.kind() == Kind::bytes))
    return add_hex(out, v.as_text(), letter == 'X'), true;
  if (letter == 'b' && v.kind() == Kind::boolean) return out.add(v.is_true() ? '1' : '0'), true;
  if (v.kind() != Kind::integer && v.kind() != Kind::unsigned_integer) return false;
  std::array<char, 72> buffer{};
  const auto end = v.kind() == Kind::integer
                       ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), v.as_integer(), base)
                       : std::to_chars(buffer.data(), buffer.data() + buffer.size(), v.as_unsigned(), base);
  if (letter == 'X')
    std::transform(buffer.data(), end.ptr, buffer.data(),
                   [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
  return out.add({buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data())}), true;
}

bool add_fraction(TextMaker& out, const Clause& clause, const Value& v) {
  if (!is_numeric(v)) return false;
  const double d = v.to_double();
  if (!not_finite(d, out))
    add_number(out, d, clause.letter == 'f' ? std::chars_format::fixed : std::chars_format::scientific,
               clause.precision);
  return true;
}

// %d. Numbers of the domain are doubles: whole ones are taken.
bool add_decimal(TextMaker& out, const Value& v) {
  std::int64_t whole = 0;
  if (v.kind() == Kind::unsigned_integer) return add_number(out, v.as_unsigned()), true;
  if (v.kind() == Kind::number && not_finite(v.as_number(), out)) return true;
  if (!whole_number(v, whole)) return false;
  return add_number(out, whole), true;
}

bool add_text(TextMaker& out, const Value& v, Arena::Impl& arena);

bool add_list(TextMaker& out, const Value::List& list, Arena::Impl& arena) {
  out.add('[');
  for (std::size_t i = 0; i < list.size; ++i) {
    if (i > 0) out.add(", ");
    if (!add_text(out, list.items[i], arena)) return false;
  }
  out.add(']');
  return true;
}

// Entries by the text of their keys.
bool add_map(TextMaker& out, const Value::Map& map, Arena::Impl& arena) {
  MapEntry* entries = arena.entries(map.size);
  if (entries == nullptr) return false;
  for (std::size_t i = 0; i < map.size; ++i) {
    TextMaker key(arena);
    if (!add_text(key, map.entries[i].key, arena)) return false;
    entries[i] = {key.value(), map.entries[i].value};
    if (entries[i].key.is_unknown()) return false;
  }
  std::sort(entries, entries + map.size,
            [](const MapEntry& a, const MapEntry& b) { return a.key.as_text() < b.key.as_text(); });
  out.add('{');
  for (std::size_t i = 0; i < map.size; ++i) {
    if (i > 0) out.add(", ");
    out.add(entries[i].key.as_text());
    out.add(": ");
    if (!add_text(out, entries[i].value, arena)) return false;
  }
  out.add('}');
  return true;
}

// %s: of everything.
bool add_text(TextMaker& out, const Value& v, Arena::Impl& arena) {
  if (const Value::Map* map = map_of(v, arena)) return add_map(out, *map, arena);
  if (const Value::List* list = list_of(v, arena)) return add_list(out, *list, arena);
  switch (v.kind()) {
    case Kind::null:
      out.add("null");
      return true;
    case Kind::type:
      out.add(v.as_text());
      return true;
    case Kind::number:
      if (!not_finite(v.as_number(), out)) add_number(out, v.as_number(), std::chars_format::fixed);
      return true;
    default: {
      const Value text = convert(Function::to_string, v, arena);
      if (text.kind() != Kind::string) return false;
      out.add(text.as_text());
      return true;
    }
  }
}

bool add_clause(TextMaker& out, const Clause& clause, const Value& v, Arena::Impl& arena) {
  switch (clause.letter) {
    case 's':
      return add_text(out, v, arena);
    case 'd':
      return add_decimal(out, v);
    case 'f':
    case 'e':
      return add_fraction(out, clause, v);
    default:
      return add_in_base(out, clause.letter, v);
  }
}

}  // namespace

Value format(std::string_view pattern, const Value& values, Arena::Impl& arena) {
  const Value::List* list = list_of(values, arena);
  if (list == nullptr) return Value::unknown("format() needs a list");
  TextMaker out(arena);
  std::size_t next = 0;
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::size_t percent = std::min(rest.find('%'), rest.size());
    out.add(rest.substr(0, percent));
    rest.remove_prefix(percent);
    if (rest.empty()) break;
    if (rest.starts_with("%%")) {
      out.add('%');
      rest.remove_prefix(2);
      continue;
    }
    rest.remove_prefix(1);
    Clause clause;
    if (const char* wrong = parse_clause(rest, clause)) return Value::unknown(wrong);
    if (next == list->size) return Value::unknown("the list has fewer values than the text has clauses");
    if (!add_clause(out, clause, list->items[next++], arena))
      return Value::unknown("a value does not fit its clause");
  }
  return out.value();
}

const char* format_mistake(std::string_view pattern, std::size_t values) {
  std::size_t clauses = 0;
  while (true) {
    const std::size_t percent = pattern.find('%');
    if (percent == std::string_view::npos) break;
    pattern.remove_prefix(percent + 1);
    if (pattern.starts_with('%')) {
      pattern.remove_prefix(1);
      continue;
    }
    Clause clause;
    if (const char* wrong = parse_clause(pattern, clause)) return wrong;
    ++clauses;
  }
  return clauses > values ? "the list has fewer values than the text has clauses" : nullptr;
}

}  // namespace sluice::expr
