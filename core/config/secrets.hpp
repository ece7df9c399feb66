// References to secrets in texts: "${NAME}" of the environment, "${file:PATH}" of a file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

inline constexpr std::size_t secret_bytes_max = 64 * 1024;

struct SecretReference {
  std::size_t begin = 0, end = 0;  // in the text, "${" and "}" included
  bool file = false;
  bool valid = false;  // false: "${" that is no reference
  std::string name;    // or path
};

std::vector<SecretReference> secret_references(std::string_view text);
// Whether it can be looked up. Nothing when it can, else why not, in words for operators.
std::optional<std::string> missing_secret(const SecretReference& reference, const std::string& folder);
// `path` under `folder`: absolute, without "..". Nothing when it would leave the folder.
std::optional<std::string> path_under(const std::string& folder, const std::string& path);

}  // namespace sluice::config
