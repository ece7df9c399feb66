#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "cli/commands.hpp"

namespace sluice::cli {
namespace {

struct Arguments {
  Common common;
  RunOptions run;
  ApplyOptions apply;
  std::string check_format = "text";
  bool online = false;
  std::string stream;
  std::string person, audience, route;
  std::string plan_clock = "wall", at;
  KitFiles kit;
  RecordFiles record;
  store::DeadFilter dead_filter;
  std::int64_t dead_id = 0;
  std::size_t dead_limit = 100;
  std::vector<std::int64_t> dead_ids;
  std::uint64_t from = 1, count = UINT64_MAX;
  bool unmasked = false;
  std::string folder;
  bool with_key = false;
  std::string plugin;
  NewPlugin new_plugin;
  UnmergeOptions unmerge;
  ConnectOptions connect;
  int code = 0;
};

void with_plugins(CLI::App* command, Arguments& a) {
  command
      ->add_option("--plugins", a.common.plugins,
                   "a further folder of connectors, looked into first; may be repeated")
      ->check(CLI::ExistingDirectory.description(""))
      ->type_name("DIR")
      ->take_all()
      ->allow_extra_args(false);
}

void with_config(CLI::App* command, Arguments& a) {
  with_plugins(command, a);
  command->add_option("--config,-c", a.common.config, "the configuration")->capture_default_str();
  command->add_flag("--json", a.common.json, "for programs");
}

void add_plugins(CLI::App& plugin, Arguments& a) {
  CLI::App* show = plugin.add_subcommand("show", "Load one and show what it is and what it needs");
  show->add_option("plugin", a.plugin, "a name of `plugin list`, or a file: ./NAME.so")->required();
  show->add_flag("--json", a.common.json, "for programs");
  with_plugins(show, a);
  show->callback([&] { a.code = plugin_show(a.common, a.plugin); });

  CLI::App* docs = plugin.add_subcommand("docs", "Print a page about one, in Markdown, from its manifest");
  docs->add_option("plugin", a.plugin, "a name of `plugin list`, or a file: ./NAME.so")->required();
  with_plugins(docs, a);
  docs->callback([&] { a.code = plugin_docs(a.common, a.plugin); });

  CLI::App* discover =
      plugin.add_subcommand("discover", "Ask a vendor what there is: streams, or the fields of one");
  discover->add_option("name", a.plugin, "a source or destination of the configuration")->required();
  discover->add_option("stream", a.stream, "show its fields");
  with_config(discover, a);
  discover->callback([&] { a.code = plugin_discover(a.common, a.plugin, a.stream); });

  CLI::App* made =
      plugin.add_subcommand("new", "Write a folder with a connector that builds, tested, as it stands");
  made->add_option("name", a.new_plugin.name, "small letters, digits and '_'")->required();
  made->add_option("--kind", a.new_plugin.kind, "source or destination")
      ->required()
      ->check(CLI::IsMember({"source", "destination"}));
  made->add_option("--auth", a.new_plugin.auth, "where the credential goes: none, header, basic or query")
      ->check(CLI::IsMember({"none", "header", "basic", "query"}))
      ->capture_default_str();
  made->add_option("--folder", a.new_plugin.folder, "where to write it (./NAME)");
  with_plugins(made, a);
  made->callback([&] { a.code = plugin_new(a.common, a.new_plugin); });
}

void with_filter(CLI::App* command, Arguments& a) {
  command->add_option("--destination", a.dead_filter.destination);
  command->add_option("--reason", a.dead_filter.reason, "such as http_400");
  command->add_option("--kind", a.dead_filter.kind)->check(CLI::IsMember({"rejected", "held"}));
}

void add_kit(CLI::App& plugin, Arguments& a) {
  CLI::App* test = plugin.add_subcommand("test", "Check a built connector against every promise of the ABI");
  test->add_option("library", a.kit.library, "the built connector, NAME.so")->required();
  test->add_option("--config", a.kit.with, "its settings, a JSON file; else made from its schema");
  test->add_option("--record", a.kit.records, "a record or a list of them, a JSON file; else samples");
  test->add_flag("--json", a.common.json, "for programs");
  test->callback([&] { a.code = plugin_test(a.common, a.kit); });

  CLI::App* trial = plugin.add_subcommand("try", "Show what a destination makes of a record; sends nothing");
  trial->add_option("library", a.kit.library, "the built connector, NAME.so")->required();
  trial->add_option("--record", a.kit.records, "a record or a list of them, a JSON file")->required();
  trial->add_option("--with", a.kit.with, "its settings, a JSON file; else made from its schema");
  trial->add_option("--answer", a.kit.answer,
                    "what the vendor is to answer, a JSON file: status, headers, body");
  trial->add_flag("--json", a.common.json, "for programs");
  trial->callback([&] { a.code = plugin_try(a.common, a.kit); });

  CLI::App* record = plugin.add_subcommand(
      "record", "Send to the real vendor, and write down what was asked and answered, for checks.replay");
  record->add_option("library", a.record.library, "the built connector, NAME.so")->required();
  record->add_option("--with", a.record.with, "its settings, a JSON file; ${NAME} and ${file:PATH} are read")
      ->required();
  record->add_option("--record", a.record.records,
                     "of a destination: a record or a list of them, a JSON file");
  record->add_option("--part", a.record.part, "of a full refresh: which part of it the records are, from 1");
  record->add_option("--snapshot", a.record.snapshot, "with --part: what tells this refresh from others")
      ->capture_default_str();
  record->add_option("--poll", a.record.poll, "of a source: {\"stream\", \"cursor\"}, a JSON file");
  record->add_option("--out", a.record.out, "the file to write; never one that is there")->required();
  record->add_option("--about", a.record.about, "what it shows, a sentence: the test's name");
  record->add_flag("--yes", a.record.yes, "send without asking");
  record->add_flag("--mask", a.record.mask, "made-up e-mail addresses and phones in place of those in it");
  record->callback([&] { a.code = plugin_record(a.record); });
}

void add_running(CLI::App& app, Arguments& a) {
  CLI::App* check =
      app.add_subcommand("check", "Report every mistake in a configuration, each with its place and mend");
  check->add_option("file,--config,-c", a.common.config, "the configuration")->capture_default_str();
  check->add_option("--format", a.check_format, "text, json or github")
      ->check(CLI::IsMember({"text", "json", "github"}));
  check->add_flag("--online", a.online,
                  "ask each vendor: does the connection work, are the streams and fields there?");
  with_plugins(check, a);
  check->callback([&] { a.code = cli::check(a.common, a.check_format, a.online); });

  CLI::App* run = app.add_subcommand("run", "Run the hub");
  run->add_option("file,--config,-c", a.common.config, "the configuration")->capture_default_str();
  run->add_flag("--until-idle", a.run.until_idle,
                "read every source that can end to its end, deliver everything, stop");
  run->add_flag("--quiet,-q", a.run.quiet, "log warnings and errors alone");
  run->add_option("--clock", a.run.clock, "wall, or events: time is the newest event's own time")
      ->check(CLI::IsMember({"wall", "events"}));
  run->add_option("--checkpoint-inputs", a.run.checkpoint_inputs,
                  "a checkpoint after so many inputs: as many are stepped again after a crash")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  with_plugins(run, a);
  run->callback([&] { a.code = cli::run(a.common, a.run); });

  CLI::App* connect = app.add_subcommand(
      "connect",
      "Let a person allow the access to a vendor, in a browser (OAuth); the tokens are kept sealed");
  connect->add_option("name", a.connect.name, "a source or destination");
  connect->add_option("file,--config,-c", a.common.config, "the configuration")->capture_default_str();
  connect->add_flag("--list", a.connect.list, "what needs it, and since when it is connected");
  connect->add_option("--port", a.connect.port,
                      "come back to http://127.0.0.1:PORT/oauth/callback, not to hub.public_url");
  connect->add_flag("--json", a.common.json, "for programs");
  with_plugins(connect, a);
  connect->callback([&] { a.code = cli::connect(a.common, a.connect); });

  CLI::App* schema = app.add_subcommand("schema", "Print the JSON Schema of connectors.yaml, for editors");
  with_plugins(schema, a);
  schema->callback([&] { a.code = cli::schema(a.common); });
  CLI::App* plugin = app.add_subcommand("plugin", "Connectors")->require_subcommand(1);
  add_plugins(*plugin, a);
  CLI::App* list = plugin->add_subcommand("list", "The connectors that are installed");
  with_plugins(list, a);
  list->add_flag("--json", a.common.json, "for programs");
  list->callback([&] { a.code = plugin_list(a.common); });
  add_kit(*plugin, a);
}

void add_changing(CLI::App& app, Arguments& a) {
  CLI::App* apply = app.add_subcommand(
      "apply", "Show what a file would do, ask, and put it in the place of the configuration");
  apply->add_option("file", a.apply.file, "the new configuration, beside the one that it replaces")
      ->required();
  apply->add_flag("--yes,-y", a.apply.yes, "ask nobody");
  with_plugins(apply, a);
  apply->add_option("--config,-c", a.common.config, "the configuration that it replaces")
      ->capture_default_str();
  apply->callback([&] { a.code = cli::apply(a.common, a.apply); });

  CLI::App* rollback =
      app.add_subcommand("rollback", "Put back the configuration that held before, or another one");
  rollback->add_option("--to", a.apply.to, "one of --list");
  rollback->add_flag("--list", a.apply.list, "show those that are kept, by the input from which they held");
  rollback->add_flag("--yes,-y", a.apply.yes, "ask nobody");
  with_plugins(rollback, a);
  rollback->add_option("--config,-c", a.common.config, "the configuration")->capture_default_str();
  rollback->callback([&] { a.code = cli::rollback(a.common, a.apply); });
}

void add_reading(CLI::App& app, Arguments& a) {
  CLI::App* plan = app.add_subcommand(
      "plan", "Show what a configuration would do: who enters and leaves, what is sent; changes nothing");
  plan->add_option("file", a.common.config, "the configuration (connectors.yaml)");
  plan->add_flag("--json", a.common.json, "for programs");
  plan->add_option("--clock", a.plan_clock, "of the hub: wall, or events")
      ->check(CLI::IsMember({"wall", "events"}));
  with_plugins(plan, a);
  plan->callback([&] { a.code = cli::plan(a.common, a.plan_clock); });

  CLI::App* profile =
      app.add_subcommand("profile", "Show one person: identifiers, traits, audiences, deliveries");
  profile->add_option("person", a.person, "an id, or type:value such as email:ada@example.com")->required();
  with_config(profile, a);
  profile->callback([&] { a.code = cli::profile(a.common, a.person); });

  CLI::App* audience = app.add_subcommand("audience", "Show sizes, or who is in one");
  audience->add_option("name", a.audience, "an audience");
  with_config(audience, a);
  audience->callback([&] { a.code = cli::audience(a.common, a.audience); });

  CLI::App* explain = app.add_subcommand(
      "explain", "Show why a person is in an audience or not: each part of its condition with its value");
  explain->add_option("person", a.person, "an id, or type:value such as email:ada@example.com")->required();
  explain->add_option("audience", a.audience, "an audience")->required();
  explain->add_option("--at", a.at, "a moment that has passed: 2026-03-01T12:00:00Z");
  with_config(explain, a);
  explain->callback([&] { a.code = cli::explain(a.common, a.person, a.audience, a.at); });

  CLI::App* outbox = app.add_subcommand("outbox", "Show each destination's lane");
  with_config(outbox, a);
  outbox->callback([&] { a.code = cli::outbox(a.common); });

  CLI::App* dead =
      app.add_subcommand("dead", "Dead letters: what could not be delivered")->require_subcommand(1);
  CLI::App* list = dead->add_subcommand("list", "Counts by reason, and the newest");
  with_filter(list, a);
  list->add_option("--limit", a.dead_limit, "how many of the newest to list (100)");
  with_config(list, a);
  list->callback([&] { a.code = dead_list(a.common, a.dead_filter, a.dead_limit); });
  CLI::App* show = dead->add_subcommand("show", "Everything about one");
  show->add_option("id", a.dead_id)->required();
  with_config(show, a);
  show->callback([&] { a.code = dead_show(a.common, a.dead_id); });
  CLI::App* replay =
      dead->add_subcommand("replay", "Map again and send again: numbers, or all of a destination that match");
  replay->add_option("ids", a.dead_ids, "their numbers");
  with_filter(replay, a);
  with_config(replay, a);
  replay->callback([&] { a.code = dead_replay(a.common, a.dead_ids, a.dead_filter); });
}

void add_resync(CLI::App& app, Arguments& a) {
  CLI::App* resync =
      app.add_subcommand("resync", "Send all members of an audience route once more; all others go");
  resync->add_option("route", a.route, "its name in the configuration")->required();
  with_config(resync, a);
  resync->callback([&] { a.code = cli::resync(a.common, a.route); });
}

void add_identity(CLI::App& app, Arguments& a) {
  CLI::App* identity = app.add_subcommand("identity", "Who is one person, and why");
  identity->require_subcommand(1);
  CLI::App* story = identity->add_subcommand(
      "explain", "Show a person's identifiers, and which event joined whom, when and by which of them");
  story->add_option("person", a.person, "an id, or type:value such as email:ada@example.com")->required();
  with_config(story, a);
  story->callback([&] { a.code = cli::identity_explain(a.common, a.person); });
  CLI::App* unmerge = identity->add_subcommand(
      "unmerge", "Take a wrong merge back: show who the people would be, ask, and make them so");
  unmerge->add_option("person", a.unmerge.person, "an id, or type:value such as email:ada@example.com")
      ->required();
  unmerge->add_option("--input", a.unmerge.input, "the input that joined them, as `identity explain` says")
      ->required();
  unmerge->add_flag("--dry-run", a.unmerge.dry_run, "only show who they would be");
  unmerge->add_flag("-y,--yes", a.unmerge.yes, "do not ask");
  with_config(unmerge, a);
  unmerge->callback([&] { a.code = cli::identity_unmerge(a.common, a.unmerge); });
  CLI::App* quarantine =
      identity->add_subcommand("quarantine", "Identifiers that have joined too many people");
  quarantine->require_subcommand(1);
  CLI::App* list = quarantine->add_subcommand("list", "Which they are");
  with_config(list, a);
  list->callback([&] { a.code = quarantine_list(a.common); });
  CLI::App* release = quarantine->add_subcommand("release", "Let one join people again");
  release->add_option("identifier", a.person, "TYPE:VALUE, as the list shows it")->required();
  with_config(release, a);
  release->callback([&] { a.code = quarantine_release(a.common, a.person); });
}

void add_backup(CLI::App& app, Arguments& a) {
  CLI::App* made = app.add_subcommand("backup", "Copy the data folder, with or without a running hub");
  made->add_option("target", a.folder, "a folder that is empty or not there")->required();
  made->add_flag("--with-key", a.with_key, "secrets.key, too, which opens the vendors' tokens");
  with_config(made, a);
  made->callback([&] { a.code = cli::backup(a.common, a.folder, a.with_key); });

  CLI::App* back = app.add_subcommand("restore", "Make a data folder of a backup");
  back->add_option("source", a.folder, "what `sluice backup` has made")->required();
  with_config(back, a);
  back->callback([&] { a.code = cli::restore(a.common, a.folder); });
}

void add_files(CLI::App& app, Arguments& a) {
  CLI::App* journal = app.add_subcommand("journal", "The journal of all inputs")->require_subcommand(1);
  CLI::App* verify = journal->add_subcommand("verify", "Read all of it and report what is damaged");
  with_config(verify, a);
  verify->callback([&] { a.code = journal_verify(a.common); });
  CLI::App* dump = journal->add_subcommand("dump", "Print inputs, one JSON object a line");
  dump->add_option("--from", a.from, "the first seq")->capture_default_str();
  dump->add_option("--count", a.count, "at most so many");
  dump->add_flag("--unmasked", a.unmasked, "with what people sent: personal data");
  with_config(dump, a);
  dump->callback([&] { a.code = journal_dump(a.common, a.from, a.count, a.unmasked); });
  CLI::App* repair =
      journal->add_subcommand("repair", "Mend a damaged journal; keeps the damaged bytes beside it");
  with_config(repair, a);
  repair->callback([&] { a.code = journal_repair(a.common); });

  CLI::App* store = app.add_subcommand("store", "Checkpoints and the queryable store")->require_subcommand(1);
  CLI::App* state =
      store->add_subcommand("verify", "Recompute the state from the journal and compare the hashes");
  with_config(state, a);
  state->callback([&] { a.code = store_verify(a.common); });
}

// Of the language's design, and not there yet.
constexpr std::string_view later[] = {"test", "tail", "erase", "export", "train"};

// CLI11 only says that a subcommand is required; the one that was meant is more help.
int unknown_command(const CLI::App& app, int argc, char** argv, const CLI::ParseError& error) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  const std::string word = argc > 1 ? argv[1] : "";
  const bool known = std::find(names.begin(), names.end(), word) != names.end();
  if (known || word.empty() || word.front() == '-') return app.exit(error) == 0 ? 0 : 2;
  if (std::find(std::begin(later), std::end(later), word) != std::end(later)) {
    (void)std::fprintf(stderr, "sluice: '%s' is not supported yet; 'sluice --help' lists the commands\n",
                       word.c_str());
    return 2;
  }
  const std::string meant = closest(word, names);
  (void)std::fprintf(
      stderr, "sluice: there is no command '%s': %s\n", word.c_str(),
      (meant.empty() ? "'sluice --help' lists them" : "did you mean '" + meant + "'?").c_str());
  return 2;
}

int main_of(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Sluice: customer data in, one profile per person, marketing platforms out");
  app.set_version_flag("--version", SLUICE_VERSION);
  app.require_subcommand(1);
  add_running(app, arguments);
  add_changing(app, arguments);
  add_reading(app, arguments);
  add_resync(app, arguments);
  add_identity(app, arguments);
  add_files(app, arguments);
  add_backup(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return unknown_command(app, argc, argv, error);
  }
  return arguments.code;
}

}  // namespace
}  // namespace sluice::cli

int main(int argc, char** argv) {
  sluice::cli::use_large_pages();
  return sluice::cli::main_of(argc, argv);
}
