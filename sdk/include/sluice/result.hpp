// sluice/result.hpp - how a function of ours reports a failure that it expects: Result<T>, Status,
// SLUICE_TRY.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace sluice {

// What a caller can do about a failure; retry policy reads nothing else.
enum class Code : std::uint8_t {
  transient = 1,  // the same call may succeed later
  rejected,       // this input is wrong and stays wrong
  misconfigured,  // an operator has to change something first
  corrupt,        // stored bytes are not the bytes that were written
  cancelled,      // shutdown, or a deadline
};

struct [[nodiscard]] Error {
  Code code;
  std::string detail;  // one line for operators, without personal data or secrets
};

// A value, or the Error that stands in its place. The compiler warns where one is dropped.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(*-explicit-*)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(*-explicit-*)

  explicit operator bool() const noexcept { return state_.index() == 0; }

  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

struct Done {};  // the value of what yields nothing
using Status = Result<Done>;

}  // namespace sluice

// SLUICE_TRY(expression): its value; a failure is returned to the caller at once. gcc and clang.
#define SLUICE_TRY(expression)                                           \
  __extension__({                                                        \
    auto sluice_try_result = (expression);                               \
    if (!sluice_try_result) return std::move(sluice_try_result).error(); \
    std::move(sluice_try_result).value();                                \
  })
