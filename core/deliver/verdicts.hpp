// Inside this room: what a connector's statuses, and refusals of a whole request, mean for the lane.
#pragma once

#include "deliver/courier.hpp"
#include "plugin/types.hpp"

namespace sluice::deliver {

Fate fate_of(sluice_status status);

// A refusal of the whole request says nothing about any one record: 413 and 400 are tried in halves, 401 and
// 403 are the credentials. A connector that could tell the records apart has given them different fates or
// reasons. `step` of something under way: it is not begun anew in halves.
void sort_refusals(const CourierRequest& request, const plugin::Response& response, bool step,
                   Answer& answer);

}  // namespace sluice::deliver
