// Compact encodings: what the journal, the state's rows and the outbox are written with. Little-endian, no
// alignment. A ByteReader never reads past its end: after an overrun `ok()` is false and every further read
// yields zero or empty.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice {

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  void u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u32(std::uint32_t v) { raw(&v, sizeof v); }
  void u64(std::uint64_t v) { raw(&v, sizeof v); }
  void f64(double v) { raw(&v, sizeof v); }
  // LEB128: 1 to 10 bytes.
  void varint(std::uint64_t v) {
    char bytes[10];
    std::size_t n = 0;
    for (; v >= 0x80; v >>= 7) bytes[n++] = static_cast<char>(v | 0x80);
    bytes[n++] = static_cast<char>(v);
    out_.append(bytes, n);
  }
  // Zigzag, then LEB128: small magnitudes of either sign are short.
  void zigzag(std::int64_t v) {
    varint((static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63));
  }
  void text(std::string_view v) {
    varint(v.size());
    out_.append(v);
  }
  void bytes(std::string_view v) { out_.append(v); }  // without their count

 private:
  void raw(const void* p, std::size_t n) { out_.append(static_cast<const char*>(p), n); }
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : p_(in.data()), end_(in.data() + in.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return p_ == end_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - p_); }

  std::uint8_t u8() { return fixed<std::uint8_t>(); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }
  double f64() { return fixed<double>(); }
  std::uint64_t varint() {
    if (p_ != end_ && static_cast<unsigned char>(*p_) < 0x80)
      return static_cast<unsigned char>(*p_++);  // most
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t b = u8();
      v |= static_cast<std::uint64_t>(b & 0x7F) << shift;
      if (b < 0x80) return v;
    }
    return fail(), 0;
  }
  std::int64_t zigzag() {
    const std::uint64_t v = varint();
    return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
  }
  // Borrows from the text that the reader was made of.
  std::string_view text() { return bytes(varint()); }
  std::string_view bytes(std::uint64_t n) {
    if (n > left()) return fail(), std::string_view{};
    const std::string_view v(p_, n);
    p_ += n;
    return v;
  }
  void fail() {  // also of the caller, who finds what was read impossible
    ok_ = false;
    p_ = end_;
  }

 private:
  template <typename T>
  T fixed() {
    T v{};
    if (left() < sizeof v) return fail(), v;
    std::memcpy(&v, p_, sizeof v);
    p_ += sizeof v;
    return v;
  }
  const char* p_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace sluice
