#include "model/event_members.hpp"

#include <string_view>

namespace sluice {

namespace {

// The length leaves one or two to compare with.
Json EventMembers::* member_of(std::string_view key) {
  const auto is = [key](std::string_view name, Json EventMembers::* member) {
    return key == name ? member : nullptr;
  };
  switch (key.size()) {
    case 4:
      return is("type", &EventMembers::type);
    case 5:
      return is("event", &EventMembers::event);
    case 6:
      if (key == "userId") return &EventMembers::user_id;
      if (key == "traits") return &EventMembers::traits;
      return is("sentAt", &EventMembers::sent_at);
    case 7:
      if (key == "context") return &EventMembers::context;
      return is("groupId", &EventMembers::group_id);
    case 8:
      return is("writeKey", &EventMembers::write_key);
    case 9:
      if (key == "messageId") return &EventMembers::message_id;
      return is("timestamp", &EventMembers::timestamp);
    case 10:
      if (key == "properties") return &EventMembers::properties;
      return is("previousId", &EventMembers::previous_id);
    case 11:
      return is("anonymousId", &EventMembers::anonymous_id);
    case 17:
      return is("originalTimestamp", &EventMembers::original_timestamp);
    default:
      return nullptr;
  }
}

}  // namespace

EventMembers members_of(Json event) {
  EventMembers found;
  event.members([&](std::string_view key, Json value) {
    if (const auto member = member_of(key)) found.*member = value;
  });
  return found;
}

}  // namespace sluice
