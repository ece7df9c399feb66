#include "journal/segment.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/hash.hpp"

namespace sluice {
namespace {

constexpr std::string_view magic = "SLUICELG";
constexpr std::uint32_t format_version = 1;
constexpr std::size_t checked_bytes = Log::header_bytes - 8;

}  // namespace

std::string SegmentHeader::encode() const {
  std::string out(magic);
  ByteWriter w(out);
  w.u32(format_version);
  w.u32(0);
  w.u64(id);
  w.u64(first_seq);
  w.u64(salt);
  w.u64(static_cast<std::uint64_t>(stamp_before));
  w.u64(0);
  w.u64(hash64(out));
  return out;
}

Result<SegmentHeader> SegmentHeader::decode(std::string_view bytes, const std::string& path) {
  const Error damaged{Code::corrupt, path + ": the first 64 bytes are not the header that was written"};
  if (bytes.size() != Log::header_bytes || !bytes.starts_with(magic)) return damaged;
  ByteReader r(bytes.substr(magic.size()));
  const std::uint32_t version = r.u32();
  const std::uint32_t key = r.u32();
  SegmentHeader header;
  header.id = r.u64();
  header.first_seq = r.u64();
  header.salt = r.u64();
  header.stamp_before = static_cast<TimeUs>(r.u64());
  (void)r.u64();
  if (r.u64() != hash64(bytes.substr(0, checked_bytes))) return damaged;
  if (version != format_version || key != 0) {
    return Error{Code::misconfigured, path + ": written by a later version of Sluice (format " +
                                          std::to_string(version) + "); use that one"};
  }
  return header;
}

std::pair<std::uint64_t, std::uint64_t> Log::Segment::near(std::uint64_t seq) const {
  const auto after =
      std::upper_bound(index.begin(), index.end(), seq,
                       [](std::uint64_t wanted, const auto& point) { return wanted < point.first; });
  if (after == index.begin()) return {header.first_seq, Log::header_bytes};
  return *std::prev(after);
}

void Log::Segment::note(std::uint64_t seq, std::uint64_t offset) {
  if (offset >= (index.empty() ? Log::header_bytes : index.back().second) + index_step)
    index.emplace_back(seq, offset);
}

}  // namespace sluice
