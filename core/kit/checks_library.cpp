// The library as a whole: its file, its manifest, its table.
#include <algorithm>
#include <cstring>
#include <elf.h>

#include "base/text.hpp"
#include "kit/checks.hpp"
#include "plugin/library.hpp"

namespace sluice::kit {
namespace {

constexpr std::string_view entry_symbol = "sluice_plugin_v1";

template <typename T>
std::optional<T> at(std::string_view file, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, file.data() + offset, sizeof out);
  return out;
}

struct Exported {
  std::string name;
  bool unique;
};

// The symbols that the dynamic table defines for others: System V ABI, "Symbol Table".
std::vector<Exported> exports_of(std::string_view elf) {
  std::vector<Exported> out;
  const auto header = at<Elf64_Ehdr>(elf, 0);
  for (std::uint64_t i = 0; header && i < header->e_shnum; ++i) {
    const auto section = at<Elf64_Shdr>(elf, header->e_shoff + i * sizeof(Elf64_Shdr));
    if (!section || section->sh_type != SHT_DYNSYM) continue;
    const auto names = at<Elf64_Shdr>(elf, header->e_shoff + section->sh_link * sizeof(Elf64_Shdr));
    for (std::uint64_t offset = 0; names && offset + sizeof(Elf64_Sym) <= section->sh_size;
         offset += sizeof(Elf64_Sym)) {
      const auto symbol = at<Elf64_Sym>(elf, section->sh_offset + offset);
      if (!symbol) break;
      const unsigned binding = ELF64_ST_BIND(symbol->st_info);
      const std::uint64_t begin = names->sh_offset + symbol->st_name;
      if (symbol->st_shndx == SHN_UNDEF || binding == STB_LOCAL || begin >= elf.size()) continue;
      const std::size_t end = elf.find('\0', begin);
      out.push_back({std::string(elf.substr(begin, end - begin)), binding == STB_GNU_UNIQUE});
    }
  }
  return out;
}

Status exports(const Library& library) {
  bool found = false;
  for (const Exported& symbol : exports_of(library.bytes)) {
    found = found || symbol.name == entry_symbol;
    if (symbol.unique)
      return broken("it has the unique symbol " + symbol.name + ": compile with -fno-gnu-unique");
    if (symbol.name != entry_symbol && symbol.name != "_init" && symbol.name != "_fini")
      return broken("it exports " + symbol.name +
                    " too: compile with -fvisibility=hidden and link with a version "
                    "script that has sluice_plugin_v1 alone");
  }
  if (!found) return broken("it does not export sluice_plugin_v1");
  return Done{};
}

bool has(Json properties, std::string_view name) {
  return static_cast<bool>(properties[name]);
}

// "{config.NAME}" and "{secret.NAME}" must be fields of `config`, the latter marked x-secret; so each of
// several with | between, of which the last may be a text of its own.
Status check_templates(const plugin::ManifestInfo& info, Json properties) {
  std::vector<std::string> texts = info.base_urls_else;
  texts.push_back(info.base_url);
  std::vector<plugin::Auth> auths = info.auths_else;
  auths.push_back(info.auth);
  for (const plugin::Auth& auth : auths) {
    const plugin::OAuth2& o = auth.oauth2;
    texts.insert(texts.end(), {auth.value, auth.user, auth.password, o.token_url, o.client_id,
                               o.client_secret, o.refresh_token, o.private_key, o.subject, o.audience});
  }
  for (const std::string& text : texts) {
    for (std::size_t open = text.find('{'); open != std::string::npos; open = text.find('{', open + 1)) {
      const std::size_t close = text.find('}', open);
      if (close == std::string::npos) continue;
      for (const std::string_view one :
           split(std::string_view(text).substr(open + 1, close - open - 1), '|')) {
        const bool secret = one.starts_with("secret.");
        if (!secret && !one.starts_with("config.")) break;
        const std::string_view name = one.substr(7);
        if (!has(properties, name)) return broken(info.id + ": '" + text + "' names no field of 'config'");
        if (secret && std::find(info.secrets.begin(), info.secrets.end(), name) == info.secrets.end())
          return broken(info.id + ": '" + text + "' names a field that 'config' does not mark as x-secret");
      }
    }
  }
  return Done{};
}

Status check_schema(const std::string& where, Json schema) {
  if (!schema) return Done{};
  if (!schema.is_object()) return broken(where + " is no JSON Schema: an object is meant");
  const std::string_view type = schema["type"].string_or("object");
  if (type != "object") return broken(where + " must describe an object");
  std::string wrong;
  schema["properties"].members([&](std::string_view name, Json property) {
    if (!property.is_object()) wrong = where + ".properties." + std::string(name) + " is no schema";
  });
  schema["required"].elements([&](Json name) {
    if (!has(schema["properties"], name.string_or("")))
      wrong = where + ".required names '" + std::string(name.string_or("")) + "', which is no property";
  });
  if (!wrong.empty()) return broken(wrong);
  return Done{};
}

Status manifest(const Library& library) {
  if (!library.manifest) return broken(library.why);
  if (library.manifest->version.empty()) return broken("manifest: 'version' is missing");
  for (const plugin::ManifestInfo& info : library.manifest->connectors) {
    JsonParser parser;
    const Json root = parser.parse(info.text);
    SLUICE_TRY(check_schema(info.id + ": config", root["config"]));
    SLUICE_TRY(check_schema(info.id + ": input", root["input"]));
    SLUICE_TRY(check_templates(info, root["config"]["properties"]));
    if ((info.unsafe_ops & ~info.ops) != 0)
      return broken(info.id + ": 'unsafe' names an operation that 'ops' does not");
    if (info.ops == 1U << SLUICE_MESSAGE && info.channel.empty()) {
      return broken(info.id + ": it takes messages alone and names no 'channel'");
    }
  }
  return Done{};
}

Status same_manifest(const Library& library) {
  now_calling("loading it");
  const sluice_plugin* const plugin = SLUICE_TRY(plugin::load_library(library.path));
  const std::string section = SLUICE_TRY(plugin::manifest_section(library.bytes));
  if (plugin->manifest == nullptr) return broken("its table has no manifest");
  if (section != plugin->manifest)
    return broken(
        "the manifest of its table is another text than its section .sluice_manifest: the host reads the "
        "section before it runs any code, so both must be the same");
  return Done{};
}

Status table(const Library& library) {
  now_calling("loading it");
  const sluice_plugin* const plugin = SLUICE_TRY(plugin::load_library(library.path));
  if (!library.manifest) return broken("there is no manifest to compare it with");
  for (const plugin::ManifestInfo& info : library.manifest->connectors) {
    const sluice_connector* const one = SLUICE_TRY(plugin::find_connector(*plugin, info.id, info.kind));
    if (one->fetch != nullptr && one->interpret == nullptr)
      return broken("'" + info.id + "' has fetch() and no interpret() for what comes back");
    if (one->receive != nullptr && info.routes.empty())
      return broken("'" + info.id + "' has receive(), and its manifest names no 'routes'");
  }
  if (plugin->connector_count != library.manifest->connectors.size())
    return broken("its table has " + std::to_string(plugin->connector_count) + " connectors, its manifest " +
                  std::to_string(library.manifest->connectors.size()));
  return Done{};
}

constexpr LibraryCheck checks[] = {
    {"exports", "it exports sluice_plugin_v1 alone, and no unique symbols", exports},
    {"manifest", "its manifest is whole: ids, kinds, operations, schemas, templates", manifest},
    {"same_manifest", "the section .sluice_manifest and the table hold the same text", same_manifest},
    {"table", "its table has the sizes of 1.x, each connector of the manifest, and a way in", table},
};

}  // namespace

std::span<const LibraryCheck> library_checks() {
  return checks;
}

}  // namespace sluice::kit
