// One SMTP server, spoken to through libcurl, which keeps the connection between mails. Blocking. [serial]
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::smtp {

enum class Tls : std::uint8_t {
  automatic,  // STARTTLS where the server offers it; required as soon as there is a password
  required,
  none,
};

struct Server {
  std::string url;  // smtp://host:587 or smtps://host:465
  std::string username, password;
  Tls tls = Tls::automatic;
  std::int64_t timeout_ms = 30'000;  // of one mail, from connecting to the last answer
};

// How far the dialogue went before it failed.
enum class Step : std::uint8_t { connect, login, sender, recipient, data, sent };

struct Report {
  bool ok = false;
  Step step = Step::connect;    // `sent`: the final dot is out, and only the answer was missing
  int code = 0;                 // the server's last reply; 0: none
  std::string enhanced;         // "5.1.1"; empty: none
  bool tls_failed = false;      // no TLS, or a certificate that does not verify
  bool connection_lost = true;  // nobody answered: what follows would fail likewise
  std::string why;              // libcurl's words for a failure without a reply; no address in it
};

class Session {
 public:
  explicit Session(Server server);
  ~Session();
  Session(Session&&) = delete;
  // `stop` is asked several times a second; true ends the transfer.
  Report send(std::string_view from, std::string_view to, std::string_view message,
              const std::function<bool()>& stop);

 private:
  struct Transfer;
  struct Handle;
  void prepare(Transfer& transfer, const std::string& sender);
  Server server_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace sluice::smtp
