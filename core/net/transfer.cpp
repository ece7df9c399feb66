#include "net/transfer.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/json.hpp"
#include "base/text.hpp"

namespace sluice::net {

namespace {

constexpr std::size_t response_header_bytes_max = 256 * 1024;

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  transfer.header_bytes += size * count;
  if (transfer.header_bytes > response_header_bytes_max) return 0;
  HttpResponse& response = transfer.response;
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {
    response.headers.clear();  // what came before was an interim answer
    return line.size();
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    response.headers.emplace_back(lower_ascii(trim(line.substr(0, colon))), trim(line.substr(colon + 1)));
  }
  return line.size();
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string& body = transfer.response.body;
  if (body.size() + size * count > response_bytes_max) {
    transfer.too_large = true;
    return 0;
  }
  body.append(data, size * count);
  return size * count;
}

std::string text_of(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    (void)inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    (void)inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  }
  return text;
}

// After the name was resolved and before a connection is made: what a name resolves to cannot change in
// between.
curl_socket_t on_open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (!transfer.request.allow_private && !is_public_address(text_of(&address->addr))) {
    transfer.refused_address = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// A connection that a request with allow_private made may be used again by one without: asked before each
// request too.
int on_connected(void* user, char* address, char*, int, int) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.request.allow_private || is_public_address(address)) return CURL_PREREQFUNC_OK;
  transfer.refused_address = true;
  return CURL_PREREQFUNC_ABORT;
}

std::int64_t retry_after_ms(std::string_view text) {
  if (text.empty()) return -1;
  std::int64_t seconds = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr std::int64_t seconds_max = 86'400 * 365;
  if (bad == std::errc{} && end == text.data() + text.size()) {
    return seconds < 0 ? -1 : std::min(seconds, seconds_max) * 1'000;
  }
  const std::time_t at = curl_getdate(std::string(text).c_str(), nullptr);
  if (at < 0) return -1;
  return std::clamp<std::int64_t>(at - std::time(nullptr), 0, seconds_max) * 1'000;
}

bool failed_before_sending(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string place_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t from = scheme == std::string::npos ? 0 : scheme + 3;
  const std::string authority = url.substr(from, url.find_first_of("/?#", from) - from);
  return url.substr(0, from) + authority.substr(authority.rfind('@') + 1);
}

std::string_view mistake_in(const HttpRequest& request) {
  const auto breaks = [](const std::string& text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
  };
  if (breaks(request.method) || breaks(request.url) ||
      std::any_of(request.headers.begin(), request.headers.end(),
                  [&](const auto& h) { return breaks(h.first) || breaks(h.second); })) {
    return "a line break stands in the URL, the method or a header of the request";
  }
  // Where a proxy connects to is not ours to see.
  if (!request.proxy.empty() && !request.allow_private)
    return "a proxy is for hosts that the configuration names";
  return {};
}

void apply(CURL* easy, Transfer& t, const ClientOptions& options) {
  const HttpRequest& r = t.request;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &t);
  curl_easy_setopt(easy, CURLOPT_URL, r.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  curl_easy_setopt(easy, CURLOPT_PROXY, r.proxy.c_str());  // an empty text keeps the environment's out too
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(r.timeout_ms));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(r.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &t);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &t);
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(response_bytes_max));
  if (!options.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  if (!r.unix_socket.empty()) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, r.unix_socket.c_str());
  } else {
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &t);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, &t);
  }

  if (r.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  const bool with_body = !r.body.empty() || r.method == "POST" || r.method == "PUT" || r.method == "PATCH";
  if (with_body) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r.body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.body.size()));
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r.method.c_str());
  curl_slist* list = curl_slist_append(nullptr, "Expect:");  // no waiting for 100-continue
  bool typed = false;
  for (const auto& [name, value] : r.headers) {
    typed = typed || equals_ignoring_case(name, "content-type");
    list = curl_slist_append(list, (value.empty() ? name + ";" : name + ": " + value).c_str());
  }
  if (!typed) list = curl_slist_append(list, "Content-Type:");  // curl's own guess is a form's
  t.headers.reset(list);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
}

void finish(Transfer& t, CURLcode code) {
  HttpResponse& response = t.response;
  CURL* easy = t.easy.get();
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK) {
    response.status = static_cast<int>(status);
    response.reached = Reached::yes;
    response.retry_after_ms = retry_after_ms(response.header("retry-after"));
    response.body.reserve(response.body.size() + json_padding);
    return;
  }
  // A broken answer is not an answer: what it says cannot be relied upon.
  long sent = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
  response.reached =
      failed_before_sending(code) || sent == 0 || t.refused_address ? Reached::no : Reached::unknown;
  response.headers.clear();
  response.body.clear();
  if (t.refused_address) {
    response.error =
        place_of(t.request.url) + " is a private or local address, which this request may not reach";
  } else if (t.too_large || code == CURLE_FILESIZE_EXCEEDED) {
    response.error = place_of(t.request.url) + " sent an answer of more than 4 MiB";
  } else if (t.header_bytes > response_header_bytes_max) {
    response.error = place_of(t.request.url) + " sent headers of more than 256 KiB";
  } else {
    response.error = place_of(t.request.url) + ": " + lower_ascii(curl_easy_strerror(code));
  }
}

}  // namespace sluice::net
