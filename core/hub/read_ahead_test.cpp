#include "hub/read_ahead.hpp"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "base/sim_file.hpp"

namespace sluice::hub {
namespace {

using Seen = std::vector<std::pair<std::uint64_t, std::string>>;

// Three megabytes of small inputs, and one among them that is larger than a batch.
class Written {
 public:
  Written() {
    OpenReport report;
    JournalOptions options;
    options.directory = "data";
    options.reserve_bytes = 0;
    journal = Journal::open(files_, clock_, std::move(options), report).value();
    std::vector<Draft> drafts;
    for (int i = 0; i < 3'000; ++i)
      drafts.push_back(
          {InputKind::event, 1, std::to_string(i) + std::string(i == 1'700 ? 1'500'000 : 1'000, '.')});
    REQUIRE(journal->submit(std::move(drafts), {}) == Submit::ok);
    REQUIRE(journal->pump());
    REQUIRE(journal->replay(2, [&](const Input& input) {
      inputs.emplace_back(input.seq, input.payload);
      return true;
    }));
    REQUIRE(inputs.size() == 3'000);
  }
  Seen read(bool thread, std::size_t until) const {
    Seen seen;
    REQUIRE(read_ahead(*journal, 2, thread, [&](std::span<const Input> some) {
      for (const Input& input : some) seen.emplace_back(input.seq, input.payload);
      return seen.size() < until;
    }));
    return seen;
  }

  std::unique_ptr<Journal> journal;
  Seen inputs;

 private:
  SimFileSystem files_{1};
  ManualClock clock_{500};
};

}  // namespace

TEST_CASE(
    "inputs that are read ahead are the journal's, with a thread and without, to the end and not so far") {
  const Written written;
  for (const bool thread : {false, true}) {
    CHECK(written.read(thread, SIZE_MAX) == written.inputs);
    const Seen some = written.read(thread, 1'000);
    CHECK(some.size() >= 1'000);
    CHECK(some.size() < 2'500);
    CHECK(some ==
          Seen(written.inputs.begin(), written.inputs.begin() + static_cast<std::ptrdiff_t>(some.size())));
  }
}

}  // namespace sluice::hub
