#include "hub/configurations.hpp"

#include <charconv>

#include "base/json.hpp"

namespace sluice::hub {

namespace {

// 20 digits: names sort as numbers do.
std::string name_of(std::uint64_t seq) {
  const std::string digits = std::to_string(seq);
  return std::string(20 - digits.size(), '0') + digits + ".json";
}

}  // namespace

std::string configurations_folder(const std::string& data) {
  return data + "/configurations";
}

Status keep_configuration(FileSystem& files, const std::string& data, std::uint64_t seq,
                          std::string_view epoch) {
  const std::string folder = configurations_folder(data);
  SLUICE_TRY(files.make_directory(folder));
  SLUICE_TRY(replace_file(files, folder + '/' + name_of(seq), epoch));
  const std::vector<std::string> names = SLUICE_TRY(files.list(folder));
  for (std::size_t i = 0; i + configurations_max < names.size(); ++i)
    SLUICE_TRY(files.remove(folder + '/' + names[i]));
  return Done{};
}

Result<std::vector<KeptConfiguration>> kept_configurations(FileSystem& files, const std::string& data) {
  std::vector<KeptConfiguration> out;
  for (const std::string& name : SLUICE_TRY(files.list(configurations_folder(data)))) {
    KeptConfiguration one;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), one.seq);
    if (error != std::errc{} || name != name_of(one.seq)) continue;
    const std::string text = SLUICE_TRY(read_file(files, configurations_folder(data) + '/' + name));
    JsonParser parser;
    const Json root = parser.parse(text);
    if (!root.is_object())
      return Error{Code::corrupt, configurations_folder(data) + '/' + name + " is no JSON object: remove it"};
    one.main = root["main"].string_or("");
    root["files"].members(
        [&](std::string_view path, Json file) { one.files.emplace(path, file.string_or("")); });
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace sluice::hub
