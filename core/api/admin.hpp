// The admin door: everything that reads or commands a running hub. A Unix socket (0600) by default; over TCP
// only with a token, and never for another Host or a page's Origin.
//
//   GET  /healthz /readyz /metrics
//   GET  /v1/profiles/PERSON            PERSON: an id, or type:value
//   GET  /v1/audiences[/NAME]
//   GET  /v1/identity/PERSON            identifiers, and which event joined whom, when and by which of them
//   GET  /v1/backfill                   {"state": none | reading | handing over | failed, "waits":[names], …}
//   GET  /v1/outbox
//   GET  /v1/dead[?destination=&reason=&kind=]   /v1/dead/ID
//   POST /v1/dead/replay {"ids":[…]} or {"destination","reason","kind"}: all that match; answers
//        {"taken","handed_back","left_out","not_open"}
//   GET  /v1/quarantine                 {"quarantine":[{"type","value","since","people"}]}
//   POST /v1/quarantine {"release":"TYPE:VALUE"}: answers what is left in it
//   GET  /v1/connect                    {"connections":[{"name","kind","plugin","state","since","detail"}]}
//   POST /v1/connect/NAME {"redirect_uri"}: to the address of the answer a person's browser is sent;
//        answers {"id","authorize_url","redirect_uri"}. POST {"id","answer"}: what the person pasted.
//        GET ?id=: {"state": waiting | exchanging | connected | failed, "error"}
//   GET  /v1/spaces/SPACE/collections/users/profiles/TYPE:VALUE/{traits,external_ids,events,metadata,links}
//        as Segment's Profile API: ?limit=&next= pages; include= names traits, types of external ids or
//        events; class= audience | computed_trait | trait; cursor {url,has_more,next,limit}, errors
//        {"error":{"code","message"}}
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sluice/result.hpp"

#include "hub/hub.hpp"
#include "net/server.hpp"

namespace sluice::api {

class AdminDoor {
 public:
  // [main] Serves when it returns; `hub` must outlive it. misconfigured: TCP without tokens, address in use.
  static Result<std::unique_ptr<AdminDoor>> open(hub::Hub& hub);
  void stop() { server_->stop(); }
  std::string address() const { return server_->address(); }

 private:
  explicit AdminDoor(hub::Hub& hub) : hub_(hub) {}
  net::Response answer(const net::Request& request);
  net::Response route(const net::Request& request);
  bool is_own_name(std::string_view host) const;
  bool allowed(const net::Request& request, net::Response& refusal) const;

  hub::Hub& hub_;
  bool over_tcp_ = false;
  std::unique_ptr<net::HttpServer> server_;
};

// Prometheus text of a running hub.
std::string metrics_text(hub::Hub& hub);

// Segment's Profile API: `rest` is what stands behind ".../profiles/".
net::Response profile_api(hub::Hub& hub, std::string_view rest, const net::Request& request);

net::Response error_answer(int status, std::string_view code, std::string_view message);

}  // namespace sluice::api
