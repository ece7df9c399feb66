// What it costs to ask one condition of one person, as the step does it: nanoseconds and allocations for an
// evaluation. `--check` counts the allocations alone and ends with 1 where there are any: that is the test.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <limits>
#include <new>
#include <string>

#include "config/config.hpp"
#include "view/context.hpp"

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* at = std::malloc(bytes == 0 ? 1 : bytes)) return at;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void operator delete(void* at) noexcept {
  std::free(at);
}
void operator delete(void* at, std::size_t) noexcept {
  std::free(at);
}

namespace sluice {
namespace {

constexpr int rounds = 10;  // the best one counts: the machine does other work too
constexpr TimeUs now = 1'795'000'000 * us_per_s;

struct Condition {
  const char* name;
  const char* text;
};
constexpr std::initializer_list<Condition> conditions{
    {"five terms",
     R"(traits.revenue > 1000.0 && traits.orders >= 3 && traits.plan == "pro" && traits.city in ["Paris", "Lyon"] && consent.newsletter)"},
    {"five terms, the first fails",
     R"(traits.revenue > 9000.0 && traits.orders >= 3 && traits.plan == "pro" && traits.city in ["Paris", "Lyon"] && consent.newsletter)"},
    {"has, or, not", R"(!has(traits.churned) || (traits.churned && !audiences.vip))"},
    {"texts", R"(traits.email.endsWith("@acme.test") && traits.city.startsWith("P"))"},
    {"a made text", R"(traits.city + "/" + traits.plan == "Paris/pro")"},
    {"a regular expression", R"(traits.email.matches("^[a-z]+@acme[.]test$"))"},
    {"a list with a macro", R"(["pro", "max"].exists(p, p == traits.plan))"},
    {"an optional", R"(traits.?nickname.orValue("none") == "none")"},
    {"times", R"(now - timestamp(traits.since) > duration("7d"))"},
};

// Of this thread.
double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

std::string configuration() {
  std::string text = R"(version: 1
sources: { s: { plugin: tracking, with: { write_key: "key" } } }
consent: { purposes: { newsletter: { channel: email, basis: consent } } }
audiences:
  vip: traits.revenue > 100000.0
)";
  int i = 0;
  for (const Condition& c : conditions) text += "  c" + std::to_string(i++) + ": |\n    " + c.text + "\n";
  return text;
}

state::Profile person() {
  using state::StoredValue;
  state::Profile p;
  p.id = 1;
  const auto trait = [&](const char* name, StoredValue value) {
    p.traits.push_back({state::name_id(name), std::move(value), now, 0, true});
  };
  for (int i = 0; i < 15; ++i) trait(("other_" + std::to_string(i)).c_str(), StoredValue::number(i));
  trait("revenue", StoredValue::number(1234.5));
  trait("orders", StoredValue::number(4));
  trait("plan", StoredValue::string("pro"));
  trait("city", StoredValue::string("Paris"));
  trait("email", StoredValue::string("ada@acme.test"));
  trait("since", StoredValue::string("2026-01-01T00:00:00Z"));
  p.consents.push_back({state::name_id("newsletter"), true, now, 0});
  return p;
}

int run(bool check) {
  config::LoadOptions options;
  options.from_memory = true;
  options.check_secrets = false;
  options.files["/bench.yaml"] = configuration();
  const config::Loaded loaded = config::load("/bench.yaml", options);
  if (!loaded.config) {
    for (const config::Diagnostic& d : loaded.diagnostics) std::fprintf(stderr, "%s\n", d.what.c_str());
    return 2;
  }
  const auto compiled = view::compile(loaded.config, {});
  const state::State state(1);
  const state::Profile profile = person();
  view::PersonContext context(*compiled, state);
  const std::size_t turns = check ? 1'000 : 200'000;
  int status = 0;
  std::size_t slot = 1;
  for (const Condition& condition : conditions) {
    const expr::ProgramPtr& program = loaded.config->audiences[slot++].condition;
    const auto turn = [&] {
      context.at(&profile, now, nullptr);
      return context.holds(program);
    };
    auto held = static_cast<std::size_t>(turn());  // the first may take memory that is kept
    const std::size_t before = allocations;
    double ns = std::numeric_limits<double>::infinity();
    for (int round = 0; round < rounds; ++round) {
      const double begin = cpu_ns();
      for (std::size_t i = 0; i < turns; ++i) held += static_cast<std::size_t>(turn());
      ns = std::min(ns, (cpu_ns() - begin) / static_cast<double>(turns));
    }
    const std::size_t made = allocations - before;
    if (made != 0) status = 1;
    if (!check || made != 0)
      std::printf("%-32s %8.1f ns  %6.2f allocations  %s\n", condition.name, ns,
                  static_cast<double>(made) / static_cast<double>(turns * rounds),
                  held > 1 ? "holds" : "does not hold");
  }
  return status;
}

}  // namespace
}  // namespace sluice

int main(int count, char** arguments) {
  return sluice::run(count > 1 && std::strcmp(arguments[1], "--check") == 0);
}
