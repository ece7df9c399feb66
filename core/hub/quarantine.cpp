// The command that lets an identifier join people again.
#include "base/json.hpp"
#include "hub/hub.hpp"

namespace sluice::hub {

namespace {
constexpr DurationUs step_patience = 30 * us_per_s;
}

Status Hub::release(std::string_view identifier) {
  const std::size_t colon = identifier.find(':');
  if (colon == std::string_view::npos)
    return Error{Code::misconfigured, "write TYPE:VALUE, as the list shows it: email:desk@shop.example"};
  const std::string type(identifier.substr(0, colon)), value(identifier.substr(colon + 1));
  bool there = false;
  read([&](const World& world) { there = world.state.is_quarantined(state::name_id(type), value); });
  if (!there) {
    return Error{Code::misconfigured, "this identifier is not in quarantine: write it as the list shows it"};
  }
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::command;
  JsonWriter(drafts[0].payload)
      .begin_object()
      .member("command", "release")
      .member("type", type)
      .member("value", value)
      .end_object();
  const std::uint64_t seq = SLUICE_TRY(submit(std::move(drafts)));
  (void)engine_->step().wait_until_stepped(seq, step_patience);
  return Done{};
}

}  // namespace sluice::hub
