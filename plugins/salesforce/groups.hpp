// Inside this connector: the requests of a call while they are put together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sluice/json.hpp"

#include "destination.hpp"

namespace sluice::salesforce {

// "REST API Developer Guide": a collection takes 200 records; a URL and its headers are at most 16 KB, of
// which a session's token is a part.
inline constexpr std::size_t records_max = 200;
inline constexpr std::size_t looked_for_max = 100;           // identifiers in a query's IN (...)
inline constexpr std::size_t looked_for_bytes_max = 10'000;  // the same, as they stand in the URL

class Destination::Groups {
 public:
  // The group that has room for so many more; `bytes` of a query alone.
  Group& of(Kind kind, std::string_view list = {}, std::size_t count = 1, std::size_t bytes = 0);
  std::vector<Group> all;
};

// Says of what object a record is.
void name_type(sdk::Json& record, std::string_view type);

}  // namespace sluice::salesforce
