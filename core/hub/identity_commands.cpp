// Commands about who is one person.
#include "base/json.hpp"
#include "hub/hub.hpp"
#include "hub/unmerge.hpp"
#include "hub/views.hpp"

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

Status Hub::unmerge(std::string_view person, std::uint64_t input) {
  Status allowed = Done{};
  ProfileId id = nobody;
  const std::uint64_t first = journal().log().first_seq();
  read([&](const World& world) {
    id = find_person(world, person);
    allowed = check_unmerge(world, id, input, first);
  });
  if (!allowed) return allowed;
  std::vector<Draft> drafts(1);
  drafts[0].kind = InputKind::command;
  drafts[0].payload = unmerge_command(id, input);
  const std::uint64_t seq = SLUICE_TRY(submit(std::move(drafts)));
  (void)engine_->step().wait_until_stepped(seq, step_patience);
  engine_->backfiller().look();
  return Done{};
}

}  // namespace sluice::hub
