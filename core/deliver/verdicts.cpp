#include "deliver/verdicts.hpp"

namespace sluice::deliver {

Fate fate_of(sluice_status status) {
  switch (status) {
    case SLUICE_OK:
      return Fate::delivered;
    case SLUICE_INVALID:
    case SLUICE_UNSUPPORTED:
      return Fate::rejected;
    case SLUICE_AUTH:
      return Fate::auth;
    case SLUICE_THROTTLE:
      return Fate::throttle;
    case SLUICE_SKIPPED:
      return Fate::skipped;
    case SLUICE_UNKNOWN:
      return Fate::unknown;
    default:
      return Fate::retry;
  }
}

void sort_refusals(const CourierRequest& request, const plugin::Response& response, bool step,
                   Answer& answer) {
  const std::int32_t status = response.status;
  const bool credentials = status == 401 || status == 403;
  const bool whole = !step && (status == 413 || status == 400 || status == 422);
  if ((!credentials && !whole) || answer.verdicts.empty() || answer.verdicts.size() != request.records.size())
    return;
  const std::string& reason = answer.verdicts.front().verdict.reason;
  for (const Judged& judged : answer.verdicts) {
    if (judged.verdict.fate != Fate::rejected || judged.verdict.reason != reason) return;
  }
  const Fate fate = credentials ? Fate::auth : status == 413 ? Fate::too_big : Fate::unclear;
  for (Judged& judged : answer.verdicts) judged.verdict.fate = fate;
}

}  // namespace sluice::deliver
