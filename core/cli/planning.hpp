// Inside this room: what a configuration would do, for `plan`, `apply` and `rollback`.
#pragma once

#include <string>

#include "sluice/result.hpp"

#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "hub/plan.hpp"

namespace sluice::cli {

// Against the data of the hub, which is only read. `clock`: "wall" or "events".
Result<hub::Plan> plan_of(const Setup& setup, const std::string& clock);
void print_plan(const std::string& file, const hub::Plan& plan);

}  // namespace sluice::cli
