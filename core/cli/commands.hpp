// The commands of `sluice`. Each prints for people, or JSON with --json, and returns the exit code: 0 well, 1
// not, 2 usage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hub/step_options.hpp"
#include "store/database.hpp"

namespace sluice::cli {

struct Common {
  std::string config = "connectors.yaml";
  bool json = false;
  std::vector<std::string> plugins;  // folders of connectors, looked into before the installed ones
};

// [main, first] Asks for memory in pages of 2 MiB, where the machine has such: millions of people lie all
// over it, and finding a page costs more than what stands there.
void use_large_pages();

// `online`: and ask each vendor, too.
int check(const Common& common, const std::string& format, bool online);
int schema(const Common& common);

int plugin_list(const Common& common);
// `plugin` is a name or a file. show() loads it, which runs its code; docs() only reads its manifest.
int plugin_show(const Common& common, const std::string& plugin);
int plugin_docs(const Common& common, const std::string& plugin);
// What is over there: `name` is a source or destination of the file. No stream: all of them, without fields.
int plugin_discover(const Common& common, const std::string& name, const std::string& stream);
struct NewPlugin {
  std::string name, folder;  // no folder: ./NAME
  std::string kind;          // "source", "destination"
  std::string auth = "header";
};
int plugin_new(const Common& common, const NewPlugin& wanted);

struct KitFiles {       // paths; empty: not given
  std::string library;  // a built connector
  std::string with, records, answer;
};
int plugin_test(const Common& common, const KitFiles& files);
int plugin_try(const Common& common, const KitFiles& files);

struct RecordFiles {  // paths
  std::string library, with, out;
  std::string records, poll;  // one of them
  std::string about = "as the vendor answered";
  std::uint32_t part = 0;  // of `snapshot`; 0: the records are no part of one
  std::string snapshot = "j.1.1.0";
  bool yes = false, mask = false;
};
int plugin_record(const RecordFiles& files);

struct RunOptions {
  bool until_idle = false;
  bool quiet = false;
  std::string clock = "wall";  // or "events"
  std::uint64_t checkpoint_inputs = hub::StepOptions{}.checkpoint_inputs;
};
int run(const Common& common, const RunOptions& options);

struct ConnectOptions {
  std::string name;  // of a source or destination
  bool list = false;
  std::optional<std::uint16_t> port;  // of the browser's way back to this machine
};
int connect(const Common& common, const ConnectOptions& options);

// What the file named in `common` would do to the data of the hub, which is only read. `clock`: "wall" or
// "events".
int plan(const Common& common, const std::string& clock);

struct ApplyOptions {
  std::string file;      // apply: what takes the place of common.config
  bool yes = false;      // nobody is asked
  bool list = false;     // rollback: only show what is kept
  std::uint64_t to = 0;  // rollback: the input from which it held; 0: the one before the one that holds
};
int apply(const Common& common, const ApplyOptions& options);
int rollback(const Common& common, const ApplyOptions& options);

int profile(const Common& common, const std::string& person);
int audience(const Common& common, const std::string& name);
// `at`: a moment that has passed, or empty: now.
int explain(const Common& common, const std::string& person, const std::string& audience,
            const std::string& at);
int identity_explain(const Common& common, const std::string& person);
struct UnmergeOptions {
  std::string person;
  std::uint64_t input = 0;  // of the journal, that joined them
  bool yes = false, dry_run = false;
};
int identity_unmerge(const Common& common, const UnmergeOptions& options);
int outbox(const Common& common);
int dead_list(const Common& common, const store::DeadFilter& filter, std::size_t limit);
int dead_show(const Common& common, std::int64_t id);
// Numbers, or all that match; not both.
int dead_replay(const Common& common, const std::vector<std::int64_t>& ids, const store::DeadFilter& filter);

int resync(const Common& common, const std::string& route);
// Identifiers that join no more; `identifier` is TYPE:VALUE.
int quarantine_list(const Common& common);
int quarantine_release(const Common& common, const std::string& identifier);

int journal_verify(const Common& common);
int journal_dump(const Common& common, std::uint64_t from, std::uint64_t count, bool unmasked);
int journal_repair(const Common& common);
int store_verify(const Common& common);
int backup(const Common& common, const std::string& target, bool with_key);
int restore(const Common& common, const std::string& source);

}  // namespace sluice::cli
