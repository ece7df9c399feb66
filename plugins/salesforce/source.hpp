// The source: an object of Salesforce is a stream; what has changed in it is asked for by its time of change.
//
// One pass: [describe] -> query, page by page; or, where many rows are due, a job of the Bulk API, which is
// looked at until it is done and read in parts. It stands in Position; README.md says it for people.
#pragma once

#include <string>

#include "sluice/plugin.hpp"

#include "api.hpp"
#include "position.hpp"
#include "rows.hpp"

namespace sluice::salesforce {

class Source {
 public:
  static constexpr std::uint32_t kind = SLUICE_SOURCE;
  static constexpr char id[] = "salesforce.source";

  Source(const sdk::Host& host, const sdk::Open& open);

  void check(sdk::Call& call) { ask_check(path_, call); }
  void discover(const sdk::Discover& what, sdk::Call& call);
  void fetch(const sdk::Poll& poll, sdk::Call& call);
  void interpret(const sdk::Poll& poll, const sdk::Response& response, sdk::Call& call);

 private:
  enum class Bulk : std::uint8_t { automatic, never, always };

  void ask_description(const sdk::Poll& poll, Position position, sdk::Call& call) const;
  void ask_rows(const sdk::Poll& poll, Position position, sdk::Call& call) const;
  void ask_page(std::string_view url, Position position, sdk::Call& call) const;
  void ask_job(Position position, sdk::Call& call) const;
  void ask_results(Position position, sdk::Call& call) const;
  std::string query(const sdk::Poll& poll, const Position& position, bool ordered) const;
  bool may_use_bulk(const Position& position) const;

  void described(const sdk::Poll& poll, const sdk::Response& response, Position position, sdk::Call& call);
  void page(const sdk::Poll& poll, const sdk::Response& response, Position position, sdk::Call& call);
  void job_made(const sdk::Poll& poll, const sdk::Response& response, Position position, sdk::Call& call);
  void job_seen(const sdk::Poll& poll, const sdk::Response& response, Position position, sdk::Call& call);
  void results(const sdk::Poll& poll, const sdk::Response& response, Position position, sdk::Call& call);
  void emit(const sdk::Poll& poll, const Row& row, Position& position, sdk::Call& call) const;
  void begin_snapshot(const sdk::Poll& poll, Position& position, sdk::Call& call) const;
  void read_window(const sdk::Poll& poll, Position position, sdk::Call& call) const;
  void done(const sdk::Poll& poll, Position position, sdk::Call& call) const;

  // What went wrong, where something can be done about it here; else Fail.
  void trouble(const sdk::Poll& poll, const sdk::Response& response, Position position, sdk::Call& call);
  void halve(const sdk::Poll& poll, const sdk::Response& response, Position position, sdk::Call& call) const;

  sdk::Host host_;
  std::string path_;
  Bulk bulk_ = Bulk::automatic;
  std::int64_t bulk_rows_ = 0;
};

}  // namespace sluice::salesforce
