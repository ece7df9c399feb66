#include "session.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>

#include <curl/curl.h>

namespace sluice::smtp {

struct Session::Handle {
  CURL* curl;
};

struct Session::Transfer {
  std::string_view left;  // of the message
  const std::function<bool()>* stop;
  Step step = Step::connect;
  std::string enhanced;
};

namespace {

constexpr long connect_timeout_ms_max = 15'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "550 5.1.1 no such mailbox" -> "5.1.1" (RFC 2034); empty if the reply has none.
std::string enhanced_of(std::string_view line) {
  if (line.size() < 9 || !is_digit(line[4]) || line[5] != '.') return {};
  const std::string_view rest = line.substr(4);
  const std::string_view code = rest.substr(0, rest.find_first_not_of("0123456789."));
  const bool whole =
      std::count(code.begin(), code.end(), '.') == 2 && code.size() <= 9 && is_digit(code.back());
  return whole ? std::string(code) : std::string();
}

// How far a command of RFC 5321 leads; the QUIT after a refusal leads nowhere.
Step step_of(std::string_view command, Step before) {
  if (command.starts_with("QUIT")) return before;
  if (command.starts_with("MAIL")) return Step::sender;
  if (command.starts_with("RCPT")) return Step::recipient;
  if (command.starts_with("DATA")) return Step::data;
  return Step::login;
}

}  // namespace

Session::Session(Server server) : server_(std::move(server)) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  CURL* curl = curl_easy_init();
  if (curl == nullptr) throw std::bad_alloc();
  handle_ = std::make_unique<Handle>(Handle{curl});
}

Session::~Session() {
  curl_easy_cleanup(handle_->curl);
}

void Session::prepare(Transfer& transfer, const std::string& sender) {
  CURL* curl = handle_->curl;
  curl_easy_reset(curl);  // keeps the connection
  curl_easy_setopt(curl, CURLOPT_URL, server_.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(server_.timeout_ms));
  // Without it a server that has fallen silent is still given two minutes to answer our QUIT.
  curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(server_.timeout_ms / 1'000));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   std::min(static_cast<long>(server_.timeout_ms), connect_timeout_ms_max));
  // A password is never sent before TLS, unless the operator says so.
  const bool must =
      server_.tls == Tls::required || (server_.tls == Tls::automatic && !server_.username.empty());
  const curl_usessl tls = must ? CURLUSESSL_ALL : server_.tls == Tls::none ? CURLUSESSL_NONE : CURLUSESSL_TRY;
  curl_easy_setopt(curl, CURLOPT_USE_SSL, static_cast<long>(tls));
  if (!server_.username.empty()) {
    curl_easy_setopt(curl, CURLOPT_USERNAME, server_.username.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, server_.password.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, sender.c_str());
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer.left.size()));
  curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
  curl_easy_setopt(
      curl, CURLOPT_READFUNCTION, +[](char* out, std::size_t size, std::size_t count, void* arg) {
        Transfer& t = *static_cast<Transfer*>(arg);
        const std::size_t bytes = std::min(t.left.size(), size * count);
        std::memcpy(out, t.left.data(), bytes);
        t.left.remove_prefix(bytes);
        if (t.left.empty()) t.step = Step::sent;
        return bytes;
      });
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(
      curl, CURLOPT_HEADERFUNCTION, +[](char* line, std::size_t size, std::size_t count, void* arg) {
        static_cast<Transfer*>(arg)->enhanced = enhanced_of({line, size * count});
        return size * count;
      });
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(
      curl, CURLOPT_XFERINFOFUNCTION, +[](void* arg, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return (*static_cast<Transfer*>(arg)->stop)() ? 1 : 0;
      });
  // The only way to see which command a reply belongs to.
  curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(curl, CURLOPT_DEBUGDATA, &transfer);
  curl_easy_setopt(
      curl, CURLOPT_DEBUGFUNCTION, +[](CURL*, curl_infotype type, char* text, std::size_t size, void* arg) {
        Transfer& t = *static_cast<Transfer*>(arg);
        if (type == CURLINFO_HEADER_OUT) t.step = step_of({text, size}, t.step);
        return 0;
      });
}

Report Session::send(std::string_view from, std::string_view to, std::string_view message,
                     const std::function<bool()>& stop) {
  CURL* curl = handle_->curl;
  Transfer transfer{.left = message, .stop = &stop, .enhanced = {}};
  const std::string sender = "<" + std::string(from) + ">";
  const std::string receiver = "<" + std::string(to) + ">";
  prepare(transfer, sender);
  curl_slist* receivers = curl_slist_append(nullptr, receiver.c_str());
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, receivers);
  const CURLcode result = curl_easy_perform(curl);
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  curl_easy_reset(curl);
  curl_slist_free_all(receivers);

  Report out;
  out.ok = result == CURLE_OK;
  out.step = transfer.step;
  out.code = static_cast<int>(code);
  out.enhanced = std::move(transfer.enhanced);
  if (result == CURLE_LOGIN_DENIED) out.step = Step::login;
  // A reply of 4xx or 5xx is an answer; everything else that failed is silence, whatever was said before.
  out.tls_failed = result == CURLE_USE_SSL_FAILED || result == CURLE_PEER_FAILED_VERIFICATION;
  out.connection_lost = !out.ok && (code < 400 || code > 599);
  if (out.connection_lost) out.why = curl_easy_strerror(result);
  return out;
}

}  // namespace sluice::smtp
