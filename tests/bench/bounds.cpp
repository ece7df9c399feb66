#include "bounds.hpp"

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include "base/clock.hpp"
#include "ingest/tracking_body.hpp"
#include "journal/journal.hpp"
#include "sink.hpp"
#include "traffic.hpp"

namespace sluice::bench {

namespace {

constexpr std::int64_t bodies_max = 500;  // different ones; they come round again

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::vector<std::string> bodies(std::int64_t events) {
  std::vector<std::string> all;
  for (std::int64_t first = 0; first < std::min(events, bodies_max * batch_events); first += batch_events) {
    std::string& body = all.emplace_back(Traffic(50'000).body_of(first));
    body.reserve(body.size() + json_padding);
  }
  return all;
}

ingest::RequestFacts facts() {
  ingest::RequestFacts facts;
  facts.source = "shop";
  facts.received = SystemClock().wall_us();
  return facts;
}

Result<ingest::ParsedBody> parse(ingest::TrackingBody& parser, const std::string& body) {
  SLUICE_TRY(parser.open(body));
  return parser.read(facts());
}

class Meter {
 public:
  Bound stop() const { return {static_cast<double>(now_us() - started_) / 1e6, cpu_seconds() - cpu_}; }

 private:
  std::int64_t started_ = now_us();
  double cpu_ = cpu_seconds();
};

}  // namespace

Result<Bound> parse_only(std::int64_t events) {
  const std::vector<std::string> all = bodies(events);
  ingest::TrackingBody parser;
  std::int64_t parsed = 0;
  const Meter meter;
  for (std::size_t i = 0; parsed < events; ++i) {
    parsed += static_cast<std::int64_t>(SLUICE_TRY(parse(parser, all[i % all.size()])).drafts.size());
  }
  return meter.stop();
}

Result<Bound> journal_only(std::int64_t events, int submitters, const std::string& folder) {
  std::vector<std::vector<Draft>> requests;
  ingest::TrackingBody parser;
  for (const std::string& body : bodies(events)) requests.push_back(SLUICE_TRY(parse(parser, body)).drafts);
  const auto files = make_file_system();
  SLUICE_TRY(files->make_directory(folder));
  const SystemClock clock;
  JournalOptions options;
  options.directory = folder;
  options.seed = {1, 2};
  OpenReport report;
  std::atomic<bool> failed{false};
  options.fatal = [&](const Error&) { failed = true; };
  const auto journal = SLUICE_TRY(Journal::open(*files, clock, std::move(options), report));
  SLUICE_TRY(journal->start([](const std::shared_ptr<const Batch>&) {}));
  std::atomic<std::int64_t> next{0};
  const Meter meter;
  const auto work = [&] {
    for (std::int64_t first = 0; !failed && (first = next.fetch_add(batch_events)) < events;) {
      std::promise<void> done;
      const auto& drafts = requests[static_cast<std::size_t>(first / batch_events) % requests.size()];
      const Submit submitted = journal->submit(drafts, [&](const Status& status, std::uint64_t) {
        if (!status) failed = true;
        done.set_value();
      });
      if (submitted == Submit::ok) {
        done.get_future().wait();
      } else {
        failed = true;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < submitters; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  const Bound bound = meter.stop();
  journal->stop();
  std::filesystem::remove_all(folder);
  if (failed) return Error{Code::transient, "the journal in " + folder + " failed: is its disk full?"};
  return bound;
}

}  // namespace sluice::bench
