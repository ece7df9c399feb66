#include <re2/re2.h>

#include "kit/subject.hpp"

namespace sluice::kit {
namespace {

constexpr std::string_view texts[] = {"https://kit.example.com",
                                      "kit",
                                      "smtp://127.0.0.1:1",
                                      "1",
                                      "canary.person@kit.example",
                                      "2026-01-01",
                                      "dd/MM/yyyy",
                                      ",",
                                      "FR",
                                      "eu-west-1",
                                      "+33699000111"};

std::optional<std::string> text_of(Json schema, std::string_view name) {
  const std::string_view format = schema["format"].string_or("");
  if (format == "uri") return "https://kit.example.com";
  if (format == "path") return "kit.txt";
  if (format == "timezone") return "Europe/Paris";
  if (format == "email") return std::string(canary_email);
  const std::string_view pattern = schema["pattern"].string_or("");
  const std::string sample = "sample " + std::string(name);
  if (pattern.empty()) return sample;
  const RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), RE2::Quiet);
  if (!compiled.ok()) return std::nullopt;
  for (const std::string_view text : texts) {
    if (RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled)) return std::string(text);
  }
  return std::nullopt;
}

std::optional<std::string> object_of(Json schema) {
  std::string out;
  JsonWriter writer(out);
  bool whole = true;
  writer.begin_object();
  schema["required"].elements([&](Json name) {
    const std::string_view member = name.string_or("");
    const auto value = sample_of(schema["properties"][member], member);
    whole = whole && value;
    if (value) writer.key(member).raw(*value);
  });
  writer.end_object();
  return whole ? std::optional(out) : std::nullopt;
}

}  // namespace

std::optional<std::string> sample_of(Json schema, std::string_view name) {
  if (schema["const"]) return schema["const"].text();
  if (schema["examples"].size() > 0) return schema["examples"].at(0).text();
  if (schema["default"]) return schema["default"].text();
  if (schema["enum"].size() > 0) return schema["enum"].at(0).text();
  for (const char* const choice : {"anyOf", "oneOf"}) {
    if (schema[choice].size() > 0 && !schema["type"]) return sample_of(schema[choice].at(0), name);
  }
  const Json type = schema["type"];
  const std::string_view kind =
      type.type() == JsonType::array ? type.at(0).string_or("") : type.string_or("string");
  if (kind == "integer" || kind == "number") return schema["minimum"] ? schema["minimum"].text() : "1";
  if (kind == "boolean") return "true";
  if (kind == "null") return "null";
  if (kind == "object") return object_of(schema);
  if (kind == "array") {
    const auto item = sample_of(schema["items"], name);
    return item ? std::optional('[' + *item + ']') : std::nullopt;
  }
  const auto text = text_of(schema, name);
  return text ? std::optional(json_string(*text)) : std::nullopt;
}

}  // namespace sluice::kit
