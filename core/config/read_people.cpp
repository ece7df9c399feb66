// Who a person is and what is known about them: identity, consent, retention, computed traits, audiences.
#include <algorithm>
#include <cmath>

#include <re2/re2.h>

#include "config/expressions.hpp"
#include "config/reading.hpp"
#include "config/scalars.hpp"

namespace sluice::config {

namespace {

struct Known {
  const char* id;
  std::uint32_t at_most;
  Normalize normalize;
};
constexpr Known known_ids[] = {{"user_id", 1, Normalize::none},
                               {"email", 5, Normalize::email},
                               {"phone", 5, Normalize::phone},
                               {"anonymous_id", 100, Normalize::none}};

IdentityRule default_rule(const std::string& id) {
  IdentityRule rule;
  rule.id = id;
  for (const Known& k : known_ids) {
    if (id != k.id) continue;
    rule.at_most = k.at_most;
    rule.normalize = k.normalize;
  }
  return rule;
}

std::string normalized(const IdentityRule& rule, const std::string& value, const std::string& country) {
  if (rule.normalize == Normalize::email) return normalize_email(value).value_or(value);
  if (rule.normalize == Normalize::phone) return normalize_phone(value, country).value_or(value);
  return value;
}

void read_never(Reading& reading, const Node& item, IdentityRule& rule) {
  for (const Node* never : texts_of(item, "never")) {
    if (!never->text.starts_with("re:")) {
      rule.never.push_back(normalized(rule, never->text, reading.config.hub.country));
      continue;
    }
    const std::string pattern = never->text.substr(3);
    const RE2 compiled(pattern, RE2::Quiet);
    if (pattern.empty() || !compiled.ok()) {
      error(reading.report, *never, "bad-pattern",
            pattern.empty() ? "a pattern that is empty matches everything"
                            : "this is no regular expression: " + compiled.error(),
            "RE2's syntax; in single quotes a backslash is a backslash");
    }
    rule.never_patterns.push_back(pattern);
  }
}

IdentityRule read_rule(Reading& reading, const Node& item) {
  IdentityRule rule = default_rule(text_of(item, "id"));
  rule.place = reading.place(item);
  if (const Node* at_most = item.find("at_most")) {
    rule.at_most = static_cast<std::uint32_t>(parse_integer(at_most->text).value_or(rule.at_most));
  }
  if (const Node* joins = item.find("joins")) {
    const auto rate = parse_rate(joins->text);
    if (rate && (rate->first < 1 || rate->first != std::floor(rate->first) || rate->first > 10'000)) {
      error(reading.report, *joins, "out-of-range", "'joins' must be a whole number of people, 1 to 10000",
            "write 50 per 1d");
    } else if (rate && (rate->second < us_per_s || rate->second > 7 * us_per_d)) {
      error(reading.report, *joins, "out-of-range", "'joins' counts over one second to seven days",
            "write 50 per 1d");
    } else if (rate) {
      rule.joins_most = static_cast<std::uint32_t>(rate->first);
      rule.joins_within = rate->second;
    }
  }
  if (const Node* normalize = item.find("normalize")) {
    rule.normalize = normalize->text == "email"   ? Normalize::email
                     : normalize->text == "phone" ? Normalize::phone
                                                  : Normalize::none;
  }
  if (const Node* only = item.find("only")) {
    rule.only = only->text == "mobile" ? PhoneKind::mobile : PhoneKind::any;
    if (rule.normalize != Normalize::phone) {
      error(reading.report, *only, "conflict", "'only' is for phones",
            "add normalize: phone, or leave it out");
    }
  }
  read_never(reading, item, rule);
  return rule;
}

void read_identity(Reading& reading) {
  const Node* list = reading.single("identity");
  if (list == nullptr) {
    for (const Known& k : known_ids) reading.config.identity.push_back(default_rule(k.id));
    reading.identifiers.known = {"user_id", "email", "phone", "anonymous_id"};
    return;
  }
  if (list->items.empty()) {
    error(reading.report, *list, "empty-value", "'identity' names no identifier",
          "leave it out for the usual four");
  }
  for (const Node& item : list->items) {
    const Node* id = item.is_map() && !item.bad ? item.find("id") : nullptr;
    if (id == nullptr) continue;
    if (!is_name(id->text)) {
      error(reading.report, *id, "bad-name", "'" + id->text + "' cannot be a name here",
            "use up to 64 letters, digits, _ - and .");
    } else if (reading.identifiers.has(id->text)) {
      error(reading.report, *id, "duplicate-name", "the identifier '" + id->text + "' stands twice",
            "one entry for each; the order of the list is the order of trust");
    } else if (enabled(item)) {
      reading.identifiers.known.push_back(id->text);
      reading.config.identity.push_back(read_rule(reading, item));
    }
  }
}

void read_consent(Reading& reading) {
  Consent& consent = reading.config.consent;
  if (const Node* section = reading.single("consent"); section != nullptr && section->is_map()) {
    consent.present = true;
    consent.unknown_allowed = text_of(*section, "unknown", "denied") == "granted";
    const Node* purposes = section->find("purposes");
    if (purposes == nullptr) {
      error(reading.report, *section, "missing-key", "consent needs 'purposes'",
            "what people can allow: ads: { channel: ads }");
      return;
    }
    for (const Member& m : purposes->members) {
      if (m.key.bad) continue;
      Purpose purpose;
      purpose.name = m.key.text;
      purpose.channel = text_of(m.value, "channel");
      purpose.basis = text_of(m.value, "basis", "consent");
      purpose.place = reading.place(m.key);
      if (purpose.name == "internal") {
        error(reading.report, m.key, "reserved-name", "the purpose 'internal' is always there",
              "leave it out");
        continue;
      }
      consent.purposes.push_back(std::move(purpose));
    }
  }
  consent.purposes.push_back({"internal", "", "internal", {}});
}

void read_retention(Reading& reading) {
  const Node* section = reading.single("retention");
  if (section == nullptr || !section->is_map()) return;
  Retention& retention = reading.config.retention;
  for (const char* what : {"events", "dead_letters"}) {
    if (const std::optional<Span> span = span_of(*section, what); span && *span == Span{}) {
      error(reading.report, *section->find(what), "out-of-range", "nothing would be kept",
            "write 25mo or 30d, or leave it out");
    }
  }
  retention.events = span_of(*section, "events");
  retention.dead_letters = span_of(*section, "dead_letters");
}

const Node* expression_of(const Node& value, std::string_view long_form) {
  if (value.bad) return nullptr;
  return value.is_scalar() ? &value : value.find(long_form);
}

constexpr std::size_t reads_depth_max = 1'000;

// What reads what, to find circles and an order in which everything stands after what it reads.
struct Reader {
  std::string name;
  const Node* text;  // of its expression
  struct Use {
    std::size_t reader, offset;
  };
  std::vector<Use> uses;
};

class Order {
 public:
  Order(Reading& reading, const std::vector<Reader>& readers, std::string kind)
      : reading_(reading), readers_(readers), kind_(std::move(kind)), state_(readers.size(), State::fresh) {}

  std::vector<std::size_t> run() {
    for (std::size_t i = 0; i < readers_.size(); ++i) {
      if (state_[i] == State::fresh) visit(i);
    }
    return std::move(order_);
  }

 private:
  enum class State : std::uint8_t { fresh, open, done };

  void visit(std::size_t i) {
    state_[i] = State::open;
    path_.push_back(i);
    if (path_.size() == reads_depth_max) {
      const Node& text = *readers_[i].text;
      error(reading_.report, text, "too-deep", kind_ + "s read one another over more than 1000 steps", "");
      path_.pop_back();
      return;
    }
    for (const Reader::Use& use : readers_[i].uses) {
      if (state_[use.reader] == State::open) circle(i, use);
      if (state_[use.reader] == State::fresh) visit(use.reader);
    }
    path_.pop_back();
    if (state_[i] == State::done) return;
    state_[i] = State::done;
    order_.push_back(i);
  }

  void circle(std::size_t i, const Reader::Use& use) {
    std::string way;
    for (auto at = std::find(path_.begin(), path_.end(), use.reader); at != path_.end(); ++at) {
      way += readers_[*at].name + " -> ";
    }
    const Reader& reader = readers_[i];
    const std::size_t begin = offset_in_file(*reader.text, use.offset);
    reading_.report.add(Report::Kind::error, *reader.text->file, begin, begin + 1, "circle",
                        use.reader == i ? kind_ + " '" + reader.name + "' reads itself"
                                        : kind_ + "s read each other in a circle",
                        way + readers_[use.reader].name);
  }

  Reading& reading_;
  const std::vector<Reader>& readers_;
  std::string kind_;
  std::vector<State> state_;
  std::vector<std::size_t> path_, order_;
};

void add_uses(std::vector<Reader>& readers, std::size_t i, const std::vector<expr::Symbol>& symbols) {
  for (const expr::Symbol& symbol : symbols) {
    const auto used = std::find_if(readers.begin(), readers.end(),
                                   [&symbol](const Reader& r) { return r.name == symbol.name; });
    if (used != readers.end()) {
      readers[i].uses.push_back({static_cast<std::size_t>(used - readers.begin()), symbol.offset});
    }
  }
}

void read_computed(Reading& reading) {
  const expr::Scope scope = computed_scope(reading);
  std::vector<Reader> readers;
  for (const Member* m : reading.members("computed")) {
    const Node* text = expression_of(m->value, "expression");
    ComputedTrait trait{m->key.text, read_expression(reading, text, scope, false),
                        boolean_of(m->value, "public"), reading.place(m->key)};
    if (!trait.program || (m->value.is_map() && !enabled(m->value))) continue;
    readers.push_back({trait.name, text, {}});
    reading.config.computed.push_back(std::move(trait));
  }
  for (std::size_t i = 0; i < readers.size(); ++i)
    add_uses(readers, i, reading.config.computed[i].program->traits());
  reading.config.computed_order = Order(reading, readers, "computed trait").run();
}

void read_audiences(Reading& reading) {
  const expr::Scope scope = people_scope(reading);
  std::vector<Reader> readers;
  for (const Member* m : reading.members("audiences")) {
    const Node* text = expression_of(m->value, "where");
    Audience audience{m->key.text, read_expression(reading, text, scope, true),
                      boolean_of(m->value, "public"), text_of(m->value, "backfill", "silent") == "trigger",
                      reading.place(m->key)};
    if (!audience.condition || (m->value.is_map() && !enabled(m->value))) continue;
    readers.push_back({audience.name, text, {}});
    reading.config.audiences.push_back(std::move(audience));
  }
  for (std::size_t i = 0; i < readers.size(); ++i) {
    add_uses(readers, i, reading.config.audiences[i].condition->audiences());
  }
  reading.config.audience_order = Order(reading, readers, "audience").run();
}

}  // namespace

void read_people(Reading& reading) {
  read_identity(reading);
  read_consent(reading);
  read_retention(reading);
  read_computed(reading);
  read_audiences(reading);
}

}  // namespace sluice::config
