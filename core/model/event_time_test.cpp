#include "model/event_time.hpp"

#include <catch2/catch.hpp>

#include "model/event_members.hpp"

namespace sluice {
namespace {

constexpr TimeUs received = 1'800'000'000 * us_per_s;

TimeUs of(const std::string& event, TimeUs batch_sent = no_time) {
  JsonParser parser;
  const EventMembers m = members_of(parser.parse(event));
  return event_time(m.timestamp, m.original_timestamp, m.sent_at, batch_sent, received);
}

std::string member(const char* name, TimeUs time) {
  return std::string("\"") + name + "\":\"" + format_time(time) + "\"";
}

TEST_CASE("a client's wrong clock is set right by its time of sending", "[model]") {
  const DurationUs wrong = 3 * us_per_d;
  const TimeUs happened = received - 10 * us_per_min;
  for (const DurationUs skew : {wrong, -wrong}) {
    CHECK(event_time(happened + skew, received + skew, received) == happened);
  }
}

TEST_CASE("without a time of sending the client's time is believed, without its own time the receipt's",
          "[model]") {
  CHECK(event_time(received - us_per_d, no_time, received) == received - us_per_d);
  CHECK(event_time(no_time, received - us_per_d, received) == received);
  CHECK(event_time(no_time, no_time, received) == received);
}

TEST_CASE("what is more than five minutes ahead happened at its receipt", "[model]") {
  CHECK(event_time(received + event_ahead_max, no_time, received) == received + event_ahead_max);
  CHECK(event_time(received + event_ahead_max + 1, no_time, received) == received);
  CHECK(event_time(received + us_per_h, received, received) == received);
}

TEST_CASE("an event's own time of sending wins over its batch's", "[model]") {
  const TimeUs happened = received - us_per_min;
  const std::string event =
      "{" + member("timestamp", happened) + "," + member("sentAt", received - us_per_s) + "}";
  CHECK(of(event, received - us_per_h) == happened + us_per_s);
  CHECK(of("{" + member("timestamp", happened) + "}", received - us_per_s) == happened + us_per_s);
}

TEST_CASE("a timestamp beside an originalTimestamp was corrected already", "[model]") {
  const TimeUs at = received - us_per_h;
  const std::string sent = member("sentAt", received - 7 * us_per_s);
  CHECK(of("{" + member("timestamp", at) + "," + member("originalTimestamp", at - us_per_d) + "," + sent +
           "}") == at);
  CHECK(of("{" + member("originalTimestamp", at) + "," + sent + "}") == at + 7 * us_per_s);
}

TEST_CASE("a time that cannot be read counts as absent", "[model]") {
  for (const char* bad :
       {R"({"timestamp":"soon"})", R"({"timestamp":17})", R"({"timestamp":null})", "{}", "[]"}) {
    CHECK(of(bad) == received);
  }
}

}  // namespace
}  // namespace sluice
