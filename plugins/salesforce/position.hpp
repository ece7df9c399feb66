// Where reading a stream stands: goes into the cursor that the hub keeps, and into the state of each request.
// Texts of JSON, both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/plugin.hpp"

namespace sluice::salesforce {

// A type of Salesforce's, as far as it matters to a row: what a cell of a CSV becomes.
enum class Cell : char { text = 's', number = 'n', boolean = 'b', compound = 'c' };

struct Field {
  std::string name;  // as the configuration has it: "Email", "Account.Name", "MailingAddress.city"
  Cell cell = Cell::text;

  // As a query names it: an address comes as a whole.
  std::string_view asked() const {
    return cell == Cell::compound ? std::string_view(name).substr(0, name.find('.')) : name;
  }
};

enum class Step : char { describe = 'd', query = 'q', page = 'p', made = 'm', job = 'j', results = 'r' };

struct Position {
  std::string time_field;                   // SystemModstamp, ...; empty: not known yet
  bool deletes = false;                     // the object has IsDeleted
  std::optional<std::int64_t> watermark;    // everything before it was read; us
  std::optional<std::int64_t> answered_at;  // when the vendor began to answer this pass
  std::string job, locator;                 // of the Bulk API: under way
  std::vector<Field> fields;                // what is asked for; empty: the object was not described yet

  // Of one pass alone, not of the cursor:
  Step step = Step::query;
  std::optional<std::int64_t> from, until;  // the window that is asked for: [from, until)
  std::int64_t window_us = 0;               // its length, after a time-out
  std::optional<std::int64_t> newest;       // that was seen
  bool begun = false;                       // a snapshot's begin was said
  bool bulk = false, no_bulk = false;       // it is wanted; it failed
  std::uint32_t delay_ms = 0;               // of the last look at the job

  std::string cursor() const;
  std::string state() const;
  static Position of_cursor(std::string_view text);  // of anything else: a beginning
  static std::optional<Position> of_state(std::string_view text);
};

}  // namespace sluice::salesforce
