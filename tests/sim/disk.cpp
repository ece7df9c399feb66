#include "sim/disk.hpp"

namespace sluice::sim {

class WatchedFile final : public File {
 public:
  WatchedFile(Disk& disk, std::unique_ptr<File> file, std::string path)
      : disk_(disk), file_(std::move(file)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
    return file_->read_at(offset, out);
  }
  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    return file_->write_at(offset, bytes);
  }
  Status sync() override {
    if (std::exchange(known_, true) && disk_.lies_about(path_)) return Done{};
    const Status synced = file_->sync();
    if (synced || disk_.files_.stopped()) return synced;
    if (disk_.plant_ == Plant::retried_sync && path_.find("/journal/") != std::string::npos)
      return file_->sync();
    disk_.failed_sync_ = path_;
    return synced;
  }
  Status resize(std::uint64_t bytes) override { return file_->resize(bytes); }
  Status preallocate(std::uint64_t bytes) override { return file_->preallocate(bytes); }
  Result<std::uint64_t> size() override { return file_->size(); }
  bool alone() override { return file_->alone(); }

 private:
  Disk& disk_;
  std::unique_ptr<File> file_;
  std::string path_;
  bool known_ = false;  // synced once: its header is there
};

Result<std::unique_ptr<File>> Disk::open(const std::string& path, OpenMode mode) {
  auto file = SLUICE_TRY(files_.open(path, mode));
  return std::unique_ptr<File>(std::make_unique<WatchedFile>(*this, std::move(file), path));
}

bool Disk::lies_about(const std::string& path) const {
  const auto in = [&](const char* folder) { return path.find(folder) != std::string::npos; };
  switch (plant_) {
    case Plant::unsynced_answers:
      return in("/journal/");
    case Plant::forgotten_records:
      return in("/records/");
    case Plant::forgotten_intents:
      return in("/outcomes/");
    default:
      return false;
  }
}

}  // namespace sluice::sim
