// Inside this room: what is checked - a library's bytes and manifest - and the sample settings, records and
// answers that each of its connectors is given.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "kit/kit.hpp"
#include "plugin/http_request.hpp"
#include "plugin/manifest.hpp"

namespace sluice::kit {

// What must never be seen again where nobody may read it.
inline constexpr std::string_view canary_email = "canary.person@kit.example";
inline constexpr std::string_view canary_phone = "+33699000111";

struct Subject {  // one connector
  plugin::ManifestInfo info;
  std::string library = {};
  std::string folder = {};  // its own, empty but for the sample's files
  std::string config = {};  // without secrets
  std::map<std::string, std::string> secrets = {};
  plugin::HttpPolicy policy = {};
  std::vector<plugin::Record> records = {};  // one of each operation that it takes, or those given
  std::string answer = {};                   // the body of an answer that its vendor could give; may be empty
  std::string callback = {};                 // likewise of a request on one of its routes
};

struct Library {
  std::string path = {}, bytes = {};
  std::optional<plugin::Manifest> manifest;  // none: `why`
  std::string why = {};
};
Result<Library> read_library(const std::string& path);

// `with`, `records`: given ones, as JSON. misconfigured: no sample can be made, or the given ones cannot be
// used.
Result<Subject> make_subject(const Library& library, const plugin::ManifestInfo& info,
                             const std::string& folder, const std::optional<std::string>& with,
                             const std::optional<std::string>& records);

// A value that fits the schema, as JSON; objects with their required members alone. Nothing: none is known.
std::optional<std::string> sample_of(Json schema, std::string_view name);

std::string_view op_name(std::uint32_t op);  // "event"
Result<std::vector<plugin::Record>> records_of(std::string_view json);

// The records as the host would batch them: by group_by and max_records. `most`: of a batch, if smaller.
std::vector<std::vector<plugin::Record>> batches_of(const plugin::ManifestInfo& info,
                                                    std::span<const plugin::Record> records,
                                                    std::size_t most = SIZE_MAX);

// A full refresh of an audience: the marks, and so many members between them.
std::vector<plugin::Record> snapshot_of(const plugin::ManifestInfo& info, std::size_t members);

// So many records like those, each with an id and a key of its own, that fit one batch.
std::vector<plugin::Record> many(const plugin::ManifestInfo& info, std::span<const plugin::Record> like,
                                 std::size_t count);

}  // namespace sluice::kit
