// A condition or value of connectors.yaml: CEL text, parsed and checked once, evaluated millions of times.
// What a program reads is known before it runs, so that only what an input can change is evaluated again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "expr/value.hpp"

namespace sluice::expr {

class Arena;
class Program;
using ProgramPtr = std::shared_ptr<const Program>;

// Why a text is no program: where in it (bytes from its beginning), what is wrong, and what to write instead.
struct Problem {
  std::size_t offset = 0, length = 1;
  std::string what;
  std::string help;  // may be empty
  bool warning = false;
};

// What the text may name. Absent vectors mean "any name" (traits are whatever sources send).
struct Scope {
  bool traits = false, scores = false, audiences = false, consent = false, profile = false, account = false;
  bool event = false, row = false, now = false, selectors = false;  // selectors: events("…")…
  std::string element;  // inside .where(e, …): the name that stands for the event ("e")
  std::vector<std::string>
      audience_names;  // known ones, for did-you-mean; names are checked when `audiences`
  std::vector<std::string> purpose_names;
  // Names of plain CEL, dotted ones too: read from Context::variable. The language's own rules hold for them.
  std::vector<std::string> variables;
  // False: CEL without its checker. What names nothing or does not fit is no mistake but unknown when it
  // runs.
  bool checked = true;
};

enum class Aggregation : std::uint8_t { count = 1, sum, min, max, avg, exists, first, last, unique, top };

inline constexpr std::size_t sequence_steps_max = 8;

// .then(NAME[, GAP])[.where(e, COND)]: a further step of a sequence.
struct SequenceStep {
  std::string event;
  DurationUs gap = 0;      // at most so long after the step before; 0: any time
  ProgramPtr where;        // over the event; null: all
  std::string where_text;  // canonical
};

// events(NAME)[.where(e, COND)][.then(…)…][.within(D) | .since(T) | .between(T, T)].OP(…): what must be kept
// per person so that the program can run. Two specs with the same `text` are the same aggregate.
struct AggregateSpec {
  std::string text;                // canonical: the key under which equal aggregates are shared
  std::string event;               // the event's name
  ProgramPtr where;                // over the event; null: all
  std::string where_text;          // canonical, empty without where
  std::vector<SequenceStep> then;  // not empty: counts the last step's events that complete the sequence
  DurationUs within = 0;           // 0: all time, or `local_days`, or since
  std::uint32_t local_days = 0;    // within("7 days local"): calendar days of the person; today is the last
  TimeUs since = no_time;          // no_time: no lower end
  TimeUs until = no_time;          // the upper end, which is outside; no_time: none
  Aggregation op = Aggregation::count;
  ProgramPtr value;  // over the event; null for count and exists. first/last: the member path after them
  std::string value_text;  // canonical
  std::uint32_t top = 0;   // top(e, X, n): n
};

// A name that a program reads. `slot` is the caller's: Program::bind_* sets it, the Context gets it back.
struct Symbol {
  std::string name;
  std::uint32_t slot = 0;
  std::size_t offset = 0;  // in the text
};

// What a program evaluates against. One for each evaluation at a time; returned values may borrow from it.
class Context {
 public:
  virtual ~Context() = default;
  virtual Value trait(const Symbol& name) = 0;             // unknown if the person has none of that name
  virtual Value audience(const Symbol& name) = 0;          // boolean
  virtual Value consent(const Symbol& purpose) = 0;        // boolean
  virtual Value profile_field(std::string_view name) = 0;  // id, first_seen, last_seen, timezone, locale
  virtual Value event_field(std::string_view name) = 0;    // name, type, time, properties, traits, context,
                                                           // derived, source, user_id, anonymous_id, …
  virtual Value account_field(std::string_view) { return Value::unknown("no account here"); }
  virtual Value row() = 0;                          // Kind::json
  virtual Value now() = 0;                          // timestamp
  virtual Value aggregate(std::uint32_t slot) = 0;  // of Program::aggregates()[i], by its bound slot
  virtual Value variable(const Symbol&) { return Value::unknown("no variables here"); }
};

// A Context with nothing in it, to derive from.
class EmptyContext : public Context {
 public:
  Value trait(const Symbol&) override { return Value::unknown("no traits here"); }
  Value audience(const Symbol&) override { return Value::unknown("no audiences here"); }
  Value consent(const Symbol&) override { return Value::unknown("no consent here"); }
  Value profile_field(std::string_view) override { return Value::unknown("no profile here"); }
  Value event_field(std::string_view) override { return Value::unknown("no event here"); }
  Value row() override { return Value::unknown("no row here"); }
  Value now() override { return Value::unknown("no time here"); }
  Value aggregate(std::uint32_t) override { return Value::unknown("no events here"); }
};

// One part of a condition and what it gave, for people.
struct ExplainedPart {
  std::size_t depth = 0;  // 0: the whole
  std::string text;       // of the part, in canonical form
  std::string value;      // JSON; empty: it is unknown, and `why` says why
  std::string why;
  enum class Reads : std::uint8_t { nothing, trait, audience, aggregate } reads = Reads::nothing;
  std::uint32_t slot = 0;  // of what it reads, as it was bound
};

class Program {  // immutable once bound; evaluation is [any], one Arena a thread
 public:
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Parses and checks. On problems that are errors the program is null; warnings come beside a program.
  struct Parsed {
    std::shared_ptr<Program> program;
    std::vector<Problem> problems;
  };
  // `want_boolean`: the text is a condition, its type must be bool (or unknown until it runs).
  static Parsed parse(std::string_view text, const Scope& scope, bool want_boolean);
  ~Program();

  const std::string& text() const;
  // Names read, each once.
  const std::vector<Symbol>& traits() const;
  const std::vector<Symbol>& audiences() const;
  const std::vector<Symbol>& purposes() const;
  const std::vector<Symbol>& accounts() const;  // fields of the person's account
  const std::vector<AggregateSpec>& aggregates() const;
  const std::vector<Symbol>& row_paths() const;  // "Email", "Account.Name"
  bool reads_whole_row() const;                  // beside them the row itself, or a member that is computed
  bool reads_event() const;
  bool reads_now() const;
  bool reads_profile() const;

  // Slots are set once, before the first evaluation, by whoever compiled the configuration.
  void bind_trait(std::size_t index, std::uint32_t slot) const;  // index into traits()
  void bind_audience(std::size_t index, std::uint32_t slot) const;
  void bind_purpose(std::size_t index, std::uint32_t slot) const;
  void bind_aggregate(std::size_t index, std::uint32_t slot) const;

  // The value; unknown where something is missing or fails. Deterministic: no clock, no locale, no hash
  // order.
  Value evaluate(Context& context, Arena& arena) const;
  // Whether it is true; gives the memory that this took back to the arena.
  bool holds(Context& context, Arena& arena) const;

  // The value of each part, a part before those that it is made of; constants are left out, and what only has
  // a value inside a macro.
  std::vector<ExplainedPart> explain(Context& context, Arena& arena) const;

  // For a program that reads `now`: the first moment after now() at which its value may be another, all else
  // equal; `never`.
  TimeUs next_change(Context& context, Arena& arena) const;

 private:
  struct Impl;
  explicit Program(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Memory of one evaluation: lists, maps and texts that a program makes. reset() between evaluations; keeps
// its blocks.
class Arena {
 public:
  Arena();
  ~Arena();
  void reset();
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// A message's text with {{ traits.first_name }}, {{ event.properties.total }}, {{ profile.id }} and
// {{ traits.first_name | default: "there" }} in it. What is missing renders as nothing.
class Template {
 public:
  struct Parsed {
    std::shared_ptr<const Template> value;  // null when there are errors
    std::vector<Problem> problems;
  };
  enum class Escape : std::uint8_t { none, html };
  static Parsed parse(std::string_view text, const Scope& scope, Escape escape);
  void render(Context& context, Arena& arena, std::string& out) const;
  const std::string& text() const { return text_; }
  const std::vector<ProgramPtr>& programs() const { return programs_; }  // what it reads

 private:
  struct Piece {
    std::string literal;  // then:
    std::size_t program = SIZE_MAX;
    std::optional<std::string> otherwise;
  };
  std::string text_;
  Escape escape_ = Escape::none;
  std::vector<Piece> pieces_;
  std::vector<ProgramPtr> programs_;
};

}  // namespace sluice::expr
