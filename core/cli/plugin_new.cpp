// `sluice plugin new`: a folder that builds, passes its tests and loads as it stands.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/commands.hpp"
#include "cli/scaffold.hpp"
#include "cli/setup.hpp"

namespace sluice::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_bytes_max = 40;

// Words of small letters and digits with '_' between: a file, a CMake target and a C++ name at once.
bool is_name(std::string_view name) {
  char before = '_';
  for (const char c : name) {
    const bool letter = c >= 'a' && c <= 'z';
    const bool digit = c >= '0' && c <= '9';
    if (!letter && !digit && (c != '_' || before == '_')) return false;
    before = c;
  }
  return !name.empty() && name.size() <= name_bytes_max && before != '_' && (name[0] < '0' || name[0] > '9');
}

// acme_push -> AcmePush
std::string class_of(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '_') continue;
    const bool first = i == 0 || name[i - 1] == '_';
    out += first ? static_cast<char>(std::toupper(static_cast<unsigned char>(name[i]))) : name[i];
  }
  return out;
}

std::string with_letters(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

// What a way of authentication puts into the manifest, its settings, a test's settings, and the YAML.
struct Credential {
  std::string_view type, auth, required, settings, json, yaml;
};
constexpr Credential credentials[] = {
    {"none", R"({"type": "none"})", "", "", "", ""},
    {"header", R"({"type": "header", "name": "authorization", "value": "Bearer {secret.token}"})",
     R"(, "token")",
     R"(,
      "token": {"type": "string", "x-secret": true, "description": "the API's token"})",
     R"(, "token": "a-token")", R"(, token: "${@NAME@_TOKEN}")"},
    {"query", R"({"type": "query", "name": "token", "value": "{secret.token}"})", R"(, "token")",
     R"(,
      "token": {"type": "string", "x-secret": true, "description": "the API's token"})",
     R"(, "token": "a-token")", R"(, token: "${@NAME@_TOKEN}")"},
    {"basic", R"({"type": "basic", "user": "{config.user}", "password": "{secret.password}"})",
     R"(, "user", "password")",
     R"(,
      "user": {"type": "string", "description": "the API's user"},
      "password": {"type": "string", "x-secret": true, "description": "and its password"})",
     R"(, "user": "hub", "password": "a-password")", R"(, user: hub, password: "${@NAME@_PASSWORD}")"},
};

using Words = std::vector<std::pair<std::string, std::string>>;

Words words_of(const NewPlugin& wanted) {
  const Credential* credential = &credentials[0];
  for (const Credential& one : credentials) credential = one.type == wanted.auth ? &one : credential;
  std::string upper = wanted.name;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string yaml(credential->yaml), environment;
  if (const std::size_t at = yaml.find("@NAME@"); at != std::string::npos) {
    yaml.replace(at, 6, upper);
    environment = yaml.substr(at, yaml.find('}') - at) + "=secret ";
  }
  return {{"@name@", wanted.name},
          {"@Class@", class_of(wanted.name)},
          {"@host@", with_letters(wanted.name, '_', '-')},
          {"@auth@", std::string(credential->auth)},
          {"@required@", R"("endpoint")" + std::string(credential->required)},
          {"@settings@", std::string(credential->settings)},
          {"@with_json@", std::string(credential->json)},
          {"@with_yaml@", yaml},
          {"@environment@", environment}};
}

std::string filled(std::string text, const Words& words) {
  for (const auto& [word, value] : words) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size())) {
      text.replace(at, word.size(), value);
    }
  }
  return text;
}

Status write(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file)
    return Error{Code::transient,
                 path.string() + " cannot be written: is there room, and the right to write?"};
  return Done{};
}

// Where the binary is installed with its SDK, CMake may have to be told.
std::string prefix_option() {
  std::error_code ignored;
  const fs::path prefix = fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path();
  if (prefix == "/usr" || prefix == "/usr/local") return "";
  if (!fs::exists(prefix / "lib/cmake/Sluice/SluiceConfig.cmake", ignored))
    return " -DCMAKE_PREFIX_PATH=PREFIX";
  return " -DCMAKE_PREFIX_PATH=" + prefix.string();
}

Status check_name(const Common& common, const std::string& name) {
  if (!is_name(name)) {
    return Error{Code::rejected,
                 "'" + name + "' is no name for a connector: write small letters, digits and single '_', " +
                     "first a letter, at most " + std::to_string(name_bytes_max) +
                     " in all, such as acme_push"};
  }
  if (name == "tracking") return Error{Code::rejected, "'tracking' is the hub's own: take another name"};
  const plugin::Registry registry = plugin::Registry::scan(plugin_folders(common.plugins));
  for (const plugin::Entry& entry : registry.entries()) {
    if (entry.plugin == name || entry.info.id == name) {
      return Error{Code::rejected,
                   "a connector '" + name + "' is there already (" + entry.path + "): take another name"};
    }
  }
  return Done{};
}

Status write_files(const NewPlugin& wanted, const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error) && !(fs::is_directory(folder, error) && fs::is_empty(folder, error))) {
    return Error{Code::rejected,
                 folder.string() + " is there already and not empty: name another with --folder"};
  }
  fs::create_directories(folder, error);
  if (error) return Error{Code::transient, folder.string() + " cannot be made: " + error.message()};
  const Words words = words_of(wanted);
  for (const ScaffoldFile& file : scaffold_files()) {
    const std::size_t slash = file.path.find('/');
    const std::string_view kind = file.path.substr(0, slash);
    if (kind != "both" && kind != wanted.kind) continue;
    std::string name(file.path.substr(slash + 1));
    if (name.starts_with("NAME")) name.replace(0, 4, wanted.name);
    SLUICE_TRY(write(folder / name, filled(std::string(file.text), words)));
  }
  return Done{};
}

}  // namespace

int plugin_new(const Common& common, const NewPlugin& wanted) {
  if (const Status good = check_name(common, wanted.name); !good) return fail(good.error().detail);
  const std::string folder = wanted.folder.empty() ? wanted.name : wanted.folder;
  if (const Status written = write_files(wanted, folder); !written) return fail(written.error().detail);
  (void)std::printf(
      "%s is there: a %s that builds as it stands. Next:\n"
      "  cd %s\n"
      "  cmake -S . -B build%s\n"
      "  cmake --build build\n"
      "  ctest --test-dir build --output-on-failure\n"
      "  sluice plugin show build/%s.so\n"
      "README.md says what to change, in which order.\n",
      folder.c_str(), wanted.kind.c_str(), folder.c_str(), prefix_option().c_str(), wanted.name.c_str());
  return 0;
}

}  // namespace sluice::cli
