// What a source's connector makes of one request on a route: drafts for the journal, as of rows that it
// fetched.
#pragma once

#include <vector>

#include "ingest/rejects.hpp"
#include "ingest/source_runner.hpp"
#include "journal/journal.hpp"
#include "plugin/connector.hpp"

namespace sluice::ingest {

// `feed` says whose rows they are: its source, the stream of rows that name none, its event_time; its
// connector is not used. Rows that cannot be taken are in the rejects file when it returns. [serial, as the
// connector's calls]
Result<plugin::Reply> receive_rows(plugin::Connector& connector, const plugin::Incoming& incoming,
                                   const Feed& feed, RejectsFile& rejects, const plugin::CallLimits& limits,
                                   std::vector<Draft>& drafts);

}  // namespace sluice::ingest
