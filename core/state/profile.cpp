#include "state/profile.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace sluice::state {

NameId name_id(std::string_view name) {
  return hash64(name, 0x6e616d65);
}

namespace {

template <typename V, typename F>
auto* find_in(V& items, F&& matches) {
  const auto at = std::find_if(items.begin(), items.end(), matches);
  return at == items.end() ? nullptr : &*at;
}

// Rows begin with it; a row of another version is read by the code that knows it.
constexpr std::uint8_t row_version = 1;

void encode_identity(ByteWriter& w, const Profile& p) {
  w.varint(p.identifiers.size());
  for (const Identifier& i : p.identifiers) {
    w.u64(i.type);
    w.text(i.value);
    w.zigzag(i.first_seen);
    w.zigzag(i.last_seen - i.first_seen);
    w.u8(static_cast<std::uint8_t>((i.trusted ? 1 : 0) | (i.also != 0 ? 2 : 0) | (i.many ? 4 : 0)));
    w.u64(i.source);
    if (i.also != 0) w.u64(i.also);
  }
  w.varint(p.merges.size());
  for (const MergeCause& m : p.merges) {
    w.u64(m.loser);
    w.u64(m.type);
    w.varint(m.cause);
    w.zigzag(m.time);
  }
}

// How many follow, with room for them and no more; what a damaged row says is bounded by its own size.
template <typename V>
std::uint64_t count_of(ByteReader& r, V& items) {
  const std::uint64_t n = r.varint();
  items.reserve(std::min<std::uint64_t>(n, r.left()));
  return n;
}

void decode_identity(ByteReader& r, Profile& p) {
  for (std::uint64_t n = count_of(r, p.identifiers); n > 0 && r.ok(); --n) {
    Identifier i;
    i.type = r.u64();
    i.value = r.text();
    i.first_seen = r.zigzag();
    i.last_seen = i.first_seen + r.zigzag();
    const std::uint8_t flags = r.u8();
    i.trusted = (flags & 1) != 0;
    i.many = (flags & 4) != 0;
    i.source = r.u64();
    if ((flags & 2) != 0) i.also = r.u64();
    p.identifiers.push_back(std::move(i));
  }
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    MergeCause m;
    m.loser = r.u64();
    m.type = r.u64();
    m.cause = r.varint();
    m.time = r.zigzag();
    p.merges.push_back(m);
  }
}

void encode_facts(ByteWriter& w, const Profile& p) {
  w.varint(p.traits.size());
  for (const Trait& t : p.traits) {
    w.u64(t.name);
    w.text(t.value.bytes());
    w.zigzag(t.time);
    w.u64(t.source);
    w.u8(t.trusted ? 1 : 0);
  }
  w.varint(p.consents.size());
  for (const ConsentState& c : p.consents) {
    w.u64(c.purpose);
    w.u8(c.granted ? 1 : 0);
    w.zigzag(c.time);
    w.u64(c.source);
  }
}

void decode_facts(ByteReader& r, Profile& p) {
  for (std::uint64_t n = count_of(r, p.traits); n > 0 && r.ok(); --n) {
    Trait t;
    t.name = r.u64();
    t.value = StoredValue::from_bytes(r.text());
    t.time = r.zigzag();
    t.source = r.u64();
    t.trusted = r.u8() != 0;
    p.traits.push_back(std::move(t));
  }
  for (std::uint64_t n = count_of(r, p.consents); n > 0 && r.ok(); --n) {
    ConsentState c;
    c.purpose = r.u64();
    c.granted = r.u8() != 0;
    c.time = r.zigzag();
    c.source = r.u64();
    p.consents.push_back(c);
  }
}

void encode_audiences(ByteWriter& w, const Profile& p) {
  w.varint(p.memberships.size());
  for (const Membership& m : p.memberships) {
    w.u64(m.audience);
    w.zigzag(m.entered);
    w.varint(m.cause);
  }
  w.varint(p.history.size());
  for (const AudienceChange& h : p.history) {
    w.u64(h.audience);
    w.u8(static_cast<std::uint8_t>((h.entered ? 1 : 0) | (h.by_time ? 2 : 0)));
    w.zigzag(h.time);
    w.varint(h.cause);
  }
}

void decode_audiences(ByteReader& r, Profile& p) {
  for (std::uint64_t n = count_of(r, p.memberships); n > 0 && r.ok(); --n) {
    Membership m;
    m.audience = r.u64();
    m.entered = r.zigzag();
    m.cause = r.varint();
    p.memberships.push_back(m);
  }
  for (std::uint64_t n = count_of(r, p.history); n > 0 && r.ok(); --n) {
    AudienceChange h;
    h.audience = r.u64();
    const std::uint8_t flags = r.u8();
    h.entered = (flags & 1) != 0;
    h.by_time = (flags & 2) != 0;
    h.time = r.zigzag();
    h.cause = r.varint();
    p.history.push_back(h);
  }
}

void encode_work(ByteWriter& w, const Profile& p) {
  w.varint(p.runs.size());
  for (const Run& run : p.runs) {
    w.u64(run.workflow);
    w.u64(run.step);
    w.zigzag(run.wake);
    w.zigzag(run.started);
    w.varint(run.cause);
    w.text(run.event);
  }
  w.varint(p.started.size());
  for (const Started& s : p.started) {
    w.u64(s.workflow);
    w.zigzag(s.time);
  }
  w.varint(p.marks.size());
  for (const RouteMark& m : p.marks) {
    w.u64(m.route);
    w.u64(m.identity);
    w.u8(static_cast<std::uint8_t>((m.inside ? 1 : 0) | (m.silent ? 2 : 0)));
    w.varint(m.fields.size());
    for (const RouteField& f : m.fields) {
      w.u64(f.name);
      w.u64(f.value);
    }
  }
}

void decode_work(ByteReader& r, Profile& p) {
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    Run run;
    run.workflow = r.u64();
    run.step = r.u64();
    run.wake = r.zigzag();
    run.started = r.zigzag();
    run.cause = r.varint();
    run.event = r.text();
    p.runs.push_back(std::move(run));
  }
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    Started s;
    s.workflow = r.u64();
    s.time = r.zigzag();
    p.started.push_back(s);
  }
  for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    RouteMark m;
    m.route = r.u64();
    m.identity = r.u64();
    const std::uint8_t flags = r.u8();
    m.inside = (flags & 1) != 0;
    m.silent = (flags & 2) != 0;
    for (std::uint64_t k = r.varint(); k > 0 && r.ok(); --k) {
      RouteField f;
      f.name = r.u64();
      f.value = r.u64();
      m.fields.push_back(f);
    }
    p.marks.push_back(std::move(m));
  }
}

}  // namespace

const Trait* Profile::trait(NameId name) const {
  return find_in(traits, [&](const Trait& t) { return t.name == name; });
}
Trait* Profile::trait(NameId name) {
  return find_in(traits, [&](const Trait& t) { return t.name == name; });
}
const ConsentState* Profile::consent(NameId purpose) const {
  return find_in(consents, [&](const ConsentState& c) { return c.purpose == purpose; });
}
const Membership* Profile::membership(NameId audience) const {
  return find_in(memberships, [&](const Membership& m) { return m.audience == audience; });
}
Series* Profile::find_series(std::uint64_t key) {
  return find_in(series, [&](const Series& s) { return s.key == key; });
}
const Series* Profile::find_series(std::uint64_t key) const {
  return find_in(series, [&](const Series& s) { return s.key == key; });
}
bool Profile::has_identifier(NameId type, std::string_view value) const {
  return find_in(identifiers, [&](const Identifier& i) { return i.type == type && i.value == value; }) !=
         nullptr;
}
bool Profile::has_entity(std::uint64_t print) const {
  return find_in(entities, [&](const Entity& e) { return e.print == print; }) != nullptr;
}
RouteMark* Profile::mark(NameId route) {
  return find_in(marks, [&](const RouteMark& m) { return m.route == route; });
}

void Profile::encode(std::string& out) const {
  ByteWriter w(out);
  w.u8(row_version);
  w.u64(id);
  w.varint(created);
  w.varint(created_ordinal);
  w.zigzag(first_seen);
  w.zigzag(last_seen);
  w.u8(static_cast<std::uint8_t>((third_party ? 1 : 0) | (partial ? 2 : 0) | (entities.empty() ? 0 : 4)));
  w.text(timezone);
  w.text(locale);
  encode_identity(w, *this);
  encode_facts(w, *this);
  w.varint(series.size());
  for (const Series& s : series) s.encode(out);
  encode_audiences(w, *this);
  encode_work(w, *this);
  if (entities.empty()) return;
  w.varint(entities.size());
  for (const Entity& e : entities) {
    w.u64(e.source);
    w.u64(e.print);
  }
}

bool Profile::decode(std::string_view bytes, Profile& out) {
  ByteReader r(bytes);
  if (r.u8() != row_version) return false;
  out.id = r.u64();
  out.created = r.varint();
  out.created_ordinal = static_cast<std::uint32_t>(r.varint());
  out.first_seen = r.zigzag();
  out.last_seen = r.zigzag();
  const std::uint8_t flags = r.u8();
  out.third_party = (flags & 1) != 0;
  out.partial = (flags & 2) != 0;
  out.timezone = r.text();
  out.locale = r.text();
  decode_identity(r, out);
  decode_facts(r, out);
  for (std::uint64_t n = count_of(r, out.series); n > 0 && r.ok(); --n) {
    Series s;
    if (!s.decode(r)) return false;
    out.series.push_back(std::move(s));
  }
  decode_audiences(r, out);
  decode_work(r, out);
  if ((flags & 4) != 0) {
    for (std::uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
      Entity e;
      e.source = r.u64();
      e.print = r.u64();
      out.entities.push_back(e);
    }
  }
  return r.ok() && r.at_end();
}

}  // namespace sluice::state
