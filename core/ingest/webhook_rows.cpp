#include "ingest/webhook_rows.hpp"

#include <utility>

#include "ingest/feed_sink.hpp"

namespace sluice::ingest {

Result<plugin::Reply> receive_rows(plugin::Connector& connector, const plugin::Incoming& incoming,
                                   const Feed& feed, RejectsFile& rejects, const plugin::CallLimits& limits,
                                   std::vector<Draft>& drafts) {
  FeedSink sink(feed, rejects, [&drafts](std::vector<MergeItem> items, FeedSink::Counts) -> Status {
    for (MergeItem& item : items) drafts.push_back(std::move(item.draft));
    return Done{};
  });
  plugin::Reply reply = SLUICE_TRY(connector.receive(incoming, sink, limits));
  SLUICE_TRY(sink.finish());
  return reply;
}

}  // namespace sluice::ingest
