#include "model/event.hpp"

#include "base/bytes.hpp"

namespace sluice {

std::string_view name_of(EventKind kind) {
  switch (kind) {
    case EventKind::track:
      return "track";
    case EventKind::identify:
      return "identify";
    case EventKind::page:
      return "page";
    case EventKind::screen:
      return "screen";
    case EventKind::group:
      return "group";
    case EventKind::alias:
      return "alias";
  }
  return "unknown";
}

void EventInput::encode(std::string& out) const {
  ByteWriter w(out);
  w.text(source);
  w.zigzag(received);
  w.u8(sent != no_time ? 1 : 0);
  if (sent != no_time) w.zigzag(sent);
  w.text(ip);
  w.text(context);
  w.text(integrations);
  w.text(type);
  w.text(text);
  if (!derived.empty()) w.text(derived);
}

bool EventInput::decode(std::string_view payload, EventInput& out) {
  ByteReader r(payload);
  out.source = r.text();
  out.received = r.zigzag();
  out.sent = r.u8() != 0 ? r.zigzag() : no_time;
  out.ip = r.text();
  out.context = r.text();
  out.integrations = r.text();
  out.type = r.text();
  out.text = r.text();
  out.derived = r.at_end() ? std::string_view{} : r.text();
  return r.ok() && r.at_end();
}

void RecordInput::encode(std::string& out) const {
  ByteWriter w(out);
  w.text(source);
  w.text(stream);
  w.text(key);
  w.text(entity);
  w.u8(static_cast<std::uint8_t>((time != no_time ? 1 : 0) | (deleted ? 2 : 0)));
  if (time != no_time) w.zigzag(time);
  w.text(payload);
  w.text(cursor);
}

bool RecordInput::decode(std::string_view payload, RecordInput& out) {
  ByteReader r(payload);
  out.source = r.text();
  out.stream = r.text();
  out.key = r.text();
  out.entity = r.text();
  const std::uint8_t flags = r.u8();
  out.time = (flags & 1) != 0 ? r.zigzag() : no_time;
  out.deleted = (flags & 2) != 0;
  out.payload = r.text();
  out.cursor = r.text();
  return r.ok() && r.at_end();
}

}  // namespace sluice
