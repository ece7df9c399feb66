// The functions that a connector in a process of its own has for the hub.
#include "plugin/remote.hpp"

namespace sluice::plugin {

using wire::Function;
using wire::Writer;

namespace {

[[gnu::flatten]] void write_batch(Writer& w, const sluice_batch& batch) {
  w.number(batch.count);
  Writer records = w;
  for (std::uint32_t i = 0; i < batch.count; ++i) pass(records, *sluice_at(&batch, i));
  w = records;
}

void write_plan(Writer& w, const sluice_plan& plan) {
  w.number(plan.part);
  w(plan.snapshot);
  write_batch(w, *plan.batch);
}

}  // namespace

// The table has what the library over there has.
void Remote::offer(std::uint32_t functions) {
  const auto has = [functions](Function f) { return (functions & wire::bit(f)) != 0; };
  table_ = {};
  table_.size = sizeof table_;
  table_.kind = spec_.kind;
  table_.id = spec_.id.c_str();
  table_.destroy = [](sluice_instance* i) { self(i).child_.reset(); };
  if (has(Function::check)) {
    table_.check = [](sluice_instance* i, sluice_call* c) {
      return self(i).call(Function::check, [](Writer&) {}, c);
    };
  }
  if (has(Function::plan)) {
    table_.plan = [](sluice_instance* i, const sluice_plan* p, sluice_call* c) {
      return self(i).call(Function::plan, [&](Writer& w) { write_plan(w, *p); }, c);
    };
  }
  if (has(Function::deliver)) {
    table_.deliver = [](sluice_instance* i, const sluice_plan* p, sluice_call* c) {
      return self(i).call(Function::deliver, [&](Writer& w) { write_plan(w, *p); }, c);
    };
  }
  if (has(Function::interpret)) {
    table_.interpret = [](sluice_instance* i, const sluice_interpret* p, sluice_call* c) {
      const auto encode = [&](Writer& w) {
        pass(w, *p->response);
        w(p->poll != nullptr), w(p->batch != nullptr);
        if (p->poll != nullptr) pass(w, *p->poll);
        if (p->batch != nullptr) write_batch(w, *p->batch);
      };
      return self(i).call(Function::interpret, encode, c);
    };
  }
  if (has(Function::fetch)) {
    table_.fetch = [](sluice_instance* i, const sluice_poll* p, sluice_call* c) {
      return self(i).call(Function::fetch, [&](Writer& w) { pass(w, *p); }, c);
    };
  }
  if (has(Function::read)) {
    table_.read = [](sluice_instance* i, const sluice_poll* p, sluice_call* c) {
      return self(i).call(Function::read, [&](Writer& w) { pass(w, *p); }, c);
    };
  }
  if (has(Function::receive)) {
    table_.receive = [](sluice_instance* i, const sluice_incoming* p, sluice_call* c) {
      return self(i).call(Function::receive, [&](Writer& w) { pass(w, *p); }, c);
    };
  }
  if (has(Function::discover)) {
    table_.discover = [](sluice_instance* i, const sluice_discover* p, sluice_call* c) {
      return self(i).call(Function::discover, [&](Writer& w) { pass(w, *p); }, c);
    };
  }
  if (has(Function::provision)) {
    table_.provision = [](sluice_instance* i, const sluice_provision* p, sluice_call* c) {
      return self(i).call(Function::provision, [&](Writer& w) { pass(w, *p); }, c);
    };
  }
  if (has(Function::subscribe)) {
    table_.subscribe = [](sluice_instance* i, const sluice_subscribe* p, sluice_call* c) {
      return self(i).call(Function::subscribe, [&](Writer& w) { pass(w, *p); }, c);
    };
  }
  if (has(Function::unsubscribe)) {
    table_.unsubscribe = [](sluice_instance* i, const sluice_subscribe* p, sluice_call* c) {
      return self(i).call(Function::unsubscribe, [&](Writer& w) { pass(w, *p); }, c);
    };
  }
}

}  // namespace sluice::plugin
