// What grows over many calls.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <unistd.h>

#include "kit/checks.hpp"

namespace sluice::kit {
namespace {

constexpr int calls_max = 20'000, calls_counted = 20;
constexpr std::chrono::milliseconds warm_up{40}, time_max{120};
constexpr std::size_t growth_bytes_max = 512 << 10;

std::size_t resident_bytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                             std::fclose);
  unsigned long total = 0, resident = 0;
  if (!file || std::fscanf(file.get(), "%lu %lu", &total, &resident) != 2) return 0;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

// One round of what the hub does all day.
void work(Stage& stage) {
  const Subject& subject = stage.subject();
  if (stage.takes_records()) {
    const Emission e = stage.take(subject.records);
    if (stage.table().interpret != nullptr && !e.requests.empty())
      (void)stage.interpret(subject.records, answer_to(e.requests.front(), 200, R"({"message":"success"})"));
  }
  const plugin::Poll poll{.stream = subject.info.streams.empty() ? "" : subject.info.streams.front(),
                          .until_idle = true};
  if (stage.table().fetch != nullptr) {
    for (plugin::Request request : stage.fetch(poll).requests) {
      request.purpose = SLUICE_FOR_FETCH;
      (void)stage.interpret(poll, answer_to(request, 200, subject.answer));
    }
  }
  if (stage.table().read != nullptr) (void)stage.read(poll);
  stage.host.forget_logs();
}

Status memory(const Subject& subject) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  const auto warm = std::chrono::steady_clock::now() + warm_up;
  do {
    work(stage);
  } while (std::chrono::steady_clock::now() < warm);
  const std::size_t before = resident_bytes();
  const auto end = std::chrono::steady_clock::now() + time_max;
  int calls = 0;
  while (calls < calls_max && (calls < calls_counted || std::chrono::steady_clock::now() < end)) {
    work(stage);
    ++calls;
  }
  const std::size_t after = resident_bytes();
  if (after < before + growth_bytes_max) return Done{};
  return broken("it grew by " + std::to_string((after - before) >> 10) + " KiB over " +
                std::to_string(calls) + " rounds of calls");
}

// Over calls, and over instances that come and go.
Status grows(const Subject& subject, const char* folder, const char* what) {
  Stage stage(subject);
  SLUICE_TRY(stage.open());
  work(stage);
  const std::size_t before = entries_of(folder);
  for (int i = 0; i < calls_counted; ++i) work(stage);
  const std::size_t later = entries_of(folder);
  if (later > before + 2)
    return broken("it has " + std::to_string(later - before) + " more " + what + " after " +
                  std::to_string(calls_counted) + " rounds of calls");
  for (int i = 0; i < 8; ++i) {
    SLUICE_TRY(stage.replace());
    work(stage);
  }
  const std::size_t last = entries_of(folder);
  if (last > later + 2)
    return broken("it has " + std::to_string(last - later) + " more " + what +
                  " after 8 instances were destroyed: release them in destroy()");
  return Done{};
}

Status descriptors(const Subject& subject) {
  return grows(subject, "/proc/self/fd", "open files");
}
Status threads(const Subject& subject) {
  return grows(subject, "/proc/self/task", "threads");
}

constexpr Check checks[] = {
    {"memory", "its memory does not grow with its calls", memory},
    {"descriptors", "its open files do not grow with its calls or instances", descriptors},
    {"threads", "its threads do not grow with its calls or instances", threads},
};

}  // namespace

std::span<const Check> growth_checks() {
  return checks;
}

}  // namespace sluice::kit
