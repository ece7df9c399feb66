#include "deliver/outcome.hpp"

namespace sluice::deliver {

std::string_view name_of(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::delivered:
      return "delivered";
    case OutcomeKind::rejected:
      return "rejected";
    case OutcomeKind::expired:
      return "expired";
    case OutcomeKind::superseded:
      return "superseded";
    case OutcomeKind::suppressed:
      return "suppressed";
    case OutcomeKind::held:
      return "held";
    case OutcomeKind::no_address:
      return "no address";
    case OutcomeKind::shadow:
      return "shadow";
  }
  return "unknown";
}

}  // namespace sluice::deliver
