#include "state/apart.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace sluice::state {

const Unmerge* Apart::under_way() const {
  const auto at = std::find_if(unmerges.begin(), unmerges.end(), [](const Unmerge& u) { return !u.done; });
  return at == unmerges.end() ? nullptr : &*at;
}

Unmerge* Apart::find(std::uint64_t id) {
  const auto at =
      std::find_if(unmerges.begin(), unmerges.end(), [&](const Unmerge& u) { return u.id == id; });
  return at == unmerges.end() ? nullptr : &*at;
}

bool Apart::joins_nobody(std::uint64_t input) const {
  return std::any_of(unmerges.begin(), unmerges.end(), [&](const Unmerge& u) { return u.input == input; });
}

void Apart::add_pair(ProfileId one, ProfileId other) {
  const std::pair<ProfileId, ProfileId> pair = std::minmax(one, other);
  if (std::find(pairs.begin(), pairs.end(), pair) == pairs.end()) pairs.push_back(pair);
}

const Watched* Apart::watches(ProfileId person) const {
  const auto at =
      std::find_if(watched.begin(), watched.end(), [&](const Watched& w) { return w.person == person; });
  return at == watched.end() ? nullptr : &*at;
}

std::string Apart::encode() const {
  std::string out;
  ByteWriter w(out);
  w.varint(unmerges.size());
  for (const Unmerge& u : unmerges) {
    w.varint(u.id);
    w.varint(u.input);
    w.u64(u.person);
    w.zigzag(u.time);
    w.u8(u.done ? 1 : 0);
  }
  w.varint(pairs.size());
  for (const auto& [one, other] : pairs) {
    w.u64(one);
    w.u64(other);
  }
  w.varint(watched.size());
  for (const Watched& one : watched) {
    w.u64(one.person);
    w.varint(one.touched);
  }
  return out;
}

Apart Apart::decode(std::string_view bytes) {
  Apart out;
  if (bytes.empty()) return out;
  ByteReader r(bytes);
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    Unmerge& u = out.unmerges.emplace_back();
    u.id = r.varint();
    u.input = r.varint();
    u.person = r.u64();
    u.time = r.zigzag();
    u.done = r.u8() != 0;
  }
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    const ProfileId one = r.u64();
    out.pairs.emplace_back(one, r.u64());
  }
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    Watched& one = out.watched.emplace_back();
    one.person = r.u64();
    one.touched = r.varint();
  }
  return out;
}

}  // namespace sluice::state
