// A configuration takes over from another: at the start from the one that the journal knows, later from the
// one that runs. What is new is opened first, so that a mistake changes nothing; then the configuration is
// journaled, as an input that holds from its place on; then what is gone ends. What is the same in both is
// not touched.
#include <algorithm>
#include <future>
#include <utility>

#include "sluice/plugin.h"

#include "base/hash.hpp"
#include "base/log.hpp"
#include "hub/configurations.hpp"
#include "hub/difference.hpp"
#include "hub/epoch.hpp"
#include "hub/hub.hpp"

namespace sluice::hub {

namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out.append(out.empty() ? "" : "; ").append(part);
  return out;
}

}  // namespace

// What a connector is made of: other settings, a secret that has changed behind its name, or another library
// make another.
Result<Hub::Print> Hub::print_of(const config::Config& config, const char* section, const auto& item,
                                 std::uint32_t kind) const {
  const std::string with =
      SLUICE_TRY(config::expand_secrets(item.with.empty() ? "{}" : item.with, folder_of(config)));
  const plugin::Entry* entry = registry_.find(item.plugin, kind);
  const std::string text = text_of_item(config, section, item.name) + config.hub.public_url;
  return Print{hash64(with, hash64(text, item.isolation.process ? 1 : 0)),
               entry == nullptr ? std::string() : entry->sha256};
}

Result<std::map<std::string, Hub::Print>> Hub::prints_of(const config::Config& config) const {
  std::map<std::string, Print> out;
  for (const config::Source& source : config.sources)
    out["sources " + source.name] = SLUICE_TRY(print_of(config, "sources", source, SLUICE_SOURCE));
  for (const config::Destination& d : config.destinations)
    out["destinations " + d.name] = SLUICE_TRY(print_of(config, "destinations", d, SLUICE_DESTINATION));
  return out;
}

Result<Hub::Next> Hub::prepare(std::shared_ptr<const config::Config> config, bool running) {
  Next next;
  const auto before = this->config();
  next.prints = SLUICE_TRY(prints_of(*config));
  opening_for_ = config;
  const auto same = [&](const std::string& what) {
    const auto is = next.prints.find(what), was = prints_.find(what);
    return is != next.prints.end() && was != prints_.end() && is->second == was->second;
  };
  std::set<std::string> changed;
  for (const auto& [what, print] : prints_) {
    if (same(what)) continue;
    const std::size_t space = what.find(' ');
    const std::string section = what.substr(0, space), name = what.substr(space + 1);
    const std::string text = text_of_item(*config, section, name);
    const bool other_url = config->hub.public_url != before->hub.public_url;
    if (!text.empty() && !other_url && text == text_of_item(*before, section, name)) {
      (next.prints[what].settings == print.settings ? next.swapped : next.rotated).push_back(what);
    }
    (what.starts_with("sources ") ? next.ending : changed).insert(name);
  }
  for (const config::Source& source : config->sources) {
    if (source.plugin == "tracking" || same("sources " + source.name)) continue;
    next.sources.push_back(SLUICE_TRY(open_source(source)));
  }
  next.keys = SLUICE_TRY(tracking_sources(*config));
  next.running = running;
  if (running) next.lanes = SLUICE_TRY(engine_->delivery().prepare(*config, changed));
  SLUICE_TRY(open_endpoints(*config, next));
  next.config = std::move(config);
  SLUICE_TRY(listen(next));
  return next;
}

// The configuration is an input: it holds from its place in the journal on. At the start a checkpoint at the
// tail comes first, so that what another binary stepped is never stepped again by this one.
Status Hub::write_epoch(const config::Config& config, bool running) {
  EpochNews news = engine_->compare(config, options_.connectors);
  if (!running) {
    engine_->close_epoch(news);
    SLUICE_TRY(engine_->start());
  }
  if (news.same) return Done{};
  std::promise<std::pair<Status, std::uint64_t>> done;
  const auto submit = [&] {
    std::vector<Draft> drafts(1);
    drafts[0].kind = InputKind::epoch;
    drafts[0].payload = news.payload;
    return engine_->journal().submit(
        std::move(drafts), [&](const Status& status, std::uint64_t seq) { done.set_value({status, seq}); });
  };
  // What comes in fills the queue of the journal, and leaves it again.
  Submit submitted = submit();
  for (std::unique_lock lock(mutex_); submitted == Submit::full && !failure_;) {
    wake_.wait_for(lock, std::chrono::milliseconds(20));
    lock.unlock();
    submitted = submit();
    lock.lock();
  }
  if (submitted != Submit::ok)
    return Error{Code::transient, "the journal takes no configuration any more: the hub is stopping"};
  const auto [status, seq] = done.get_future().get();
  if (!status) return status;
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&, at = seq] { return failure_ || engine_->step().stepped_seq() >= at; });
  if (failure_) return *failure_;
  // It holds, whether or not it can be kept for `sluice rollback`.
  if (const Status kept = keep_configuration(*files_, config.hub.data, seq, news.payload); !kept)
    log_warn("hub", "the configuration cannot be kept for a rollback: " + kept.error().detail);
  log_info("hub",
           "configuration applied: " + config.file + (news.first ? "" : ": " + joined(news.differences)));
  return Done{};
}

// Everything that the journal has is stepped: sources that begin anew go on from there.
Status Hub::settle() {
  const std::uint64_t next = engine_->journal().log().next_seq();
  std::unique_lock lock(mutex_);
  const auto stepped = [&] { return failure_ || engine_->step().stepped_seq() + 1 >= next; };
  while (!wake_.wait_for(lock, std::chrono::milliseconds(2), stepped)) {  // it tells of epochs alone
  }
  return failure_ ? Status(*failure_) : Status(Done{});
}

// [watcher] The connectors are those of `connectors` if all goes well, else as they were. True: some
// connector has other secrets or another library.
Result<bool> Hub::apply(std::shared_ptr<const config::Config> config, const plugin::Registry& connectors) {
  plugin::Registry before = std::exchange(registry_, connectors);
  std::vector<config::ConnectorInfo> known = std::exchange(options_.connectors, connectors_of(connectors));
  Result<bool> done = take_over(std::move(config));
  if (!done) {
    registry_ = std::move(before);
    options_.connectors = std::move(known);
  }
  return done;
}

// The order is what keeps every record: the lanes of new
// destinations are there before anything can be meant for them, and sources that go have ended before the
// configuration that no longer knows them.
Result<bool> Hub::take_over(std::shared_ptr<const config::Config> config) {
  Next next = SLUICE_TRY(prepare(std::move(config), true));
  SLUICE_TRY(engine_->delivery().begin(next.lanes));
  std::vector<ingest::TrackingSource> staying;
  for (const ingest::TrackingSource& key : keys_) {
    const auto after = std::find_if(next.keys.begin(), next.keys.end(),
                                    [&](const auto& k) { return k.write_key == key.write_key; });
    if (after == next.keys.end()) continue;
    staying.push_back(key);
    staying.back().paused = after->name != key.name;
  }
  applying_ = true;
  door_->set_sources(std::move(staying));
  stop_sources(next.ending);
  webhooks_->pause_but(next.endpoints);
  SLUICE_TRY(write_epoch(*next.config, true));
  if (!next.sources.empty()) SLUICE_TRY(settle());
  finish(next);
  return !next.rotated.empty() || !next.swapped.empty();
}

// From here on the configuration holds.
void Hub::finish(Next& next) {
  {
    const std::lock_guard lock(mutex_);
    config_ = next.config;
  }
  ++version_;
  prints_ = std::move(next.prints);
  keys_ = next.keys;
  last_event_ = clock_.monotonic_us();
  door_->set_sources(std::move(next.keys));
  webhooks_->set(next.endpoints);
  listens_ = !keys_.empty() || webhooks_->has_sources();
  subscriptions_->set(std::move(next.endpoints), public_url(*next.config));
  launch(std::move(next.sources));
  applying_ = false;
  if (next.running)
    engine_->delivery().finish(std::move(next.lanes));  // last: a lane that ends may take its patience
  for (const std::string& what : next.rotated) log_info("config", what + ": its secrets are others now");
  for (const std::string& what : next.swapped) log_info("hub", what + ": its connector was replaced");
}

void Hub::reload() {
  if (watcher_) {
    watcher_->ask();
  } else {
    log_warn("hub", "with --clock events the configuration is read once: stop and start to apply another");
  }
}

ReloadStatus Hub::reload_status() const {
  const std::lock_guard lock(mutex_);
  return reload_status_;
}

}  // namespace sluice::hub
