// The Common Expression Language's own cases (google/cel-spec), where the shared folder is at hand:
// $SLUICE_SHARED, or ../shared beside one of the folders above.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "expr/arena.hpp"
#include "expr/program.hpp"

namespace sluice::expr {
namespace {

// Cases out of scope on purpose, as section/name, with the reason. They run all the same: one that passes
// must leave the list.
const std::map<std::string, std::string> out_of_scope{};

std::string conformance_file() {
  namespace fs = std::filesystem;
  if (const char* shared = std::getenv("SLUICE_SHARED")) return std::string(shared) + "/conformance/cel.json";
  for (fs::path at = fs::current_path();; at = at.parent_path()) {
    const fs::path file = at / ".." / "shared" / "conformance" / "cel.json";
    if (fs::exists(file)) return file.string();
    if (at == at.root_path()) return {};
  }
}

// The file was converted from textproto, and its converter left the escapes \u, \U and \? of some expected
// values as they stood there (evaluator_test.cpp has escapes whose meaning is certain).
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    const std::size_t digits = rest.starts_with("\\u") ? 4 : rest.starts_with("\\U") ? 8 : 0;
    if (rest.starts_with("\\?")) {
      out += '?';
      ++i;
    } else if (digits > 0 && rest.size() >= digits + 2) {
      const std::string hex_digits(rest.substr(2, digits));
      const auto parsed =
          Program::parse("'\\U" + std::string(8 - digits, '0') + hex_digits + "'", Scope{}, false);
      EmptyContext context;
      Arena arena;
      if (parsed.program) out += parsed.program->evaluate(context, arena).as_text();
      i += digits + 1;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool same_text(std::string_view text, const std::string& expected) {
  return text == expected || text == unescaped(expected);
}

bool same_value(const Value& value, Json expected, Arena& arena);

bool same_list(const Value::List& list, Json values, Arena& arena) {
  if (list.size != values.size()) return false;
  for (std::size_t i = 0; i < list.size; ++i) {
    if (!same_value(list.items[i], values.at(i), arena)) return false;
  }
  return true;
}

bool same_map(const Value::Map& map, Json entries, Arena& arena) {
  if (map.size != entries.size()) return false;
  bool same = true;
  entries.elements([&](Json entry) {
    bool found = false;
    for (std::size_t i = 0; i < map.size; ++i) {
      found = found || (same_value(map.entries[i].key, entry["key"], arena) &&
                        same_value(map.entries[i].value, entry["value"], arena));
    }
    same = same && found;
  });
  return same;
}

bool same_double(double value, Json expected) {
  if (expected.is_string()) {
    const std::string_view text = *expected.string();
    return text == "NaN" ? std::isnan(value) : value == (text == "-Infinity" ? -INFINITY : INFINITY);
  }
  return expected.number() && value == *expected.number();
}

bool same_value(const Value& value, Json expected, Arena& arena) {
  bool same = false;
  expected.members([&](std::string_view kind, Json v) {
    const std::string text = v.is_string() ? std::string(*v.string()) : v.text();
    std::string raw;
    if (kind == "int64Value")
      same = value.kind() == Value::Kind::integer && std::to_string(value.as_integer()) == text;
    if (kind == "uint64Value")
      same = value.kind() == Value::Kind::unsigned_integer && std::to_string(value.as_unsigned()) == text;
    if (kind == "doubleValue")
      same = value.kind() == Value::Kind::number && same_double(value.as_number(), v);
    if (kind == "stringValue") same = value.kind() == Value::Kind::string && same_text(value.as_text(), text);
    if (kind == "bytesValue")
      same =
          value.kind() == Value::Kind::bytes && base64_decode(text, raw) && same_text(value.as_text(), raw);
    if (kind == "boolValue")
      same = value.kind() == Value::Kind::boolean && value.as_boolean() == *v.boolean();
    if (kind == "nullValue") same = value.kind() == Value::Kind::null;
    if (kind == "typeValue") same = value.kind() == Value::Kind::type && value.as_text() == text;
    if (kind == "listValue")
      same = value.kind() == Value::Kind::list && same_list(*value.as_list(), v["values"], arena);
    if (kind == "mapValue")
      same = value.kind() == Value::Kind::map && same_map(*value.as_map(), v["entries"], arena);
  });
  return same;
}

Value bound_value(Json typed, Arena& arena) {
  Value out;
  typed.members([&](std::string_view kind, Json v) {
    const std::string text = v.is_string() ? std::string(*v.string()) : v.text();
    std::string raw;
    if (kind == "int64Value") out = Value::integer(std::stoll(text));
    if (kind == "uint64Value") out = Value::unsigned_integer(std::stoull(text));
    if (kind == "doubleValue") out = Value::number(v.number().value_or(text == "NaN" ? NAN : INFINITY));
    if (kind == "stringValue") out = arena.impl().copy_string(text);
    if (kind == "bytesValue" && base64_decode(text, raw))
      out = Value::bytes(arena.impl().copy_string(raw).as_text());
    if (kind == "boolValue") out = Value::boolean(*v.boolean());
    if (kind == "nullValue") out = Value::null();
    if (kind == "listValue") {
      const Json values = v["values"];
      Value* items = arena.impl().values(values.size());
      for (std::size_t i = 0; i < values.size(); ++i) items[i] = bound_value(values.at(i), arena);
      out = arena.impl().list(items, values.size());
    }
    if (kind == "mapValue") {
      const Json pairs = v["entries"];
      MapEntry* entries = arena.impl().entries(pairs.size());
      for (std::size_t i = 0; i < pairs.size(); ++i)
        entries[i] = {bound_value(pairs.at(i)["key"], arena), bound_value(pairs.at(i)["value"], arena)};
      out = arena.impl().map(entries, pairs.size());
    }
  });
  return out;
}

struct Bindings final : EmptyContext {
  Bindings(Json all, Arena& arena) {
    all.members([&](std::string_view name, Json bound) {
      values[std::string(name)] = bound_value(bound["value"], arena);
    });
  }
  Value variable(const Symbol& name) override {
    const auto found = values.find(name.name);
    return found == values.end() ? Value::unknown("it is not bound") : found->second;
  }
  std::map<std::string, Value> values;
};

// A case that expects an error may also be refused when the text is checked, but not for its syntax.
bool passes(Json test) {
  Arena arena;
  Bindings bindings(test["bindings"], arena);
  Scope scope;
  test["typeEnv"].elements(
      [&](Json declared) { scope.variables.emplace_back(declared["name"].string_or("")); });
  for (const auto& [name, value] : bindings.values) scope.variables.push_back(name);
  scope.checked = !test["disableCheck"].boolean().value_or(false);
  const std::string_view text = test["expr"].string_or("");
  Program::Parsed parsed = Program::parse(text, scope, false);
  if (test["evalError"] && !parsed.program) {
    scope.checked = false;
    parsed = Program::parse(text, scope, false);
  }
  if (!parsed.program) return false;
  const Value value = parsed.program->evaluate(bindings, arena);
  if (test["evalError"]) return value.is_unknown();
  return test["value"] ? same_value(value, test["value"], arena) : value.is_true();
}

TEST_CASE("the language passes the cases of its own conformance suite") {
  const std::string file = conformance_file();
  std::ifstream in(file);
  if (file.empty() || !in) {
    std::cout << "conformance_test: skipped, no shared/conformance/cel.json\n";
    return;
  }
  std::stringstream text;
  text << in.rdbuf();
  JsonParser parser;
  const Json root = parser.parse(text.str());
  std::size_t total = 0;
  std::size_t excused = 0;
  std::string wrong;
  root["tests"].elements([&](Json test) {
    ++total;
    const std::string name =
        std::string(test["_section"].string_or("")) + "/" + std::string(test["name"].string_or(""));
    const bool known = out_of_scope.contains(name);
    excused += known ? 1 : 0;
    if (passes(test) == known)
      wrong += name + (known ? " passes and is out of scope: " : ": ") +
               std::string(test["expr"].string_or("")) + "\n";
  });
  CHECK(wrong == "");
  CHECK(total > 1000);
  CHECK(excused * 100 <= total * 3);
}

}  // namespace
}  // namespace sluice::expr
