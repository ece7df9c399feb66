#include "cli/shown.hpp"

#include <cstdio>

#include "base/json.hpp"
#include "cli/setup.hpp"

namespace sluice::cli {

namespace {

Shown shown_of(Result<std::string> made, const std::string& missing) {
  if (!made) return {fail(made.error().detail), {}};
  if (made.value().empty()) return {fail(missing), {}};
  return {0, std::move(made).value()};
}

}  // namespace

std::string error_text(const std::string& body) {
  JsonParser parser;
  return std::string(parser.parse(body)["error"]["message"].string_or("the hub refused"));
}

Shown show(const Common& common, const std::string& path, const std::string& missing,
           const FromFiles& from_files) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return {1, {}};
  const Answer answer = ask(*setup.config, path);
  if (!answer.reached) return shown_of(from_files(*setup.config), missing);
  if (answer.status == 200) return {0, answer.body};
  return {fail(answer.status == 404 ? missing : error_text(answer.body)), {}};
}

Shown show_files(const Common& common, const std::string& missing, const FromFiles& from_files) {
  const Setup setup = load(common, false);
  if (!report(setup, false)) return {1, {}};
  return shown_of(from_files(*setup.config), missing);
}

int print_json(const Shown& shown) {
  if (shown.code == 0) (void)std::puts(shown.json.c_str());
  return shown.code;
}

}  // namespace sluice::cli
