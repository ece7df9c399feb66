#include "hub/backup.hpp"

#include <cstdio>
#include <filesystem>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"

namespace sluice::cli {

namespace {

void print(const Common& common, const hub::BackupReport& r, const char* what, const std::string& where) {
  if (common.json) {
    std::string out;
    JsonWriter w(out);
    w.begin_object().member("journal", r.journal).member_integer("generation", r.generation);
    w.member_integer("checkpoint_seq", static_cast<std::int64_t>(r.checkpoint_seq));
    w.member_integer("next_seq", static_cast<std::int64_t>(r.next_seq));
    w.member_integer("files", static_cast<std::int64_t>(r.files));
    w.member_integer("bytes", static_cast<std::int64_t>(r.bytes)).member_boolean("secrets_key", r.with_key);
    w.end_object();
    (void)std::puts(out.c_str());
    return;
  }
  (void)std::printf(
      "%s '%s': journal %s, generation %u, inputs up to %llu, checkpoint at %llu; %llu files, %llu bytes\n",
      what, where.c_str(), r.journal.c_str(), r.generation, static_cast<unsigned long long>(r.next_seq - 1),
      static_cast<unsigned long long>(r.checkpoint_seq), static_cast<unsigned long long>(r.files),
      static_cast<unsigned long long>(r.bytes));
}

}  // namespace

int backup(const Common& common, const std::string& target, bool with_key) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return 1;
  const std::string& data = setup.config->hub.data;
  const auto files = make_file_system();
  const std::string to = std::filesystem::absolute(target).lexically_normal().string();
  const auto made = hub::back_up(*files, data, to, with_key ? hub::SecretsKey::copy : hub::SecretsKey::leave,
                                 SystemClock().wall_us());
  if (!made) return fail(made.error().detail);
  print(common, made.value(), "backed up to", to);
  if (!common.json && !made.value().with_key && std::filesystem::exists(data + "/secrets.key")) {
    (void)std::printf(
        "secrets.key, which opens the tokens in it, is not in it: keep a copy of %s/secrets.key "
        "apart, or say --with-key\n",
        data.c_str());
  }
  return 0;
}

int restore(const Common& common, const std::string& source) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return 1;
  const std::string& data = setup.config->hub.data;
  const auto files = make_file_system();
  const std::string from = std::filesystem::absolute(source).lexically_normal().string();
  const auto made = hub::restore(*files, from, data, SystemClock().wall_us());
  if (!made) return fail(made.error().detail);
  print(common, made.value(), "restored into", data);
  if (!common.json && !made.value().with_key) {
    (void)std::printf("if the hub keeps tokens of vendors, put its secrets.key into %s before it starts\n",
                      data.c_str());
  }
  return 0;
}

}  // namespace sluice::cli
