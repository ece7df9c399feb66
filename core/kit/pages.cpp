#include "kit/pages.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <unistd.h>

#include <sys/mman.h>

#include "base/check.hpp"

namespace sluice::kit {
namespace {

struct Lent {
  std::uintptr_t begin = 0, guard = 0, end = 0;  // end == guard: there is no guard page
  bool revoked = false;
};

constexpr std::size_t lent_max = 1 << 14;
std::array<Lent, lent_max> table;
std::size_t used = 0;

std::uintptr_t number(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address);
}

}  // namespace

const char* Lender::lend(std::string_view bytes, std::size_t padding) {
  if (lending_ == Lending::plain || used == lent_max) {
    std::string& kept = plain_.emplace_back();
    kept.reserve(bytes.size() + padding);
    kept.append(bytes).append(padding, '\0');
    return kept.data();
  }
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t content = (bytes.size() + padding + page - 1) / page * page;
  const bool guarded = lending_ == Lending::guarded;
  // Without a guard there are pages enough behind it for whoever reads too far: that is another check's.
  const std::size_t total = content + 2 * page;
  void* const mapped = ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SLUICE_CHECK(mapped != MAP_FAILED);
  char* const begin = static_cast<char*>(mapped);
  char* const at = guarded ? begin + content - bytes.size() - padding : begin;
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  if (guarded) {
    (void)::mprotect(begin, content, PROT_READ);
    (void)::mprotect(begin + content, 2 * page, PROT_NONE);
  }
  table[used] = {number(begin), number(begin) + (guarded ? content : total), number(begin) + total, false};
  mappings_.push_back({begin, total, used++});
  return at;
}

void Lender::take_back() {
  plain_.clear();
  if (lending_ != Lending::revoked) return;  // who uses it later is another check's
  for (const Mapping& m : mappings_) {
    // Stays mapped without rights: nothing else can come to stand there.
    (void)::mprotect(m.begin, m.bytes, PROT_NONE);
    (void)::madvise(m.begin, m.bytes, MADV_DONTNEED);
    table[m.entry].revoked = true;
  }
  mappings_.clear();
}

const char* fault_at(const void* address) {
  const std::uintptr_t at = number(address);
  for (std::size_t i = 0; i < used; ++i) {
    const Lent& one = table[i];
    if (at < one.begin || at >= one.end) continue;
    if (one.revoked) return "it used memory that it was lent for an earlier call";
    if (at >= one.guard) return "it read past the end of what it was lent, and its padding";
    return "it wrote into memory that it was lent";
  }
  return "";
}

}  // namespace sluice::kit
