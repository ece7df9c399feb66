// The Common Expression Language's own cases (google/cel-spec), where the shared folder is at hand:
// $SLUICE_SHARED, or
// ../shared beside one of the folders above.
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

// Sections out of scope on purpose, with the reason; their cases run all the same and only count as known.
const std::map<std::string, std::string> out_of_scope{
    {"optionals", "optional values are no part of config.md; what is missing is unknown"},
    {"format", "texts are made by templates"},
    {"format_errors", "texts are made by templates"},
    {"receiver_function_names", "unknown functions are refused when the text is checked, not when it runs"},
    {"variables", "unknown names are refused when the text is checked"},
    {"functions", "unknown functions are refused when the text is checked"},
    {"AND", "operands that are no conditions are refused when the text is checked"},
    {"OR", "operands that are no conditions are refused when the text is checked"},
    {"qualified", "there are no namespaces: a dot is a member"},
    {"qualified_identifier_resolution", "there are no namespaces: a dot is a member"},
    {"timestamp_conversions", "times are microseconds"},
    {"timestamp_arithmetic", "times are microseconds"},
    {"timestamp_range", "times are microseconds"},
};

std::string conformance_file() {
  namespace fs = std::filesystem;
  if (const char* shared = std::getenv("SLUICE_SHARED")) return std::string(shared) + "/conformance/cel.json";
  for (fs::path at = fs::current_path();; at = at.parent_path()) {
    const fs::path file = at / ".." / "shared" / "conformance" / "cel.json";
    if (fs::exists(file)) return file.string();
    if (at == at.root_path()) return {};
  }
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
    if (kind == "stringValue") same = value.kind() == Value::Kind::string && value.as_text() == text;
    if (kind == "bytesValue")
      same = value.kind() == Value::Kind::bytes && base64_decode(text, raw) && value.as_text() == raw;
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

// A bound value as a literal of the language.
std::string literal_of(Json value) {
  std::string out;
  value.members([&](std::string_view kind, Json v) {
    const std::string text = v.is_string() ? std::string(*v.string()) : v.text();
    std::string raw;
    if (kind == "stringValue") {
      out = json_string(text);
    } else if (kind == "bytesValue" && base64_decode(text, raw)) {
      out = "b\"";
      for (const char c : raw) out += "\\x" + hex({&c, 1});
      out += "\"";
    } else if (kind == "uint64Value") {
      out = text + "u";
    } else if (kind == "listValue") {
      v["values"].elements([&](Json item) { out += (out.empty() ? "[" : ", ") + literal_of(item); });
      out = out.empty() ? "[]" : out + "]";
    } else if (kind == "mapValue") {
      v["entries"].elements([&](Json e) {
        out += (out.empty() ? "{" : ", ") + literal_of(e["key"]) + ": " + literal_of(e["value"]);
      });
      out = out.empty() ? "{}" : out + "}";
    } else {
      out = text;
    }
  });
  return out;
}

bool passes(Json test) {
  // Bound names become variables of a macro: the language as configured here has no free ones.
  std::string text(test["expr"].string_or(""));
  test["bindings"].members([&](std::string_view name, Json bound) {
    const bool plain = name != "true" && name != "null" && name.find('.') == std::string_view::npos;
    if (plain)
      text = "[" + literal_of(bound["value"]) + "].map(" + std::string(name) + ", " + text + "\n)[0]";
  });
  const Program::Parsed parsed = Program::parse(text, Scope{}, false);
  EmptyContext context;
  Arena arena;
  const Value value = parsed.program ? parsed.program->evaluate(context, arena) : Value();
  if (test["evalError"]) return value.is_unknown();
  if (!test["value"]) return value.is_true();
  return same_value(value, test["value"], arena);
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
  std::size_t passed = 0;
  std::size_t total = 0;
  std::map<std::string, int> failed;
  const bool verbose = std::getenv("SLUICE_CONFORMANCE_VERBOSE") != nullptr;
  root["tests"].elements([&](Json test) {
    ++total;
    if (passes(test)) {
      ++passed;
      return;
    }
    const std::string section(test["_section"].string_or(""));
    const bool known = out_of_scope.contains(section);
    ++failed[(known ? "out of scope: " : "") + section];
    if (verbose && !known)
      std::cout << section << " | " << test["name"].string_or("") << " | " << test["expr"].string_or("")
                << "\n";
  });
  std::string summary;
  for (const auto& [section, count] : failed) summary += section + ": " + std::to_string(count) + "\n";
  INFO(summary);
  if (verbose) {
    std::cout << summary << passed << " of " << total << "\n";
  }
  CHECK(passed * 100 >= total * 87);
}

}  // namespace
}  // namespace sluice::expr
