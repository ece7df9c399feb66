// Inside this room: a connector's request on its way to the vendor and back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "deliver/connector_courier.hpp"
#include "plugin/credentials.hpp"
#include "plugin/http_request.hpp"
#include "plugin/manifest.hpp"
#include "plugin/types.hpp"

namespace sluice::deliver {

struct Batch {  // what plan() had; shared by all requests that it made
  std::vector<plugin::Record> records;
  plugin::SnapshotPart part;
};
std::vector<plugin::Record> records_of(std::span<const Parcel> parcels, const plugin::ManifestInfo& info);

// What a request needs until its answer has been read.
struct Sent {
  std::shared_ptr<Batch> batch;
  plugin::Request asked;
  std::string audience = {};               // that provision() is looking for; empty: none
  std::vector<plugin::Request> next = {};  // of provision(): to be asked after this one
  bool waits = false;                      // for another batch's search for it: nothing is sent
};

// What came back: an answer, or why there were no credentials to ask with.
struct Got {
  plugin::Response response;
  std::optional<Error> no_credentials = {};
};

// A request on its way: perhaps twice, when the vendor refuses the token. It outlives its courier.
struct Flight {
  std::shared_ptr<const Connections> connections;
  std::shared_ptr<plugin::Credentials> credentials;
  std::shared_ptr<Sent> sent;
  plugin::HttpRequest request;  // without its token
  std::function<void(CourierResponse)> done;
  bool renewed = false;
};

// Sends it, with a token where one is needed; one that the vendor refuses is fetched anew, once.
void depart(const std::shared_ptr<Flight>& flight);

}  // namespace sluice::deliver
