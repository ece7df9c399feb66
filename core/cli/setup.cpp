#include "cli/setup.hpp"

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <unistd.h>

#include "base/text.hpp"
#include "hub/epoch.hpp"
#include "net/client.hpp"
#include "plugin/installation.hpp"

namespace sluice::cli {

std::vector<std::string> plugin_folders(const std::vector<std::string>& first) {
  std::vector<std::string> folders = first;
  if (const char* given = std::getenv("SLUICE_PLUGINS"); given != nullptr && *given != '\0') {
    for (const std::string_view folder : split(given, ':')) folders.emplace_back(folder);
    return folders;
  }
  for (std::string& folder : plugin::own_folders()) folders.push_back(std::move(folder));
  return folders;
}

Setup load(const Common& common, bool check_secrets) {
  config::LoadOptions options;
  options.check_secrets = check_secrets;
  return load(common, std::move(options));
}

Setup load(const Common& common, config::LoadOptions options) {
  Setup setup;
  setup.registry = plugin::Registry::scan(plugin_folders(common.plugins));
  setup.connectors = hub::connectors_of(setup.registry);
  options.connectors = setup.connectors;
  config::Loaded loaded = config::load(common.config, options);
  setup.config = std::move(loaded.config);
  setup.diagnostics = std::move(loaded.diagnostics);
  setup.watch = std::move(loaded.watch);
  return setup;
}

bool report(const Setup& setup, bool warnings) {
  for (const plugin::Refused& refused : setup.registry.refused()) {
    (void)std::fprintf(stderr, "warning: %s is not loaded: %s\n", refused.path.c_str(),
                       refused.reason.c_str());
  }
  for (const config::Diagnostic& diagnostic : setup.diagnostics) {
    if (diagnostic.warning && !warnings) continue;
    (void)std::fputs(config::format(diagnostic).c_str(), stderr);
  }
  return setup.config != nullptr;
}

Answer ask(const config::Config& config, const std::string& path, const std::string* body) {
  Answer answer;
  auto client = net::HttpClient::create();
  if (!client) return answer;
  net::HttpRequest request;
  request.method = body == nullptr ? "GET" : "POST";
  request.allow_private = true;
  constexpr std::int64_t connect_ms = 1'000;
  request.connect_timeout_ms = connect_ms;
  if (body != nullptr) request.body = *body;
  const std::string& admin = config.hub.admin;
  if (admin.starts_with("unix:")) {
    request.unix_socket = admin.substr(5);
    request.url = "http://hub" + path;
  } else {
    request.url = "http://" + admin + path;
    if (const char* token = std::getenv("SLUICE_TOKEN"))
      request.headers.emplace_back("Authorization", std::string("Bearer ") + token);
  }
  net::HttpResponse response = client.value()->fetch(std::move(request));
  if (response.status == 0 && response.reached == net::Reached::no) return answer;
  answer.reached = true;
  answer.status = response.status;
  answer.body = std::move(response.body);
  return answer;
}

std::string path_segment(const std::string& text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~:@").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

int fail(const std::string& text) {
  (void)std::fprintf(stderr, "sluice: %s\n", text.c_str());
  return 1;
}

bool agreed(const std::string& question) {
  if (::isatty(STDIN_FILENO) == 0) {
    (void)fail("nothing is changed: say --yes where nobody can be asked");
    return false;
  }
  (void)std::printf("\n%s [y/N] ", question.c_str());
  (void)std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace sluice::cli
