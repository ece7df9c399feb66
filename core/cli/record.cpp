// `sluice plugin record`: takes a golden exchange with a real vendor.
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <unistd.h>

#include "base/file.hpp"
#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "config/config.hpp"
#include "kit/recording.hpp"

namespace sluice::cli {
namespace {

Result<std::string> json_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  if (!file || !(out << file.rdbuf()))
    return Error{Code::misconfigured, path + ": it cannot be read, or is empty"};
  JsonParser parser;
  if (!parser.parse(out.str())) return Error{Code::misconfigured, path + ": it is no JSON"};
  return out.str();
}

Result<kit::RecordingOptions> options_of(const RecordFiles& files) {
  kit::RecordingOptions out;
  out.library = files.library;
  out.about = files.about;
  out.mask = files.mask;
  out.part = files.part;
  out.snapshot = files.snapshot;
  if (files.records.empty() == files.poll.empty())
    return Error{Code::misconfigured, "give --record FILE for a destination, or --poll FILE for a source"};
  const std::string folder = std::filesystem::absolute(files.with).parent_path().string();
  const std::string with = SLUICE_TRY(json_of(files.with));
  out.with = SLUICE_TRY(config::expand_secrets(with, folder));
  if (!files.records.empty()) out.records = SLUICE_TRY(json_of(files.records));
  if (!files.poll.empty()) out.poll = SLUICE_TRY(json_of(files.poll));
  return out;
}

bool agreed(std::string_view shown) {
  (void)std::fprintf(stderr, "%.*s\nsend this? [y/N] ", static_cast<int>(shown.size()), shown.data());
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

// Never over a file that is there: it may be the only record of how a vendor answered.
Status write_new(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return Error{Code::misconfigured, path + ": it is there already, or cannot be made: give another --out"};
  ::close(fd);
  const auto system = make_file_system();
  return replace_file(*system, path, text);
}

}  // namespace

int plugin_record(const RecordFiles& files) {
  if (std::error_code ignored; std::filesystem::exists(files.out, ignored))
    return fail(files.out + ": it is there already: give another --out");
  auto options = options_of(files);
  if (!options) return fail(options.error().detail);
  options.value().agree = [&](std::string_view shown) {
    if (!files.yes) return agreed(shown);
    (void)std::fprintf(stderr, "%.*s\n", static_cast<int>(shown.substr(0, shown.find('\n')).size()),
                       shown.data());
    return true;
  };
  const auto recorded = kit::record(options.value());
  if (!recorded) return fail(recorded.error().detail);
  if (const Status written = write_new(files.out, recorded.value().json + '\n'); !written)
    return fail(written.error().detail);
  (void)std::printf("%s: %zu requests and their answers; secrets are made-up ones\n", files.out.c_str(),
                    recorded.value().requests);
  if (recorded.value().personal) {
    (void)std::printf(
        "it holds what looks like e-mail addresses or phones: the answers stand as they came. Look before "
        "you "
        "share it, or take it with --mask\n");
  }
  return 0;
}

}  // namespace sluice::cli
