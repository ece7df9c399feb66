// What stands in a person's row, once for both spellings. A field that is added goes into the section that it
// belongs to, behind a flag or a count, so that older rows can be read.
#include <optional>

#include "state/profile.hpp"
#include "state/spelling.hpp"

namespace sluice::state {

namespace {

// Rows begin with it, in either spelling; one of another version is read by the code that knows it.
constexpr std::uint8_t row_version = 1;
// 2: series stand apart; 3: and the history, of longer ones their end before them, and a trait that says what
// an identifier says points at it.
constexpr std::uint8_t packed_row_version = 3;

template <typename Writer>
void write_identity(Writer& w, const Profile& p) {
  w.varint(p.identifiers.size());
  for (const Identifier& i : p.identifiers) {
    w.id(i.type);
    w.text(i.value);
    w.time(i.first_seen);
    w.time_after(i.last_seen, i.first_seen);
    w.u8(static_cast<std::uint8_t>((i.trusted ? 1 : 0) | (i.also != 0 ? 2 : 0) | (i.many ? 4 : 0)));
    w.id(i.source);
    if (i.also != 0) w.id(i.also);
  }
  w.varint(p.merges.size());
  for (const MergeCause& m : p.merges) {
    w.u64(m.loser);
    w.id(m.type);
    w.seq(m.cause);
    w.time(m.time);
  }
}

template <typename Reader>
void read_identity(Reader& r, Profile& p) {
  for (Identifier& i : sized(r, p.identifiers)) {
    i.type = r.id();
    i.value = r.text();
    i.first_seen = r.time();
    i.last_seen = r.time_after(i.first_seen);
    const std::uint8_t flags = r.u8();
    i.trusted = (flags & 1) != 0;
    i.many = (flags & 4) != 0;
    i.source = r.id();
    i.also = (flags & 2) != 0 ? r.id() : 0;
  }
  for (MergeCause& m : sized(r, p.merges)) {
    m.loser = r.u64();
    m.type = r.id();
    m.cause = r.seq();
    m.time = r.time();
  }
}

// Most have their e-mail address and their telephone number as identifiers and as traits: a packed row holds
// the text once.
std::optional<std::size_t> identifier_with(const Profile& p, const StoredValue& value) {
  constexpr std::size_t worth_it = 4;
  if (value.kind() != StoredValue::Kind::string || value.as_text().size() < worth_it) return {};
  for (std::size_t i = 0; i < p.identifiers.size(); ++i) {
    if (p.identifiers[i].value == value.as_text()) return i;
  }
  return {};
}

void write_trait_value(PlainWriter& w, const Profile&, const StoredValue& value) {
  w.value(value);
}
void write_trait_value(PackedWriter& w, const Profile& p, const StoredValue& value) {
  const auto same = identifier_with(p, value);
  same ? w.value_at(*same) : w.value(value);
}

void read_trait_value(PlainReader& r, const Profile&, StoredValue& out) {
  r.value(out);
}
void read_trait_value(PackedReader& r, const Profile& p, StoredValue& out) {
  const std::uint64_t begun = r.varint();
  const auto place = r.place(begun);
  if (!place) return r.value(begun, out);
  if (*place >= p.identifiers.size()) return r.fail();
  out.assign(StoredValue::Kind::string, p.identifiers[*place].value);
}

template <typename Writer>
void write_facts(Writer& w, const Profile& p) {
  w.varint(p.traits.size());
  for (const Trait& t : p.traits) {
    w.id(t.name);
    write_trait_value(w, p, t.value);
    w.time(t.time);
    w.id(t.source);
    w.u8(t.trusted ? 1 : 0);
  }
  w.varint(p.consents.size());
  for (const ConsentState& c : p.consents) {
    w.id(c.purpose);
    w.u8(c.granted ? 1 : 0);
    w.time(c.time);
    w.id(c.source);
  }
}

template <typename Reader>
void read_facts(Reader& r, Profile& p) {
  for (Trait& t : sized(r, p.traits)) {
    t.name = r.id();
    read_trait_value(r, p, t.value);
    t.time = r.time();
    t.source = r.id();
    t.trusted = r.u8() != 0;
  }
  for (ConsentState& c : sized(r, p.consents)) {
    c.purpose = r.id();
    c.granted = r.u8() != 0;
    c.time = r.time();
    c.source = r.id();
  }
}

template <typename Writer>
void write_series(Writer& w, const Profile& p) {
  w.varint(p.series.size());
  for (const Series& s : p.series) s.write(w);
}

template <typename Reader>
void read_series(Reader& r, Profile& p) {
  for (Series& s : sized(r, p.series)) s.read(r);
}

template <typename Writer>
void write_sequences(Writer& w, const Profile& p) {
  if (p.sequences.empty()) return;
  w.varint(p.sequences.size());
  for (const Sequence& s : p.sequences) s.write(w);
}

template <typename Reader>
void read_sequences(Reader& r, Profile& p, bool there) {
  p.sequences.resize(there ? p.sequences.size() : 0);
  if (!there) return;
  for (Sequence& s : sized(r, p.sequences)) s.read(r);
}

template <typename Writer>
void write_memberships(Writer& w, const Profile& p) {
  w.varint(p.memberships.size());
  for (const Membership& m : p.memberships) {
    w.id(m.audience);
    w.time(m.entered);
    w.seq(m.cause);
  }
}

template <typename Reader>
void read_memberships(Reader& r, Profile& p) {
  for (Membership& m : sized(r, p.memberships)) {
    m.audience = r.id();
    m.entered = r.time();
    m.cause = r.seq();
  }
}

template <typename Writer>
void write_work(Writer& w, const Profile& p) {
  w.varint(p.runs.size());
  for (const Run& run : p.runs) {
    w.id(run.workflow);
    w.id(run.step);
    w.time(run.wake);
    w.time(run.started);
    w.seq(run.cause);
    w.text(run.event);
  }
  w.varint(p.started.size());
  for (const Started& s : p.started) {
    w.id(s.workflow);
    w.time(s.time);
  }
  w.varint(p.marks.size());
  for (const RouteMark& m : p.marks) {
    w.id(m.route);
    w.u64(m.identity);
    w.u8(static_cast<std::uint8_t>((m.inside ? 1 : 0) | (m.silent ? 2 : 0)));
    w.varint(m.fields.size());
    for (const RouteField& f : m.fields) {
      w.id(f.name);
      w.u64(f.value);
    }
  }
}

template <typename Reader>
void read_work(Reader& r, Profile& p) {
  for (Run& run : sized(r, p.runs)) {
    run.workflow = r.id();
    run.step = r.id();
    run.wake = r.time();
    run.started = r.time();
    run.cause = r.seq();
    run.event = r.text();
  }
  for (Started& s : sized(r, p.started)) {
    s.workflow = r.id();
    s.time = r.time();
  }
  for (RouteMark& m : sized(r, p.marks)) {
    m.route = r.id();
    m.identity = r.u64();
    const std::uint8_t flags = r.u8();
    m.inside = (flags & 1) != 0;
    m.silent = (flags & 2) != 0;
    for (RouteField& f : sized(r, m.fields)) {
      f.name = r.id();
      f.value = r.u64();
    }
  }
}

template <typename Writer>
void write_entities(Writer& w, const Profile& p) {
  w.varint(p.entities.size());
  for (const Entity& e : p.entities) {
    w.id(e.source);
    w.u64(e.print);
  }
}

template <typename Reader>
void read_entities(Reader& r, Profile& p) {
  for (Entity& e : sized(r, p.entities)) {
    e.source = r.id();
    e.print = r.u64();
  }
}

enum : std::uint8_t {
  flag_third_party = 1,
  flag_partial = 2,
  flag_entities = 4,
  flag_sequences = 8,
  flag_zone_time = 16,
  flag_evaluated = 32,
  flag_found = 64
};

template <typename Writer>
void write_person(Writer& w, const Profile& p) {
  if constexpr (!Writer::packed) w.u64(p.id);  // packed rows are kept and read under it
  w.seq(p.created);
  w.varint(p.created_ordinal);
  w.time(p.first_seen);
  w.time(p.last_seen);
  w.u8(static_cast<std::uint8_t>(
      (p.third_party ? flag_third_party : 0) | (p.partial ? flag_partial : 0) |
      (p.entities.empty() ? 0 : flag_entities) | (p.sequences.empty() ? 0 : flag_sequences) |
      (p.timezone_time == no_time ? 0 : flag_zone_time) | (p.evaluated == 0 ? 0 : flag_evaluated) |
      (p.found.empty() ? 0 : flag_found)));
  w.text(p.timezone);
  w.text(p.locale);
  if (p.timezone_time != no_time) w.time(p.timezone_time);
  if (p.evaluated != 0) w.seq(p.evaluated);
  if (p.found.empty()) return;
  w.varint(p.found.size());
  for (const NameId audience : p.found) w.id(audience);
}

// The flags: they say which sections follow.
template <typename Reader>
std::uint8_t read_person(Reader& r, Profile& p) {
  if constexpr (!Reader::packed) p.id = r.u64();
  p.created = r.seq();
  p.created_ordinal = static_cast<std::uint32_t>(r.varint());
  p.first_seen = r.time();
  p.last_seen = r.time();
  const std::uint8_t flags = r.u8();
  p.third_party = (flags & flag_third_party) != 0;
  p.partial = (flags & flag_partial) != 0;
  p.timezone = r.text();
  p.locale = r.text();
  p.timezone_time = (flags & flag_zone_time) != 0 ? r.time() : no_time;
  p.evaluated = (flags & flag_evaluated) != 0 ? r.seq() : 0;
  p.found.clear();
  if ((flags & flag_found) != 0) {
    for (NameId& audience : sized(r, p.found)) audience = r.id();
  }
  return flags;
}

// The packed row begins with what restoring looks at.
template <typename Reader>
bool read_index(Reader& r, Profile& p, std::uint8_t& flags) {
  const std::uint8_t version = r.u8();
  if (version < row_version || version > packed_row_version) return false;
  r.of_version(version);
  flags = read_person(r, p);
  read_memberships(r, p);
  read_identity(r, p);
  p.entities.clear();
  if ((flags & flag_entities) != 0) read_entities(r, p);
  return r.ok();
}

}  // namespace

void Profile::encode(std::string& out) const {
  PlainWriter w(out);
  w.u8(row_version);
  write_person(w, *this);
  write_identity(w, *this);
  write_facts(w, *this);
  write_series(w, *this);
  write_sequences(w, *this);
  write_memberships(w, *this);
  history.write(w);
  write_work(w, *this);
  if (!entities.empty()) write_entities(w, *this);
}

bool Profile::decode(std::string_view bytes, Profile& out) {
  out.now_change = {};
  PlainReader r(bytes);
  if (r.u8() != row_version) return false;
  const std::uint8_t flags = read_person(r, out);
  read_identity(r, out);
  read_facts(r, out);
  read_series(r, out);
  read_sequences(r, out, (flags & flag_sequences) != 0);
  read_memberships(r, out);
  out.history.read(r);
  read_work(r, out);
  out.entities.clear();
  if ((flags & flag_entities) != 0) read_entities(r, out);
  return r.ok() && r.at_end();
}

void Profile::pack(std::string& out, Numbers& numbers) const {
  PackedWriter w(out, numbers);
  w.u8(packed_row_version);
  write_person(w, *this);
  write_memberships(w, *this);
  write_identity(w, *this);
  if (!entities.empty()) write_entities(w, *this);
  write_facts(w, *this);
  write_series(w, *this);
  write_sequences(w, *this);
  history.write(w);
  write_work(w, *this);
  w.finish();
}

bool Profile::unpack(std::string_view bytes, const Numbers& numbers, Profile& out) {
  PackedReader r(bytes, numbers);
  std::uint8_t flags = 0;
  out.now_change = {};
  if (!read_index(r, out, flags)) return false;
  read_facts(r, out);
  read_series(r, out);
  read_sequences(r, out, (flags & flag_sequences) != 0);
  out.history.read(r);
  read_work(r, out);
  return r.ok() && r.at_end();
}

bool Profile::unpack_index(std::string_view bytes, const Numbers& numbers, Profile& out) {
  PackedReader r(bytes, numbers);
  std::uint8_t flags = 0;
  return read_index(r, out, flags);
}

}  // namespace sluice::state
