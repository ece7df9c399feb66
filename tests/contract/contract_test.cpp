#include <cstring>
#include <elf.h>

#include <catch2/catch.hpp>

#include "base/json.hpp"
#include "support/plugin_host.hpp"

using namespace sluice;
using namespace sluice::testing;

namespace {

// A text that fits the property: its default, an example of its enum, or what its name and format suggest.
std::string sample(std::string_view name, Json property) {
  if (property["default"]) return property["default"].text();
  if (property["examples"].size() > 0) return property["examples"].at(0).text();
  if (property["enum"].size() > 0) return property["enum"].at(0).text();
  const std::string_view type = property["type"].string_or("string");
  if (type == "integer" || type == "number") return property["minimum"] ? property["minimum"].text() : "1";
  if (type == "boolean") return "true";
  if (type == "object") return "{}";
  if (type == "array") return "[]";
  if (name == "server") return R"("smtp://127.0.0.1:25")";
  if (name == "from") return R"("Acme <hello@acme.test>")";
  if (name == "url" || name == "endpoint" || property["format"].string_or("") == "uri")
    return R"("https://api.example.com/x")";
  if (property["x-secret"].boolean().value_or(false)) return R"("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")";
  return json_string("sample." + std::string(name));
}

// What the schema requires, every secret, and what the manifest's sample says.
std::string config_of(const plugin::ManifestInfo& info) {
  JsonParser parser, manifest;
  const Json given = manifest.parse(info.text)["sample"]["with"];
  const Json schema = parser.parse(info.config_schema.empty() ? "{}" : info.config_schema);
  std::vector<std::string> required = info.secrets;
  schema["required"].elements([&](Json name) { required.emplace_back(name.string_or("")); });
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  for (const std::string& name : required) {
    if (!given[name]) writer.key(name).raw(sample(name, schema["properties"][name]));
  }
  given.members([&](std::string_view name, Json value) { writer.key(name).raw(value.text()); });
  writer.end_object();
  return out;
}

std::vector<plugin::Record> batch_for(const plugin::ManifestInfo& info) {
  std::vector<plugin::Record> out;
  for (std::uint32_t op = SLUICE_EVENT; op <= SLUICE_CONSENT; ++op) {
    if (!info.takes(op)) continue;
    for (int i = 0; i < 3; ++i) {
      const std::string n = std::to_string(op * 10 + static_cast<std::uint32_t>(i));
      out.push_back(
          {.op = op,
           .time = 1'763'825'411'000'000 + i,
           .id = "j.1." + n + ".0",
           .key = "p" + n,
           .name = "Order Completed",
           .payload =
               R"({"first_name":"Ada","subject":"Hi","text":"Hello","html":"<p>Hello</p>","total":12.5})",
           .identifiers = R"({"user_id":["u)" + n + R"("],"email":["ada)" + n + R"(@example.com"]})",
           .address = "ada@example.com"});
    }
  }
  if (out.size() > info.batch_records) out.resize(info.batch_records);
  return out;
}

std::string text_of(const plugin::Output& out) {
  std::string text;
  for (const plugin::Request& r : out.requests) {
    text += r.method + ' ' + r.url + ' ' + r.body + ' ' + r.state + ' ' + r.bucket;
    for (const plugin::Header& h : r.headers) text += h.name + ':' + h.value;
    for (const std::uint32_t i : r.records) text += std::to_string(i) + ',';
  }
  for (const plugin::Fate& f : out.outcomes)
    text += std::to_string(f.record) + '=' + std::to_string(f.outcome.status) + f.outcome.reason;
  return text;
}

struct Opened {
  explicit Opened(const plugin::Entry& entry) {
    Result<std::unique_ptr<plugin::Connector>> made = plugin::Connector::open(
        entry, {.name = "contract", .config = config_of(entry.info), .folder = folder.path()}, host);
    INFO(entry.info.id << ": " << (made ? "" : made.error().detail));
    REQUIRE(made);
    connector = std::move(made).value();
  }
  Folder folder;
  PluginHost host;
  std::unique_ptr<plugin::Connector> connector;
};

template <typename F>
void each_destination(F&& body) {
  for (const plugin::Entry& entry : built_plugins().entries()) {
    if ((entry.info.kind & SLUICE_DESTINATION) == 0) continue;
    Opened opened(entry);
    INFO(entry.info.id);
    body(opened);
  }
}

// The names that the library defines for others, from its dynamic symbol table.
std::vector<std::string> exports_of(const std::string& file) {
  std::vector<std::string> out;
  Elf64_Ehdr header{};
  std::memcpy(&header, file.data(), sizeof header);
  const auto section = [&](std::size_t i) {
    Elf64_Shdr s{};
    std::memcpy(&s, file.data() + header.e_shoff + i * sizeof s, sizeof s);
    return s;
  };
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr table = section(i);
    if (table.sh_type != SHT_DYNSYM) continue;
    const Elf64_Shdr names = section(table.sh_link);
    for (std::size_t at = 0; at < table.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol{};
      std::memcpy(&symbol, file.data() + table.sh_offset + at, sizeof symbol);
      if (symbol.st_shndx != SHN_UNDEF) out.emplace_back(file.data() + names.sh_offset + symbol.st_name);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("every connector that was built is accepted") {
  for (const plugin::Refused& refused : built_plugins().refused()) {
    FAIL_CHECK(refused.path << ": " << refused.reason);
  }
  CHECK(built_plugins().find("csv", SLUICE_SOURCE) != nullptr);
  CHECK(built_plugins().find("file", SLUICE_DESTINATION) != nullptr);
}

TEST_CASE("every manifest has a title, a version and a schema of its configuration") {
  for (const plugin::Entry& entry : built_plugins().entries()) {
    INFO(entry.info.id);
    CHECK_FALSE(entry.version.empty());
    CHECK_FALSE(entry.info.title.empty());
    JsonParser parser;
    const Json schema = parser.parse(entry.info.config_schema);
    CHECK(schema["type"].string_or("") == "object");
    CHECK(schema["properties"].size() > 0);
    schema["required"].elements([&](Json name) { CHECK(schema["properties"][name.string_or("")]); });
  }
}

TEST_CASE("every library exports its table and nothing else") {
  for (const plugin::Entry& entry : built_plugins().entries()) {
    std::ostringstream bytes;
    bytes << std::ifstream(entry.path, std::ios::binary).rdbuf();
    std::vector<std::string> names = exports_of(bytes.str());
    std::erase_if(names, [](const std::string& name) {
      return name.find("asan") != std::string::npos || name.find("odr") != std::string::npos;
    });
    INFO(entry.path);
    CHECK(names == std::vector<std::string>{"sluice_plugin_v1"});
  }
}

TEST_CASE("every connector opens by its schema, and refuses settings that are none") {
  for (const plugin::Entry& entry : built_plugins().entries()) {
    const Opened opened(entry);
    PluginHost host;
    INFO(entry.info.id);
    CHECK_FALSE(
        plugin::Connector::open(entry, {.name = "x", .config = "[]", .folder = "/nonexistent"}, host));
  }
}

TEST_CASE("every destination takes an empty batch") {
  each_destination([](Opened& o) {
    if (o.connector->offers_plan()) {
      const plugin::PlanOutput out = o.connector->plan({}).value();
      CHECK(out.requests.empty());
      CHECK(out.outcomes.empty());
    } else {
      CHECK(o.connector->deliver({}).value().empty());
    }
  });
}

TEST_CASE("every plan gives each record one fate, the same each time, and asks only for what may be sent") {
  each_destination([](Opened& o) {
    if (!o.connector->offers_plan()) return;
    const std::vector<plugin::Record> batch = batch_for(o.connector->info());
    const plugin::PlanOutput out = o.connector->plan(batch).value();
    for (const std::string& fault : out.faults) FAIL_CHECK(fault);
    CHECK(text_of(out) == text_of(o.connector->plan(batch).value()));
    for (const plugin::Request& request : out.requests) {
      const Result<plugin::HttpRequest> ready =
          plugin::resolve(o.connector->http_policy(), request, o.host.now);
      CHECK(ready);
      CHECK(request.body.size() <= 2 * o.connector->info().batch_bytes);
    }
  });
}

TEST_CASE(
    "every destination that plans survives garbage as an answer, and gives each record one fate or a "
    "failure") {
  static const std::vector<std::string> garbage{
      "", "{", "null", "[]", "{}", "\"x\"", "<html>", "\xff\xfe", std::string(100'000, '[')};
  each_destination([](Opened& o) {
    if (!o.connector->offers_plan()) return;
    const std::vector<plugin::Record> batch = batch_for(o.connector->info());
    const plugin::PlanOutput planned = o.connector->plan(batch).value();
    for (const plugin::Request& request : planned.requests) {
      for (const std::int32_t status : {0, 200, 201, 400, 401, 413, 429, 500}) {
        for (const std::string& body : garbage) {
          const Result<plugin::InterpretOutput> out = o.connector->interpret(
              batch, {.status = status, .body = body, .state = request.state, .records = request.records});
          if (!out) continue;
          for (const std::string& fault : out.value().faults)
            FAIL_CHECK(status << ' ' << body.substr(0, 20) << ": " << fault);
          std::size_t decided = out.value().outcomes.size();
          for (const plugin::Request& further : out.value().requests) decided += further.records.size();
          CHECK(decided == request.records.size());
        }
      }
    }
  });
}

TEST_CASE("no connector says a secret or an address in what it logs") {
  each_destination([](Opened& o) {
    const std::vector<plugin::Record> batch = batch_for(o.connector->info());
    if (o.connector->offers_plan()) (void)o.connector->plan(batch);
    for (const std::string& line : o.host.complaints) {
      CHECK(line.find("ada") == std::string::npos);
      CHECK(line.find("c2VjcmV0") == std::string::npos);
    }
  });
}
