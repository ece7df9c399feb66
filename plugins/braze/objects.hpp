// The objects that Braze's calls are made of, written as JSON text out of one record each.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sluice/plugin.hpp"

namespace sluice::braze {

struct Settings {
  std::string app_id;       // as a JSON string; empty: none
  std::string alias_label;  // as a JSON string
  std::map<std::string, std::string>
      consent;  // purpose -> email_subscribe, push_subscribe or a subscription group's id
};

// By what Braze shall know the person of a record.
enum class IdKind : std::uint8_t {
  none,         // nothing: the record cannot be sent
  external_id,  // the person's user_id
  email,        // a person known by e-mail alone
  alias,        // the permanent profile id as alias_name, under the configured label
};

struct Person {
  IdKind kind = IdKind::none;
  std::string_view id;  // a JSON string; of an alias: the profile id as plain text
};

Person person_of(const sdk::Record& record);
// `"external_id":"u1"`, `"email":"a@b.test"` or `"user_alias":{…}`; `external_name` is the name under which
// the call at hand wants an external id.
void append_ids(std::string& out, const Person& person, const Settings& settings,
                std::string_view external_name = "external_id");
void append_alias(std::string& out, std::string_view profile,
                  const Settings& settings);  // {"alias_name":…,"alias_label":…}

// One object of `events`. The properties are those of the event if the payload is the event's own JSON, else
// the payload. Property names that Braze reserves or refuses get the prefix `property_`.
void append_event(std::string& out, const sdk::Record& record, const Person& person,
                  const Settings& settings);
// `,"NAME":VALUE`, as Braze takes it: its standard attributes in their formats, no name of its own for the
// profile. Nothing where the value cannot be brought into its format: it would refuse the whole object.
void append_attribute(std::string& out, std::string_view name, std::string_view value,
                      const sdk::Record& record);
// One object of `attributes`: the payload's members.
void append_attributes(std::string& out, const sdk::Record& record, const Person& person,
                       const Settings& settings);
// One object of `attributes`: <audience_key>: true or false.
void append_membership(std::string& out, const sdk::Record& record, const Person& person,
                       const Settings& settings);
// One object of `attributes`: the subscription state of the payload's purpose. False: no setting names that
// purpose.
bool append_consent(std::string& out, const sdk::Record& record, const Person& person,
                    const Settings& settings);
// One object of `recipients`, with the payload's members but campaign_id as trigger_properties.
void append_recipient(std::string& out, const sdk::Record& record, const Person& person,
                      const Settings& settings);

std::string audience_key(std::string_view name);  // lower snake case: "VIP France" -> vip_france

}  // namespace sluice::braze
