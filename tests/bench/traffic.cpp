#include "traffic.hpp"

#include <array>
#include <charconv>
#include <string_view>

#include "base/hash.hpp"

namespace sluice::bench {

namespace {

constexpr std::int64_t people = 50'000;
constexpr std::int64_t stride = 15'485'863;  // a prime: neighbours in a batch are different people
constexpr std::array<std::string_view, 4> names{"Product Viewed", "Product Added", "Order Paid",
                                                "Checkout Started"};

// Appends texts and numbers.
class Text {
 public:
  explicit Text(std::string& out) : out_(out) {}
  Text& operator<<(std::string_view text) {
    out_ += text;
    return *this;
  }
  Text& operator<<(std::int64_t number) {
    std::array<char, 24> digits{};
    const auto [end, _] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    out_.append(digits.data(), end);
    return *this;
  }

 private:
  std::string& out_;
};

void append_event(std::string& body, std::int64_t n) {
  const std::int64_t person = n * stride % people;
  Text out(body);
  out << R"({"messageId":"bench-)" << n << R"(","timestamp":"2026-06-01T09:30:00.000Z",)";
  if (is_track(n)) {
    out << R"("type":"track","userId":"user-)" << person << R"(","event":")"
        << names[static_cast<std::size_t>(n % 4)] << R"(","properties":{"n":)" << n << R"(,"order":"o-)"
        << n / 4 << R"(","sku":"sku-)" << n % 300 << R"(","total":)" << 10 + n % 290
        << R"(.95,"currency":"EUR","quantity":)" << 1 + n % 4 << R"(,"voucher":null,"gift":false},)";
  } else if (n % 10 == 0) {
    out << R"("type":"identify","userId":"user-)" << person << R"(","anonymousId":"device-)" << person
        << R"(","traits":{"email":"user)" << person << R"(@shop.example","phone":"+336)"
        << 10'000'000 + person << R"(","first_name":"Camille","plan":")" << (person % 3 == 0 ? "pro" : "free")
        << R"(","country":"FR"},)";
  } else {
    out << R"("type":"page","anonymousId":"device-)" << person << R"(","name":"Product","properties":{"n":)"
        << n << R"(,"title":"Product","path":"/product/)" << n % 800
        << R"(","referrer":"https://search.example/"},)";
  }
  out << R"("context":{"locale":"fr-FR","timezone":"Europe/Paris","ip":"198.51.100.)" << n % 250
      << R"(","userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0","page":{"path":"/product/)"
      << n % 800 << R"(","title":"Caf)" << "\xc3\xa9" << R"( et th)" << "\xc3\xa9"
      << R"(","url":"https://shop.example/product/)" << n % 800
      << R"("},"library":{"name":"analytics.js","version":"next-1.81.0"}}})";
}

}  // namespace

bool is_track(std::int64_t n) {
  return n % 10 > 2;
}
bool is_order(std::int64_t n) {
  return is_track(n) && n % 4 == 2;
}

std::string body_of(std::int64_t first) {
  std::string body;
  body.reserve(batch_events * 700);
  body = R"({"batch":[)";
  for (std::int64_t n = first; n < first + batch_events; ++n) {
    if (n > first) body += ',';
    append_event(body, n);
  }
  body += R"(],"sentAt":"2026-06-01T09:30:00.020Z"})";
  return body;
}

std::string request_of(std::int64_t first, const std::string& host) {
  const std::string body = body_of(first);
  std::string out = "POST /v1/batch HTTP/1.1\r\nHost: " + host +
                    "\r\nContent-Type: application/json\r\nAuthorization: Basic " +
                    base64(std::string(write_key) + ":") +
                    "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out += body;
  return out;
}

}  // namespace sluice::bench
