#include "base/mapped.hpp"

#include <cstdint>

#include <sys/mman.h>

namespace sluice {

namespace {

constexpr std::size_t page_bytes = 4'096;

std::size_t in_pages(std::size_t bytes) {
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

}  // namespace

// The kernel aligns to pages: more is asked for, and what lies before and behind given back.
void* map_memory(std::size_t bytes, std::size_t alignment) {
  const std::size_t wanted = in_pages(bytes), wide = wanted + alignment - page_bytes;
  void* const got = ::mmap(nullptr, wide, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) throw std::bad_alloc();
  char* const first = static_cast<char*>(got);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(first) & (alignment - 1);
  if (before > 0) ::munmap(first, before);
  if (wide > before + wanted) ::munmap(first + before + wanted, wide - before - wanted);
  (void)::madvise(first + before, wanted, MADV_HUGEPAGE);  // where there are none, small ones do
  return first + before;
}

void unmap_memory(void* at, std::size_t bytes) {
  ::munmap(at, in_pages(bytes));
}

}  // namespace sluice
