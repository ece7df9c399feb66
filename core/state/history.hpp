// The newest audience changes of one person. Out of a packed row they come as the bytes that stood there, to
// which new ones are added: only who is asked for them reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace sluice::state {

class Numbers;

inline constexpr std::size_t history_max = 64;  // audience changes remembered, the newest

struct AudienceChange {
  std::uint64_t audience = 0;  // NameId
  bool entered = false;
  TimeUs time = 0;
  std::uint64_t cause = 0;  // seq of the input; by_time: the window closed, no event did it
  bool by_time = false;
};

class History {  // one thread changes it; while none does, any number may read
 public:
  History() = default;
  History(const History& other) : added_(other.all()) {}  // borrows from no row
  History(History&&) noexcept = default;
  History& operator=(const History& other);
  History& operator=(History&&) noexcept = default;
  ~History() = default;

  void push(const AudienceChange& change);  // the oldest goes where there are too many
  void merge(const History& other);         // two people became one
  std::vector<AudienceChange> all() const;  // the oldest first

  // As part of a person's row, in either spelling (spelling.hpp). What is read from a packed row borrows from
  // it.
  template <typename Writer>
  void write(Writer& w) const;
  template <typename Reader>
  void read(Reader& r);

 private:
  std::string_view packed_;            // those that the row has; empty: none
  const Numbers* numbers_ = nullptr;   // that they are packed with
  std::vector<AudienceChange> added_;  // behind them
};

}  // namespace sluice::state
