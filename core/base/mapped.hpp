// Memory for what is large, lives long and grows: asked of the kernel and given back to it as a whole. An
// allocator keeps the pieces that such tables leave when they grow: with ten million people half as much
// again.
#pragma once

#include <cstddef>
#include <new>

namespace sluice {

inline constexpr std::size_t huge_page_bytes = 2UL << 20U;

// Zeroed, in pages of 2 MiB where the machine has them. `alignment`: a power of two from 4 KiB on. Throws
// std::bad_alloc.
void* map_memory(std::size_t bytes, std::size_t alignment = 4'096);
void unmap_memory(void* at, std::size_t bytes);

// For containers: so when it is large, else from the heap.
template <typename T>
struct MappedAllocator {
  using value_type = T;

  MappedAllocator() = default;
  template <typename U>
  MappedAllocator(const MappedAllocator<U>&) {}  // NOLINT(google-explicit-constructor): asked of allocators

  static constexpr std::size_t large = 1UL << 20U;

  T* allocate(std::size_t n) {
    const std::size_t bytes = n * sizeof(T);
    return static_cast<T*>(bytes < large ? ::operator new(bytes) : map_memory(bytes));
  }
  void deallocate(T* at, std::size_t n) {
    const std::size_t bytes = n * sizeof(T);
    if (bytes < large) {
      ::operator delete(at);
    } else {
      unmap_memory(at, bytes);
    }
  }
  template <typename U>
  bool operator==(const MappedAllocator<U>&) const {
    return true;
  }
};

}  // namespace sluice
