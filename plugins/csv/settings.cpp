#include "settings.hpp"

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace csv {
namespace {

using sluice::sdk::Fail;
using sluice::sdk::Json;

[[noreturn]] void wrong(const std::string& what) {
  throw Fail(SLUICE_INVALID, what);
}

std::string path_of(std::string_view path, std::string_view folder) {
  if (path.empty()) wrong("'path' is missing: the file or files to read, as in ./data/*.csv");
  if (path.starts_with('/')) return std::string(path);
  for (std::size_t at = path.find(".."); at != std::string_view::npos; at = path.find("..", at + 1)) {
    const bool begins = at == 0 || path[at - 1] == '/', ends = at + 2 == path.size() || path[at + 2] == '/';
    if (begins && ends)
      wrong("'path' leaves the folder of the configuration with '..': write the absolute path");
  }
  while (path.starts_with("./")) path.remove_prefix(2);
  std::string out;
  for (const char c : folder) {  // the folder is meant as it is written, whatever a glob would make of it
    if (c == '*' || c == '?' || c == '[' || c == '\\') out += '\\';
    out += c;
  }
  return out + '/' + std::string(path);
}

Dialect dialect_of(const Json& config) {
  Dialect out;
  const std::string_view delimiter = config["delimiter"].text_or(",");
  if (delimiter == "whitespace") {
    out.whitespace = true;
    out.quote = '\0';
    return out;
  }
  if (delimiter == "tab" || delimiter == "\\t") {
    out.delimiter = '\t';
  } else if (delimiter.size() == 1 && delimiter != "\n" && delimiter != "\"") {
    out.delimiter = delimiter.front();
  } else {
    wrong("'delimiter' must be one character, \"\\t\" or whitespace");
  }
  const std::string_view quote = config["quote"].text_or("\"");
  if (quote.size() > 1) wrong("'quote' must be one character, or empty for none");
  out.quote = quote.empty() ? '\0' : quote.front();
  return out;
}

std::vector<std::string> names_of(const Json& list, const char* field) {
  std::vector<std::string> out;
  for (const Json& name : list.elements()) {
    if (!name.is_string() || name.text_or("").empty())
      wrong(std::string("'") + field + "' must be a list of column names");
    out.emplace_back(name.text_or(""));
  }
  return out;
}

std::vector<DatePattern> dates_of(const Json& dates) {
  std::vector<std::string> patterns;
  if (dates.is_string()) patterns.emplace_back(dates.text_or(""));
  for (const Json& one : dates.elements()) patterns.emplace_back(one.text_or(""));
  if (patterns.empty()) patterns = {"yyyy-MM-dd HH:mm[:ss[.SSS]]", "yyyy-MM-ddTHH:mm[:ss[.SSS]]"};
  std::vector<DatePattern> out;
  for (const std::string& pattern : patterns) {
    std::optional<DatePattern> compiled = DatePattern::compile(pattern);
    if (!compiled) {
      wrong("'dates' has the pattern '" + pattern +
            "'; it must hold year, month and day, as in dd/MM/yyyy HH:mm[:ss]");
    }
    out.push_back(std::move(*compiled));
  }
  return out;
}

}  // namespace

Settings read_settings(std::string_view config_json, std::string_view folder) {
  const std::optional<Json> parsed = Json::parse(config_json);
  if (!parsed || !parsed->is_object()) wrong("the settings are no mapping");
  const Json& config = *parsed;
  Settings out;
  out.path = path_of(config["path"].text_or(""), folder);
  out.folder = folder;
  out.dialect = dialect_of(config);
  const std::optional<Encoding> encoding = encoding_of(config["encoding"].text_or("utf-8"));
  if (!encoding) wrong("'encoding' must be utf-8, windows-1252, iso-8859-1 or iso-8859-15");
  out.encoding = *encoding;
  const std::string_view decimal = config["decimal"].text_or(".");
  if (decimal != "." && decimal != ",") wrong("'decimal' must be \".\" or \",\"");
  out.decimal_comma = decimal == ",";
  out.dates = dates_of(config["dates"]);
  const std::string timezone(config["timezone"].text_or("UTC"));
  const std::optional<Zone> zone = Zone::find(timezone);
  if (!zone) wrong("'timezone' is '" + timezone + "', which is no IANA zone; write one as in Europe/Paris");
  out.zone = *zone;
  const Json& header = config["header"];
  if (header.type() == Json::Type::boolean && !*header.boolean_value()) {
    wrong("'header' must be true or the list of the columns' names");
  }
  out.header = names_of(header, "header");
  out.columns = names_of(config["columns"], "columns");
  out.follow = config["follow"].boolean_value().value_or(true);
  return out;
}

}  // namespace csv
