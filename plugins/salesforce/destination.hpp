// The destination: people as Contacts or Leads by an external id, events as Tasks or records of an object of
// one's own, audiences as campaign members or a box that is ticked. README.md says it for people.
//
// The records of a call are sorted by what becomes of them; each kind is a request of its own, of at most
// 200. The order of a person's records is the host's: a batch holds one record of a person.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

#include "api.hpp"

namespace sluice::salesforce {

// What a request does. Begins its state, and says how its answer is read.
enum class Kind : char {
  upsert = 'u',  // people
  record = 'e',  // events by an external id
  insert = 'i',  // events without one
  join = 'j',    // campaign members
  enlist = 'n',  // the same in a refresh
  mark = 'm',    // members who are there, in a refresh
  find = 'f',    // the members who leave ...
  leave = 'l',   // ... are deleted by their own ids
  remove = 'd',  // people, by their Salesforce id
  forget = 'x',  // one person, by the external id
};

class Destination {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "salesforce.destination";

  Destination(const sdk::Host& host, const sdk::Open& open);

  void check(sdk::Call& call) { ask_check(path_, call); }
  void discover(const sdk::Discover& what, sdk::Call& call);
  void provision(const sdk::Provision& what, sdk::Call& call);
  void plan(const sdk::Batch& batch, sdk::Call& call);
  void interpret(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call);

 private:
  struct Person {
    std::string external_id, salesforce_id;  // the latter where an earlier outcome told it
  };
  struct Group {  // one request
    Kind kind = Kind::upsert;
    std::string campaign;  // of find
    std::string records;   // JSON, ids or texts of SOQL, with commas between
    std::vector<std::uint32_t> indexes;

    void add(std::uint32_t index, std::string_view record);
  };
  class Groups;

  void place(std::uint32_t index, const sdk::Record& record, Groups& groups, sdk::Call& call) const;
  void place_member(std::uint32_t index, const sdk::Record& record, const Person& person, Groups& groups,
                    sdk::Call& call) const;
  void place_removal(std::uint32_t index, const Person& person, Groups& groups) const;
  Person person_of(const sdk::Record& record) const;
  sdk::Json upserted(const Person& person) const;
  sdk::Json event_of(const sdk::Record& record, const Person& person) const;
  sdk::Json member_of(std::string_view campaign, const Person& person) const;
  void refer(sdk::Json& out, std::string_view relation, const Person& person) const;
  void emit(const Group& group, sdk::Call& call) const;
  void ask_campaign(const sdk::Json& wanted, sdk::Call& call) const;
  std::string campaign_of(const sdk::Record& record) const;  // empty: the audience is none

  // refresh.cpp
  void plan_refresh(const sdk::Batch& batch, sdk::Call& call);
  void ask_members(std::string_view campaign, std::string_view marker, const Group& people,
                   sdk::Call& call) const;
  void ask_stale(const sdk::Json& state, std::vector<std::uint32_t> records, sdk::Call& call) const;
  void interpret_refresh(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) const;
  void compare_members(const sdk::Batch& batch, const sdk::Response& response, const sdk::Json& state,
                       const sdk::Json& answer, sdk::Call& call) const;
  void drop_stale(const sdk::Response& response, sdk::Json state, const sdk::Json& answer,
                  sdk::Call& call) const;
  void count_joined(const sdk::Json& answer) const;
  void count_dropped(const sdk::Response& response, sdk::Json state, const sdk::Json& answer,
                     sdk::Call& call) const;

  void judge_each(const sdk::Batch& batch, const sdk::Response& response, Kind kind, sdk::Call& call) const;
  void judge_found(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) const;
  void judge_campaign(const sdk::Response& response, sdk::Call& call) const;
  std::string member_among(const sdk::Json& answer, const Person& person) const;

  sdk::Host host_;
  std::string path_, object_, external_id_, person_id_;
  std::string event_object_, event_external_id_, event_person_, campaign_status_, campaign_marker_;
  std::map<std::string, std::string, std::less<>> audience_fields_, campaigns_, consent_;
};

}  // namespace sluice::salesforce
