#include "config/fields.hpp"

#include <algorithm>

namespace sluice::config {

namespace {

using T = Type;

constexpr Field required(std::string_view name, Type type, std::string_view doc) {
  return {.name = name, .type = type, .doc = doc, .required = true};
}
constexpr Field optional(std::string_view name, Type type, std::string_view doc) {
  return {.name = name, .type = type, .doc = doc};
}
constexpr Field later(std::string_view name, std::string_view doc) {
  return {.name = name, .doc = doc, .later = true};
}
constexpr Field choice(std::string_view name, std::string_view choices, std::string_view doc,
                       std::string_view choices_later = {}) {
  return {.name = name, .type = T::choice, .doc = doc, .choices = choices, .choices_later = choices_later};
}
constexpr Field number(std::string_view name, std::string_view doc, std::int64_t least) {
  return {.name = name, .type = T::integer, .doc = doc, .least = least};
}
constexpr Field group(std::string_view name, Type type, const Section& of, std::string_view doc) {
  return {.name = name, .type = type, .doc = doc, .of = &of};
}

constexpr Field dedup_fields[] = {
    number("days", "how many days a message id is remembered: 7", 1),
    optional("memory", T::size, "what the remembered ids may take: 512MiB"),
};
constexpr Section dedup{"dedup", dedup_fields};

constexpr Field hub_fields[] = {
    optional("data", T::text, "the folder of the journal and the state, relative to this file"),
    optional("listen", T::address,
             "where sources send to, HOST:PORT; nothing can be read here but what decide allows"),
    optional("admin", T::admin, "commands, console and profile API: unix:PATH, or HOST:PORT with tokens"),
    optional("tokens", T::texts, "who may use admin over TCP: the SHA-256 of each token, in hex"),
    optional("public_url", T::url,
             "what the world reaches the hub by: unsubscribe links, vendors' callbacks"),
    optional("timezone", T::time_zone, "for people whose own time zone is unknown: Europe/Paris"),
    optional("country", T::country, "of national phone numbers: FR"),
    optional("memory", T::size, "what people may take of it; who was not seen for longest lies on disk"),
    group("dedup", T::object, dedup, "how repeated events are recognised"),
    optional("lateness", T::duration,
             "an event that comes later than this counts nowhere and starts nothing: 30d"),
    later("journal", "another journal than the hub's own"),
    later("store", "another store than the hub's own"),
};
constexpr Section hub{"hub", hub_fields};

constexpr Field stream_fields[] = {
    {.name = "as",
     .type = T::choice,
     .doc = "what a row is: facts about a person, or something that happened",
     .required = true,
     .choices = "identify|event"},
    optional("name", T::text, "as: event: its name, or a CEL expression in quotes that begins with ="),
    optional("where", T::condition, "which rows are read; all, if it is left out"),
    optional("time", T::value, "when it happened or became true: row.UPDATED_AT"),
    required("ids", T::mapping, "who it is about: identifiers of the identity list"),
    optional("traits", T::mapping, "what becomes known about the person"),
    optional("consent", T::mapping, "PURPOSE: what the person allows"),
    optional("properties", T::mapping, "as: event: what is known about what happened"),
    choice("deleted", "ignore|drop_source",
           "what a deleted row does: drop_source withdraws what this source said", "erase"),
    later("groups", "accounts and households"),
    later("derive", "further events made of a row"),
};
constexpr Section stream{"a stream", stream_fields, {}, true};

constexpr Field derive_fields[] = {
    optional("categories", T::labels, "URL PATTERN: the category of the page; the first that fits"),
    optional("location", T::text,
             "a MaxMind database: country and region of the visitor, whose address is then not kept"),
    optional("device", T::boolean, "the class of the device: desktop, mobile, tablet, bot or other"),
    optional("campaign", T::boolean, "the UTM parameters, of context.campaign or of the page's address"),
};
constexpr Section derive{"derive", derive_fields};

constexpr Field source_fields[] = {
    required("plugin", T::text, "the connector; tracking is the hub's own HTTP API"),
    choice("trust", "server|public", "public: its key can be read by everyone"),
    choice("party", "first|second|third", "whose data it is"),
    optional("anonymous", T::boolean, "refuses names, e-mails and phones; never joined to a known person"),
    later("expires", "how long what it said holds"),
    optional("every", T::duration, "how often it is asked: 5m"),
    optional("with", T::settings, "the connector's own settings"),
    optional("consent", T::labels, "PURPOSE: the category in context.consent that stands for it"),
    group("streams", T::map, stream, "how its rows are read"),
    choice("isolation", "process|none", "where the connector runs: in a process of its own, or in the hub's"),
    optional("memory", T::size, "what its own process may take at most: 512MiB"),
    later("groups", "accounts and households"),
    group("derive", T::object, derive, "tracking: what is found out of an event's page and visitor"),
    later("resync", "reading everything again now and then"),
    later("retention", "how long its data is kept"),
};
constexpr Section source{"a source", source_fields, {}, true};

constexpr Field identity_fields[] = {
    required("id", T::name, "the identifier's type: user_id, email, phone, anonymous_id, or one of your own"),
    number("at_most", "how many of them one person may have", 1),
    optional("joins", T::rate, "one that joins more people than that is quarantined: 50 per 1d"),
    choice("normalize", "none|email|phone", "the form in which they are compared"),
    choice("only", "any|mobile", "with normalize: phone: which phones count"),
    optional("never", T::texts, "values that are nobody's: texts, or re:PATTERN"),
};
constexpr Section identity{"an identifier", identity_fields, {}, true};

constexpr Field purpose_fields[] = {
    choice("channel", "email|sms|push|ads", "the channel that it speaks of"),
    choice("basis", "consent|contract|legitimate_interest|legal_obligation|vital_interest|public_task",
           "consent: must be given; all others: holds unless the person refused"),
};
constexpr Section purpose{"a purpose", purpose_fields};

constexpr Field consent_fields[] = {
    choice("unknown", "denied|granted", "what holds for people who have not been asked"),
    group("purposes", T::map, purpose, "what people can allow; internal is always there"),
};
constexpr Section consent{"consent", consent_fields};

constexpr Field retention_fields[] = {
    optional("events", T::span, "how long events are kept: 25mo"),
    later("prospects", "people who never became customers"),
    optional("dead_letters", T::span, "how long what could not be delivered is kept: 30d"),
};
constexpr Section retention{"retention", retention_fields};

constexpr Field computed_fields[] = {
    required("expression", T::value, "what it is, in CEL"),
    optional("public", T::boolean, "a page may read its visitor's: see decide"),
};
constexpr Section computed{"a computed trait", computed_fields, "expression", true};

constexpr Field trait_fields[] = {
    optional("public", T::boolean, "a page may read its visitor's: see decide"),
    later("prefer", "precedence of sources"),
};
constexpr Section trait{"a trait", trait_fields};

constexpr Field decide_fields[] = {
    required("purpose", T::name, "what a visitor must have allowed; internal where nobody has to be asked"),
    choice("trust", "server|public",
           "who says that a visitor is a known person: a server's source, or the page itself"),
};
constexpr Section decide{"decide", decide_fields};

constexpr Field audience_fields[] = {
    required("where", T::condition, "who is in it, in CEL"),
    optional("public", T::boolean, "a page may read whether its visitor is in it: see decide"),
    choice("backfill", "silent|trigger",
           "trigger: workflows start for those, too, whom a change of this file puts into it"),
};
constexpr Section audience{"an audience", audience_fields, "where", true};

constexpr Field route_fields[] = {
    optional("profiles", T::condition, "people for whom this holds are kept up to date over there"),
    optional("audience", T::name, "an audience whose members are kept on a list over there"),
    optional("events", T::texts, "names of track events that are sent on; \"*\" is all of them"),
    optional("where", T::condition, "with events: which of them"),
    required("to", T::name, "the destination"),
    optional("list", T::text, "with audience: its name or id over there"),
    optional("purpose", T::name, "what it is for, where it is not the destination's purpose"),
    optional("fields", T::mapping, "what is sent; everything, if it is left out"),
    choice("on_leave", "keep|delete|unsubscribe", "when the condition ends"),
    optional("backfill", T::boolean, "send what the history holds, too"),
    optional("resync", T::duration,
             "with audience: how often the list over there is replaced as a whole: 7d"),
};
constexpr Section route{"a route", route_fields, {}, true};

constexpr Field trigger_fields[] = {
    optional("event", T::text, "starts at each track event of this name"),
    optional("enters", T::name, "starts when a person enters this audience"),
    optional("leaves", T::name, "starts when a person leaves this audience"),
    later("date", "a date in a trait"),
    later("schedule", "a fixed time"),
    later("audience", "who a schedule is for"),
};
constexpr Section trigger{"a trigger", trigger_fields};

constexpr Field again_fields[] = {
    required("after", T::span, "how long after its start a person may start again"),
};
constexpr Section again{"again", again_fields};

constexpr Field wait_fields[] = {
    later("until", "a moment, or something that happens"),
    later("at_most", "how long to wait at most"),
};
constexpr Section wait{"wait", wait_fields};

constexpr Field step_fields[] = {
    optional("id", T::name, "what the step is known by when the file changes"),
    group("wait", T::span, wait, "how long: 1h"),
    optional("send", T::name, "the destination"),
    optional("with", T::messages, "send: the message's texts"),
    optional("purpose", T::name, "send: what it is for, where it is not the destination's purpose"),
    later("to", "another receiver"),
    later("split", "arms by share"),
    later("if", "arms by condition"),
    later("otherwise", "what follows when a wait has run out"),
    later("at_most", "how long to wait at most"),
};
constexpr Section step{"a step", step_fields, {}, true};

constexpr Field workflow_fields[] = {
    {.name = "trigger", .type = T::object, .doc = "what starts it", .required = true, .of = &trigger},
    optional("where", T::condition, "for whom; everyone, if it is left out"),
    {.name = "again",
     .type = T::object,
     .doc = "never (default), or { after: 7d }",
     .choices = "never",
     .choices_later = "always",
     .of = &again},
    {.name = "steps", .type = T::list, .doc = "one after the other", .required = true, .of = &step},
    later("exit", "what ends it early"),
    later("goal", "what it is measured by"),
};
constexpr Section workflow{"a workflow", workflow_fields, {}, true};

constexpr Field destination_fields[] = {
    required("plugin", T::text, "the connector"),
    required("purpose", T::name, "what people must have allowed; internal for your own file or warehouse"),
    optional("region", T::text, "where the data goes: EU, US"),
    optional("with", T::settings, "the connector's own settings"),
    optional("rate", T::rate, "how fast it may be sent to: 250 per 1s"),
    choice("mode", "live|shadow", "shadow: render and record, send nothing"),
    choice("on_unknown", "retry|hold", "what to do with a record of which nobody knows whether it arrived"),
    optional("linger", T::duration, "how long a batch waits to fill"),
    optional("settle", T::duration, "how long entering and leaving an audience wait for a later word of it"),
    number("batch_records", "records in one batch at most", 1),
    number("parallel", "requests in flight", 1),
    optional("expires", T::duration, "a record older than this is not sent any more: 7d"),
    optional("allow_hosts", T::hosts, "hosts it may call beside the connector's own"),
    optional("allow_private", T::boolean, "it may call loopback and private addresses"),
    choice("isolation", "process|none", "where the connector runs: in a process of its own, or in the hub's"),
    optional("memory", T::size, "what its own process may take at most: 512MiB"),
    later("allow_only", "who may receive anything on a staging system"),
    later("limits", "frequency caps of its own"),
};
constexpr Section destination{"a destination", destination_fields, {}, true};

constexpr Field root_fields[] = {
    {.name = "version", .type = T::integer, .doc = "of this language: 1", .required = true, .least = 1},
    optional("include", T::texts, "further files, relative to this one: workflows/*.yaml"),
    group("hub", T::object, hub, "the hub itself"),
    group("sources", T::map, source, "where data comes from"),
    group("identity", T::list, identity, "who is one person; its order is the order of trust"),
    group("consent", T::object, consent, "what people allow"),
    group("retention", T::object, retention, "how long data is kept at most"),
    group("computed", T::map, computed, "traits that the hub works out, read as traits.NAME"),
    group("audiences", T::map, audience, "groups of people"),
    group("traits", T::map, trait, "traits that sources say: what holds of them"),
    group("decide", T::object, decide, "what a page may read of its visitor, with GET /v1/decide"),
    group("routes", T::map, route, "what flows where all the time"),
    group("workflows", T::map, workflow, "what happens in sequence"),
    group("destinations", T::map, destination, "where data goes"),
    later("scores", "models that are trained and read in real time"),
    later("limits", "frequency caps and quiet hours"),
    later("groups", "accounts and households"),
    later("allow_only", "who may receive anything on a staging system"),
};
constexpr Section root{"connectors.yaml", root_fields};

constexpr Field common[] = {
    optional("description", T::text, "for people who read this file"),
    optional("owner", T::text, "who answers for it"),
    optional("enabled", T::boolean, "false: checked, and left out"),
};

const Field* find(std::span<const Field> fields, std::string_view name) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [name](const Field& f) { return f.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

}  // namespace

std::span<const Field> common_fields() {
  return common;
}

const Field* Section::field(std::string_view name) const {
  if (const Field* own = find(fields, name)) return own;
  if (name == "enabled" && !can_disable) return nullptr;
  return find(common, name);
}

const Section& root_section() {
  return root;
}

}  // namespace sluice::config
