// Who a journal is, and the file that says so.
#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "journal/identity_file.hpp"

namespace sluice {
namespace {

constexpr std::string_view magic = "SLUICEID";
constexpr std::uint32_t format_version = 1;
constexpr std::uint8_t payload_version = 1;
constexpr std::size_t id_letters = 26;
constexpr std::string_view letters = "0123456789abcdefghjkmnpqrstvwxyz";

std::string derived(const std::array<std::uint64_t, 2>& seed, std::string_view what) {
  std::string text(what);
  ByteWriter w(text);
  w.u64(seed[0]);
  w.u64(seed[1]);
  return sha256(text);
}

}  // namespace

JournalIdentity new_identity(const std::array<std::uint64_t, 2>& seed) {
  JournalIdentity identity;
  // The id stands in keys that vendors see: what it is made of must not tell the hash seed.
  const std::string bytes = derived(seed, "journal id");
  for (std::size_t i = 0; i < id_letters; ++i)
    identity.id += letters[static_cast<unsigned char>(bytes[i]) % 32];
  identity.hash_seed = ByteReader(derived(seed, "hash seed")).u64();
  return identity;
}

void JournalIdentity::encode(std::string& out) const {
  ByteWriter w(out);
  w.u8(payload_version);
  w.text(id);
  w.u32(generation);
  w.u64(hash_seed);
}

bool JournalIdentity::decode(std::string_view bytes, JournalIdentity& out) {
  ByteReader r(bytes);
  if (r.u8() != payload_version) return false;
  out.id = r.text();
  out.generation = r.u32();
  out.hash_seed = r.u64();
  return r.ok() && r.at_end() && out.id.size() == id_letters &&
         out.id.find_first_not_of(letters) == std::string::npos && out.generation > 0;
}

std::string JournalIdentity::key_of(std::uint64_t seq, std::uint32_t ordinal) const {
  return id + "." + std::to_string(generation) + "." + std::to_string(seq) + "." + std::to_string(ordinal);
}

Status write_identity(FileSystem& files, const std::string& directory, const JournalIdentity& identity) {
  std::string out(magic);
  ByteWriter w(out);
  w.u32(format_version);
  w.u32(0);  // encryption key
  identity.encode(out);
  w.u64(hash64(out));
  return replace_file(files, directory + "/identity", out);
}

Result<std::optional<JournalIdentity>> read_identity(FileSystem& files, const std::string& directory) {
  const std::string path = directory + "/identity";
  if (!SLUICE_TRY(files.exists(path))) return std::optional<JournalIdentity>();
  const std::string bytes = SLUICE_TRY(read_file(files, path));
  const Error damaged{Code::corrupt, path + " is not what was written: put it back from a backup"};
  const std::size_t head = magic.size() + 8;
  if (bytes.size() < head + 8 || !bytes.starts_with(magic)) return damaged;
  const std::string_view body = std::string_view(bytes).substr(0, bytes.size() - 8);
  if (const std::uint32_t version = ByteReader(std::string_view(bytes).substr(magic.size())).u32();
      version > format_version) {
    return Error{Code::misconfigured, path + " has version " + std::to_string(version) +
                                          ", written by a newer version; this one knows versions up to " +
                                          std::to_string(format_version) + ": run the newer version"};
  }
  JournalIdentity identity;
  if (ByteReader(std::string_view(bytes).substr(body.size())).u64() != hash64(body) ||
      !JournalIdentity::decode(body.substr(head), identity)) {
    return damaged;
  }
  return std::optional(std::move(identity));
}

}  // namespace sluice
