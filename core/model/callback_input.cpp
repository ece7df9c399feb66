#include "model/callback_input.hpp"

#include "base/bytes.hpp"

namespace sluice {

void CallbackInput::encode(std::string& out) const {
  ByteWriter w(out);
  w.text(destination);
  w.text(key);
  w.text(name);
  w.u8(time != no_time ? 1 : 0);
  if (time != no_time) w.zigzag(time);
  w.u64(person);
  w.text(identifiers);
  w.text(message);
  w.text(route);
  w.text(facts);
}

bool CallbackInput::decode(std::string_view payload, CallbackInput& out) {
  ByteReader r(payload);
  out.destination = r.text();
  out.key = r.text();
  out.name = r.text();
  out.time = r.u8() != 0 ? r.zigzag() : no_time;
  out.person = r.u64();
  out.identifiers = r.text();
  out.message = r.text();
  out.route = r.text();
  out.facts = r.text();
  return r.ok() && r.at_end();
}

}  // namespace sluice
