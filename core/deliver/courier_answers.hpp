// Inside this room: what a connector said, as the lane reads it - its requests, outcomes and limits.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "deliver/audiences.hpp"
#include "deliver/courier.hpp"
#include "deliver/courier_services.hpp"
#include "deliver/flight.hpp"
#include "plugin/connector.hpp"

namespace sluice::deliver {

enum class WasSent : std::uint8_t { no, yes };

class Answers {  // [lane]; borrows what it is made of
 public:
  Answers(const Connections& connections, CourierServices& host, plugin::Connector& connector,
          Audiences& audiences, std::string destination)
      : connections_(connections),
        host_(host),
        connector_(connector),
        audiences_(audiences),
        destination_(std::move(destination)) {}

  // Of plan(), interpret() or provision(). A request that must not leave ends its records.
  Answer answer_of(plugin::Output output, const std::shared_ptr<Batch>& batch, WasSent sent);
  // Of deliver(). A bug in place of an outcome says nothing about what was sent before.
  Verdict verdict_of(plugin::Outcome outcome, WasSent sent) const;
  CourierRequest planned(plugin::Request request, std::shared_ptr<Batch> batch) const;
  // An id that the vendor knows no more is not sent again.
  void forget_if_gone(const plugin::Outcome& outcome, const plugin::Record& record);
  void add_limit(std::size_t bucket, const plugin::RateLimit& limit, Answer& out) const;
  // By the manifest's rate_headers: of the bucket named there, else of the one that this request took from.
  void add_announced(const CourierRequest& request, const plugin::Response& response, Answer& out) const;
  // Nothing has left: the connector is not asked. All requests need the same token, so all of them wait.
  Answer without_credentials(const CourierRequest& request, const CourierResponse& response,
                             const Error& error) const;
  std::size_t bucket_of(const std::string& name) const;

 private:
  const Connections& connections_;
  CourierServices& host_;
  plugin::Connector& connector_;
  Audiences& audiences_;
  const std::string destination_;
};

}  // namespace sluice::deliver
