// Inside this room: the checks, each a function that is run in a process of its own. It returns what is
// wrong; not_applicable() where the connector does not offer what it looks at.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "kit/stage.hpp"

namespace sluice::kit {

inline Error broken(std::string what) {
  return {Code::rejected, std::move(what)};
}
inline Error not_applicable(std::string why) {
  return {Code::cancelled, std::move(why)};
}

struct LibraryCheck {
  const char* name;
  const char* promise;
  Status (*run)(const Library&);
};
struct Check {
  const char* name;
  const char* promise;
  Status (*run)(const Subject&);
};

std::span<const LibraryCheck> library_checks();
std::span<const Check> instance_checks();     // create, wrong_config
std::span<const Check> destination_checks();  // records in, fates out
std::span<const Check> answer_checks();       // interpret
std::span<const Check> leak_checks();         // what may be seen where, and what may be reached
std::span<const Check> growth_checks();       // memory, descriptors, threads
std::span<const Check> source_checks();

// What several of them do.
Status needs_records(const Stage& stage);  // not applicable to what takes none
Status needs_plan(const Stage& stage);
// Calls plan or deliver with each batch of the records; `look` judges what came.
template <typename F>
Status each_batch(Stage& stage, std::span<const plugin::Record> records, F&& look) {
  for (const auto& batch : batches_of(stage.subject().info, records)) {
    const Emission emission = stage.take(batch);
    SLUICE_TRY(look(batch, emission));
  }
  return Done{};
}
// Calls everything that it offers; answers have these bodies. `look` judges each call.
using Look = std::function<Status(const Emission&)>;
Status exercise(Stage& stage, std::span<const std::string> bodies, const Look& look);
// The answer of this status and body to a request of plan.
plugin::Response answer_to(const plugin::Request& request, std::int32_t status, std::string body);

}  // namespace sluice::kit
