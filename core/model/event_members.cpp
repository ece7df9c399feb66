#include "model/event_members.hpp"

#include <array>
#include <string_view>

namespace sluice {

namespace {

Json EventMembers::* member_of(std::string_view key) {
  struct Entry {
    std::string_view key;
    Json EventMembers::* member;
  };
  static constexpr std::array<Entry, 14> entries{{
      {"type", &EventMembers::type},
      {"event", &EventMembers::event},
      {"userId", &EventMembers::user_id},
      {"anonymousId", &EventMembers::anonymous_id},
      {"previousId", &EventMembers::previous_id},
      {"groupId", &EventMembers::group_id},
      {"messageId", &EventMembers::message_id},
      {"timestamp", &EventMembers::timestamp},
      {"originalTimestamp", &EventMembers::original_timestamp},
      {"sentAt", &EventMembers::sent_at},
      {"writeKey", &EventMembers::write_key},
      {"traits", &EventMembers::traits},
      {"properties", &EventMembers::properties},
      {"context", &EventMembers::context},
  }};
  for (const Entry& entry : entries) {
    if (entry.key == key) return entry.member;
  }
  return nullptr;
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
