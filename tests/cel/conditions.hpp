// Random texts of CEL, by type, most of them well typed: what two evaluators must agree on. The same seed
// gives the same texts on every machine.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::cel {

class Conditions {
 public:
  explicit Conditions(std::uint64_t seed) : state_(seed) {}
  std::string next();                      // a text of any type; conditions mostly
  std::uint64_t below(std::uint64_t end);  // a number from 0

 private:
  enum class Type {
    boolean,
    integer,
    unsigned_integer,
    number,
    string,
    bytes,
    list,
    map,
    timestamp,
    duration,
    any
  };
  std::string of(Type type, int depth);
  std::string calm(Type type, int depth);
  std::string strict(Type type, int depth);
  std::string leaf(Type type);
  std::string variable(Type type);
  std::string boolean(int depth);
  std::string quantified(int depth);
  std::string integer(int depth);
  std::string number(Type type, int depth);
  std::string string(int depth);
  std::string list(int depth);
  std::string map(int depth);
  std::string time(Type type, int depth);
  Type scalar();
  template <std::size_t N>
  const char* one_of(const char* const (&texts)[N]) {
    return texts[below(N)];
  }
  template <std::size_t N>
  Type one_of_types(const Type (&types)[N]) {
    return types[below(N)];
  }
  std::string pair(Type type, const char* op, int depth) {
    return "(" + of(type, depth) + " " + op + " " + of(type, depth) + ")";
  }

  std::uint64_t state_;
  bool calm_ = false;
  int locals_ = 0;  // x1, x2 …: the variables of macros around this place
};

}  // namespace sluice::cel
