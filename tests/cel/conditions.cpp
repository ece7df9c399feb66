#include "conditions.hpp"

#include <utility>

namespace sluice::cel {

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
std::uint64_t Conditions::below(std::uint64_t end) {
  state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return (z ^ (z >> 31)) % end;
}

std::string Conditions::next() {
  const int depth = 2 + static_cast<int>(below(4));
  return of(below(4) == 0 ? Type::any : Type::boolean, depth);
}

Conditions::Type Conditions::scalar() {
  return static_cast<Type>(below(6));
}

std::string Conditions::leaf(Type type) {
  switch (type) {
    case Type::boolean:
      return one_of({"true", "false"});
    case Type::integer:
      return one_of({"0", "1", "2", "-1", "3", "7", "10", "-42", "1000000", "9223372036854775807",
                     "-9223372036854775808", "9007199254740993", "0x1F"});
    case Type::unsigned_integer:
      return one_of({"0u", "1u", "2u", "7u", "42u", "9000000000000000000u", "0xFFu"});
    case Type::number:
      return one_of(
          {"0.0", "1.0", "-1.5", "2.0", "0.1", "3.25", "1e300", "-1e-300", "9007199254740992.0", "1e19"});
    case Type::string:
      return one_of({R"("")", R"("a")", R"("Paris")", R"("pro")", R"("a,b,,c")", R"("été")", R"("12")",
                     R"("-3.5")", R"("\n\t\\")", R"("aXbXc")", R"("true")"});
    case Type::bytes:
      return one_of({R"(b"")", R"(b"a")", R"(b"\xff\x00")", R"(b"Paris")", R"(b"été")"});
    case Type::timestamp:
      return one_of({R"(timestamp("2026-11-28T15:30:00Z"))", R"(timestamp("1969-12-31T23:59:59Z"))",
                     R"(timestamp("2026-03-29T01:30:00.25+02:00"))", R"(timestamp("0800-02-29T12:00:00Z"))",
                     R"(timestamp("9999-12-31T23:59:59Z"))", "timestamp(0)"});
    case Type::duration:
      return one_of({R"(duration("0s"))", R"(duration("90s"))", R"(duration("-1h30m"))",
                     R"(duration("1.5s"))", R"(duration("1ms"))", R"(duration("100000h"))",
                     R"(duration("-999ms"))"});
    case Type::list:
      return one_of({"[]", "[1, 2, 3]", R"(["a", "b"])", "[1, 2u, 3.0]", "[[1], [2]]", "[true, null]"});
    case Type::map:
      return one_of({"{}", R"({"a": 1, "b": 2})", R"({"city": "Paris", "n": null})", "{1: true, 2: false}",
                     R"({"deep": {"x": [1, {"y": 2}]}})", R"({true: 1, 5u: 2, "k": 3.5})"});
    case Type::any:
      break;
  }
  return "null";
}

std::string Conditions::variable(Type type) {
  if (locals_ > 0 && below(2) == 0)
    return "x" + std::to_string(1 + below(static_cast<std::uint64_t>(locals_)));
  switch (type) {
    case Type::boolean:
      return "flag";
    case Type::integer:
      return "orders";
    case Type::unsigned_integer:
      return "visits";
    case Type::number:
      return "revenue";
    case Type::string:
      return one_of({"city", "plan"});
    case Type::list:
      return "tags";
    case Type::map:
      return "address";
    case Type::any:
      return one_of({"flag", "orders", "nothing", "tags", "absent"});
    default:
      return leaf(type);
  }
}

// Now and then something of another type: errors must agree too.
std::string Conditions::of(Type type, int depth) {
  if (!calm_ && below(25) == 0) type = static_cast<Type>(below(11));
  if (depth <= 0 || below(6) == 0) return below(3) == 0 ? leaf(type) : variable(type);
  --depth;
  if (below(12) == 0)
    return "(" + of(Type::boolean, depth) + " ? " + of(type, depth) + " : " + of(type, depth) + ")";
  if (below(30) == 0)
    return "[" + of(type, depth) + ", " + of(type, depth) + "][" + one_of({"0", "1", "2", "1u", "0.0"}) + "]";
  if (below(30) == 0)
    return "{\"k\": " + of(type, depth) + ", \"l\": " + of(type, depth) + "}" +
           one_of({".k", "[\"l\"]", ".m"});
  switch (type) {
    case Type::boolean:
      return boolean(depth);
    case Type::integer:
      return integer(depth);
    case Type::unsigned_integer:
    case Type::number:
      return number(type, depth);
    case Type::string:
      return string(depth);
    case Type::bytes:
      return below(2) == 0 ? "bytes(" + of(Type::string, depth) + ")" : pair(Type::bytes, "+", depth);
    case Type::list:
      return list(depth);
    case Type::map:
      return map(depth);
    case Type::timestamp:
    case Type::duration:
      return time(type, depth);
    case Type::any:
      break;
  }
  if (below(8) == 0) return "type(" + of(scalar(), depth) + ")";
  return of(static_cast<Type>(below(10)), depth);
}

// What surely has the type.
std::string Conditions::strict(Type type, int depth) {
  const int outer = std::exchange(locals_, 0);
  std::string text = calm(type, depth);
  locals_ = outer;
  return text;
}

// Without such, where the other implementation goes a way of its own.
std::string Conditions::calm(Type type, int depth) {
  const bool outer = std::exchange(calm_, true);
  std::string text = of(type, depth);
  calm_ = outer;
  return text;
}

std::string Conditions::boolean(int depth) {
  switch (below(14)) {
    case 0:
    case 1:
    case 2:
      return pair(Type::boolean, "&&", depth);
    case 3:
    case 4:
      return pair(Type::boolean, "||", depth);
    case 5:
      return "!(" + of(Type::boolean, depth) + " || false)";
    case 6:
    case 7:
      return pair(scalar(), one_of({"<", "<=", ">", ">="}), depth);
    case 8:  // numbers of unlike kinds
      return "(" + of(static_cast<Type>(1 + below(3)), depth) + " " +
             one_of({"==", "!=", "<", "<=", ">", ">="}) + " " + of(static_cast<Type>(1 + below(3)), depth) +
             ")";
    case 9:
      return pair(static_cast<Type>(below(11)), one_of({"==", "!="}), depth);
    case 10:
      return "(" +
             (below(3) > 0 ? of(scalar(), depth) + " in " + calm(Type::list, depth)
                           : leaf(static_cast<Type>(below(5))) + " in " + calm(Type::map, depth)) +
             ")";
    case 11:
      return below(3) == 0
                 ? "has(" + (below(2) == 0 ? "address" : leaf(Type::map)) + "." +
                       one_of({"a", "city", "deep", "zip"}) + ")"
                 : of(Type::timestamp, depth) + one_of({" < ", " == ", " >= "}) + of(Type::timestamp, depth);
    case 12:
      return of(Type::string, depth) + "." + one_of({"startsWith", "endsWith", "contains"}) + "(" +
             of(Type::string, depth) + ")";
    default:
      return below(4) == 0
                 ? of(Type::string, depth) + ".matches(" +
                       one_of({R"("^a")", R"("[A-Z]")", R"("is$")", R"("(a|b)+,?")", R"("é.")", R"("[")"}) +
                       ")"
                 : quantified(depth);
  }
}

std::string Conditions::quantified(int depth) {
  const std::string range = calm(below(4) == 0 ? Type::map : Type::list, depth);
  const std::string name = "x" + std::to_string(++locals_);
  const std::string body = of(Type::boolean, depth);
  --locals_;
  return range + "." + one_of({"all", "exists", "exists_one"}) + "(" + name + ", " + body + ")";
}

std::string Conditions::integer(int depth) {
  switch (below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      if (below(5) == 0)
        return "(" + of(Type::integer, depth) + " % " + one_of({"2", "3", "7", "-42", "0"}) + ")";
      return pair(Type::integer, one_of({"+", "-", "*", "/"}), depth);
    case 4:
      return "-(" + of(Type::integer, depth) + " * 1)";
    case 5:
      return "size(" + of(static_cast<Type>(4 + below(4)), depth) + ")";
    case 6:
      return "int(" +
             (below(3) == 0 ? one_of({R"("12")", R"("x")", R"("-7")", R"("1.5")"})
                            : strict(static_cast<Type>(1 + below(3)), depth)) +
             ")";
    case 7:
      return of(Type::string, depth) + "." + one_of({"indexOf", "lastIndexOf"}) + "(" + of(Type::string, 0) +
             ")";
    case 8:
      return of(below(3) == 0 ? Type::duration : Type::timestamp, depth) + "." +
             one_of({"getHours", "getMinutes", "getSeconds", "getMilliseconds", "getFullYear", "getMonth",
                     "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}) +
             "()";
    default:
      if (calm_) return leaf(Type::integer);
      return of(Type::list, depth) + "[" + leaf(Type::integer) + "]";
  }
}

std::string Conditions::number(Type type, int depth) {
  const bool real = type == Type::number;
  switch (below(5)) {
    case 0:
    case 1:
    case 2:
      return pair(type, real ? one_of({"+", "-", "*", "/"}) : one_of({"+", "-", "*", "/", "%"}), depth);
    case 3:
      return real ? "-(" + of(type, depth) + " * 1.0)" : "uint(" + strict(Type::integer, depth) + ")";
    default:
      if (real && below(3) == 0)
        return std::string("double(") + one_of({R"("12")", R"("-3.5")", R"("1e3")"}) + ")";
      return std::string(real ? "double(" : "uint(") + strict(static_cast<Type>(1 + below(3)), depth) + ")";
  }
}

std::string Conditions::string(int depth) {
  const std::string text = of(Type::string, depth);
  const auto place = [&] { return std::to_string(below(4)); };
  switch (below(11)) {
    case 0:
    case 1:
      return "(" + text + " + " + of(Type::string, depth) + ")";
    case 2:
      return "string(" +
             strict(one_of_types({Type::boolean, Type::integer, Type::unsigned_integer, Type::string}),
                    depth) +
             ")";
    case 3:
      return text + "." + one_of({"lowerAscii", "upperAscii", "trim"}) + "()";
    case 4:
      return text + ".replace(" + one_of({R"("a")", R"("X")", R"("ar")", R"(",")"}) + ", " +
             of(Type::string, 0) + ")";
    case 5:
      return text + ".substring(" + place() + (below(2) == 0 ? "" : ", " + place()) + ")";
    case 6:
      return text + ".charAt(" + place() + ")";
    case 7:
      return text + ".split(" + of(Type::string, 0) + ").join(" + of(Type::string, 0) + ")";
    case 8:
      return "\"%s|%d\".format([" +
             strict(one_of_types({Type::boolean, Type::integer, Type::string}), depth) + ", " +
             leaf(Type::integer) + "])";
    case 9:
      return one_of({R"(string(timestamp("2026-11-28T15:30:00Z")))",
                     R"(string(timestamp("0800-02-29T12:00:00+01:00")))", "string(timestamp(0))"});
    default:
      return "strings.quote(" + text + ")";
  }
}

std::string Conditions::list(int depth) {
  switch (below(6)) {
    case 0:
      return "[" + of(scalar(), depth) + ", " + of(scalar(), depth) + "]";
    case 1:
      return pair(Type::list, "+", depth);
    case 2:
      return of(Type::string, depth) + ".split(" + one_of({R"(",")", R"("")", R"("X")"}) + ")";
    default:
      break;
  }
  const std::string range = calm(below(5) == 0 ? Type::map : Type::list, depth);
  const std::string name = "x" + std::to_string(++locals_);
  const bool filter = below(2) == 0;
  const std::string body = of(filter ? Type::boolean : scalar(), depth);
  --locals_;
  return range + (filter ? ".filter(" : ".map(") + name + ", " + body + ")";
}

std::string Conditions::map(int depth) {
  const Type key = below(3) == 0 ? static_cast<Type>(below(3)) : Type::string;
  return "{" + leaf(key) + ": " + of(scalar(), depth) +
         ", \"a\": " + of(static_cast<Type>(below(10)), depth) + "}";
}

std::string Conditions::time(Type type, int depth) {
  const std::string right = of(Type::duration, depth);
  if (type == Type::timestamp) return "(" + of(Type::timestamp, depth) + one_of({" + ", " - "}) + right + ")";
  if (below(2) == 0) return "(" + of(Type::timestamp, depth) + " - " + of(Type::timestamp, depth) + ")";
  return "(" + of(Type::duration, depth) + one_of({" + ", " - "}) + right + ")";
}

}  // namespace sluice::cel
