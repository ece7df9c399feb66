// Inside this room: HostServices and an instance's secrets behind the C table that a connector sees.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "plugin/credentials.hpp"
#include "plugin/host_services.hpp"
#include "plugin/http_request.hpp"

namespace sluice::plugin {

inline constexpr std::size_t state_value_bytes_max = 64 << 10;

class Host : public sluice_host {  // [any]
 public:
  Host(HostServices& services, std::map<std::string, std::string> secrets, HttpPolicy policy);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() { credentials_->close(); }
  const HttpPolicy& policy() const { return policy_; }
  const std::shared_ptr<Credentials>& credentials() const { return credentials_; }
  // Sends with credentials and waits. rejected: it may not be sent; misconfigured: there are no credentials
  // for it. What is wrong only for now is a response with status 0.
  Result<Response> exchange(const Request& request) const;

 private:
  static const Host& self(const sluice_host* host) { return *static_cast<const Host*>(host); }
  sluice_status send(const sluice_request& request, sluice_http_sink sink, void* arg) const;

  HostServices& services_;
  std::map<std::string, std::string> secrets_;
  HttpPolicy policy_;
  std::shared_ptr<Credentials> credentials_;
};

// The C form of a Response, its body padded. Valid while `response` and this are.
class ResponseView {
 public:
  explicit ResponseView(const Response& response);
  const sluice_response* get() const { return &c_; }

 private:
  std::string body_;
  std::vector<sluice_header> headers_;
  sluice_response c_{};
};

}  // namespace sluice::plugin
