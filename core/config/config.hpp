// connectors.yaml, checked: plain data that nothing changes after load. Everything stands in the order of the
// file; names are unique within their section. Expressions are parsed and their names resolved. The YAML
// itself never gets past this room.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "base/normalize.hpp"
#include "base/time.hpp"
#include "expr/program.hpp"

namespace sluice::config {

struct Place {  // where something stands, for messages
  std::string file;
  int line = 0, column = 0;  // from 1; columns count code points
};

// A secret is kept as the reference that the file holds ("${BRAZE_KEY}") and looked up when a connector asks
// for it.
struct Hub {
  std::string data = "./data";  // absolute after load
  std::string listen = "127.0.0.1:8080";
  bool listen_written = false;                   // the file has it: the door opens, whoever it is for
  std::string admin = "unix:./data/admin.sock";  // "unix:PATH" (absolute) or "HOST:PORT"
  std::vector<std::string> tokens;               // for admin over TCP: sha256 hex of each token
  std::string public_url;
  std::string timezone = "UTC";
  std::string country;  // ISO 3166 alpha-2, upper case; empty: unknown
  std::int64_t dedup_days = 7;
  std::uint64_t dedup_bytes = 512ULL << 20;
  std::uint64_t memory_bytes = 0;  // what people may take of it; 0: no bound. No part of an epoch
  DurationUs lateness = 0;         // events that come later than this count nowhere; 0: none is too late
};

enum class Trust : std::uint8_t { server, publik };
enum class StreamKind : std::uint8_t { identify, event };

struct Mapped {  // NAME: EXPRESSION (or { value: LITERAL })
  std::string name;
  expr::ProgramPtr program;
  Place place;
};

struct RowField {    // that an expression of a stream reads
  std::string path;  // "Email", "Account.Name"
  Place place;
};

struct Stream {
  std::string name;
  StreamKind as = StreamKind::identify;
  std::string event_name;               // as: event
  expr::ProgramPtr event_name_program;  // `name: "=CEL"`; else null
  expr::ProgramPtr where;               // null: every row
  expr::ProgramPtr time;                // null: the record's own time, else the time of receipt
  std::vector<Mapped> ids, traits, consent, properties;
  bool drop_source = false;      // `deleted: drop_source`
  std::vector<RowField> reads;   // each path once, where it first stands
  bool reads_whole_row = false;  // and all else of the row
  Place place;
};

// Where a connector runs.
struct Isolation {
  bool process = false;         // of its own; else in the hub's
  std::optional<bool> written;  // nothing: it follows from who installed the connector
  std::uint64_t memory_bytes = std::uint64_t{512} << 20;  // of its own process, at most
};

// What the door finds out of an event's page and visitor before it is journaled: read as event.derived.
struct Derive {
  std::vector<std::pair<std::string, std::string>> categories;  // URL pattern, category; the first that fits
  std::string location;  // a MaxMind database, absolute; empty: the address is not looked up
  bool device = false, campaign = false;
  Place location_place;
};

struct Source {
  std::string name;
  std::string plugin;  // "tracking" is the hub's own door
  Trust trust = Trust::server;
  std::string party = "first";
  bool anonymous = false;
  std::optional<DurationUs> every;
  std::map<std::string, std::string> consent_categories;  // category of context.consent -> purpose
  std::string with;  // JSON object for the plugin; secrets as references "${NAME}"
  std::vector<Stream> streams;
  std::optional<Derive> derive;  // of tracking
  Isolation isolation;
  Place place;
};

enum class Normalize : std::uint8_t { none, email, phone };

struct IdentityRule {  // in order of trust
  std::string id;      // the identifier's type
  std::uint32_t at_most = 5;
  // One that joins more than so many people in so long joins no more: it is quarantined.
  std::uint32_t joins_most = 50;
  DurationUs joins_within = us_per_d;
  Normalize normalize = Normalize::none;
  PhoneKind only = PhoneKind::any;
  std::vector<std::string> never;           // exact values, after normalising
  std::vector<std::string> never_patterns;  // RE2, of "re:…"
  Place place;
};

struct Purpose {
  std::string name;
  std::string channel;            // may be empty
  std::string basis = "consent";  // consent: must be granted; all else is allowed unless refused
  Place place;
};

struct Consent {
  bool present = false;          // no `consent:` section: no gate
  bool unknown_allowed = false;  // unknown: denied (default) or granted
  std::vector<Purpose> purposes;
};

struct Retention {
  std::optional<Span> events, dead_letters;
};

struct ComputedTrait {
  std::string name;
  expr::ProgramPtr program;
  bool is_public = false;  // pages may read it: see Decide
  Place place;
};

struct TraitRule {  // of a trait that sources say
  std::string name;
  bool is_public = false;
  Place place;
};

struct Audience {
  std::string name;
  expr::ProgramPtr condition;
  bool is_public = false;
  // Workflows that entering it triggers start for those, too, whom a changed file puts into it.
  bool backfill_triggers = false;
  Place place;
};

struct Decide {         // what a page may read of its visitor
  std::string purpose;  // that the visitor must have allowed
  bool trust_pages =
      false;  // a page's own word says who its visitor is; else a server's source has to say it
  Place place;
};

enum class OnLeave : std::uint8_t { keep, remove, unsubscribe };

struct Route {  // exactly one of profiles, audience, events is set
  std::string name;
  expr::ProgramPtr profiles;
  std::string audience;             // name of an audience of ours
  std::string list;                 // its name over there; the audience's own when not given
  std::vector<std::string> events;  // names; "*" is all track events
  expr::ProgramPtr where;
  std::string to;              // destination
  std::string purpose;         // empty: the destination's
  std::vector<Mapped> fields;  // empty: everything
  OnLeave on_leave = OnLeave::keep;
  bool backfill = false;
  DurationUs resync =
      0;  // of an audience: how often the list over there is replaced by all members; 0: never
  Place place;
};

struct Step {      // exactly one of wait and send
  std::string id;  // given, or its path ("steps[0]")
  std::optional<Span> wait;
  std::string send;     // destination
  std::string purpose;  // empty: the destination's
  std::vector<std::pair<std::string, std::shared_ptr<const expr::Template>>>
      with;  // rendered into the payload
  Place place;
};

struct Workflow {
  std::string name;
  enum class Trigger : std::uint8_t { event, enters, leaves } trigger = Trigger::event;
  std::string of;             // the event's or the audience's name
  expr::ProgramPtr where;     // null: always
  std::optional<Span> again;  // absent: never
  std::vector<Step> steps;
  Place place;
};

enum class OnUnknown : std::uint8_t { retry, hold };

struct Destination {
  std::string name;
  std::string plugin;
  std::string purpose;  // "internal": own file or warehouse
  std::string region;
  std::string with;                      // JSON object; secrets as references
  std::vector<std::string> allow_hosts;  // beside the manifest's
  bool allow_private = false;
  std::optional<std::pair<double, DurationUs>> rate;  // 250 per 1s
  OnUnknown on_unknown = OnUnknown::retry;
  bool on_unknown_set = false;  // else messages hold and events are sent again
  bool shadow = false;          // mode: shadow: render and record, send nothing
  Isolation isolation;
  std::optional<DurationUs> linger;  // batching beside the manifest's
  std::optional<DurationUs> settle;  // likewise
  std::optional<std::uint32_t> batch_records;
  std::uint32_t parallel = 8;         // requests in flight
  std::optional<DurationUs> expires;  // a record older than this ends expired; default 7 d
  Place place;
};

struct Config {
  std::string file;  // as named
  Hub hub;
  std::vector<Source> sources;
  std::vector<IdentityRule> identity;
  Consent consent;
  Retention retention;
  std::vector<ComputedTrait> computed;
  std::vector<std::size_t> computed_order;  // a computed trait stands after those that it reads
  std::vector<TraitRule> traits;
  std::vector<Audience> audiences;  // each only reads audiences that stand before it in `audience_order`
  std::vector<std::size_t> audience_order;
  std::optional<Decide> decide;  // absent: pages read nothing
  std::vector<Route> routes;
  std::vector<Workflow> workflows;
  std::vector<Destination> destinations;
  std::map<std::string, std::string> files;  // what it was read from, by absolute path
  std::string resolved;  // canonical JSON of all this, includes and files inlined, secrets as references

  const Source* source(std::string_view name) const;
  const Destination* destination(std::string_view name) const;
  const Audience* audience(std::string_view name) const;
  const Purpose* purpose(std::string_view name) const;
};

struct Diagnostic {
  Place place;
  bool warning = false;
  std::string code;  // stable, kebab case: "unknown-name"
  std::string what;  // "no destination is named 'braz'"
  std::string help;  // "did you mean 'braze'?"; may be empty
  std::string source_line;
  int length = 1;  // code points under the caret
};

// What the loader must know of a connector: taken from its manifest, so that this room needs no plugin.
struct ConnectorInfo {
  std::string plugin;  // the name in `plugin:`
  bool source = false, destination = false;
  std::string manifest;  // JSON text; `config` in it is the schema of `with:`
  bool own = true;  // installed with the hub: it may run in the hub's process, and does unless told otherwise
};

struct Loaded {
  std::shared_ptr<const Config> config;  // null when there are errors
  std::vector<Diagnostic> diagnostics;   // errors and warnings, by place
  std::vector<std::string>
      watch;  // absolute: files that were read or missed, folders that `include` looks in
};

// Reads FILE with its includes. `secret_exists(name)` says whether the environment has it (tests give their
// own); a secret's value never comes here. Errors of reading files are diagnostics too.
struct LoadOptions {
  std::vector<ConnectorInfo> connectors;
  bool check_secrets = true;
  // True: nothing is read from disk, `files` is all there is, by absolute path. For epochs of the journal.
  bool from_memory = false;
  std::map<std::string, std::string> files;
};
Loaded load(const std::string& file, const LoadOptions& options);

// Text for people: "connectors.yaml:31:9: error: …", the line, a caret, the help.
std::string format(const Diagnostic& diagnostic);

// Replaces "${NAME}" and "${file:PATH}" in a JSON object's strings by their values, for the connector alone.
Result<std::string> expand_secrets(const std::string& json, const std::string& base_folder);

// JSON Schema (draft-07) of connectors.yaml for editors, out of the same tables that the loader checks with.
std::string schema(const std::vector<ConnectorInfo>& connectors);

}  // namespace sluice::config
