// sluice/plugin.hpp - the C++20 face of sluice/plugin.h: a connector is a class with the functions that it
// offers.
//
//   class Gateway {
//    public:
//     static constexpr std::uint32_t kind = SLUICE_DESTINATION;
//     static constexpr char id[] = "acme.push";
//     Gateway(const sluice::sdk::Host& host, const sluice::sdk::Open& open);          // config: JSON text
//     void plan(const sluice::sdk::Batch& batch, sluice::sdk::Call& call);            // or deliver(batch,
//     call) void interpret(const sluice::sdk::Batch& batch, const sluice::sdk::Response& response,
//     sluice::sdk::Call& call);
//   };
//   SLUICE_PLUGIN(R"({"plugin": "acme", ...})", Gateway)
//
// A source has fetch(poll, call) with interpret(poll, response, call), or read(poll, call), or
// receive(incoming, call). Optional: check(call), discover, provision, subscribe, unsubscribe (..., call).
// What a function throws becomes its status: Fail keeps its own, everything else is SLUICE_INTERNAL. Views
// borrow until the function returns; emitters copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

#include "sluice/call.hpp"
#include "sluice/plugin.h"
#include "sluice/values.hpp"

namespace sluice::sdk {

namespace detail {

template <typename F>
sluice_status guard(sluice_call* call, F&& body) noexcept {
  try {
    body();
    return SLUICE_OK;
  } catch (const Stop& stop) {
    return stop.status;
  } catch (const Fail& fail) {
    return call->fail(call, fail.status(), str(fail.what()));
  } catch (const std::bad_alloc&) {
    return call->fail(call, SLUICE_INTERNAL, str("out of memory"));
  } catch (const std::exception&) {
    // what() may hold the data that it stumbled over
    return call->fail(call, SLUICE_INTERNAL, str("an exception that the connector did not expect"));
  } catch (...) {
    return call->fail(call, SLUICE_INTERNAL, str("something thrown that is no exception"));
  }
}

inline Poll poll_of(const sluice_poll& p) {
  return {.full = p.mode == SLUICE_FULL,
          .until_idle = (p.flags & SLUICE_UNTIL_IDLE) != 0,
          .stream = view(p.stream),
          .cursor = view(p.cursor),
          .since_us = p.since_us,
          .fields = {p.fields, p.field_count}};
}

inline Open open_of(const sluice_open& o) {
  return {.config = view(o.config),
          .name = view(o.name),
          .folder = view(o.folder),
          .routes_url = SLUICE_HAS(&o, routes_url) ? view(o.routes_url) : std::string_view{},
          .kind = o.kind};
}

inline Subscribe subscribe_of(const sluice_subscribe& s) {
  return {.route = view(s.route), .url = view(s.url), .remote_id = view(s.remote_id)};
}

template <typename T>
T& self(sluice_instance* instance) {
  return *reinterpret_cast<T*>(instance);
}

template <typename T>
sluice_status create(const sluice_host* host, const sluice_open* open, sluice_call* call,
                     sluice_instance** out) {
  return guard(call, [&] {
    const Open opened = open_of(*open);
    *out = reinterpret_cast<sluice_instance*>(std::make_unique<T>(Host(host), opened).release());
  });
}

template <typename T>
void destroy(sluice_instance* instance) {
  const std::unique_ptr<T> owner(reinterpret_cast<T*>(instance));
}

// clang-format off
template <typename T> concept has_check = requires(T t, Call c) { t.check(c); };
template <typename T> concept has_plan = requires(T t, const Batch& b, Call c) { t.plan(b, c); };
template <typename T> concept has_deliver = requires(T t, const Batch& b, Call c) { t.deliver(b, c); };
template <typename T> concept has_fetch = requires(T t, const Poll& p, Call c) { t.fetch(p, c); };
template <typename T> concept has_read = requires(T t, const Poll& p, Call c) { t.read(p, c); };
template <typename T> concept has_receive = requires(T t, const Incoming& i, Call c) { t.receive(i, c); };
template <typename T> concept judges_batch =
    requires(T t, const Batch& b, const Response& r, Call c) { t.interpret(b, r, c); };
template <typename T> concept judges_poll =
    requires(T t, const Poll& p, const Response& r, Call c) { t.interpret(p, r, c); };
template <typename T> concept has_discover = requires(T t, const Discover& d, Call c) { t.discover(d, c); };
template <typename T> concept has_provision =
    requires(T t, const Provision& p, Call c) { t.provision(p, c); };
template <typename T> concept has_subscribe =
    requires(T t, const Subscribe& s, Call c) { t.subscribe(s, c); };
template <typename T> concept has_unsubscribe =
    requires(T t, const Subscribe& s, Call c) { t.unsubscribe(s, c); };
// clang-format on

template <typename T>
sluice_status interpret(sluice_instance* instance, const sluice_interpret* args, sluice_call* call) {
  return guard(call, [&] {
    Call c(call);
    const Response response(*args->response);
    if constexpr (judges_poll<T>) {
      if (args->poll != nullptr || !judges_batch<T>) {
        self<T>(instance).interpret(args->poll == nullptr ? Poll{} : poll_of(*args->poll), response, c);
        return;
      }
    }
    if constexpr (judges_batch<T>) self<T>(instance).interpret(Batch(args->batch), response, c);
  });
}

// One function of an instance, for one call.
template <typename T, typename F>
sluice_status run(sluice_instance* instance, sluice_call* call, F&& function) noexcept {
  return guard(call, [&] {
    Call emitters(call);
    function(self<T>(instance), emitters);
  });
}

// The slots for what moves records.
template <typename T>
constexpr void fill_ways(sluice_connector& k) {
  if constexpr (has_plan<T>) {
    k.plan = [](sluice_instance* i, const sluice_plan* p, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.plan(Batch(*p), c); });
    };
  }
  if constexpr (has_deliver<T>) {
    k.deliver = [](sluice_instance* i, const sluice_plan* p, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.deliver(Batch(*p), c); });
    };
  }
  if constexpr (has_fetch<T>) {
    k.fetch = [](sluice_instance* i, const sluice_poll* p, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.fetch(poll_of(*p), c); });
    };
  }
  if constexpr (has_read<T>) {
    k.read = [](sluice_instance* i, const sluice_poll* p, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.read(poll_of(*p), c); });
    };
  }
  if constexpr (has_receive<T>) {
    k.receive = [](sluice_instance* i, const sluice_incoming* in, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.receive(Incoming(*in), c); });
    };
  }
}

// The slots around them.
template <typename T>
constexpr void fill_services(sluice_connector& k) {
  if constexpr (judges_batch<T> || judges_poll<T>) k.interpret = interpret<T>;
  if constexpr (has_check<T>) {
    k.check = [](sluice_instance* i, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.check(c); });
    };
  }
  if constexpr (has_discover<T>) {
    k.discover = [](sluice_instance* i, const sluice_discover* d, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.discover(Discover{.stream = view(d->stream)}, c); });
    };
  }
  if constexpr (has_provision<T>) {
    k.provision = [](sluice_instance* i, const sluice_provision* p, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) {
        t.provision(Provision{.kind = p->kind, .name = view(p->name), .remote_id = view(p->remote_id)}, c);
      });
    };
  }
  if constexpr (has_subscribe<T>) {
    k.subscribe = [](sluice_instance* i, const sluice_subscribe* s, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.subscribe(subscribe_of(*s), c); });
    };
  }
  if constexpr (has_unsubscribe<T>) {
    k.unsubscribe = [](sluice_instance* i, const sluice_subscribe* s, sluice_call* call) {
      return run<T>(i, call, [&](T& t, Call& c) { t.unsubscribe(subscribe_of(*s), c); });
    };
  }
}

template <typename T>
constexpr sluice_connector table() {
  constexpr bool source = (T::kind & SLUICE_SOURCE) != 0;
  constexpr bool destination = (T::kind & SLUICE_DESTINATION) != 0;
  static_assert(source || destination, "a connector's kind is SLUICE_SOURCE, SLUICE_DESTINATION or both");
  static_assert(!destination || has_plan<T> || has_deliver<T>,
                "a destination needs plan(const Batch&, Call&) or deliver(const Batch&, Call&)");
  static_assert(!source || has_fetch<T> || has_read<T> || has_receive<T>,
                "a source needs fetch(const Poll&, Call&), read(const Poll&, Call&) or receive(const "
                "Incoming&, Call&)");
  static_assert(!has_fetch<T> || judges_poll<T>,
                "a source with fetch() needs interpret(const Poll&, const Response&, Call&)");
  sluice_connector k{};
  k.size = sizeof k;
  k.kind = T::kind;
  k.id = T::id;
  k.create = create<T>;
  k.destroy = destroy<T>;
  fill_ways<T>(k);
  fill_services<T>(k);
  return k;
}

template <typename... T>
struct Tables {
  static constexpr sluice_connector each[] = {table<T>()...};
  template <std::size_t... I>
  static constexpr auto pointers(std::index_sequence<I...>) {
    struct {
      const sluice_connector* at[sizeof...(T)];
    } all{{&each[I]...}};
    return all;
  }
  static constexpr auto list = pointers(std::index_sequence_for<T...>{});
};

}  // namespace detail
}  // namespace sluice::sdk

// SLUICE_PLUGIN(manifest, T...): the plugin's one exported symbol, and its manifest where it is read without
// loading code.
#define SLUICE_PLUGIN(text, ...)                                                                \
  namespace {                                                                                   \
  [[gnu::section(".sluice_manifest"), gnu::used]] constexpr char sluice_manifest_text[] = text; \
  }                                                                                             \
  extern "C" {                                                                                  \
  constinit const sluice_plugin sluice_plugin_v1 = {                                            \
      sizeof(sluice_plugin),                                                                    \
      SLUICE_ABI_MINOR,                                                                         \
      0,                                                                                        \
      static_cast<std::uint32_t>(std::size(::sluice::sdk::detail::Tables<__VA_ARGS__>::each)),  \
      ::sluice::sdk::detail::Tables<__VA_ARGS__>::list.at,                                      \
      sluice_manifest_text};                                                                    \
  }
