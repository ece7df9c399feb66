#include "plugin/remote.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <thread>

#include "plugin/call.hpp"
#include "plugin/emissions.hpp"

namespace sluice::plugin {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using wire::Ask;
using wire::Function;
using wire::Message;
using wire::Reader;
using wire::Say;
using wire::Writer;

namespace {

constexpr auto grace = milliseconds(500);  // from a deadline or a stop to the end of the process
constexpr int look_up_ms = 20;             // how often a waiting call asks whether it is cancelled
constexpr std::uint32_t free_deaths = 32;  // restarts at once: as many as finding one bad record takes
constexpr auto pause_max = milliseconds(10'000);

constexpr std::array<std::pair<Function, const char*>, 12> names{{{Function::create, "create"},
                                                                  {Function::check, "check"},
                                                                  {Function::plan, "plan"},
                                                                  {Function::interpret, "interpret"},
                                                                  {Function::fetch, "fetch"},
                                                                  {Function::receive, "receive"},
                                                                  {Function::deliver, "deliver"},
                                                                  {Function::read, "read"},
                                                                  {Function::discover, "discover"},
                                                                  {Function::provision, "provision"},
                                                                  {Function::subscribe, "subscribe"},
                                                                  {Function::unsubscribe, "unsubscribe"}}};

std::string name_of(Function function) {
  for (const auto& [one, name] : names) {
    if (one == function) return name;
  }
  return "?";
}

sluice_str text(Reader& r) {
  sluice_str out{};
  r(out);
  return out;
}

}  // namespace

Remote::Remote(RemoteSpec spec, const sluice_host& host) : spec_(std::move(spec)), host_(host) {}

sluice_status Remote::create(const sluice_open& open, sluice_call* call) {
  config_ = view(open.config);
  name_ = view(open.name);
  folder_ = view(open.folder);
  routes_url_ = view(open.routes_url);
  kind_ = open.kind;
  return begin(call);
}

// A connector that dies again and again is started more and more slowly.
void Remote::wait_after_deaths(sluice_call* call) const {
  if (deaths_ < free_deaths) return;
  const auto pause = std::min(pause_max, milliseconds(10) * (1U << std::min(deaths_ - free_deaths, 12U)));
  const auto until = steady_clock::now() + pause;
  while (steady_clock::now() < until && call->cancelled(call) == 0) {
    std::this_thread::sleep_for(milliseconds(look_up_ms));
  }
}

sluice_status Remote::begin(sluice_call* call) {
  wait_after_deaths(call);
  auto started = ChildProcess::start(spec_.program, spec_.library->descriptor());
  if (!started) return call->fail(call, SLUICE_RETRY, str(started.error().detail));
  child_ = std::move(started).value();
  const std::string library = path_of_descriptor(wire::library_fd);
  const auto encode = [&](Writer& w) {
    w(str(library)), w(str(spec_.id)), w(spec_.kind);
    pass(w, spec_.confinement);
    const sluice_open open{.size = sizeof open,
                           .kind = kind_,
                           .config = str(config_),
                           .name = str(name_),
                           .folder = str(folder_),
                           .routes_url = str(routes_url_)};
    pass(w, open);
  };
  std::uint32_t functions = 0;
  const sluice_status status = exchange(Function::create, encode, call, functions);
  if (status != SLUICE_OK) {
    child_.reset();
    return status;
  }
  if (table_.size == 0) offer(functions);
  return SLUICE_OK;
}

sluice_status Remote::call(Function function, const Encode& encode, sluice_call* call) {
  if (!child_) {
    if (const sluice_status status = begin(call); status != SLUICE_OK) return status;
  }
  std::uint32_t extra = 0;
  const sluice_status status = exchange(function, encode, call, extra);
  if (child_ && status != SLUICE_INTERNAL) deaths_ /= 2;
  // What failed inside may have left it without memory or half done: the next call has a new one.
  if (status == SLUICE_INTERNAL && child_) {
    child_.reset();
    tell("said that it is broken, in " + name_of(function) + "()");
  }
  return status;
}

sluice_status Remote::exchange(Function function, const Encode& encode, sluice_call* call,
                               std::uint32_t& extra) {
  Writer arguments(child_->arguments());
  const TimeUs now = host_.now_us(&host_);
  const DurationUs left =
      call->deadline_us == never ? never : std::max<DurationUs>(0, call->deadline_us - now);
  arguments(left), arguments(now);
  encode(arguments);
  if (!arguments.ok()) return call->fail(call, SLUICE_INVALID, str("a call takes more than 128 MiB"));
  child_->set_cancel(false);
  if (!child_->bell().send({.say = Say::call,
                            .what = static_cast<std::uint32_t>(function),
                            .sequence = ++sequence_,
                            .bytes = arguments.size()})) {
    return bury(child_->obituary(), function, call);
  }
  return await(function, arguments, call, extra);
}

sluice_status Remote::await(Function function, Writer& arguments, sluice_call* call, std::uint32_t& extra) {
  using Heard = wire::Bell::Heard;
  HandedOn handed;
  const std::size_t behind_arguments = arguments.size();
  std::optional<steady_clock::time_point> kill_at;  // it is told to stop
  std::optional<Quiet> quiet;
  for (;;) {
    Message message;
    const Heard heard = child_->bell().hear(message, look_up_ms);
    const bool done = heard == Heard::message && message.say == Say::done;
    if (heard == Heard::death) return bury(child_->obituary(), function, call);
    // One that asks and asks again is late too.
    if (!done && !kill_at && call->cancelled(call) != 0) {
      kill_at = steady_clock::now() + grace;
      child_->set_cancel(true);
    }
    if (!done && kill_at && steady_clock::now() >= *kill_at) {
      child_->kill();
      return bury("did not end in its time and was killed", function, call);
    }
    if (heard == Heard::nothing) {
      if (function == Function::read && hangs(quiet)) {
        child_->kill();
        return bury("computed without an end and was killed", function, call);
      }
      continue;
    }
    quiet.reset();

    const auto began = steady_clock::now();
    Reader emissions(child_->emissions(message.bytes));
    const bool ours =
        heard == Heard::message && (done || message.say == Say::ask) && message.sequence == sequence_;
    if (!ours || !hand_on(emissions, handed, host_, call) || (done && !emissions.at_end())) {
      child_->kill();
      return bury("wrote what cannot be read and was killed", function, call);
    }
    if (done) {
      child_->give_back(arguments.size(), message.bytes);
      extra = message.extra;
      return handed.refused != SLUICE_OK ? handed.refused : message.status;
    }
    arguments.rewind(behind_arguments);
    sluice_status status = handed.refused;
    if (status == SLUICE_OK) status = serve(static_cast<Ask>(message.what), emissions, arguments);
    if (!child_->bell().send({.say = Say::answer,
                              .status = status,
                              .sequence = sequence_,
                              .offset = behind_arguments,
                              .bytes = arguments.size() - behind_arguments})) {
      return bury(child_->obituary(), function, call);
    }
    if (kill_at) *kill_at += steady_clock::now() - began;  // the hub's own time does not count
  }
}

// A read() may wait for ever: it has no deadline. But who computes for as long as a call may take, and says
// nothing all the while, will not say anything.
bool Remote::hangs(std::optional<Quiet>& quiet) const {
  const auto now = steady_clock::now();
  const DurationUs cpu = child_->cpu();
  if (!quiet) quiet = Quiet{now, cpu};
  const DurationUs computed = cpu - quiet->cpu;
  const auto silent = std::chrono::duration_cast<std::chrono::microseconds>(now - quiet->from).count();
  return computed > spec_.timeout &&
         computed > silent / 20;  // one that waits and looks up now and then does less
}

sluice_status Remote::serve(Ask ask, Reader& r, Writer& answer) {
  const auto keep = [](void* arg, sluice_str value) { (*static_cast<Writer*>(arg))(value); };
  switch (ask) {
    case Ask::flush:
      return SLUICE_OK;
    case Ask::get: {
      const sluice_str key = text(r);
      return r.ok() ? host_.get(&host_, key, keep, &answer) : SLUICE_INTERNAL;
    }
    case Ask::secret: {
      const sluice_str name = text(r);
      return r.ok() ? host_.secret(&host_, name, keep, &answer) : SLUICE_INTERNAL;
    }
    case Ask::put: {
      const sluice_str key = text(r), value = text(r);
      return r.ok() ? host_.put(&host_, key, value) : SLUICE_INTERNAL;
    }
    case Ask::http: {
      const auto request = wire::read<sluice_request>(r);
      if (!r.ok()) return SLUICE_INTERNAL;
      const auto respond = [](void* arg, const sluice_response* response) {
        wire::pass(*static_cast<Writer*>(arg), *response);
      };
      const sluice_status status = host_.http(&host_, &request, respond, &answer);
      return answer.ok() ? status : SLUICE_INVALID;
    }
  }
  return SLUICE_UNSUPPORTED;
}

sluice_status Remote::bury(const std::string& how, Function function, sluice_call* call) {
  child_.reset();
  ++deaths_;
  const std::string what = how + " in " + name_of(function) + "()";
  tell(what);
  const std::string why = "the connector's process " + what;
  return call->fail(call, SLUICE_INTERNAL, str(why));
}

}  // namespace sluice::plugin
