#include "journal/frame.hpp"

#include <array>
#include <cstring>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace sluice {
namespace {

constexpr std::uint16_t frame_mark = 0x5EA1;
constexpr std::size_t checksum_bytes = 8;

template <typename T>
void put(char* at, T v) {
  std::memcpy(at, &v, sizeof v);
}

template <typename T>
T get(std::string_view bytes, std::size_t at) {
  T v;
  std::memcpy(&v, bytes.data() + at, sizeof v);
  return v;
}

}  // namespace

void append_frame(std::string& out, const Entry& entry, std::uint64_t durable_seq, std::uint64_t seed) {
  SLUICE_CHECK(entry.payload.size() <= frame_payload_bytes_max);
  const std::size_t begin = out.size();
  std::array<char, frame_header_bytes> header{};
  put(header.data() + 8, static_cast<std::uint32_t>(entry.payload.size()));
  put(header.data() + 12, entry.kind);
  put(header.data() + 13, entry.flags);
  put(header.data() + 14, frame_mark);
  put(header.data() + 16, entry.seq);
  put(header.data() + 24, entry.stamp);
  put(header.data() + 32, durable_seq);
  out.append(header.data(), header.size());
  out.append(entry.payload);
  out.resize(begin + frame_bytes(entry.payload.size()), '\0');
  put(out.data() + begin, hash64(std::string_view(out).substr(begin + checksum_bytes), seed));
}

FrameResult parse_frame(std::string_view bytes, std::uint64_t seed, bool check) {
  if (bytes.size() < frame_header_bytes) return {FrameError::cut, frame_header_bytes, {}};
  const auto payload_bytes = get<std::uint32_t>(bytes, 8);
  if (get<std::uint16_t>(bytes, 14) != frame_mark || payload_bytes > frame_payload_bytes_max) return {};
  const std::size_t size = frame_bytes(payload_bytes);
  if (bytes.size() < size) return {FrameError::cut, size, {}};
  if (check &&
      get<std::uint64_t>(bytes, 0) != hash64(bytes.substr(checksum_bytes, size - checksum_bytes), seed))
    return {};
  FrameResult result{FrameError::none, size, {}};
  result.frame.entry = {get<std::uint64_t>(bytes, 16), get<std::int64_t>(bytes, 24),
                        get<std::uint8_t>(bytes, 12), get<std::uint8_t>(bytes, 13),
                        bytes.substr(frame_header_bytes, payload_bytes)};
  result.frame.durable_seq = get<std::uint64_t>(bytes, 32);
  result.frame.bytes = size;
  return result;
}

}  // namespace sluice
