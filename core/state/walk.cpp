#include "state/walk.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace sluice::state {

bool Walk::is_new_route(NameId route) const {
  return std::binary_search(new_routes.begin(), new_routes.end(), route);
}

std::string encode_walks(const Walks& walks) {
  std::string out;
  ByteWriter w(out);
  w.varint(walks.size());
  for (const Walk& walk : walks) {
    w.varint(walk.epoch);
    w.u64(walk.after);
    w.varint(walk.new_routes.size());
    for (const NameId route : walk.new_routes) w.u64(route);
  }
  return out;
}

Walks decode_walks(std::string_view bytes) {
  Walks out;
  ByteReader r(bytes);
  if (bytes.empty()) return out;
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    Walk& walk = out.emplace_back();
    walk.epoch = r.varint();
    walk.after = r.u64();
    for (std::uint64_t m = r.varint(); m > 0 && r.ok(); --m) walk.new_routes.push_back(r.u64());
  }
  return out;
}

}  // namespace sluice::state
