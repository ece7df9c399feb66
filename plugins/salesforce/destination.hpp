// The destination: people as Contacts or Leads by an external id, events as Tasks or records of an object of
// one's own, audiences as campaign members or a box that is ticked. README.md says it for people.
//
// The records of a call are sorted by what becomes of them; each kind is a request of its own, of at most
// 200. The order of a person's records is the host's: a batch holds one record of a person.
//
// A person who has several of the identifiers that people are known by over there, as one who was two, may
// stand on a list by any of them: members.cpp looks for all.
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
  find = 'f',    // who is a member, of those who leave or have several identifiers ...
  leave = 'l',   // ... is deleted by the members' own ids
  ticked = 't',  // whose box is ticked, of those who have several identifiers ...
  untick = 'o',  // ... is unticked by their own ids
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
    std::vector<std::string> external_ids;  // the one that was heard last goes first
    std::string salesforce_id;              // where an earlier outcome told it

    const std::string& external_id() const;  // empty: there is none
  };
  struct Group {  // one request
    Kind kind = Kind::upsert;
    std::string list;     // of find the campaign, of ticked the field
    std::string records;  // JSON, ids or texts of SOQL, with commas between
    std::vector<std::uint32_t> indexes;
    std::vector<std::size_t> counts;   // of each index, how many stand in `records`
    std::size_t count = 0, bytes = 0;  // of them all; the latter of a query alone

    void add(std::uint32_t index, std::string_view record, std::size_t of_it = 1);
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
  sdk::Json ticked_of(std::string_view field, bool value, const Person& person) const;
  void refer(sdk::Json& out, std::string_view relation, const Person& person) const;
  void emit(const Group& group, sdk::Call& call) const;
  void emit_query(const Group& group, sdk::Request request, sdk::Call& call) const;
  void ask_campaign(const sdk::Json& wanted, sdk::Call& call) const;
  std::string campaign_of(const sdk::Record& record) const;  // empty: the audience is none

  // refresh.cpp
  bool is_lead() const { return object_ == "Lead"; }
  // A condition of SOQL: the members of a campaign that are of our object.
  std::string_view ours() const {
    return is_lead() ? "LeadId != null AND ContactId = null" : "ContactId != null";
  }
  void plan_refresh(const sdk::Batch& batch, sdk::Call& call);
  void ask_members(std::string_view campaign, std::string_view marker, const Group& people,
                   sdk::Call& call) const;
  void ask_stale(const sdk::Json& state, std::vector<std::uint32_t> records, sdk::Call& call) const;
  void ask_others(const sdk::Response& response, sdk::Json state, sdk::Call& call) const;
  void tell_end(const sdk::Response& response, const sdk::Json& state, const sdk::Json& answer,
                sdk::Call& call) const;
  void interpret_refresh(const sdk::Batch& batch, const sdk::Response& response, sdk::Call& call) const;
  void compare_members(const sdk::Batch& batch, const sdk::Response& response, const sdk::Json& state,
                       const sdk::Json& answer, sdk::Call& call) const;
  void drop_stale(const sdk::Response& response, sdk::Json state, const sdk::Json& answer,
                  sdk::Call& call) const;
  void count_joined(const sdk::Json& answer) const;
  void count_dropped(const sdk::Response& response, sdk::Json state, const sdk::Json& answer,
                     sdk::Call& call) const;

  // members.cpp
  void judge_found(const sdk::Batch& batch, const sdk::Response& response, Kind kind, sdk::Call& call) const;
  void judge_counted(const sdk::Batch& batch, const sdk::Response& response, Kind kind,
                     sdk::Call& call) const;
  std::vector<std::string> found_of(const sdk::Json& answer, Kind kind, const Person& person) const;
  static std::string listed(const Person& person);
  static bool fits(const Person& person);  // all of their identifiers, into one query

  void judge_each(const sdk::Batch& batch, const sdk::Response& response, Kind kind, sdk::Call& call) const;
  void judge_campaign(const sdk::Response& response, sdk::Call& call) const;

  sdk::Host host_;
  std::string path_, object_, external_id_, person_id_;
  std::string event_object_, event_external_id_, event_person_, campaign_status_, campaign_marker_;
  std::map<std::string, std::string, std::less<>> audience_fields_, campaigns_, consent_;
};

}  // namespace sluice::salesforce
