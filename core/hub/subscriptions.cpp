#include "hub/subscriptions.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/json.hpp"
#include "base/log.hpp"
#include "plugin/inquiry.hpp"

namespace sluice::hub {

namespace {

constexpr std::string_view meta_key = "subscriptions";
constexpr DurationUs call_timeout = 60 * us_per_s;

}  // namespace

Subscriptions::Subscriptions(const Clock& clock, store::Database& database)
    : clock_(clock), database_(database) {
  load();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Subscriptions::~Subscriptions() {
  stop();
}

void Subscriptions::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

Subscriptions::Counts Subscriptions::counts() const {
  const std::lock_guard lock(mutex_);
  return {kept_.size(), failures_};
}

std::string Subscriptions::id_of(const Endpoint& endpoint, const std::string& route) {
  return endpoint.id() + ' ' + route;
}

void Subscriptions::load() {
  const auto text = database_.meta(meta_key);
  if (!text || !text.value()) return;
  JsonParser parser;
  parser.parse(*text.value()).members([&](std::string_view id, Json one) {
    kept_[std::string(id)] = {
        .url = std::string(one["url"].string_or("")),
        .remote_id = std::string(one["remote_id"].string_or("")),
        .print = std::strtoull(std::string(one["print"].string_or("0")).c_str(), nullptr, 10)};
  });
}

void Subscriptions::save() {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  for (const auto& [id, one] : kept_) {
    json.key(id).begin_object().member("url", one.url).member("remote_id", one.remote_id);
    json.member("print", std::to_string(one.print)).end_object();
  }
  json.end_object();
  if (const Status kept = database_.keep_meta(meta_key, text); !kept)
    log_warn("hub", "what is registered with vendors cannot be kept: " + kept.error().detail);
}

void Subscriptions::set(std::vector<std::shared_ptr<Endpoint>> endpoints, std::string public_url) {
  const std::lock_guard lock(mutex_);
  const auto before = std::exchange(endpoints_, std::move(endpoints));
  public_url_ = std::move(public_url);
  plan(before);
  forget_lost();
  changed_.notify_all();
}

// What is to be done, of all that is open now and of what was open before.
void Subscriptions::plan(const std::vector<std::shared_ptr<Endpoint>>& before) {
  std::erase_if(tasks_, [](const Task& task) { return !task.take_back; });
  for (const auto& old : before) {
    const bool stays = std::find(endpoints_.begin(), endpoints_.end(), old) != endpoints_.end();
    for (const plugin::WebhookRoute& route : old->routes) {
      const auto kept = kept_.find(id_of(*old, route.path));
      if (stays || !route.subscribed || kept == kept_.end()) continue;
      tasks_.push_back({.endpoint = old,
                        .route = route.path,
                        .url = kept->second.url,
                        .remote_id = kept->second.remote_id,
                        .take_back = true});
    }
  }
  for (const auto& endpoint : endpoints_) {
    if (public_url_.empty() || !endpoint->connector->offers_subscribe()) continue;
    for (const plugin::WebhookRoute& route : endpoint->routes) {
      if (!route.subscribed) continue;
      const std::string url = public_url_ + "/in/" + endpoint->name + route.path;
      const auto kept = kept_.find(id_of(*endpoint, route.path));
      const bool done =
          kept != kept_.end() && kept->second.url == url && kept->second.print == endpoint->print;
      if (!done) tasks_.push_back({.endpoint = endpoint, .route = route.path, .url = url, .remote_id = {}});
    }
  }
}

void Subscriptions::forget_lost() {
  bool lost = false;
  std::erase_if(kept_, [&](const auto& one) {
    const bool has_owner = std::any_of(endpoints_.begin(), endpoints_.end(),
                                       [&](const auto& e) { return one.first.starts_with(e->id() + ' '); }) ||
                           std::any_of(tasks_.begin(), tasks_.end(), [&](const Task& task) {
                             return id_of(*task.endpoint, task.route) == one.first;
                           });
    if (has_owner) return false;
    lost = true;
    log_warn("hub", "'" + one.first + "' is registered with its vendor as " + one.second.url +
                        ", and left the configuration while no hub ran: take it back over there by hand");
    return true;
  });
  if (lost) save();
}

void Subscriptions::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    // What is new goes first: it may be the same thing over there, and then nothing is to be taken back.
    const auto next = std::min_element(tasks_.begin(), tasks_.end(), [](const Task& a, const Task& b) {
      return std::pair(a.due, a.take_back) < std::pair(b.due, b.take_back);
    });
    const DurationUs now = clock_.monotonic_us();
    if (next == tasks_.end() || next->due > now) {
      const DurationUs pause = next == tasks_.end() ? us_per_h : next->due - now;
      const std::size_t count = tasks_.size();
      (void)changed_.wait_for(lock, stop, std::chrono::microseconds(pause),
                              [&] { return tasks_.size() != count; });
      continue;
    }
    Task task = std::move(*next);
    tasks_.erase(next);
    lock.unlock();
    const bool done = perform(task, stop);
    lock.lock();
    if (done || stop.stop_requested()) continue;
    ++failures_;
    const bool wanted =
        task.take_back || std::find(endpoints_.begin(), endpoints_.end(), task.endpoint) != endpoints_.end();
    const DurationUs pause =
        std::min(subscribe_again_first << std::min(task.tries, 10U), subscribe_again_max);
    ++task.tries;
    task.due = clock_.monotonic_us() + pause;
    if (wanted) tasks_.push_back(std::move(task));
  }
}

bool Subscriptions::perform(Task& task, const std::stop_token& stop) {
  const std::string id = id_of(*task.endpoint, task.route);
  plugin::Subscription what{.route = task.route, .url = task.url};
  const plugin::CallLimits limits{.timeout = call_timeout, .stop = stop};
  if (task.take_back) {
    const std::lock_guard lock(mutex_);
    const auto kept = kept_.find(id);
    const bool renewed = kept != kept_.end() && kept->second.print != task.endpoint->print;
    if (kept == kept_.end() || (renewed && kept->second.remote_id == task.remote_id)) return true;
    what.remote_id = task.remote_id;
  }
  Status done = Done{};
  std::string remote_id;
  {
    const std::lock_guard calls(task.endpoint->calls);
    if (task.take_back) {
      done = plugin::unsubscribe(*task.endpoint->connector, *task.endpoint->services, what, limits);
    } else {
      auto made = plugin::subscribe(*task.endpoint->connector, *task.endpoint->services, what, limits);
      if (made) remote_id = made.value();
      if (!made) done = made.error();
    }
  }
  if (stop.stop_requested()) return false;
  if (!done && !task.take_back && done.error().code == Code::rejected) {  // never, with these settings
    log_warn("hub", id + ": " + task.url + " is not registered with the vendor: " + done.error().detail);
    return true;
  }
  if (!done && (!task.take_back || task.tries < unsubscribe_tries_max)) {
    log_warn("hub", id + ": " + task.url + (task.take_back ? " is not taken back" : " is not registered") +
                        " with the vendor: " + done.error().detail + "; it is tried again");
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (task.take_back) {
    const auto kept = kept_.find(id);
    if (kept != kept_.end() && kept->second.print == task.endpoint->print) kept_.erase(kept);
    done ? log_info("hub", id + ": " + task.url + " is taken back from the vendor")
         : log_warn("hub", id + ": " + task.url + " stays registered with the vendor: take it back by hand");
  } else {
    kept_[id] = {.url = task.url, .remote_id = remote_id, .print = task.endpoint->print};
    log_info("hub", id + ": " + task.url + " is registered with the vendor");
  }
  save();
  return true;
}

}  // namespace sluice::hub
