// For this room's tests: audiences that a change puts people into, and a workflow that mails them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hub/generated.hpp"

namespace sluice::hub::testing {

using Mails = std::map<std::string, int>;  // how many to whom, by user_id

// Audiences and workflows as they are given; the mail says who it is for.
inline std::string rules(const std::string& audiences, const std::string& workflow = {},
                         const std::string& more = {}) {
  return head + more + "audiences:\n" + audiences + R"(
workflows:
  hello:
    trigger: { enters: vip }
)" + workflow +
         R"(
    steps: [ { id: greet, send: mail, purpose: service, with: { text: "{{ profile.id }} {{ traits.n }}" } } ]
)";
}
inline const std::string nobody_yet = rules("  vip: traits.n > 1e9");
inline const std::string silent = rules("  vip: traits.n > 0.0");
inline const std::string triggers = rules("  vip: { where: traits.n > 0.0, backfill: trigger }");

inline std::string number(const std::string& user, int n) {
  return "'type':'identify','userId':'" + user + "','traits':{'n':" + std::to_string(n) + '}';
}

inline Mails mails_of(const std::vector<Effect>& effects) {
  Mails out;
  JsonParser parser;
  for (const Effect& effect : effects) {
    if (effect.op != Operation::message) continue;
    parser.parse(effect.identifiers)["user_id"].elements(
        [&](Json id) { ++out[std::string(id.string_or(""))]; });
  }
  return out;
}

}  // namespace sluice::hub::testing
