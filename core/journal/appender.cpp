#include "journal/appender.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace sluice {
namespace {

constexpr std::uint64_t ahead_bytes = 256ULL * 1024;
constexpr std::uint64_t blocks_bytes = 1024ULL * 1024;  // of one write
static_assert(ahead_bytes < blocks_bytes && blocks_bytes % File::block_bytes == 0);

std::uint64_t down(std::uint64_t at, std::uint64_t step) {
  return at / step * step;
}
std::uint64_t up(std::uint64_t at, std::uint64_t step) {
  return down(at + step - 1, step);
}

}  // namespace

Appender::Appender(std::unique_ptr<File> file, std::string path, bool direct, std::uint64_t end,
                   std::uint64_t room)
    : file_(std::move(file)),
      path_(std::move(path)),
      direct_(direct),
      end_(end),
      room_(down(room, File::block_bytes)),
      ground_(up(end, File::block_bytes)) {
  if (direct) blocks_.resize(blocks_bytes / File::block_bytes);
}

Result<std::unique_ptr<Appender>> Appender::open(FileSystem& files, const std::string& path, bool direct,
                                                 std::uint64_t end, std::uint64_t room) {
  std::unique_ptr<File> file = SLUICE_TRY(files.open(path, direct ? OpenMode::direct : OpenMode::read_write));
  std::unique_ptr<Appender> appender(new Appender(std::move(file), path, direct, end, room));
  SLUICE_TRY(appender->look_again());
  return appender;
}

Status Appender::look_again() {
  const std::uint64_t begin = down(end_, File::block_bytes);
  if (!direct_ || begin == end_) return Done{};
  const std::size_t read = SLUICE_TRY(file_->read_at(begin, std::span(memory(), File::block_bytes)));
  if (read >= end_ - begin) return Done{};
  return Error{Code::corrupt,
               path_ + " ends before byte " + std::to_string(end_) +
                   ", to where it had been written: something else has cut it; `sluice journal "
                   "verify` says what is left"};
}

Status Appender::append(std::string_view bytes) {
  if (direct_) return append_blocks(bytes);
  SLUICE_TRY(file_->write_at(end_, bytes));
  end_ += bytes.size();
  return Done{};
}

Status Appender::append_blocks(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::uint64_t begin = down(end_, File::block_bytes);
    const std::size_t held = end_ - begin;
    const std::size_t taken = std::min<std::size_t>(bytes.size(), blocks_bytes - held);
    std::memcpy(memory() + held, bytes.data(), taken);
    bytes.remove_prefix(taken);
    end_ += taken;

    std::uint64_t stop = up(end_, File::block_bytes);
    if (stop > ground_ && bytes.empty())
      stop = std::clamp(std::min(up(stop, ahead_bytes), room_), stop, begin + blocks_bytes);
    std::memset(memory() + (end_ - begin), 0, stop - end_);
    SLUICE_TRY(file_->write_at(begin, {memory(), stop - begin}));
    ground_ = std::max(ground_, stop);

    const std::uint64_t last = down(end_, File::block_bytes);
    std::memmove(memory(), memory() + (last - begin), end_ - last);
  }
  return Done{};
}

}  // namespace sluice
