// The configuration as canonical JSON. It is compared from run to run and kept in the journal's epochs:
// everything that makes another configuration is in it, secrets are not, and neither is where on this machine
// it lies.
#include "base/json.hpp"
#include "config/reading.hpp"

namespace sluice::config {

namespace {

class Resolver {
 public:
  Resolver(const Reading& reading, std::string& out) : reading_(reading), c_(reading.config), w_(out) {}

  void run() {
    w_.begin_object().member_integer("version", 1);
    hub();
    list("sources", c_.sources, [this](const Source& s) { source(s); });
    list("identity", c_.identity, [this](const IdentityRule& r) { rule(r); });
    consent();
    retention();
    list("computed", c_.computed, [this](const ComputedTrait& t) {
      w_.member("name", t.name);
      program("expression", t.program);
      is_public(t.is_public);
    });
    list("traits", c_.traits, [this](const TraitRule& t) {
      w_.member("name", t.name);
      is_public(t.is_public);
    });
    list("audiences", c_.audiences, [this](const Audience& a) {
      w_.member("name", a.name);
      program("where", a.condition);
      is_public(a.is_public);
      if (a.backfill_triggers) w_.member("backfill", "trigger");
    });
    decide();
    list("routes", c_.routes, [this](const Route& r) { route(r); });
    list("workflows", c_.workflows, [this](const Workflow& w) { workflow(w); });
    list("destinations", c_.destinations, [this](const Destination& d) { destination(d); });
    w_.end_object();
  }

 private:
  template <typename T, typename F>
  void list(const char* name, const std::vector<T>& all, F&& each) {
    if (all.empty()) return;
    w_.key(name).begin_array();
    for (const T& t : all) {
      w_.begin_object();
      each(t);
      w_.end_object();
    }
    w_.end_array();
  }
  void texts(const char* name, const std::vector<std::string>& all) {
    if (all.empty()) return;
    w_.key(name).begin_array();
    for (const std::string& t : all) w_.string(t);
    w_.end_array();
  }
  void text(const char* name, const std::string& value) {
    if (!value.empty()) w_.member(name, value);
  }
  void program(const char* name, const expr::ProgramPtr& p) {
    if (p) w_.member(name, p->text());
  }
  void span(const char* name, const std::optional<Span>& s) {
    if (!s) return;
    w_.key(name).begin_object().member_integer("months", s->months).member_integer("us", s->us).end_object();
  }
  void duration(const char* name, const std::optional<DurationUs>& d) {
    if (d) w_.member_integer(name, *d);
  }
  void mapping(const char* name, const std::vector<Mapped>& all) {
    if (all.empty()) return;
    w_.key(name).begin_object();
    for (const Mapped& m : all) program(m.name.c_str(), m.program);
    w_.end_object();
  }
  void settings(const std::string& path) {
    const auto found = reading_.redacted.find(path);
    if (found != reading_.redacted.end()) w_.key("with").raw(found->second);
  }

  // Where a connector runs by itself is a matter of this machine.
  void isolation(const Isolation& i) {
    if (i.written) w_.member("isolation", *i.written ? "process" : "none");
    if (i.memory_bytes != Isolation{}.memory_bytes)
      w_.member_integer("memory_bytes", static_cast<std::int64_t>(i.memory_bytes));
  }

  void hub() {
    const Hub& h = c_.hub;
    w_.key("hub").begin_object();
    w_.member("listen", h.listen).member("timezone", h.timezone);
    text("public_url", h.public_url);
    text("country", h.country);
    w_.member_integer("dedup_days", h.dedup_days);
    w_.member_integer("dedup_bytes", static_cast<std::int64_t>(h.dedup_bytes)).end_object();
  }

  void source(const Source& s) {
    w_.member("name", s.name).member("plugin", s.plugin).member("party", s.party);
    w_.member("trust", s.trust == Trust::publik ? "public" : "server");
    if (s.anonymous) w_.member_boolean("anonymous", true);
    duration("every_us", s.every);
    settings("sources." + s.name);
    if (!s.consent_categories.empty()) {
      w_.key("consent").begin_object();
      for (const auto& [category, purpose] : s.consent_categories) w_.member(category, purpose);
      w_.end_object();
    }
    derive(s.derive);
    isolation(s.isolation);
    list("streams", s.streams, [this](const Stream& t) { stream(t); });
  }

  void derive(const std::optional<Derive>& d) {
    if (!d) return;
    w_.key("derive").begin_object();
    if (!d->categories.empty()) {
      w_.key("categories").begin_array();
      for (const auto& [pattern, category] : d->categories)
        w_.begin_array().string(pattern).string(category).end_array();
      w_.end_array();
    }
    w_.member_boolean("location", !d->location.empty()).member_boolean("device", d->device);
    w_.member_boolean("campaign", d->campaign).end_object();
  }

  void stream(const Stream& t) {
    w_.member("stream", t.name).member("as", t.as == StreamKind::event ? "event" : "identify");
    text("name", t.event_name);
    program("name_of", t.event_name_program);
    program("where", t.where);
    program("time", t.time);
    if (t.drop_source) w_.member("deleted", "drop_source");
    mapping("ids", t.ids);
    mapping("traits", t.traits);
    mapping("consent", t.consent);
    mapping("properties", t.properties);
  }

  void rule(const IdentityRule& r) {
    w_.member("id", r.id).member_integer("at_most", r.at_most);
    w_.member_integer("joins_most", r.joins_most).member_integer("joins_within_us", r.joins_within);
    w_.member("normalize", r.normalize == Normalize::email   ? "email"
                           : r.normalize == Normalize::phone ? "phone"
                                                             : "none");
    if (r.only == PhoneKind::mobile) w_.member("only", "mobile");
    texts("never", r.never);
    texts("never_patterns", r.never_patterns);
  }

  void consent() {
    if (!c_.consent.present) return;
    w_.key("consent").begin_object().member("unknown", c_.consent.unknown_allowed ? "granted" : "denied");
    list("purposes", c_.consent.purposes, [this](const Purpose& p) {
      w_.member("name", p.name).member("basis", p.basis);
      text("channel", p.channel);
    });
    w_.end_object();
  }

  void is_public(bool is) {
    if (is) w_.member_boolean("public", true);
  }

  void decide() {
    if (!c_.decide) return;
    w_.key("decide").begin_object().member("purpose", c_.decide->purpose);
    w_.member("trust", c_.decide->trust_pages ? "public" : "server").end_object();
  }

  void retention() {
    w_.key("retention").begin_object();
    span("events", c_.retention.events);
    span("dead_letters", c_.retention.dead_letters);
    w_.end_object();
  }

  void route(const Route& r) {
    w_.member("name", r.name).member("to", r.to);
    program("profiles", r.profiles);
    text("audience", r.audience);
    text("list", r.list);
    texts("events", r.events);
    program("where", r.where);
    text("purpose", r.purpose);
    mapping("fields", r.fields);
    w_.member("on_leave", r.on_leave == OnLeave::remove        ? "delete"
                          : r.on_leave == OnLeave::unsubscribe ? "unsubscribe"
                                                               : "keep");
    w_.member_boolean("backfill", r.backfill);
    if (r.resync > 0) w_.member_integer("resync_us", r.resync);
  }

  void workflow(const Workflow& w) {
    static constexpr const char* triggers[] = {"event", "enters", "leaves"};
    w_.member("name", w.name)
        .member("trigger", triggers[static_cast<std::size_t>(w.trigger)])
        .member("of", w.of);
    program("where", w.where);
    span("again", w.again);
    list("steps", w.steps, [this](const Step& s) {
      w_.member("id", s.id);
      span("wait", s.wait);
      text("send", s.send);
      text("purpose", s.purpose);
      if (s.with.empty()) return;
      w_.key("with").begin_object();
      for (const auto& [name, message] : s.with) w_.member(name, message->text());
      w_.end_object();
    });
  }

  void destination(const Destination& d) {
    w_.member("name", d.name).member("plugin", d.plugin).member("purpose", d.purpose);
    text("region", d.region);
    settings("destinations." + d.name);
    texts("allow_hosts", d.allow_hosts);
    if (d.allow_private) w_.member_boolean("allow_private", true);
    if (d.rate) w_.key("rate").begin_array().number(d.rate->first).integer(d.rate->second).end_array();
    if (d.on_unknown_set) w_.member("on_unknown", d.on_unknown == OnUnknown::hold ? "hold" : "retry");
    if (d.shadow) w_.member("mode", "shadow");
    isolation(d.isolation);
    duration("linger_us", d.linger);
    duration("settle_us", d.settle);
    if (d.batch_records) w_.member_integer("batch_records", *d.batch_records);
    w_.member_integer("parallel", d.parallel);
    duration("expires_us", d.expires);
  }

  const Reading& reading_;
  const Config& c_;
  JsonWriter w_;
};

}  // namespace

std::string resolve(const Reading& reading) {
  std::string out;
  Resolver(reading, out).run();
  return out;
}

}  // namespace sluice::config
