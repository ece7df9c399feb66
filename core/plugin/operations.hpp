// The words for what sluice/plugin.h numbers: operations, as manifests and samples write them, and statuses,
// as recorded exchanges do.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sluice/plugin.h"

namespace sluice::plugin {

inline constexpr std::array<std::pair<std::string_view, std::uint32_t>, 11> op_names{{
    {"event", SLUICE_EVENT},
    {"upsert", SLUICE_UPSERT},
    {"delete", SLUICE_DELETE},
    {"enter", SLUICE_ENTER},
    {"leave", SLUICE_LEAVE},
    {"message", SLUICE_MESSAGE},
    {"merge", SLUICE_MERGE},
    {"erase", SLUICE_ERASE},
    {"consent", SLUICE_CONSENT},
    {"snapshot_begin", SLUICE_SNAPSHOT_BEGIN},
    {"snapshot_end", SLUICE_SNAPSHOT_END},
}};

// "ok", "retry", ...; what is no status is "internal".
constexpr std::string_view status_name(sluice_status status) {
  constexpr std::array<std::string_view, SLUICE_GONE + 1> names{
      "ok",          "retry",    "invalid", "auth",    "cancelled", "internal",
      "unsupported", "throttle", "skipped", "unknown", "gone"};
  return status >= 0 && status <= SLUICE_GONE ? names[static_cast<std::size_t>(status)] : "internal";
}

}  // namespace sluice::plugin
