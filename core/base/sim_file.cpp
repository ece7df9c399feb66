#include "base/sim_file.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace sluice {
namespace {

constexpr std::uint64_t sector_bytes = 512;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

Error no_file(const std::string& path) {
  return {Code::misconfigured, "cannot open " + path + ": no such file"};
}

}  // namespace

class SimFile final : public File {
 public:
  SimFile(SimFileSystem& files, std::shared_ptr<SimFileSystem::Node> node, std::string path, OpenMode mode)
      : files_(files),
        node_(std::move(node)),
        path_(std::move(path)),
        boot_(files.boot_),
        writable_(mode != OpenMode::read),
        direct_(mode == OpenMode::direct) {
    ++node_->open;
  }
  ~SimFile() override { --node_->open; }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
    const std::lock_guard lock(files_.mutex_);
    if (gone()) return lost_power();
    SLUICE_CHECK(fits(offset, {out.data(), out.size()}));
    const std::string& live = node_->live;
    if (offset >= live.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(out.size(), live.size() - offset);
    std::memcpy(out.data(), live.data() + offset, n);
    return n;
  }

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    const std::lock_guard lock(files_.mutex_);
    SLUICE_TRY(changing());
    SLUICE_CHECK(fits(offset, bytes));
    const std::uint64_t end = offset + bytes.size();
    SLUICE_TRY(grow(std::max<std::uint64_t>(end, node_->live.size())));
    std::memcpy(node_->live.data() + offset, bytes.data(), bytes.size());
    mark(offset, end);
    return Done{};
  }

  Status sync() override {
    const std::lock_guard lock(files_.mutex_);
    SLUICE_TRY(changing());
    if (files_.syncs_to_failure_ == 0) {
      files_.syncs_to_failure_ = std::numeric_limits<std::uint64_t>::max();
      node_->dirty.clear();
      return Error{Code::transient, "cannot sync " + path_ + ": input/output error"};
    }
    if (files_.syncs_to_failure_ != std::numeric_limits<std::uint64_t>::max()) --files_.syncs_to_failure_;
    node_->durable.resize(node_->live.size());
    for (const std::uint64_t sector : node_->dirty) store(*node_, node_->durable, sector);
    node_->dirty.clear();
    return Done{};
  }

  Status resize(std::uint64_t bytes) override {
    const std::lock_guard lock(files_.mutex_);
    SLUICE_TRY(changing());
    const std::uint64_t old = node_->live.size();
    if (bytes >= old) return grow(bytes);
    node_->live.resize(bytes);
    mark(bytes, old);  // should the file grow again, these are zeros now
    return Done{};
  }

  Status preallocate(std::uint64_t bytes) override {
    const std::lock_guard lock(files_.mutex_);
    SLUICE_TRY(changing());
    return grow(std::max<std::uint64_t>(bytes, node_->live.size()));
  }

  Result<std::uint64_t> size() override {
    const std::lock_guard lock(files_.mutex_);
    if (gone()) return lost_power();
    return std::uint64_t{node_->live.size()};
  }

  bool alone() override { return node_->open == 1; }

  static void store(const SimFileSystem::Node& node, std::string& disk, std::uint64_t sector) {
    const std::uint64_t at = sector * sector_bytes;
    const std::uint64_t end = std::min<std::uint64_t>({at + sector_bytes, node.live.size(), disk.size()});
    if (at < end) std::memcpy(disk.data() + at, node.live.data() + at, end - at);
  }

 private:
  bool fits(std::uint64_t offset, std::string_view bytes) const {
    const auto whole = [](std::uint64_t n) { return n % block_bytes == 0; };
    return !direct_ ||
           (whole(offset) && whole(bytes.size()) && whole(reinterpret_cast<std::uintptr_t>(bytes.data())));
  }
  bool gone() const { return boot_ != files_.boot_; }
  Error lost_power() const { return {Code::transient, path_ + ": the machine lost power"}; }

  Status changing() {
    if (gone()) return lost_power();
    if (!writable_) return Error{Code::misconfigured, "cannot write " + path_ + ": opened for reading"};
    return files_.change();
  }

  Status grow(std::uint64_t size) {
    const std::uint64_t old = node_->live.size();
    if (size <= old) return Done{};
    if (files_.used() + (size - old) > files_.capacity_) {
      return Error{Code::transient, "cannot write " + path_ + ": no space left on device"};
    }
    node_->live.resize(size, '\0');
    return Done{};
  }

  void mark(std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t s = begin / sector_bytes; s * sector_bytes < end; ++s) node_->dirty.insert(s);
  }

  SimFileSystem& files_;
  std::shared_ptr<SimFileSystem::Node> node_;
  std::string path_;
  std::uint64_t boot_;
  bool writable_, direct_;
};

Result<std::unique_ptr<File>> SimFileSystem::open(const std::string& path, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  if (stopped_locked()) return power_off();
  auto found = live_.find(path);
  if (mode == OpenMode::create) {
    if (found != live_.end()) return Error{Code::misconfigured, "cannot create " + path + ": file exists"};
    if (!directories_.contains(parent_of(path))) return no_file(path);
    SLUICE_TRY(change());
    found = live_.emplace(path, std::make_shared<Node>()).first;
    pending_.push_back({NameChange::What::create, path, {}, found->second});
  }
  if (found == live_.end()) return no_file(path);
  return std::unique_ptr<File>(std::make_unique<SimFile>(*this, found->second, path, mode));
}

Result<std::vector<std::string>> SimFileSystem::list(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (stopped_locked()) return power_off();
  std::vector<std::string> names;
  for (const auto& [path, node] : live_) {
    if (parent_of(path) == directory) names.push_back(path.substr(directory.size() + 1));
  }
  for (const std::string& path : directories_) {
    if (path.size() > directory.size() && parent_of(path) == directory)
      names.push_back(path.substr(directory.size() + 1));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Status SimFileSystem::make_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (stopped_locked()) return power_off();
  for (std::string part = path; directories_.insert(part).second && !part.empty();) part = parent_of(part);
  return Done{};
}

Status SimFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  SLUICE_TRY(change());
  const auto found = live_.find(from);
  if (found == live_.end()) return no_file(from);
  const std::shared_ptr<Node> node = found->second;
  live_.erase(found);
  live_[to] = node;
  pending_.push_back({NameChange::What::rename, from, to, node});
  return Done{};
}

Status SimFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!live_.contains(path)) return stopped_locked() ? Status(power_off()) : Status(Done{});
  SLUICE_TRY(change());
  live_.erase(path);
  pending_.push_back({NameChange::What::remove, path, {}, nullptr});
  return Done{};
}

Status SimFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  SLUICE_TRY(change());
  std::vector<NameChange> others;
  for (NameChange& c : pending_) {
    if (parent_of(c.from) == path) {
      apply(c);
    } else {
      others.push_back(std::move(c));
    }
  }
  pending_ = std::move(others);
  return Done{};
}

Result<bool> SimFileSystem::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (stopped_locked()) return power_off();
  return live_.contains(path) || directories_.contains(path);
}

Result<std::uint64_t> SimFileSystem::free_bytes(const std::string&) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t now = used();
  return now < capacity_ ? capacity_ - now : std::uint64_t{0};
}

void SimFileSystem::crash() {
  const std::lock_guard lock(mutex_);
  ++boot_;
  stop_at_ = syncs_to_failure_ = std::numeric_limits<std::uint64_t>::max();
  for (const NameChange& c : pending_) {
    if (coin()) apply(c);
  }
  pending_.clear();
  live_ = durable_;
  for (const auto& [path, node] : live_) crash_node(*node);
}

void SimFileSystem::restart() {
  const std::lock_guard lock(mutex_);
  ++boot_;
  stop_at_ = syncs_to_failure_ = std::numeric_limits<std::uint64_t>::max();
}

// Each change stands alone: a later one may have reached the disk without an earlier one. A rename is both of
// its names.
void SimFileSystem::apply(const NameChange& c) {
  if (c.what != NameChange::What::create) durable_.erase(c.from);
  if (c.what != NameChange::What::remove)
    durable_[c.what == NameChange::What::create ? c.from : c.to] = c.node;
}

void SimFileSystem::crash_node(Node& node) {
  std::uint64_t size = node.durable.size();
  if (const std::uint64_t live = node.live.size(); live != size) {
    const std::uint64_t low = std::min(size, live);
    const std::uint64_t far = draw(4);
    if (far == 0) {
      size = low + draw(std::max(size, live) - low + 1);
    } else if (far < 3) {
      size = live;
    }
  }
  node.durable.resize(size, '\0');
  for (const std::uint64_t sector : node.dirty) {
    if (!coin()) continue;
    // Beyond the end of `live` it was cut: those bytes are zeros should the longer size have survived.
    const std::uint64_t at = sector * sector_bytes;
    for (std::uint64_t i = std::max<std::uint64_t>(at, node.live.size());
         i < std::min(at + sector_bytes, size); ++i) {
      node.durable[i] = '\0';
    }
    SimFile::store(node, node.durable, sector);
  }
  node.dirty.clear();
  node.live = node.durable;
}

void SimFileSystem::stop_after(std::uint64_t calls) {
  const std::lock_guard lock(mutex_);
  stop_at_ = changes_ + calls;
}

bool SimFileSystem::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_locked();
}

void SimFileSystem::fail_sync_after(std::uint64_t calls) {
  const std::lock_guard lock(mutex_);
  syncs_to_failure_ = calls;
}

void SimFileSystem::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

std::uint64_t SimFileSystem::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

std::string SimFileSystem::content(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(path);
  return found == live_.end() ? std::string() : found->second->live;
}

void SimFileSystem::set_content(const std::string& path, std::string bytes) {
  const std::lock_guard lock(mutex_);
  const auto node = std::make_shared<Node>();
  node->live = node->durable = std::move(bytes);
  live_[path] = durable_[path] = node;
}

Status SimFileSystem::change() {
  if (stopped_locked()) return power_off();
  ++changes_;
  return Done{};
}

Error SimFileSystem::power_off() {
  return {Code::transient, "the machine lost power"};
}

std::uint64_t SimFileSystem::used() const {
  std::uint64_t sum = 0;
  for (const auto& [path, node] : live_) sum += node->live.size();
  return sum;
}

bool SimFileSystem::coin() {
  return draw(2) == 0;
}

std::uint64_t SimFileSystem::draw(std::uint64_t below) {
  random_ = hash64_pair(random_, 0x51);
  return random_ % below;
}

}  // namespace sluice
