// The words for the operations of sluice/plugin.h, as manifests and samples write them.
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

}  // namespace sluice::plugin
