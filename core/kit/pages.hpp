// Inside this room: the memory that a connector is lent for one call, and what it does to it that it may not.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/plugin.h"

namespace sluice::kit {

enum class Lending {
  plain,    // heap memory
  guarded,  // read-only pages, for good, that end where the contract ends: at the text, or 64 bytes behind it
  revoked,  // pages that are taken away when the call returns, and never used again
};

class Lender {
 public:
  explicit Lender(Lending lending) : lending_(lending) {}
  ~Lender() { take_back(); }
  Lender(const Lender&) = delete;
  Lender& operator=(const Lender&) = delete;

  sluice_str text(std::string_view text) { return lend_text(text, 0); }
  sluice_str padded(std::string_view text) { return lend_text(text, SLUICE_PADDING); }
  template <typename T>
  const T* array(std::span<const T> values) {
    const std::string_view bytes{reinterpret_cast<const char*>(values.data()), values.size_bytes()};
    return values.empty() ? nullptr : reinterpret_cast<const T*>(lend(bytes, 0));
  }
  template <typename T>
  const T* value(const T& one) {
    return array(std::span<const T>(&one, 1));
  }
  void take_back();  // the call has returned

 private:
  struct Mapping {
    char* begin;
    std::size_t bytes;
    std::size_t entry;  // in the table that fault_at reads
  };
  sluice_str lend_text(std::string_view text, std::size_t padding) {
    return text.empty() ? sluice_str{nullptr, 0} : sluice_str{lend(text, padding), text.size()};
  }
  const char* lend(std::string_view bytes, std::size_t padding);

  Lending lending_;
  std::deque<std::string> plain_;
  std::vector<Mapping> mappings_;
};

// What a fault at this address means; "" where it is none of ours. For signal handlers.
const char* fault_at(const void* address);

}  // namespace sluice::kit
