#include "figures.hpp"

#include <algorithm>
#include <cstdio>

namespace sluice::bench {

namespace {

double per_second(const Figures& f) {
  return static_cast<double>(f.events) / f.seconds;
}
double per_million(const Figures& f) {
  return f.cpu_s * 1e6 / static_cast<double>(f.events);
}

}  // namespace

double percentile(std::vector<std::uint32_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at =
      std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return static_cast<double>(values[at]) / 1000.0;
}

void print_header() {
  std::printf("%-14s %9s %9s %7s %8s %7s %5s %9s %9s %9s %9s %9s %9s %9s %9s\n", "job", "events/s", "CPU-s/M",
              "seconds", "peak MiB", "lost", "twice", "ack p50", "ack p99", "end p50", "end p99", "read p50",
              "read p99", "page p50", "page p99");
}

void print_row(const Figures& f) {
  std::printf("%-14s %9.0f %9.2f %7.2f", f.job.c_str(), per_second(f), per_million(f), f.seconds);
  if (f.hub) std::printf(" %8.0f", f.peak_mib);
  if (f.delivers) {
    std::printf(" %7lld %5lld %9.2f %9.2f %9.2f %9.2f", static_cast<long long>(f.lost),
                static_cast<long long>(f.duplicates), f.ack_p50, f.ack_p99, f.end_p50, f.end_p99);
  }
  if (f.read_p99 > 0) std::printf(" %9.2f %9.2f", f.read_p50, f.read_p99);
  if (f.decide_p99 > 0) std::printf(" %9.2f %9.2f", f.decide_p50, f.decide_p99);
  if (f.person_bytes > 0) std::printf("   %.0f bytes a person", f.person_bytes);
  if (f.history_s > 0)
    std::printf("   taken after %.2f s, history read after %.1f s", f.change_s, f.history_s);
  std::printf("\n");
  if (f.delivers) {
    std::printf("  %-12s %9s", "", "by thread");
    for (const auto& [name, seconds] : f.threads_s) {
      const double share = seconds * 1e6 / static_cast<double>(f.events);
      if (share >= 0.005) std::printf("  %s %.2f", name.c_str(), share);
    }
    std::printf("\n");
  }
  std::fflush(stdout);
}

void print_json(const Figures& f) {
  std::printf(R"({"job":"%s","events":%lld,"seconds":%.3f,"events_per_s":%.0f,"cpu_s_per_million":%.3f)",
              f.job.c_str(), static_cast<long long>(f.events), f.seconds, per_second(f), per_million(f));
  if (f.hub) std::printf(R"(,"peak_rss_mib":%.1f)", f.peak_mib);
  if (f.delivers) {
    std::printf(
        R"(,"lost":%lld,"duplicates":%lld,"retried":%lld,"requests_out":%lld,"ack_ms":{"p50":%.3f,"p99":%.3f})",
        static_cast<long long>(f.lost), static_cast<long long>(f.duplicates),
        static_cast<long long>(f.retried), static_cast<long long>(f.requests_out), f.ack_p50, f.ack_p99);
    std::printf(R"(,"end_to_end_ms":{"p50":%.3f,"p99":%.3f})", f.end_p50, f.end_p99);
  }
  if (f.read_p99 > 0) std::printf(R"(,"read_ms":{"p50":%.3f,"p99":%.3f})", f.read_p50, f.read_p99);
  if (f.decide_p99 > 0) std::printf(R"(,"page_ms":{"p50":%.3f,"p99":%.3f})", f.decide_p50, f.decide_p99);
  if (f.person_bytes > 0) std::printf(R"(,"bytes_a_person":%.0f)", f.person_bytes);
  if (f.history_s > 0) std::printf(R"(,"change_s":%.3f,"history_s":%.3f)", f.change_s, f.history_s);
  std::printf("}\n");
}

}  // namespace sluice::bench
