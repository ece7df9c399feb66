// Whatever stands in a segment or a checkpoint, opening it ends, reads nothing beyond it, and gives the same
// twice.
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/hash.hpp"
#include "base/sim_file.hpp"
#include "journal/frame.hpp"
#include "journal/log.hpp"
#include "journal/segment.hpp"
#include "store/checkpoint.hpp"

namespace sluice {
namespace {

constexpr std::uint64_t salt = 5;
const std::string segment_path = "d/00000001.log";

// Frames with good checksums and any fields, since chance finds no checksum; now and then raw bytes between.
std::string frames_of(std::string_view input, std::uint64_t seed) {
  std::string out;
  ByteReader r(input);
  std::uint64_t seq = 1;
  while (!r.at_end()) {
    const std::uint8_t what = r.u8();
    if (what % 8 == 7) {
      const std::string_view raw = r.text();
      out += raw;
      out.resize((out.size() + 7) / 8 * 8, '\0');
      continue;
    }
    if (what % 8 == 6) seq += r.u8();
    Entry entry;
    entry.seq = seq++;
    entry.flags = what >> 6;
    entry.kind = r.u8();
    entry.payload = r.text();
    append_frame(out, entry, what % 8 == 5 ? seq + r.u8() : entry.seq - 1, seed);
    if (what % 8 == 4) out.resize(out.size() - r.u8() % out.size());
  }
  return out;
}

std::vector<std::string> read_all(const Log& log) {
  std::vector<std::string> out;
  std::uint64_t seq = log.first_seq();
  const Status read = log.read(seq, [&](const Entry& e) {
    SLUICE_CHECK(e.seq == seq++);
    out.emplace_back(e.payload);
    return true;
  });
  SLUICE_CHECK(read);
  SLUICE_CHECK(seq == log.next_seq());
  return out;
}

void open_log(const std::string& bytes) {
  SimFileSystem files(1);
  (void)files.make_directory("d");
  files.set_content(segment_path, bytes);
  LogOptions options;
  options.directory = "d";
  options.segment_bytes = 4096;
  options.salt = salt;
  std::vector<std::string> expected;
  {
    const auto reader = Log::open_read_only(files, "d");
    OpenReport report;
    const auto log = Log::open(files, options, report);
    SLUICE_CHECK(files.content(segment_path).size() < (1U << 26));
    if (!log) {
      SLUICE_CHECK(files.content(segment_path) == bytes);
      if (Log::repair(files, "d")) {
        const auto mended = Log::open(files, options, report);
        if (mended) (void)read_all(*mended.value());
      }
      return;
    }
    expected = read_all(*log.value());
    if (reader && !report.created) SLUICE_CHECK(read_all(*reader.value()) == expected);
    const Entry entry{log.value()->next_seq(), 1, 1, 0, "new"};
    SLUICE_CHECK(log.value()->append(std::span(&entry, 1)));
    SLUICE_CHECK(log.value()->sync());
    expected.emplace_back("new");
  }
  files.crash();
  OpenReport report;
  const auto log = Log::open(files, options, report);
  SLUICE_CHECK(log);
  SLUICE_CHECK(read_all(*log.value()) == expected);
}

void open_checkpoint(const std::string& bytes) {
  SimFileSystem files(1);
  (void)files.make_directory("d");
  files.set_content("d/00000000000000000001.base", bytes);
  const auto set = Checkpoints::open(files, "d", std::string(26, '0'), 1);
  SLUICE_CHECK(set);
  LoadReport report;
  std::uint64_t rows = 0;
  (void)set.value()->load([&](std::uint8_t, std::string_view, std::string_view, bool) { ++rows; }, report);
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const sluice::SegmentHeader header{1, 1, sluice::salt, 0};
  switch (data[0] % 4) {
    case 0:
      sluice::open_log(std::string(input));
      break;
    case 1:
      sluice::open_log(header.encode() + std::string(input));
      break;
    case 2:
      sluice::open_log(header.encode() + sluice::frames_of(input, sluice::hash64_pair(sluice::salt, 1)));
      break;
    default:
      sluice::open_checkpoint(std::string("SLUICECP\1\0\0\0\0\0\0\0", 16) +
                              sluice::frames_of(input, sluice::hash64_pair(1, 1)));
  }
  return 0;
}
