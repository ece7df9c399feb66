#include "net/gzip.hpp"

#include <algorithm>
#include <libdeflate.h>
#include <memory>

#include "base/check.hpp"
#include "base/json.hpp"

namespace sluice::net {

namespace {

struct FreeDecompressor {
  void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};
struct FreeCompressor {
  void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};

libdeflate_decompressor* decompressor() {
  static thread_local const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> own(
      libdeflate_alloc_decompressor());
  SLUICE_CHECK(own != nullptr);
  return own.get();
}

constexpr std::size_t member_bytes_min = 18;  // header and trailer
constexpr std::size_t ratio_free_bytes = std::size_t{1} << 20;

// A member's last four bytes say how long its text is, modulo 2^32 (RFC 1952, 2.3.1). A hint alone: with
// several members it speaks of the last, and anyone can write anything there.
std::size_t size_hint(std::string_view compressed) {
  std::size_t hint = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    hint |= std::size_t{static_cast<unsigned char>(compressed[compressed.size() - 4 + i])} << (8 * i);
  }
  return hint;
}

}  // namespace

bool is_gzip(std::string_view text) {
  return text.size() >= 3 && text.starts_with("\x1f\x8b\x08");
}

Result<std::string> gunzip(std::string_view compressed, const GunzipLimits& limits) {
  if (!is_gzip(compressed) || compressed.size() < member_bytes_min)
    return Error{Code::corrupt, "it is not gzip"};
  const std::size_t by_ratio = std::max(ratio_free_bytes, compressed.size() * limits.ratio_max);
  const std::size_t most = std::min(limits.bytes_max, by_ratio);
  std::string out;
  std::size_t filled = 0;
  out.resize(std::min(most, std::clamp(size_hint(compressed), compressed.size(), compressed.size() * 32)));
  while (!compressed.empty()) {
    std::size_t used = 0;
    std::size_t made = 0;
    const auto result = libdeflate_gzip_decompress_ex(decompressor(), compressed.data(), compressed.size(),
                                                      out.data() + filled, out.size() - filled, &used, &made);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (out.size() >= most) {
        return Error{Code::rejected, most == limits.bytes_max
                                         ? "it is over the size limit when decompressed"
                                         : "it is compressed beyond the ratio that is accepted"};
      }
      out.resize(std::min(most, std::max<std::size_t>(out.size() * 2, 4'096)));
      continue;
    }
    if (result != LIBDEFLATE_SUCCESS) return Error{Code::corrupt, "its gzip data is damaged or cut off"};
    compressed.remove_prefix(used);
    filled += made;
  }
  out.resize(filled);
  out.reserve(filled + json_padding);
  return out;
}

std::string gzip(std::string_view text, int level) {
  const std::unique_ptr<libdeflate_compressor, FreeCompressor> own(libdeflate_alloc_compressor(level));
  SLUICE_CHECK(own != nullptr);
  std::string out(libdeflate_gzip_compress_bound(own.get(), text.size()), '\0');
  const std::size_t n = libdeflate_gzip_compress(own.get(), text.data(), text.size(), out.data(), out.size());
  SLUICE_CHECK(n > 0);
  out.resize(n);
  return out;
}

}  // namespace sluice::net
