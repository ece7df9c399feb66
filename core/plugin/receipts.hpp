// What receive() of a destination may say became of a message: the names of sluice/plugin.h.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::plugin {

inline constexpr std::array<std::string_view, 8> receipt_names{
    {"sent", "delivered", "failed", "bounced", "opened", "clicked", "complained", "replied"}};

constexpr bool is_receipt(std::string_view name) {
  return std::find(receipt_names.begin(), receipt_names.end(), name) != receipt_names.end();
}

}  // namespace sluice::plugin
