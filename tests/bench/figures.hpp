// What a job of the bench has measured, and how it is printed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sluice::bench {

struct Figures {
  std::string job;
  double seconds = 0, cpu_s = 0;
  std::int64_t events = 0, lost = 0, duplicates = 0, retried = 0, requests_out = 0;
  double peak_mib = 0, ack_p50 = 0, ack_p99 = 0, end_p50 = 0, end_p99 = 0;  // milliseconds
  double read_p50 = 0, read_p99 = 0;      // of the profile API, milliseconds; 0: not read
  double decide_p50 = 0, decide_p99 = 0;  // of GET /v1/decide, likewise
  double person_bytes = 0;                // of resident memory; 0: not measured
  double change_s = 0;   // until the hub had taken a changed configuration; 0: there was none
  double history_s = 0;  // until the hub had read its history again; 0: it had not to
  std::map<std::string, double> threads_s;  // CPU time by the names of the hub's threads
  bool hub = false, delivers = false;
};

double percentile(std::vector<std::uint32_t>& values, double share);  // of microseconds, in milliseconds
void print_header();
void print_row(const Figures& f);
void print_json(const Figures& f);

}  // namespace sluice::bench
