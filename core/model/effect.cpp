#include "model/effect.hpp"

#include "base/bytes.hpp"

namespace sluice {

namespace {
constexpr std::string_view letters = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t id_letters = 13;
}  // namespace

std::string format_profile_id(ProfileId id) {
  std::string out(id_letters + 1, 'p');
  for (std::size_t i = id_letters; i > 0; --i) {
    out[i] = letters[id & 31];
    id >>= 5;
  }
  return out;
}

ProfileId parse_profile_id(std::string_view text) {
  if (text.size() != id_letters + 1 || text.front() != 'p') return nobody;
  ProfileId id = 0;
  for (const char c : text.substr(1)) {
    const std::size_t digit = letters.find(c);
    if (digit == std::string_view::npos) return nobody;
    id = id << 5 | digit;
  }
  return id;
}

std::string_view name_of(Operation op) {
  switch (op) {
    case Operation::event:
      return "event";
    case Operation::upsert:
      return "upsert";
    case Operation::remove:
      return "delete";
    case Operation::enter:
      return "enter";
    case Operation::leave:
      return "leave";
    case Operation::message:
      return "message";
    case Operation::merge:
      return "merge";
    case Operation::erase:
      return "erase";
    case Operation::consent:
      return "consent";
    case Operation::snapshot_begin:
      return "snapshot_begin";
    case Operation::snapshot_end:
      return "snapshot_end";
  }
  return "unknown";
}

void Effect::encode(std::string& out) const {
  ByteWriter w(out);
  w.varint(key.seq);
  w.varint(key.ordinal);
  w.u8(static_cast<std::uint8_t>(op));
  w.u64(person);
  w.text(purpose);
  w.zigzag(time);
  w.text(name);
  w.text(route);
  w.text(address);
  w.text(identifiers);
  w.text(payload);
  w.text(supersede);
  if (snapshot.seq == 0) return;
  w.varint(snapshot.seq);
  w.varint(snapshot.ordinal);
}

bool Effect::decode(std::string_view bytes, Effect& out) {
  ByteReader r(bytes);
  out.key.seq = r.varint();
  out.key.ordinal = static_cast<std::uint32_t>(r.varint());
  out.op = static_cast<Operation>(r.u8());
  out.person = r.u64();
  out.purpose = r.text();
  out.time = r.zigzag();
  out.name = r.text();
  out.route = r.text();
  out.address = r.text();
  out.identifiers = r.text();
  out.payload = r.text();
  out.supersede = r.text();
  out.snapshot = {};
  if (r.ok() && !r.at_end()) {
    out.snapshot.seq = r.varint();
    out.snapshot.ordinal = static_cast<std::uint32_t>(r.varint());
  }
  return r.ok() && r.at_end();
}

}  // namespace sluice
