#include "expr/arena.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace sluice::expr {

namespace {
constexpr std::size_t block_bytes = 16 * 1024;
constexpr std::size_t alignment = alignof(std::max_align_t);
}  // namespace

Arena::Arena() : impl_(std::make_unique<Impl>()) {}
Arena::~Arena() = default;

void Arena::reset() {
  impl_->block = 0;
  impl_->used = 0;
}

void* Arena::Impl::allocate(std::size_t bytes) {
  if (bytes > arena_bytes_max || made + bytes > arena_bytes_max) return nullptr;
  bytes = std::max(alignment, (bytes + alignment - 1) / alignment * alignment);
  made += bytes;
  while (block < blocks.size() && used + bytes > blocks[block].size) {
    ++block;
    used = 0;
  }
  if (block == blocks.size()) {
    const std::size_t size = std::max(block_bytes, bytes);
    blocks.push_back({std::make_unique<std::byte[]>(size), size});
    used = 0;
  }
  void* at = blocks[block].bytes.get() + used;
  used += bytes;
  return at;
}

Value* Arena::Impl::values(std::size_t count) {
  if (count > arena_bytes_max / sizeof(Value)) return nullptr;
  void* at = allocate(count * sizeof(Value));
  if (at == nullptr) return nullptr;
  auto* first = static_cast<Value*>(at);
  std::uninitialized_default_construct_n(first, count);
  return first;
}

MapEntry* Arena::Impl::entries(std::size_t count) {
  if (count > arena_bytes_max / sizeof(MapEntry)) return nullptr;
  void* at = allocate(count * sizeof(MapEntry));
  if (at == nullptr) return nullptr;
  auto* first = static_cast<MapEntry*>(at);
  std::uninitialized_default_construct_n(first, count);
  return first;
}

Value Arena::Impl::copy_string(std::string_view source) {
  char* at = text(source.size());
  if (at == nullptr) return Value::unknown("the result is too large");
  if (!source.empty()) std::memcpy(at, source.data(), source.size());
  return Value::string({at, source.size()});
}

Value Arena::Impl::optional(const Value& held) {
  Value* at = values(1);
  if (at == nullptr) return Value::unknown("the result is too large");
  *at = held;
  return Value::optional(at);
}

Value Arena::Impl::list(const Value* items, std::size_t count) {
  void* at = allocate(sizeof(Value::List));
  if (at == nullptr) return Value::unknown("the result is too large");
  return Value::list(new (at) Value::List{items, count});
}

Value Arena::Impl::map(const MapEntry* first, std::size_t count) {
  void* at = allocate(sizeof(Value::Map));
  if (at == nullptr) return Value::unknown("the result is too large");
  return Value::map(new (at) Value::Map{first, count});
}

void TextMaker::add(std::string_view text) {
  if (text.empty() || failed_) return;
  if (!arena_.spend_text(text.size())) {
    failed_ = true;
    return;
  }
  if (size_ + text.size() > capacity_) {
    const std::size_t capacity = std::max<std::size_t>(2 * (size_ + text.size()), 64);
    char* at = arena_.text(capacity);
    if (at == nullptr) {
      failed_ = true;
      return;
    }
    if (size_ > 0) std::memcpy(at, at_, size_);
    at_ = at;
    capacity_ = capacity;
  }
  std::memcpy(at_ + size_, text.data(), text.size());
  size_ += text.size();
}

Value TextMaker::value() const {
  return failed_ ? Value::unknown("the result is too large") : Value::string(text());
}

}  // namespace sluice::expr
