// System V ABI, "Object Files": the ELF64 header, the section headers and their name table.
#include <cstring>
#include <elf.h>

#include "plugin/manifest.hpp"

namespace sluice::plugin {
namespace {

Error bad(const char* what) {
  return {Code::rejected, std::string("it is no plugin: ") + what};
}

// The T at `offset`, where all of it lies within the file.
template <typename T>
std::optional<T> at(std::string_view file, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, file.data() + offset, sizeof out);
  return out;
}

std::optional<std::string_view> bytes_of(std::string_view file, const Elf64_Shdr& section) {
  if (section.sh_type == SHT_NOBITS || section.sh_offset > file.size()) return std::nullopt;
  if (section.sh_size > file.size() - section.sh_offset) return std::nullopt;
  return file.substr(section.sh_offset, section.sh_size);
}

}  // namespace

Result<std::string> manifest_section(std::string_view elf) {
  const std::optional<Elf64_Ehdr> header = at<Elf64_Ehdr>(elf, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return bad("it is no ELF file");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_shentsize != sizeof(Elf64_Shdr)) {
    return bad("its ELF format is not 64-bit little-endian");
  }
  const auto section = [&](std::uint64_t index) -> std::optional<Elf64_Shdr> {
    if (header->e_shoff > elf.size()) return std::nullopt;
    return at<Elf64_Shdr>(elf, header->e_shoff + index * sizeof(Elf64_Shdr));
  };
  const std::optional<Elf64_Shdr> names_header = section(header->e_shstrndx);
  const std::optional<std::string_view> names = names_header ? bytes_of(elf, *names_header) : std::nullopt;
  if (!names) return bad("its section names lie outside of the file");
  static constexpr std::string_view wanted{".sluice_manifest\0", 17};
  for (std::uint64_t i = 0; i < header->e_shnum; ++i) {
    const std::optional<Elf64_Shdr> one = section(i);
    if (!one) return bad("its section headers lie outside of the file");
    if (one->sh_name > names->size() || names->substr(one->sh_name, wanted.size()) != wanted) continue;
    const std::optional<std::string_view> text = bytes_of(elf, *one);
    if (!text) return bad("its manifest lies outside of the file");
    if (text->size() > manifest_bytes_max) return bad("its manifest is over 1 MiB");
    return std::string(text->substr(0, text->find('\0')));
  }
  return bad("it has no section .sluice_manifest");
}

}  // namespace sluice::plugin
