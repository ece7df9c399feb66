// What the tracking door finds out of an event's page and visitor, by `derive:` of its source, before the
// event is journaled: so that the step, which asks nobody, and every replay have it as it was found.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sluice/result.hpp"

#include "base/json.hpp"
#include "config/config.hpp"

namespace sluice::ingest {

// Country and region of an IP address, by a database in MaxMind's format. The file is read once: what becomes
// of it afterwards changes nothing.
class Locations {
 public:
  // misconfigured: it cannot be read or is no such database.
  static Result<std::shared_ptr<const Locations>> open(const std::string& path);
  ~Locations();
  Locations(const Locations&) = delete;
  Locations& operator=(const Locations&) = delete;

  struct Found {
    std::string country, region;  // ISO 3166: "FR", "IDF"; empty: not known
  };
  Found find(const std::string& ip) const;  // [any]

 private:
  struct Database;
  explicit Locations(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

// "desktop", "mobile", "tablet", "bot" or "other", by the words that browsers and crawlers put into
// User-Agent.
std::string_view device_of(std::string_view user_agent);

// Whether a page's address fits: '*' stands for any text. A pattern that begins with '/' is compared with the
// path, any other with host and path. "https://" and what follows '?' or '#' are left aside, and so is a
// slash at the end.
bool fits_page(std::string_view pattern, std::string_view url);

class Derivation {
 public:
  // misconfigured: as Locations::open.
  static Result<std::shared_ptr<const Derivation>> open(const config::Derive& wanted);

  struct Visitor {
    std::string_view ip, user_agent;  // of the request; empty: not known
  };
  // {"category":"…","country":"FR","region":"IDF","device":"mobile","campaign":{"source":"…"}} with what was
  // found, at most some hundred bytes beside the configured names; empty: nothing was. `context`: the
  // event's, else its batch's. [any]
  std::string find(Json event, Json context, const Visitor& visitor) const;
  bool takes_address() const { return locations_ != nullptr; }  // it is looked up, and must not be kept

 private:
  Derivation(const config::Derive& wanted, std::shared_ptr<const Locations> locations)
      : wanted_(wanted), locations_(std::move(locations)) {}

  const config::Derive wanted_;
  const std::shared_ptr<const Locations> locations_;  // null: not asked for
};

}  // namespace sluice::ingest
