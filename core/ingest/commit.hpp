// Inside this room: what a source's feeds hand to the journal at a time.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "ingest/source_runner.hpp"
#include "journal/journal.hpp"

namespace sluice::ingest {

inline std::size_t bytes_of(const Draft& draft) {
  return draft.payload.size();
}

// Drafts that will be one commit.
struct Commit {
  std::vector<Draft> drafts;
  std::size_t bytes = 0;

  bool has_room(std::size_t records, std::size_t more) const {
    return drafts.size() + records <= commit_records_max && bytes + more <= commit_bytes_max;
  }
  void add(Draft draft) {
    bytes += bytes_of(draft);
    drafts.push_back(std::move(draft));
  }
};

}  // namespace sluice::ingest
