// A Context over JSON texts, for the tests of this room.
#pragma once

#include <map>
#include <string>

#include "expr/arena.hpp"
#include "expr/program.hpp"

namespace sluice::expr {

class TestContext final : public EmptyContext {
 public:
  explicit TestContext(const std::string& traits = "{}", const std::string& event = "{}") {
    traits_ = traits_parser_.parse(traits);
    event_ = event_parser_.parse(event);
  }
  void set_now(const std::string& time) { now_ = *parse_time(time); }
  void set_now(TimeUs time) { now_ = time; }
  void set_row(const std::string& row) { row_ = row_parser_.parse(row); }
  std::map<std::uint32_t, Value> aggregates;
  std::map<std::string, bool> audiences, purposes;
  int asked = 0;  // traits read

  Value trait(const Symbol& name) override {
    ++asked;
    return Value::json(traits_[name.name]);
  }
  Value audience(const Symbol& name) override { return Value::boolean(audiences[name.name]); }
  Value consent(const Symbol& name) override { return Value::boolean(purposes[name.name]); }
  Value profile_field(std::string_view name) override {
    return name == "id"           ? Value::string("p1")
           : name == "first_seen" ? Value::timestamp(1'000'000)
                                  : Value::unknown("none");
  }
  Value event_field(std::string_view name) override {
    if (name == "time" && event_["time"]) return Value::timestamp(*parse_time(event_["time"].string_or("")));
    return Value::json(event_[name]);
  }
  Value row() override { return Value::json(row_); }
  Value now() override { return Value::timestamp(now_); }
  Value aggregate(std::uint32_t slot) override {
    const auto found = aggregates.find(slot);
    return found == aggregates.end() ? Value::unknown("none") : found->second;
  }

 private:
  JsonParser traits_parser_, event_parser_, row_parser_;
  Json traits_, event_, row_;
  TimeUs now_ = 0;
};

inline Scope everything() {
  Scope scope;
  scope.traits = scope.audiences = scope.consent = scope.profile = scope.event = scope.row = scope.now =
      scope.selectors = true;
  scope.audience_names = {"vip", "cart_left"};
  scope.purpose_names = {"newsletter", "ads"};
  return scope;
}

// What a text gives, as JSON; "unknown"; or its first problem.
inline std::string result_of(const std::string& text, Context& context, bool boolean = false) {
  const Program::Parsed parsed = Program::parse(text, everything(), boolean);
  if (!parsed.program) return "problem: " + parsed.problems.at(0).what;
  Arena arena;
  const Value value = parsed.program->evaluate(context, arena);
  if (value.is_unknown()) return "unknown";
  std::string out;
  value.append_json(out);
  return out;
}

}  // namespace sluice::expr
