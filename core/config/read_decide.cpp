// What pages may read of their visitors: decide, and the traits that are public.
#include <algorithm>

#include "config/reading.hpp"

namespace sluice::config {

namespace {

// Without a purpose nobody could say whether the visitor allows it.
void check_public(Reading& reading, const Node& section) {
  const Node* is_public = section.is_map() ? section.find("public") : nullptr;
  if (is_public == nullptr || !boolean_of(section, "public") || reading.single("decide") != nullptr) return;
  error(reading.report, *is_public, "missing-key", "'public' needs a section 'decide', and there is none",
        "what pages show it for: decide: { purpose: PURPOSE }");
}

void read_traits(Reading& reading) {
  for (const Member* m : reading.members("traits")) {
    if (m->key.bad || m->value.bad) continue;
    if (reading.computed.has(m->key.text) || reading.computed.off.contains(m->key.text)) {
      error(
          reading.report, m->key, "reserved-name", "the trait '" + m->key.text + "' is computed",
          "write 'public' where it stands: computed: " + m->key.text + ": { expression: ..., public: true }");
      continue;
    }
    check_public(reading, m->value);
    reading.config.traits.push_back({m->key.text, boolean_of(m->value, "public"), reading.place(m->key)});
  }
}

bool anything_public(const Config& config) {
  const auto is_public = [](const auto& one) { return one.is_public; };
  return std::any_of(config.audiences.begin(), config.audiences.end(), is_public) ||
         std::any_of(config.computed.begin(), config.computed.end(), is_public) ||
         std::any_of(config.traits.begin(), config.traits.end(), is_public);
}

}  // namespace

void read_decide(Reading& reading) {
  read_traits(reading);
  for (const char* section : {"computed", "audiences"}) {
    for (const Member* m : reading.members(section)) check_public(reading, m->value);
  }
  const Node* section = reading.single("decide");
  if (section == nullptr || !section->is_map()) return;
  const Node* purpose = section->find("purpose");
  if (purpose == nullptr) return;
  if (reading.config.consent.present) {
    reading.known(*purpose, reading.purposes, "purpose");
  } else if (purpose->text != "internal") {
    warn(reading.report, *purpose, "no-consent", "no visitor is asked: this file has no 'consent'",
         "add consent: with its purposes, or write internal");
  }
  reading.config.decide =
      Decide{purpose->text, text_of(*section, "trust", "server") == "public", reading.place(*section)};
  const bool asked = std::any_of(reading.config.identity.begin(), reading.config.identity.end(),
                                 [](const IdentityRule& rule) { return rule.id == "anonymous_id"; });
  if (!asked) {
    error(reading.report, *section, "conflict",
          "'decide' finds a visitor by anonymous_id, and the identity list has none",
          "add { id: anonymous_id, at_most: 100 } to it");
  }
  if (!anything_public(reading.config)) {
    warn(reading.report, *section, "nothing-public",
         "pages may read nothing: nothing is marked 'public: true'",
         "audiences: NAME: { where: ..., public: true }; computed traits and traits likewise");
  }
}

}  // namespace sluice::config
