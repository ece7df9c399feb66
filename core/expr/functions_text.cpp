// Functions of texts. Places count characters (code points), as CEL's do.
#include <algorithm>
#include <array>
#include <cstring>

#include <re2/re2.h>

#include "expr/functions.hpp"
#include "expr/operators.hpp"

namespace sluice::expr {

using Kind = Value::Kind;

namespace {

constexpr const char* no_overload = "the types do not fit";
constexpr const char* too_large = "the result is too large";
constexpr const char* no_place = "the text has no such place";

bool is_text(const Value& v) {
  return v.kind() == Kind::string;
}
bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

std::int64_t length_of(std::string_view text) {
  return std::count_if(text.begin(), text.end(), starts_character);
}

// Where `wanted` begins at or behind `from`, in linear time; npos: nowhere.
std::size_t place_of(std::string_view text, std::string_view wanted, std::size_t from) {
  if (from > text.size() || text.size() - from < wanted.size()) return std::string_view::npos;
  if (wanted.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

// Where the character at `place` begins; npos beyond the end, the size at the end.
std::size_t byte_at(std::string_view text, std::int64_t place) {
  if (place < 0) return std::string_view::npos;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (starts_character(text[i]) && place-- == 0) return i;
  }
  return place == 0 ? text.size() : std::string_view::npos;
}

// A text's white space by Unicode (property White_Space) at its front: the bytes of it, 0 when there is none.
std::size_t space_at(std::string_view text) {
  if (text.empty()) return 0;
  if (const char c = text.front(); c == ' ' || (c >= '\t' && c <= '\r')) return 1;
  static constexpr std::array<std::string_view, 19> spaces{
      "\u0085", "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
      "\u2007", "\u2008", "\u2009", "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};
  const auto* found =
      std::find_if(spaces.begin(), spaces.end(), [&](std::string_view s) { return text.starts_with(s); });
  return found == spaces.end() ? 0 : found->size();
}

Value trimmed(std::string_view text) {
  while (const std::size_t n = space_at(text)) text.remove_prefix(n);
  while (!text.empty()) {
    std::size_t last = text.size() - 1;
    while (last > 0 && !starts_character(text[last])) --last;
    if (space_at(text.substr(last)) != text.size() - last) break;
    text.remove_suffix(text.size() - last);
  }
  return Value::string(text);
}

template <typename F>
Value each_byte(std::string_view text, Arena::Impl& arena, F change) {
  char* at = arena.text(text.size());
  if (at == nullptr) return Value::unknown(too_large);
  std::transform(text.begin(), text.end(), at, change);
  return Value::string({at, text.size()});
}

// The next piece behind `from` that ends at `separator`; an empty separator cuts after each character.
std::size_t piece_end(std::string_view text, std::size_t from, std::string_view separator) {
  if (!separator.empty()) return place_of(text, separator, from);
  std::size_t end = from + 1;
  while (end < text.size() && !starts_character(text[end])) ++end;
  return end < text.size() ? end : std::string_view::npos;
}

Value split(std::span<const Value> args, Arena::Impl& arena) {
  const std::string_view text = args[0].as_text();
  const std::string_view separator = args[1].as_text();
  std::int64_t limit = -1;
  if (args.size() > 2 && !whole_number(args[2], limit)) return Value::unknown(no_overload);
  if (limit == 0 || (separator.empty() && text.empty())) return arena.list(nullptr, 0);
  std::int64_t count = 1;
  for (std::size_t at = 0; count != limit; ++count) {
    const std::size_t end = piece_end(text, at, separator);
    if (end == std::string_view::npos) break;
    at = end + separator.size();
  }
  Value* items = arena.values(static_cast<std::size_t>(count));
  if (items == nullptr || !arena.spend(static_cast<std::size_t>(count))) return Value::unknown(too_large);
  std::size_t at = 0;
  for (std::int64_t i = 0; i + 1 < count; ++i) {
    const std::size_t end = piece_end(text, at, separator);
    items[i] = Value::string(text.substr(at, end - at));
    at = end + separator.size();
  }
  items[count - 1] = Value::string(text.substr(at));
  return arena.list(items, static_cast<std::size_t>(count));
}

Value join(std::span<const Value> args, Arena::Impl& arena) {
  const Value::List* list = list_of(args[0], arena);
  if (list == nullptr || (args.size() > 1 && !is_text(args[1]))) return Value::unknown(no_overload);
  const std::string_view separator = args.size() > 1 ? args[1].as_text() : std::string_view{};
  TextMaker out(arena);
  for (std::size_t i = 0; i < list->size; ++i) {
    if (!is_text(list->items[i])) return Value::unknown(no_overload);
    if (i > 0) out.add(separator);
    out.add(list->items[i].as_text());
  }
  return out.value();
}

Value replace(std::span<const Value> args, Arena::Impl& arena) {
  if (!is_text(args[1]) || !is_text(args[2])) return Value::unknown(no_overload);
  std::int64_t limit = -1;
  if (args.size() > 3 && !whole_number(args[3], limit)) return Value::unknown(no_overload);
  const std::string_view text = args[0].as_text();
  const std::string_view from = args[1].as_text();
  const std::string_view to = args[2].as_text();
  TextMaker out(arena);
  std::size_t at = 0;
  for (; limit != 0; --limit) {
    if (from.empty()) {  // before each character and at the end
      out.add(to);
      if (at == text.size()) break;
      const std::size_t end = std::min(piece_end(text, at, {}), text.size());
      out.add(text.substr(at, end - at));
      at = end;
      continue;
    }
    const std::size_t found = place_of(text, from, at);
    if (found == std::string_view::npos) break;
    out.add(text.substr(at, found - at));
    out.add(to);
    at = found + from.size();
  }
  out.add(text.substr(at));
  return out.value();
}

Value substring(std::span<const Value> args) {
  const std::string_view text = args[0].as_text();
  std::int64_t from = 0;
  std::int64_t to = length_of(text);
  if (!whole_number(args[1], from) || (args.size() > 2 && !whole_number(args[2], to)))
    return Value::unknown(no_overload);
  const std::size_t first = byte_at(text, from);
  const std::size_t behind = byte_at(text, to);
  if (first == std::string_view::npos || behind == std::string_view::npos || from > to)
    return Value::unknown(no_place);
  return Value::string(text.substr(first, behind - first));
}

Value char_at(const Value& text, const Value& place) {
  std::int64_t at = 0;
  if (!whole_number(place, at)) return Value::unknown(no_overload);
  const std::size_t first = byte_at(text.as_text(), at);
  if (first == std::string_view::npos) return Value::unknown(no_place);
  const std::string_view rest = text.as_text().substr(first);
  const std::size_t end = rest.empty() ? 0 : std::min(piece_end(rest, 0, {}), rest.size());
  return Value::string(rest.substr(0, end));
}

Value index_of(std::span<const Value> args, bool last, Arena::Impl& arena) {
  const std::string_view text = args[0].as_text();
  const std::string_view wanted = args[1].as_text();
  if (last && !arena.spend_text(text.size() * wanted.size())) return Value::unknown(too_large);
  std::size_t start = last ? std::string_view::npos : 0;
  if (args.size() > 2) {
    std::int64_t place = 0;
    if (!whole_number(args[2], place)) return Value::unknown(no_overload);
    start = byte_at(text, place);
    if (start == std::string_view::npos) return Value::unknown(no_place);
  }
  const std::size_t found = last ? text.rfind(wanted, start) : place_of(text, wanted, start);
  return Value::integer(found == std::string_view::npos ? -1 : length_of(text.substr(0, found)));
}

Value reverse(std::string_view text, Arena::Impl& arena) {
  char* at = arena.text(text.size());
  if (at == nullptr) return Value::unknown(too_large);
  char* out = at + text.size();
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(piece_end(text, i, {}), text.size());
    out -= end - i;
    std::memcpy(out, text.data() + i, end - i);
    i = end;
  }
  return Value::string({at, text.size()});
}

Value quote(std::string_view text, Arena::Impl& arena) {
  static constexpr std::string_view special = "\a\b\f\n\r\t\v\\\"";
  static constexpr std::string_view letters = "abfnrtv\\\"";
  TextMaker out(arena);
  out.add('"');
  for (const char c : text) {
    const std::size_t i = special.find(c);
    if (i != std::string_view::npos) out.add('\\');
    out.add(i == std::string_view::npos ? c : letters[i]);
  }
  out.add('"');
  return out.value();
}

Value matches(const Value& text, const Value& pattern, const re2::RE2* compiled, Arena::Impl& arena) {
  if (!is_text(pattern)) return Value::unknown(no_overload);
  const auto search = [&](const re2::RE2& re) {
    return Value::boolean(
        re2::RE2::PartialMatch(re2::StringPiece(text.as_text().data(), text.as_text().size()), re));
  };
  if (compiled != nullptr) return search(*compiled);
  // To compile one takes some microseconds and more for each of its bytes.
  if (!arena.spend(1'000 + 100 * pattern.as_text().size())) return Value::unknown(too_large);
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 re(re2::StringPiece(pattern.as_text().data(), pattern.as_text().size()), options);
  return re.ok() ? search(re) : Value::unknown("it is no regular expression");
}

}  // namespace

Value call_text_function(Function function, std::span<const Value> args, Arena::Impl& arena,
                         const re2::RE2* pattern) {
  if (function == Function::join) return join(args, arena);
  if (!is_text(args[0])) return Value::unknown(no_overload);
  const std::string_view text = args[0].as_text();
  if (!arena.spend_text(text.size())) return Value::unknown(too_large);
  if (function == Function::format) return format(text, args[1], arena);
  switch (function) {
    case Function::lower_ascii:
      return each_byte(text, arena,
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    case Function::upper_ascii:
      return each_byte(text, arena,
                       [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    case Function::trim:
      return trimmed(text);
    case Function::reverse:
      return reverse(text, arena);
    case Function::quote:
      return quote(text, arena);
    case Function::substring:
      return substring(args);
    case Function::char_at:
      return char_at(args[0], args[1]);
    case Function::matches:
      return matches(args[0], args[1], pattern, arena);
    case Function::replace:
      return replace(args, arena);
    default:
      break;
  }
  if (!is_text(args[1])) return Value::unknown(no_overload);
  const std::string_view other = args[1].as_text();
  switch (function) {
    case Function::starts_with:
      return Value::boolean(text.starts_with(other));
    case Function::ends_with:
      return Value::boolean(text.ends_with(other));
    case Function::contains:
      return Value::boolean(place_of(text, other, 0) != std::string_view::npos);
    case Function::split:
      return split(args, arena);
    default:
      return index_of(args, function == Function::last_index_of, arena);
  }
}

}  // namespace sluice::expr
