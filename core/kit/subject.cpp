#include "kit/subject.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/file.hpp"
#include "base/hash.hpp"
#include "plugin/operations.hpp"
#include "plugin/registry.hpp"

namespace sluice::kit {
namespace {

constexpr TimeUs sample_time = 1'763'825'411'000'000;

std::string payload_of(const plugin::ManifestInfo& info, std::uint32_t op) {
  switch (op) {
    case SLUICE_MERGE:
      return R"({"from":"p0","to":"p7"})";
    case SLUICE_CONSENT:
      return R"({"purpose":"newsletter","granted":true,"time":"2025-11-22T15:30:11Z"})";
    case SLUICE_DELETE:
    case SLUICE_ERASE:
    case SLUICE_SNAPSHOT_BEGIN:
    case SLUICE_SNAPSHOT_END:
      return "{}";
    default:
      break;
  }
  JsonParser parser;
  const Json schema = parser.parse(info.input_schema.empty() ? "{}" : info.input_schema);
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  if (op == SLUICE_MESSAGE && schema["properties"].size() > 0) {
    schema["properties"].members([&](std::string_view name, Json property) {
      if (const auto value = sample_of(property, name)) writer.key(name).raw(*value);
    });
  } else {
    writer.member("email", canary_email).member("phone", canary_phone).member("first_name", "Zo\xC3\xAB");
    writer.member("subject", "Hello").member("text", "Hello Zo\xC3\xAB").key("total").raw("12.5");
    writer.key("vip").raw("true").key("gone").raw("null").key("tags").raw(R"(["a","b"])");
  }
  writer.end_object();
  return out;
}

std::string identifiers_of(const plugin::ManifestInfo& info, const std::string& number) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  for (const plugin::AskedIdentifier& asked : info.identifiers) {
    const std::string type = asked.type == plugin::every_identifier ? "cookie" : asked.type;
    std::string value = type + '-' + number;
    if (type == "email") value = canary_email;
    if (type == "phone") value = canary_phone;
    writer.key(type).begin_array().string(plugin::in_form(asked, value)).end_array();
  }
  writer.end_object();
  return out;
}

plugin::Record record_of(const plugin::ManifestInfo& info, std::uint32_t op, std::size_t number) {
  const std::string n = std::to_string(number);
  const bool about_audience = op == SLUICE_ENTER || op == SLUICE_LEAVE || op >= SLUICE_SNAPSHOT_BEGIN;
  plugin::Record out{.op = op,
                     .time = sample_time + static_cast<TimeUs>(number) * us_per_s,
                     .id = "j.1." + n + ".0",
                     .key = "p" + n,
                     .name = about_audience         ? "vip"
                             : op == SLUICE_MESSAGE ? "welcome"
                                                    : "Order Completed",
                     .payload = payload_of(info, op),
                     .identifiers = identifiers_of(info, n)};
  if (about_audience) out.audience_id = "23850000000000001";
  if (op == SLUICE_MESSAGE) out.address = info.channel == "sms" ? canary_phone : canary_email;
  return out;
}

// The members of `with:`, those that hold secrets apart. Secrets that the kit makes are canaries.
void split(const plugin::ManifestInfo& info, Json with, Subject& out) {
  JsonWriter writer(out.config);
  writer.begin_object();
  with.members([&](std::string_view name, Json value) {
    if (std::find(info.secrets.begin(), info.secrets.end(), name) == info.secrets.end()) {
      writer.key(name).raw(value.text());
    } else {
      out.secrets[std::string(name)] = value.is_string() ? std::string(*value.string()) : value.text();
    }
  });
  writer.end_object();
}

std::string canary_secret(std::string_view name, Json property) {
  const std::string canary = "canary-secret-of-the-kit-" + std::string(name);
  const std::string_view pattern = property["pattern"].string_or("");
  return pattern.starts_with("^whsec_") ? "whsec_" + base64(sha256(canary)) : canary;
}

Result<std::string> sample_with(const plugin::ManifestInfo& info) {
  JsonParser manifest_parser, schema_parser;
  const Json sample = manifest_parser.parse(info.text)["sample"]["with"];
  const Json schema = schema_parser.parse(info.config_schema.empty() ? "{}" : info.config_schema);
  std::vector<std::string> names;
  schema["required"].elements([&](Json name) { names.emplace_back(name.string_or("")); });
  for (const std::string& secret : info.secrets) names.push_back(secret);
  sample.members([&](std::string_view name, Json) { names.emplace_back(name); });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  for (const std::string& name : names) {
    const Json property = schema["properties"][name];
    const bool secret = std::find(info.secrets.begin(), info.secrets.end(), name) != info.secrets.end();
    std::optional<std::string> value;
    if (sample[name]) {
      value = sample[name].text();
    } else if (secret) {
      value = json_string(canary_secret(name, property));
    } else {
      value = sample_of(property, name);
    }
    if (!value) {
      return Error{Code::misconfigured,
                   "no sample can be made of '" + name +
                       "': give the manifest a \"sample\": {\"with\": {...}}, or --config FILE"};
    }
    writer.key(name).raw(*value);
  }
  writer.end_object();
  return out;
}

Status write_files(Json files, const std::string& folder) {
  Status done = Done{};
  files.members([&](std::string_view name, Json content) {
    if (name.empty() || name.find('/') != std::string_view::npos) {
      done = Error{Code::misconfigured, "manifest: 'sample.files' names a path; plain names are meant"};
      return;
    }
    std::ofstream(folder + '/' + std::string(name), std::ios::binary) << content.string_or("");
  });
  return done;
}

}  // namespace

Result<Library> read_library(const std::string& path) {
  const auto files = make_file_system();
  std::error_code error;
  const std::string whole = std::filesystem::absolute(path, error).lexically_normal().string();
  if (!std::filesystem::is_regular_file(whole, error)) {
    return Error{Code::misconfigured,
                 path + ": there is no such file; give the path of a built connector, NAME.so"};
  }
  if (std::filesystem::file_size(whole, error) > plugin::plugin_bytes_max) {
    return Error{Code::misconfigured, path + ": it is larger than a connector may be"};
  }
  Library out{.path = whole, .bytes = SLUICE_TRY(read_file(*files, whole)), .manifest = {}};
  const Result<std::string> text = plugin::manifest_section(out.bytes);
  if (!text) {
    out.why = text.error().detail;
    return out;
  }
  Result<plugin::Manifest> manifest = plugin::parse_manifest(text.value());
  if (manifest) {
    out.manifest = std::move(manifest).value();
  } else {
    out.why = manifest.error().detail;
  }
  return out;
}

Result<Subject> make_subject(const Library& library, const plugin::ManifestInfo& info,
                             const std::string& folder, const std::optional<std::string>& with,
                             const std::optional<std::string>& records) {
  Subject out{.info = info, .library = library.path, .folder = folder};
  JsonParser parser;
  const std::string text = with ? *with : SLUICE_TRY(sample_with(info));
  const Json root = parser.parse(text);
  if (!root.is_object()) return Error{Code::misconfigured, "the settings are no JSON object"};
  split(info, root, out);
  out.policy = SLUICE_TRY(plugin::make_http_policy(info, out.config, out.secrets, {}));
  const Json sample = parser.parse(info.text)["sample"];
  SLUICE_TRY(write_files(sample["files"], folder));
  if (const Json answer = sample["answer"]) {
    out.answer = answer.is_string() ? std::string(*answer.string()) : answer.text();
  }
  if (const std::string_view stream = sample["stream"].string_or(""); !stream.empty()) {
    out.info.streams.insert(out.info.streams.begin(), std::string(stream));
  }
  if (const Json callback = sample["callback"]) {
    out.callback = callback.is_string() ? std::string(*callback.string()) : callback.text();
  }
  if (records) {
    out.records = SLUICE_TRY(records_of(*records));
    for (plugin::Record& record : out.records)
      record.identifiers = plugin::asked_identifiers(info.identifiers, record.identifiers);
  } else if ((info.kind & SLUICE_DESTINATION) != 0) {
    for (const auto& [name, op] : plugin::op_names) {
      if (!info.takes(op) || op >= SLUICE_SNAPSHOT_BEGIN) continue;  // the marks come with a snapshot's parts
      out.records.push_back(record_of(info, op, out.records.size() + 1));
      if (op == SLUICE_MESSAGE && sample["payload"]) out.records.back().payload = sample["payload"].text();
    }
  }
  return out;
}

std::vector<plugin::Record> snapshot_of(const plugin::ManifestInfo& info, std::size_t members) {
  std::vector<plugin::Record> out{record_of(info, SLUICE_SNAPSHOT_BEGIN, 1)};
  for (std::size_t i = 0; i < members; ++i) out.push_back(record_of(info, SLUICE_ENTER, i + 2));
  out.push_back(record_of(info, SLUICE_SNAPSHOT_END, members + 2));
  for (plugin::Record* const mark : {&out.front(), &out.back()}) {
    mark->key.clear();
    mark->payload = mark->identifiers = "{}";
  }
  return out;
}

std::string_view op_name(std::uint32_t op) {
  for (const auto& [name, known] : plugin::op_names) {
    if (known == op) return name;
  }
  return "?";
}

Result<std::vector<plugin::Record>> records_of(std::string_view json) {
  JsonParser parser;
  const Json root = parser.parse(json);
  std::vector<plugin::Record> out;
  std::string wrong;
  const auto add = [&](Json one) {
    const std::string place = "record " + std::to_string(out.size());
    plugin::Record record{.op = 0, .time = sample_time};
    for (const auto& [name, op] : plugin::op_names) {
      if (name == one["op"].string_or("event")) record.op = op;
    }
    if (record.op == 0) wrong = place + ": 'op' is none that is known; event, upsert, message ... are";
    if (!one["payload"].is_object()) wrong = place + ": 'payload' must be a JSON object";
    const std::string number = std::to_string(out.size() + 1);
    record.id = one["id"].string_or("j.1." + number + ".0");
    record.key = one["key"].string_or("p" + number);
    record.name = one["name"].string_or("");
    record.payload = one["payload"].text();
    record.identifiers = one["identifiers"].is_object() ? one["identifiers"].text() : "{}";
    record.address = one["address"].string_or("");
    record.remote_id = one["remote_id"].string_or("");
    record.audience_id = one["audience_id"].string_or("");
    record.time = one["time_us"].integer().value_or(sample_time);
    out.push_back(std::move(record));
  };
  if (root.type() == JsonType::array) {
    root.elements(add);
  } else if (root.is_object()) {
    add(root);
  } else {
    return Error{
        Code::misconfigured,
        "it is no record: write {\"op\": \"event\", \"name\": ..., \"payload\": {...}}, or a list of them"};
  }
  if (!wrong.empty()) return Error{Code::misconfigured, wrong};
  return out;
}

std::vector<std::vector<plugin::Record>> batches_of(const plugin::ManifestInfo& info,
                                                    std::span<const plugin::Record> records,
                                                    std::size_t most) {
  const std::size_t size = std::min<std::size_t>(info.batch_records, most);
  const auto together = [&](const plugin::Record& a, const plugin::Record& b) {
    if (info.group_by == "op") return a.op == b.op;
    if (info.group_by == "name") return a.name == b.name;
    if (info.group_by == "key") return a.key == b.key;
    return true;
  };
  std::vector<std::vector<plugin::Record>> out;
  for (const plugin::Record& record : records) {
    const auto fits = [&](const auto& batch) {
      return batch.size() < size && together(batch.front(), record);
    };
    const auto found = std::find_if(out.begin(), out.end(), fits);
    if (found != out.end()) {
      found->push_back(record);
    } else {
      out.push_back({record});
    }
  }
  return out;
}

std::vector<plugin::Record> many(const plugin::ManifestInfo& info, std::span<const plugin::Record> like,
                                 std::size_t count) {
  std::vector<plugin::Record> out;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count && !like.empty(); ++i) {
    plugin::Record record = like[info.group_by.empty() ? i % like.size() : 0];
    record.id = "j.2." + std::to_string(i) + ".0";
    if (info.group_by != "key") record.key = "q" + std::to_string(i);
    bytes += record.payload.size() + record.identifiers.size();
    if (!out.empty() && bytes > info.batch_bytes) break;
    out.push_back(std::move(record));
  }
  return out;
}

}  // namespace sluice::kit
