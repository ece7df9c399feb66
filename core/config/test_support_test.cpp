#include "config/test_support.hpp"

#include <filesystem>
#include <fstream>
#include <stdlib.h>

#include "config/load.hpp"

namespace sluice::config::testing {

std::vector<ConnectorInfo> connectors() {
  const char* csv =
      R"({"streams":[{"name":"rows"}],"config":{"type":"object","required":["path"],"properties":{
    "path":{"type":"string","format":"path"},"delimiter":{"type":"string","pattern":"^.$","description":"one character"},
    "encoding":{"type":"string","enum":["utf8","windows-1252","latin1"]},"decimal":{"type":"string"},
    "dates":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]},
    "quote":{"type":"string","maxLength":1},"columns":{"type":"array","items":{"type":"string"},"minItems":1},"timezone":{"type":"string","format":"timezone"},"header":{"type":"boolean"},
    "skip":{"type":"integer","minimum":0}}}})";
  const char* braze = R"({"config":{"type":"object","required":["endpoint","api_key"],"properties":{
    "endpoint":{"type":"string","format":"uri"},"api_key":{"type":"string","x-secret":true}}}})";
  const char* smtp = R"({"config":{"type":"object","properties":{"server":{"type":"string","format":"uri"},
    "from":{"type":"string"}}},"input":{"type":"object","additionalProperties":false,"required":["subject"],
    "anyOf":[{"required":["text"]},{"required":["html"]}],"properties":{"subject":{},"text":{},"html":{}}}})";
  const char* file =
      R"({"config":{"type":"object","properties":{"path":{"type":"string","format":"path"}}}})";
  const char* crm = R"({"config":{"type":"object","properties":{"instance":{"type":"string"}}}})";
  const char* meta = R"({"config":{"type":"object","properties":{"ad_account":{"type":"string"},
    "token":{"type":"string","x-secret":true}}}})";
  const char* twilio =
      R"({"config":{"type":"object","properties":{"account":{"type":"string","x-secret":true},
    "token":{"type":"string","x-secret":true}}}})";
  return {{"csv", true, false, csv},   {"salesforce", true, false, crm},      {"braze", false, true, braze},
          {"smtp", false, true, smtp}, {"meta_audiences", false, true, meta}, {"twilio", false, true, twilio},
          {"file", false, true, file}};
}

Loaded check_text(const std::string& text) {
  const Folder folder;
  ::setenv("SLUICE_TEST_KEY", "s3cr3t-value", 1);
  ::setenv("SLUICE_TEST_EMPTY", "", 1);
  LoadOptions options;
  options.connectors = connectors();
  return load_text(text, folder.path() + "/connectors.yaml", options);
}

std::string shown(const Loaded& loaded) {
  std::string all;
  for (const Diagnostic& d : loaded.diagnostics) all += "[" + d.code + "] " + format(d);
  return all;
}

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "sluice-config-XXXXXX").string();
  path_ = ::mkdtemp(name.data()) != nullptr ? name : std::string();
}

Folder::~Folder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::string Folder::write(const std::string& name, const std::string& text) const {
  const std::filesystem::path whole = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(whole.parent_path());
  std::ofstream(whole, std::ios::binary) << text;
  return whole.string();
}

}  // namespace sluice::config::testing
