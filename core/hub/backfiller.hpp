// What is done for everybody when a configuration comes, in the background. First it walks through the
// people: the next slice (hub/walk.hpp) is journaled when the step has done the one before, and a while after
// that, so that other inputs are not kept waiting
// (docs/adr/0048-a-configuration-walks-through-the-people.md).
//
// Then it reads the history again beside the live step, when the configuration counts what has not been
// counted since the first event, or a merge is taken back (hub/unmerge.hpp): a shadow (World) steps the
// journal from its beginning, or from the oldest base checkpoint where that is gone. When it has caught up a
// `switch` is journaled; the shadow goes on to exactly that input, and its rows enter as `graft` inputs. The
// state says what is still to be done (state/backfill.hpp), so after a crash it goes on: the shadow saves
// itself now and then, in a folder that goes when all is done. See docs/adr/0029-a-shadow-reads-the-past.md.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/spare_time.hpp"
#include "hub/graft.hpp"
#include "hub/step_thread.hpp"
#include "hub/unmerge.hpp"
#include "hub/walk.hpp"
#include "hub/world.hpp"
#include "journal/journal.hpp"
#include "store/checkpoint.hpp"

namespace sluice::hub {

struct BackfillOptions {
  std::uint64_t save_inputs = 10'000'000;  // the shadow saves itself after so many
  std::size_t bite = 500;                  // inputs at once
  std::size_t slice_people = 0;            // with each slice; 0: as many as next_slice() says
};

struct BackfillStatus {
  enum class Phase : std::uint8_t { none, walking, reading, grafting, failed } phase = Phase::none;
  std::vector<std::string> names;          // what waits: computed traits, audiences, profile routes
  std::uint64_t read = 0, of = 0;          // inputs of the journal
  std::uint64_t since_input = 0;           // the first that was read: 1 unless retention took what was before
  TimeUs since = no_time, upto = no_time;  // of the first and the newest input that was read
  unsigned people_percent = 0;             // walking: to whom the configuration has come; grafting: that have
                                           // their past
  bool unmerge = false;                    // it is read for a merge that is taken back
  std::string failure;                     // why it does not go on; it is tried again every minute
};

// For the admin API and the command line: {"state":"none"} or with "names", "read_inputs", "of_inputs", …
std::string backfill_json(const BackfillStatus& status);

class Backfiller {
 public:
  Backfiller(FileSystem& files, const Clock& clock, std::string data, Journal& journal,
             const Checkpoints& checkpoints, const StepThread& step, BackfillOptions options = {});
  ~Backfiller();  // stop()

  void start();
  void stop();  // [main] before the journal stops
  // [backfill] Does one bite; false: there is nothing to do, or the step must come first. The thread calls
  // it; who drives the hub by a clock of his own does so instead of start().
  bool pump();
  void look();                                // [any] a configuration has come
  BackfillStatus status() const;              // [any]
  bool busy() const { return busy_.load(); }  // [any] something waits for the past

 private:
  struct Job;
  void run();
  bool live();  // looks at what the live state wants; false: nothing
  bool walk_on();
  Status begin();
  Status restore_saved(bool& restored);
  Status read_on(std::uint64_t until, bool& moved);
  Status save();
  void drop_saved();
  bool ask_for_switch();
  bool hand_over();
  Status pump_unmerge(bool& moved);
  bool submit(InputKind kind, std::string payload);
  std::string end_of_job(const World& world) const;
  void fail(const Error& error);
  void publish(BackfillStatus::Phase phase);
  std::string folder() const { return data_ + "/backfill"; }

  FileSystem& files_;
  const Clock& clock_;
  std::string data_;
  Journal& journal_;
  const Checkpoints& checkpoints_;
  const StepThread& step_;
  BackfillOptions options_;
  std::unique_ptr<SpareTime> spare_;  // where start() was called: the shadow steps there
  // The thread's: bites that compete yet, and how many did the last time that there was nothing to spare.
  std::size_t competing_ = 0, competed_ = 0;
  std::unique_ptr<Job> job_;    // the thread's
  Slice slice_, asked_slice_;   // the thread's: the next one, and the last that was journaled
  DurationUs slice_asked_ = 0;  // the thread's: monotonic
  DurationUs retry_at_ = 0;     // the thread's: monotonic
  std::atomic<bool> busy_{false};

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  BackfillStatus status_;
  bool stopping_ = false, looked_ = true;
  std::thread thread_;
};

}  // namespace sluice::hub
