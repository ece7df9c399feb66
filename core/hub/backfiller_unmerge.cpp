// Merges that are taken back, beside the live step: the shadow goes with the journal until what it has
// counts.
#include <algorithm>

#include "base/log.hpp"
#include "hub/backfiller_job.hpp"

namespace sluice::hub {

// Called with the world held: the job's end, in a line for the log. Empty: there was none.
std::string Backfiller::end_of_job(const World& world) const {
  if (job_->unmerge.id == 0) {
    if (job_->wants.id == 0) return {};
    return "the history has been read: " + joined(job_->names) + " hold from now on";
  }
  const auto& unmerges = world.state.apart.unmerges;
  const bool done = std::any_of(unmerges.begin(), unmerges.end(),
                                [&](const auto& u) { return u.id == job_->unmerge.id && u.done; });
  return done ? "the merge of input " + std::to_string(job_->unmerge.input) +
                    " has been taken back: those it joined are people of their own again"
              : "";
}

bool Backfiller::submit(InputKind kind, std::string payload) {
  std::vector<Draft> drafts(1);
  drafts[0].kind = kind;
  drafts[0].payload = std::move(payload);
  return journal_.submit(std::move(drafts), [](const Status&, std::uint64_t) {}) == Submit::ok;
}

// The shadow goes with the journal's end; a graft counts if nobody whom it concerns changes on its way, else
// the next one follows.
Status Backfiller::pump_unmerge(bool& moved) {
  Job& job = *job_;
  const std::uint64_t durable = journal_.log().durable_seq();
  SLUICE_TRY(read_on(durable, moved));
  const std::uint64_t at = job.shadow->state.seq;
  const DurationUs now = clock_.monotonic_us();
  const bool answered = at > job.submitted || now - job.asked > ask_again;
  if (at < durable || (job.submitted != 0 && !answered)) return Done{};
  Result<UnmergeGraft> graft = Error{Code::transient, {}};
  step_.read([&](const World& live) {
    // Behind the shadow it does not know yet who is who; a moment later it does.
    if (live.state.seq < at) return;
    graft = draft_unmerge(live, *job.shadow, job.unmerge);
    job.watched = live.state.apart.watched;
  });
  if (!graft && graft.error().code == Code::transient) return Done{};
  if (!graft) {
    log_error("hub", "a merge is not taken back: " + graft.error().detail);
    moved = submit(InputKind::command, give_up_command(job.unmerge.id));
  } else {
    const auto watched = [&](ProfileId id) {
      return std::any_of(job.watched.begin(), job.watched.end(),
                         [&](const state::Watched& w) { return w.person == id; });
    };
    std::vector<ProfileId> others = graft.value().gone;
    std::erase_if(others, watched);
    std::string payload;
    if (others.empty()) graft.value().encode(payload);
    moved = others.empty() ? submit(InputKind::graft, std::move(payload))
                           : submit(InputKind::command, watch_command(job.unmerge.id, others));
  }
  if (moved) {
    job.submitted = at;
    job.asked = now;
  }
  return Done{};
}

}  // namespace sluice::hub
