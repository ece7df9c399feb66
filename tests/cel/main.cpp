// Prints random conditions with what our evaluator makes of them, a JSON line each: tests/clients/cel_test.py
// compares them with another implementation. cel_conditions SEED COUNT
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "conditions.hpp"
#include "expr/arena.hpp"
#include "expr/program.hpp"

namespace sluice::cel {
namespace {

using expr::Value;
using Kind = Value::Kind;

// The people of the conditions; cel.mjs has the same.
class Person final : public expr::EmptyContext {
 public:
  explicit Person(bool second) {
    values_ = {{"flag", Value::boolean(!second)},
               {"orders", Value::integer(second ? -3 : 4)},
               {"visits", Value::unsigned_integer(second ? 0 : 12)},
               {"revenue", Value::number(second ? -0.5 : 1234.5)},
               {"city", Value::string(second ? "" : "Paris")},
               {"plan", Value::string(second ? "été" : "pro")},
               {"nothing", Value::null()},
               {"tags", second ? arena_.impl().list(nullptr, 0) : arena_.impl().list(tags_, 3)},
               {"address", arena_.impl().map(address_, second ? 1 : 2)}};
  }
  Value variable(const expr::Symbol& name) override {
    const auto found = values_.find(name.name);
    return found == values_.end() ? Value::unknown("absent") : found->second;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, value] : values_) all.push_back(name);
    return all;
  }

 private:
  Value tags_[3] = {Value::string("a"), Value::integer(2), Value::string("pro")};
  expr::MapEntry address_[2] = {{Value::string("city"), Value::string("Lyon")},
                                {Value::string("zip"), Value::integer(69001)}};
  expr::Arena arena_;
  std::map<std::string, Value> values_;
};

void describe(const Value& value, std::string& out);

void describe_map(const Value::Map& map, std::string& out) {
  std::map<std::string, std::string> entries;  // by the text of the key: their order means nothing
  for (std::size_t i = 0; i < map.size; ++i) {
    std::string key;
    describe(map.entries[i].key, key);
    describe(map.entries[i].value, entries[key]);
  }
  out += '{';
  for (const auto& [key, entry] : entries) out += key + ": " + entry + "; ";
  out += '}';
}

std::string bits(double d) {
  if (std::isnan(d)) return "NaN";
  char text[20];
  std::snprintf(text, sizeof text, "%016llx",
                static_cast<unsigned long long>(std::bit_cast<std::uint64_t>(d)));
  return text;
}

std::string nanoseconds(const Value& v) {
  __extension__ using Wide = __int128;
  Wide ns = Wide{v.as_integer()} * 1000 + v.nanos();
  const bool negative = ns < 0;
  std::string digits;
  for (Wide rest = negative ? -ns : ns; rest > 0 || digits.empty(); rest /= 10)
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
  return (negative ? "-" : "") + digits;
}

// The value with its type, for comparison.
void describe(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::unknown:
      out += "error";
      return;
    case Kind::null:
      out += "null";
      return;
    case Kind::boolean:
      out += value.is_true() ? "true" : "false";
      return;
    case Kind::integer:
      out += "int " + std::to_string(value.as_integer());
      return;
    case Kind::unsigned_integer:
      out += "uint " + std::to_string(value.as_unsigned());
      return;
    case Kind::number:
      out += "double " + bits(value.as_number());
      return;
    case Kind::string:
      out += "string " + hex(value.as_text());
      return;
    case Kind::bytes:
      out += "bytes " + hex(value.as_text());
      return;
    case Kind::timestamp:
      out += "timestamp " + nanoseconds(value);
      return;
    case Kind::duration:
      out += "duration " + nanoseconds(value);
      return;
    case Kind::type:
      out += "type " + std::string(value.as_text());
      return;
    case Kind::list:
      out += '[';
      for (std::size_t i = 0; i < value.as_list()->size; ++i) {
        describe(value.as_list()->items[i], out);
        out += "; ";
      }
      out += ']';
      return;
    case Kind::map:
      return describe_map(*value.as_map(), out);
    case Kind::optional:
      out += "optional ";
      if (value.as_optional() != nullptr) describe(*value.as_optional(), out);
      return;
    case Kind::json:
      std::abort();  // there is no JSON in these
  }
}

int run(std::uint64_t seed, std::uint64_t count) {
  Conditions conditions(seed);
  Person first(false);
  Person second(true);
  expr::Scope scope;
  scope.checked = false;
  scope.variables = first.names();
  expr::Arena arena;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string text = conditions.next();
    Person& person = i % 2 == 0 ? first : second;
    const auto parsed = expr::Program::parse(text, scope, false);
    std::string value = "no program";
    arena.reset();
    if (parsed.program) {
      value.clear();
      describe(parsed.program->evaluate(person, arena), value);
    }
    std::printf("{\"text\":%s,\"person\":%d,\"value\":%s}\n", json_string(text).c_str(),
                static_cast<int>(i % 2), json_string(value).c_str());
  }
  return 0;
}

}  // namespace
}  // namespace sluice::cel

int main(int count, char** arguments) {
  if (count != 3) return std::fputs("cel_conditions SEED COUNT\n", stderr), 2;
  return sluice::cel::run(std::strtoull(arguments[1], nullptr, 10), std::strtoull(arguments[2], nullptr, 10));
}
