#include "config/reading.hpp"
#include "config/scalars.hpp"

namespace sluice::config {

namespace {

void read_purpose(Reading& reading, const Node& section, Destination& destination) {
  const Node* purpose = section.find("purpose");
  if (purpose == nullptr) return;
  destination.purpose = purpose->text;
  if (reading.config.consent.present) {
    reading.known(*purpose, reading.purposes, "purpose");
  } else if (purpose->text != "internal") {
    warn(reading.report, *purpose, "no-consent", "nobody is asked: this file has no 'consent'",
         "add consent: with its purposes, or write internal for what is your own");
  }
}

Destination read_destination(Reading& reading, const Member& m) {
  const Node& section = m.value;
  Destination d;
  d.name = m.key.text;
  d.place = reading.place(m.key);
  d.plugin = text_of(section, "plugin");
  read_purpose(reading, section, d);
  d.region = text_of(section, "region");
  d.with = read_settings(reading, section, m.key, false, "destinations." + d.name);
  d.isolation = read_isolation(reading, section, false);
  for (const Node* host : texts_of(section, "allow_hosts")) d.allow_hosts.push_back(host->text);
  d.allow_private = boolean_of(section, "allow_private");
  if (const Node* rate = section.find("rate")) d.rate = parse_rate(rate->text);
  d.on_unknown_set = section.find("on_unknown") != nullptr;
  d.on_unknown = text_of(section, "on_unknown") == "hold" ? OnUnknown::hold : OnUnknown::retry;
  d.shadow = text_of(section, "mode") == "shadow";
  d.linger = duration_of(section, "linger");
  d.settle = duration_of(section, "settle");
  d.expires = duration_of(section, "expires");
  if (d.expires && *d.expires <= 0) {
    error(reading.report, *section.find("expires"), "out-of-range", "nothing would ever be sent",
          "write 7d, or leave it out");
  }
  if (const Node* n = section.find("batch_records")) {
    d.batch_records = static_cast<std::uint32_t>(parse_integer(n->text).value_or(1));
  }
  if (const Node* n = section.find("parallel")) {
    d.parallel = static_cast<std::uint32_t>(parse_integer(n->text).value_or(d.parallel));
  }
  return d;
}

}  // namespace

void read_destinations(Reading& reading) {
  for (const Member* m : reading.members("destinations")) {
    if (m->value.bad || !m->value.is_map()) continue;
    Destination destination = read_destination(reading, *m);
    if (enabled(m->value)) reading.config.destinations.push_back(std::move(destination));
  }
}

}  // namespace sluice::config
