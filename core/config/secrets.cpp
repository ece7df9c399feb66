#include "config/secrets.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/json.hpp"
#include "config/config.hpp"

namespace sluice::config {

namespace {

namespace fs = std::filesystem;

bool is_environment_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && c != '_') return false;
  }
  return true;
}

// A secret's file: relative to the configuration and under its folder, or absolute (where a platform mounts
// secrets).
std::optional<std::string> secret_path(const std::string& folder, const std::string& path) {
  if (fs::path(path).is_absolute()) return path;
  return path_under(folder, path);
}

Result<std::string> read_secret(const SecretReference& reference, const std::string& folder) {
  if (!reference.valid)
    return Error{Code::misconfigured, "a '${' in the settings is no reference to a secret"};
  if (std::optional<std::string> why = missing_secret(reference, folder)) {
    return Error{Code::misconfigured, std::move(*why)};
  }
  if (!reference.file) return std::string(std::getenv(reference.name.c_str()));
  std::ifstream in(*secret_path(folder, reference.name), std::ios::binary);
  std::string value(secret_bytes_max + 1, '\0');
  in.read(value.data(), static_cast<std::streamsize>(value.size()));
  value.resize(static_cast<std::size_t>(in.gcount()));
  if (value.size() > secret_bytes_max) {
    return Error{Code::misconfigured, "the secret's file '" + reference.name + "' is larger than 64 KiB"};
  }
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.pop_back();
  return value;
}

Result<std::string> expand_text(std::string_view text, const std::string& folder) {
  std::string out;
  std::size_t done = 0;
  for (const SecretReference& reference : secret_references(text)) {
    out += text.substr(done, reference.begin - done);
    out += SLUICE_TRY(read_secret(reference, folder));
    done = reference.end;
  }
  return out += text.substr(done);
}

Status expand_value(Json value, const std::string& folder, JsonWriter& out) {
  std::optional<Error> failed;
  const auto keep = [&failed](Status status) {
    if (!status && !failed) failed = status.error();
  };
  if (value.type() == JsonType::object) {
    out.begin_object();
    value.members([&](std::string_view key, Json member) {
      out.key(key);
      keep(expand_value(member, folder, out));
    });
    out.end_object();
  } else if (value.type() == JsonType::array) {
    out.begin_array();
    value.elements([&](Json element) { keep(expand_value(element, folder, out)); });
    out.end_array();
  } else if (value.is_string()) {
    Result<std::string> text = expand_text(value.string_or(""), folder);
    if (!text) failed = text.error();
    out.string(text ? std::string_view(text.value()) : std::string_view());
  } else {
    out.raw(value.text());
  }
  if (failed) return *failed;
  return Done{};
}

}  // namespace

std::vector<SecretReference> secret_references(std::string_view text) {
  std::vector<SecretReference> all;
  for (std::size_t at = text.find("${"); at != std::string_view::npos;) {
    const std::size_t close = text.find('}', at);
    SecretReference r;
    r.begin = at;
    r.end = close == std::string_view::npos ? text.size() : close + 1;
    std::string_view name =
        text.substr(at + 2, (close == std::string_view::npos ? text.size() : close) - at - 2);
    r.file = name.starts_with("file:");
    if (r.file) name.remove_prefix(5);
    r.name = name;
    r.valid = close != std::string_view::npos && (r.file ? !name.empty() : is_environment_name(name));
    all.push_back(r);
    at = text.find("${", r.end);
  }
  return all;
}

std::optional<std::string> path_under(const std::string& folder, const std::string& path) {
  std::error_code ignored;
  const fs::path base = fs::weakly_canonical(folder, ignored);
  const fs::path whole = fs::weakly_canonical(base / path, ignored);
  const fs::path relative = whole.lexically_relative(base);
  if (whole.empty() || relative.empty() || *relative.begin() == "..") return std::nullopt;
  return whole.string();
}

std::optional<std::string> missing_secret(const SecretReference& reference, const std::string& folder) {
  if (!reference.file) {
    const char* value = std::getenv(reference.name.c_str());
    if (value == nullptr) return "the environment has no '" + reference.name + "'";
    if (*value == '\0') return "'" + reference.name + "' is empty in the environment";
    return std::nullopt;
  }
  const std::optional<std::string> path = secret_path(folder, reference.name);
  if (!path) return "the secret's file '" + reference.name + "' is not under the folder of the configuration";
  std::error_code ignored;
  if (!fs::is_regular_file(*path, ignored) || !std::ifstream(*path)) {
    return "the secret's file '" + reference.name + "' cannot be read";
  }
  if (fs::file_size(*path, ignored) == 0) return "the secret's file '" + reference.name + "' is empty";
  return std::nullopt;
}

Result<std::string> expand_secrets(const std::string& json, const std::string& base_folder) {
  JsonParser parser;
  const Json root = parser.parse(json.empty() ? "{}" : json);
  if (!root.is_object()) return Error{Code::misconfigured, "settings are no JSON object"};
  std::string out;
  JsonWriter writer(out);
  SLUICE_TRY(expand_value(root, base_folder, writer));
  return out;
}

}  // namespace sluice::config
