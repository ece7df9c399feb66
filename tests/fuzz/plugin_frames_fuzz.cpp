// Whatever a connector's process leaves in its area, taking it ends, reads nothing beyond the area, and gives
// each record one fate.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "plugin/call.hpp"
#include "plugin/emissions.hpp"
#include "plugin/host.hpp"

namespace sluice::plugin {
namespace {

constexpr std::uint32_t records = 4;

class Services final : public HostServices {
 public:
  void log(std::int32_t, std::string_view text) override { bytes += text.size(); }
  TimeUs now_us() override { return 0; }
  void metric(std::int32_t, std::string_view name, double) override { bytes += name.size(); }
  Result<std::optional<std::string>> get(std::string_view) override { return std::optional<std::string>(); }
  Status put(std::string_view, std::optional<std::string_view>) override { return Done{}; }
  Response http(const HttpRequest&) override { return {}; }
  std::size_t bytes = 0;
};

// Looks at every byte that it is given.
class Looks final : public Sink {
 public:
  Status record(const Emitted& e) override {
    for (const std::string_view text : {e.key, e.entity, e.name, e.payload, e.place}) look(text);
    return Done{};
  }
  Status reject(const Rejected& r) override {
    for (const std::string_view text : {r.key, r.place, r.reason, r.text}) look(text);
    return Done{};
  }
  Status checkpoint(std::string_view cursor) override {
    look(cursor);
    return Done{};
  }
  void ended() override {}

 private:
  void look(std::string_view text) {
    for (const char c : text) sum_ += static_cast<unsigned char>(c);
  }
  std::uint64_t sum_ = 0;
};

// Emissions that can be read, of any contents, since chance seldom finds one; now and then a raw word
// between.
std::string emissions_of(std::string_view input) {
  std::string area(std::size_t{1} << 16, '\0');
  wire::Writer w(area);
  ByteReader in(input);
  std::vector<std::uint32_t> named;
  const auto text = [&] {
    const std::string_view bytes = in.text();
    return sluice_str{bytes.data(), bytes.size()};
  };
  while (!in.at_end() && w.ok()) {
    const std::uint8_t what = in.u8();
    w.number(what % 14);
    switch (static_cast<wire::Emission>(what % 14)) {
      case wire::Emission::request: {
        named.clear();
        for (std::uint8_t left = in.u8() % 8; left > 0; --left) named.push_back(in.u8() % (records + 2));
        sluice_request request{};
        request.purpose = in.u8() % 6;
        request.flags = in.u8();
        request.method = text(), request.url = text(), request.body = text(), request.state = text();
        request.records = named.data();
        request.record_count = static_cast<std::uint32_t>(named.size());
        pass(w, static_cast<const sluice_request&>(request));
        break;
      }
      case wire::Emission::outcome: {
        w.number(in.u8() % (records + 2));
        sluice_outcome outcome{};
        outcome.status = static_cast<sluice_status>(in.u8() % 16);
        outcome.receiver = in.u8();
        outcome.reason = text(), outcome.detail = text(), outcome.remote_id = text();
        pass(w, static_cast<const sluice_outcome&>(outcome));
        break;
      }
      case wire::Emission::record: {
        sluice_record record{};
        record.op = in.u8() % 12;
        record.key = text(), record.entity = text(), record.name = text(), record.payload = text();
        record.identifiers = text(), record.remote_id = text(), record.place = text();
        pass(w, static_cast<const sluice_record&>(record));
        break;
      }
      case wire::Emission::reject:
        for (int i = 0; i < 4; ++i) w(text());
        break;
      case wire::Emission::limit:
        w(text()), w.number(in.u8()), w.number(in.varint());
        break;
      case wire::Emission::fail:
      case wire::Emission::log:
        w.number(in.u8()), w(text());
        break;
      case wire::Emission::describe:
      case wire::Emission::checkpoint:
        w(text());
        break;
      default:
        if (what % 3 == 0) w.number(in.varint());
    }
  }
  area.resize(w.size());
  return area;
}

// As a call of each kind takes it: what its records end as is what counts.
void take(std::string_view emitted, std::uint8_t kind) {
  // An area of its own size: one byte beyond it is found by the address sanitizer.
  const auto area = std::make_unique<char[]>(emitted.size());
  if (!emitted.empty()) std::memcpy(area.get(), emitted.data(), emitted.size());
  Services services;
  Looks sink;
  const Host host(services, {}, {});
  CallContext context{.host = services, .stop = {}, .purpose = SLUICE_FOR_PLAN, .asked = {}};
  constexpr std::uint32_t by_kind[] = {emits_requests | emits_outcomes, emits_records | emits_requests,
                                       emits_reply | emits_callbacks, emits_streams};
  context.emits = by_kind[kind % 4];
  const bool judges = kind % 4 == 0;
  if (judges) context.records = records, context.all_asked = true;
  if (kind % 4 == 1 && kind % 8 == 1) context.sink = &sink;
  Call call(context);
  wire::Reader reader({area.get(), emitted.size()});
  HandedOn handed;
  const bool read = hand_on(reader, handed, host, &call);
  if (!call.finish(read ? handed.refused : SLUICE_INTERNAL)) return;
  if (kind % 4 == 1) SLUICE_CHECK(call.deliver_to(sink));
  if (!judges) return;
  std::uint32_t fates[records] = {};
  for (const Fate& fate : call.output().outcomes) ++fates[fate.record];
  for (const Request& request : call.output().requests) {
    if (request.purpose != SLUICE_FOR_PLAN) continue;
    for (const std::uint32_t index : request.records) ++fates[index];
  }
  for (const std::uint32_t count : fates) SLUICE_CHECK(count == 1);
}

}  // namespace
}  // namespace sluice::plugin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::uint8_t kind = data[0] >> 1;
  if ((data[0] & 1) == 0) {
    sluice::plugin::take(input, kind);
  } else {
    sluice::plugin::take(sluice::plugin::emissions_of(input), kind);
  }
  return 0;
}
