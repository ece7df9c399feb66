#include "deliver/flight.hpp"

#include <algorithm>
#include <utility>

#include "base/near.hpp"
#include "deliver/courier_services.hpp"

namespace sluice::deliver {
namespace {

void answered(const Flight& flight, net::HttpResponse response) {
  CourierResponse out;
  out.sent = response.reached != net::Reached::no;
  out.status = response.status;
  out.error = response.error;
  const bool slow_down = response.status == 429 || response.status >= 500 || limit_used_up(response);
  if (response.retry_after_ms >= 0) {
    out.retry_after = response.retry_after_ms * us_per_ms;
  } else if (slow_down) {
    out.retry_after = until_reset(response, flight.connections->clock.wall_us());
  }
  auto got = std::make_shared<Got>(Got{.response = to_response(std::move(response))});
  if (out.retry_after >= 0) got->response.retry_after_ms = out.retry_after / us_per_ms;
  got->response.received = flight.connections->clock.wall_us();
  got->response.state = flight.sent->asked.state;
  got->response.records = flight.sent->asked.records;
  got->response.purpose = flight.sent->asked.purpose;
  out.what = std::move(got);
  flight.done(std::move(out));
}

void no_credentials(const Flight& flight, plugin::TokenAnswer answer) {
  CourierResponse out;
  out.sent = false;
  out.retry_after = answer.retry_after;
  out.error = answer.error->detail;
  out.what = std::make_shared<Got>(Got{.response = {}, .no_credentials = std::move(answer.error)});
  flight.done(std::move(out));
}

}  // namespace

// A second refusal of the token is the answer.
void depart(const std::shared_ptr<Flight>& flight) {
  if (!flight->credentials->fetched() || flight->sent->asked.no_auth) {
    return flight->connections->http.send(to_http(std::move(flight->request)),
                                          [flight](net::HttpResponse r) { answered(*flight, std::move(r)); });
  }
  flight->credentials->token([flight](plugin::TokenAnswer answer) {
    if (!answer.ok()) return no_credentials(*flight, std::move(answer));
    plugin::HttpRequest ready = flight->request;
    flight->credentials->add(answer.token, ready);
    flight->connections->http.send(to_http(std::move(ready)),
                                   [flight, token = answer.token](net::HttpResponse response) {
                                     if (response.status != 401)
                                       return answered(*flight, std::move(response));
                                     flight->credentials->refused(token);
                                     if (std::exchange(flight->renewed, true))
                                       return answered(*flight, std::move(response));
                                     depart(flight);
                                   });
  });
}

std::vector<plugin::Record> records_of(std::span<const Parcel> parcels, const plugin::ManifestInfo& info) {
  std::vector<plugin::Record> records;
  records.reserve(parcels.size());
  constexpr std::size_t ahead = 2, bytes_max = 1'024;  // the step's thread wrote them; most are shorter
  for (std::size_t i = 0; i < parcels.size(); ++i) {
    const Parcel& parcel = parcels[i];
    const Effect& effect = *parcel.effect;
    if (i + ahead < parcels.size()) {
      const std::string& next = parcels[i + ahead].effect->payload;
      bring_near(next.data(), std::min(bytes_max, next.size()));
    }
    plugin::Record& record = records.emplace_back();
    record.op = static_cast<std::uint32_t>(effect.op);
    record.attempt = parcel.attempt;
    record.time = effect.time;
    record.id = parcel.id;
    if (effect.person != nobody) record.key = format_profile_id(effect.person);
    record.name = effect.name;
    record.payload = plugin::with_padding(effect.payload);
    record.identifiers = plugin::asked_identifiers(info.identifiers, effect.identifiers);
    record.address = effect.address;
    record.remote_id = parcel.remote_id;
  }
  return records;
}

}  // namespace sluice::deliver
