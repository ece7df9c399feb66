#include "hub/decisions.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/thread_name.hpp"
#include "hub/views.hpp"
#include "view/context.hpp"

namespace sluice::hub {

namespace {

// A known person's, or a visitor's of whom nobody knows who it is. What a public source says of itself is
// enough for the latter alone: whoever knows a customer's id could send it with an anonymous id of their own.
bool may_read(const state::Profile& profile, std::string_view anonymous_id, const view::Compiled& compiled) {
  if (compiled.config->decide->trust_pages || !view::is_known(profile, compiled)) return true;
  const state::NameId type = state::name_id("anonymous_id");
  return std::any_of(profile.identifiers.begin(), profile.identifiers.end(), [&](const state::Identifier& i) {
    return i.type == type && i.value == anonymous_id && i.trusted;
  });
}

void write_audiences(JsonWriter& w, const state::Profile& profile, const view::Compiled& compiled) {
  for (std::size_t i = 0; i < compiled.audience_ids.size(); ++i) {
    const config::Audience& audience = compiled.config->audiences[i];
    if (audience.is_public && profile.membership(compiled.audience_ids[i]) != nullptr)
      w.string(audience.name);
  }
}

void write_traits(JsonWriter& w, const state::Profile& profile, view::PersonContext& context,
                  const config::Config& config) {
  std::string json;
  for (const config::TraitRule& rule : config.traits) {
    const state::Trait* trait = rule.is_public ? profile.trait(state::name_id(rule.name)) : nullptr;
    if (trait == nullptr || trait->value.kind() == state::StoredValue::Kind::null) continue;
    json.clear();
    trait->value.append_json(json);
    w.key(rule.name).raw(json);
  }
  for (std::size_t i = 0; i < config.computed.size(); ++i) {
    if (!config.computed[i].is_public) continue;
    const expr::Value value = context.computed(i);
    if (value.is_unknown()) continue;
    json.clear();
    value.append_json(json);
    w.key(config.computed[i].name).raw(json);
  }
}

}  // namespace

std::optional<std::string> decision_json(const World& world, std::string_view anonymous_id, TimeUs now) {
  const view::Compiled* const compiled = world.pipeline.compiled();
  if (compiled == nullptr || !compiled->config->decide) return {};
  const state::Reading profile =
      world.state.find(find_person(world, "anonymous_id:" + std::string(anonymous_id)));
  view::PersonContext context(*compiled, world.state);
  context.at(profile.get(), now, nullptr);
  const bool readable = profile && may_read(*profile, anonymous_id, *compiled) &&
                        context.allows(std::string_view(compiled->config->decide->purpose));
  std::string out;
  JsonWriter w(out);
  w.begin_object().key("audiences").begin_array();
  if (readable) write_audiences(w, *profile, *compiled);
  w.end_array().key("traits").begin_object();
  if (readable) write_traits(w, *profile, context, *compiled->config);
  w.end_object().end_object();
  return out;
}

void Decisions::start() {
  thread_ = std::thread([this] {
    name_thread("decide");
    run();
  });
}

void Decisions::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  asked_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Decisions::ask(std::string anonymous_id, Told told) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= waiting_max) return false;
    waiting_.push_back({std::move(anonymous_id), std::move(told)});
  }
  asked_.notify_one();
  return true;
}

void Decisions::run() {
  std::vector<Question> questions;
  for (std::unique_lock lock(mutex_);;) {
    asked_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    questions.swap(waiting_);
    lock.unlock();
    answer(questions);
    questions.clear();
    lock.lock();
  }
}

void Decisions::answer(std::vector<Question>& questions) const {
  for (std::size_t first = 0; first < questions.size(); first += glance) {
    const std::size_t last = std::min(first + glance, questions.size());
    step_.read([&](const World& world) {
      const TimeUs now = wall_ ? std::max(world.state.now, clock_.wall_us()) : world.state.now;
      for (std::size_t i = first; i < last; ++i)
        questions[i].answer = decision_json(world, questions[i].anonymous_id, now);
    });
    for (std::size_t i = first; i < last; ++i) questions[i].told(questions[i].answer);
  }
}

}  // namespace sluice::hub
