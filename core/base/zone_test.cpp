#include "base/zone.hpp"

#include <catch2/catch.hpp>

namespace sluice {
namespace {

std::string start_of_day(const std::string& zone, const std::string& time, std::int64_t days = 0) {
  const Zone* const found = find_zone(zone);
  REQUIRE(found != nullptr);
  return format_time(day_start(found, *parse_time(time), days));
}

}  // namespace

TEST_CASE("a day of a zone begins at its own midnight") {
  CHECK(start_of_day("UTC", "2026-03-10T23:59:59.999999Z") == "2026-03-10T00:00:00.000Z");
  CHECK(start_of_day("Europe/Paris", "2026-01-10T22:59:59.999999Z") == "2026-01-09T23:00:00.000Z");
  CHECK(start_of_day("Europe/Paris", "2026-01-10T23:00:00Z") == "2026-01-10T23:00:00.000Z");
  CHECK(start_of_day("America/New_York", "2026-01-10T04:59:59Z") == "2026-01-09T05:00:00.000Z");
  CHECK(start_of_day("Asia/Kathmandu", "2026-01-10T18:20:00Z") == "2026-01-10T18:15:00.000Z");
  CHECK(start_of_day("UTC", "1969-12-31T12:00:00Z") == "1969-12-31T00:00:00.000Z");
}

TEST_CASE("days are counted over changes of the clock: they have 23 or 25 hours then") {
  // 29 March 2026: 02:00 is 03:00 in Paris. 25 October: 03:00 is 02:00.
  CHECK(start_of_day("Europe/Paris", "2026-03-29T12:00:00Z") == "2026-03-28T23:00:00.000Z");
  CHECK(start_of_day("Europe/Paris", "2026-03-29T12:00:00Z", 1) == "2026-03-29T22:00:00.000Z");
  CHECK(start_of_day("Europe/Paris", "2026-10-25T12:00:00Z") == "2026-10-24T22:00:00.000Z");
  CHECK(start_of_day("Europe/Paris", "2026-10-25T12:00:00Z", 1) == "2026-10-25T23:00:00.000Z");
  CHECK(start_of_day("Europe/Paris", "2026-10-28T12:00:00Z", -6) == "2026-10-21T22:00:00.000Z");
}

TEST_CASE("a midnight that is left out is the change; of one that comes twice the first begins the day") {
  // Cairo, 24 April 2026: 00:00 is 01:00. Havana, 1 November 2026: 01:00 is 00:00 once more.
  CHECK(start_of_day("Africa/Cairo", "2026-04-24T12:00:00Z") == "2026-04-23T22:00:00.000Z");
  CHECK(start_of_day("America/Havana", "2026-11-01T05:30:00Z") == "2026-11-01T04:00:00.000Z");
  CHECK(start_of_day("America/Havana", "2026-11-01T04:30:00Z") == "2026-11-01T04:00:00.000Z");
  // Samoa had no 30 December 2011: the day after the 29th is the 31st, at the same moment.
  CHECK(start_of_day("Pacific/Apia", "2011-12-30T09:00:00Z", 1) == "2011-12-30T10:00:00.000Z");
  CHECK(start_of_day("Pacific/Apia", "2011-12-30T09:00:00Z", 2) == "2011-12-30T10:00:00.000Z");
}

TEST_CASE("where the clock goes back over midnight the day that had begun goes on") {
  // St. John's, 29 October 2006: 00:01 is 23:01 of the 28th once more.
  CHECK(start_of_day("America/St_Johns", "2006-10-29T02:29:59Z") == "2006-10-28T02:30:00.000Z");
  CHECK(start_of_day("America/St_Johns", "2006-10-29T02:30:00Z") == "2006-10-29T02:30:00.000Z");
  CHECK(start_of_day("America/St_Johns", "2006-10-29T03:00:00Z") == "2006-10-29T02:30:00.000Z");
  CHECK(start_of_day("America/St_Johns", "2006-10-29T03:00:00Z", 1) == "2006-10-30T03:30:00.000Z");
}

TEST_CASE("without a zone days are those of UTC") {
  CHECK(day_start(nullptr, *parse_time("2026-03-10T23:59:59Z"), 1) == *parse_time("2026-03-11"));
  CHECK(day_start(nullptr, *parse_time("1969-12-31T23:59:59Z"), 0) == *parse_time("1969-12-31"));
}

TEST_CASE("a zone of no such name is none") {
  CHECK(find_zone("Europe/Atlantis") == nullptr);
  CHECK(find_zone("") == nullptr);
  CHECK_FALSE(zone_data_version().empty());
}

}  // namespace sluice
