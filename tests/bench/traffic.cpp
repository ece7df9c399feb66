#include "traffic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string_view>

#include "base/hash.hpp"
#include "base/time.hpp"

namespace sluice::bench {

namespace {

constexpr double exponent = 0.99;
constexpr std::int64_t stride = 15'485'863;  // a prime: who comes often stands anywhere among the people
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

std::string now_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return format_time(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

std::string post(const std::string& body, const std::string& host) {
  std::string out = "POST /v1/batch HTTP/1.1\r\nHost: " + host +
                    "\r\nContent-Type: application/json\r\nAuthorization: Basic " +
                    base64(std::string(write_key) + ":") +
                    "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out += body;
  return out;
}

void append_identity(Text& out, std::int64_t person) {
  out << R"("type":"identify","userId":"user-)" << person << R"(","anonymousId":"device-)" << person
      << R"(","traits":{"email":"user)" << person << R"(@shop.example","phone":"+336)" << 10'000'000 + person
      << R"(","first_name":"Camille","plan":")" << (person % 3 == 0 ? "pro" : "free")
      << R"(","country":"FR"},)";
}

void append_context(Text& out, std::int64_t n) {
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

std::int64_t Traffic::person_of(std::int64_t n) const {
  // The inverse of Zipf's distribution function, with the sum taken as an integral.
  const double uniform = static_cast<double>(hash64_pair(static_cast<std::uint64_t>(n), 7) >> 11U) * 0x1p-53;
  const double rest = 1 - exponent, most = std::pow(static_cast<double>(people_) + 1, rest);
  const auto rank =
      static_cast<std::int64_t>(std::pow(1 + uniform * (most - 1), 1 / rest)) - 1;  // 0: who comes most often
  return rank % people_ * stride % people_;
}

void Traffic::append_event(std::string& body, std::int64_t n, const std::string& time) const {
  const std::int64_t person = person_of(n);
  Text out(body);
  out << R"({"messageId":"bench-)" << n << R"(","timestamp":")" << time << R"(",)";
  if (is_track(n)) {
    out << R"("type":"track","userId":"user-)" << person << R"(","event":")"
        << names[static_cast<std::size_t>(n % 4)] << R"(","properties":{"n":)" << n << R"(,"order":"o-)"
        << n / 4 << R"(","sku":"sku-)" << n % 300 << R"(","total":)" << 10 + n % 290
        << R"(.95,"currency":"EUR","quantity":)" << 1 + n % 4 << R"(,"voucher":null,"gift":false},)";
  } else if (n % 10 == 0) {
    append_identity(out, person);
  } else {
    out << R"("type":"page","anonymousId":"device-)" << person << R"(","name":"Product","properties":{"n":)"
        << n << R"(,"title":"Product","path":"/product/)" << n % 800
        << R"(","referrer":"https://search.example/"},)";
  }
  append_context(out, n);
}

std::string Traffic::body_of(std::int64_t first, std::int64_t count) const {
  const std::string time = now_text();
  std::string body;
  body.reserve(static_cast<std::size_t>(count) * 700);
  body = R"({"batch":[)";
  for (std::int64_t n = first; n < first + count; ++n) {
    if (n > first) body += ',';
    append_event(body, n, time);
  }
  body += R"(],"sentAt":")" + time + R"("})";
  return body;
}

std::string Traffic::lines_of(std::int64_t first, std::int64_t count) const {
  return lines_of(first, count, now_text());
}

std::string Traffic::lines_of(std::int64_t first, std::int64_t count, const std::string& time) const {
  std::string lines;
  lines.reserve(static_cast<std::size_t>(count) * 700);
  for (std::int64_t n = first; n < first + count; ++n) {
    append_event(lines, n, time);
    lines += '\n';
  }
  return lines;
}

std::string Traffic::request_of(std::int64_t first, std::int64_t count, const std::string& host) const {
  return post(body_of(first, count), host);
}

std::string Traffic::introduction_of(std::int64_t person, const std::string& time) {
  std::string event;
  Text out(event);
  out << R"({"messageId":"person-)" << person << R"(","timestamp":")" << time << R"(",)";
  append_identity(out, person);
  append_context(out, person);
  return event;
}

std::string Traffic::introduce(std::int64_t first, const std::string& host) const {
  const std::string time = now_text();
  std::string body = R"({"batch":[)";
  for (std::int64_t person = first; person < std::min(first + batch_events, people_); ++person) {
    if (person > first) body += ',';
    body += introduction_of(person, time);
  }
  body += R"(],"sentAt":")" + time + R"("})";
  return post(body, host);
}

}  // namespace sluice::bench
