#include "hub/backup.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "hub/configurations.hpp"
#include "hub/world.hpp"
#include "journal/head.hpp"
#include "journal/log_copy.hpp"
#include "store/database_copy.hpp"

namespace sluice::hub {
namespace {

constexpr std::int64_t format_version = 1;
constexpr int attempts_max =
    5;  // the hub may remove what is being copied: a later look finds what is there then
constexpr std::size_t chunk_bytes = 1024 * 1024;
constexpr std::string_view list_name = "backup.json";

struct Copied {
  std::string path;  // in the backup
  std::uint64_t bytes = 0, hash = 0;
};

Status must_be_empty(FileSystem& files, const std::string& directory, std::string_view mend) {
  std::error_code error;
  if (std::filesystem::exists(directory, error) && !std::filesystem::is_directory(directory, error))
    return Error{Code::misconfigured, "'" + directory + "' is no directory"};
  if (SLUICE_TRY(files.list(directory)).empty()) return Done{};
  return Error{Code::misconfigured, "'" + directory + "' is not empty: " + std::string(mend)};
}

Status empty(const std::string& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) return Error{Code::transient, directory + ": cannot be removed: " + error.message()};
  return Done{};
}

// Tries a room again from its beginning where the hub removed a file of it meanwhile.
Status copy_room(FileSystem& files, const std::string& to, const std::function<Status()>& copy) {
  for (int attempt = 1;; ++attempt) {
    SLUICE_TRY(files.make_directory(to));
    Status copied = copy();
    if (copied || attempt == attempts_max || copied.error().code == Code::corrupt) return copied;
    SLUICE_TRY(empty(to));
  }
}

Status copy_checkpoints(FileSystem& files, const std::string& from, const std::string& to) {
  for (const std::string& name : SLUICE_TRY(files.list(from))) {
    if (name.ends_with(".base") || name.ends_with(".delta"))
      SLUICE_TRY(copy_file(files, from + '/' + name, to + '/' + name));
  }
  return files.sync_directory(to);
}

Status copy_lanes(FileSystem& files, const std::string& from, const std::string& to) {
  for (const std::string& name : SLUICE_TRY(files.list(from))) {
    for (const char* log : {"/records", "/outcomes"})
      SLUICE_TRY(copy_log(files, from + '/' + name + log, to + '/' + name + log));
  }
  return files.sync_directory(to);
}

Status copy_plain(FileSystem& files, const std::string& from, const std::string& to) {
  for (const std::string& name : SLUICE_TRY(files.list(from)))
    SLUICE_TRY(copy_file(files, from + '/' + name, to + '/' + name));
  return files.sync_directory(to);
}

Status copy_journal(FileSystem& files, const std::string& from, const std::string& to) {
  SLUICE_TRY(copy_log(files, from, to));
  SLUICE_TRY(copy_file(files, from + "/identity", to + "/identity"));
  return files.sync_directory(to);
}

Result<std::uint64_t> hash_of(FileSystem& files, const std::string& path) {
  const std::unique_ptr<File> file = SLUICE_TRY(files.open(path, OpenMode::read));
  std::string chunk(chunk_bytes, '\0');
  std::uint64_t hash = 0;
  for (std::uint64_t at = 0;;) {
    const std::size_t got = SLUICE_TRY(file->read_at(at, chunk));
    hash = hash64(std::string_view(chunk).substr(0, got), hash);
    if (got < chunk.size()) return hash;
    at += got;
  }
}

// All files of a backup but for the list, in the order of their paths.
Result<std::vector<Copied>> list_of(FileSystem& files, const std::string& directory) {
  std::vector<Copied> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = entry.path().lexically_relative(directory).string();
    if (path != list_name)
      out.push_back({path, entry.file_size(), SLUICE_TRY(hash_of(files, entry.path().string()))});
  }
  if (error) return Error{Code::transient, directory + ": cannot be read: " + error.message()};
  std::sort(out.begin(), out.end(), [](const Copied& a, const Copied& b) { return a.path < b.path; });
  return out;
}

std::string list_text(const BackupReport& report, const std::vector<Copied>& all) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().member_integer("format", format_version).member("journal", report.journal);
  w.member_integer("generation", report.generation).member("made", format_time(report.made));
  w.member_integer("checkpoint_seq", static_cast<std::int64_t>(report.checkpoint_seq));
  w.member_integer("next_seq", static_cast<std::int64_t>(report.next_seq));
  w.key("files").begin_array();
  for (const Copied& one : all) {
    w.begin_object().member("path", one.path).member_integer("bytes", static_cast<std::int64_t>(one.bytes));
    w.member("xxh3", std::to_string(one.hash)).end_object();
  }
  w.end_array().end_object();
  return out;
}

Error damaged(const std::string& path, std::string_view what) {
  return {Code::corrupt, path + " " + std::string(what) + ": the backup is not what was made; use another"};
}

struct List {
  BackupReport report;
  std::vector<Copied> files;
};

Result<List> read_list(FileSystem& files, const std::string& source) {
  const std::string path = source + '/' + std::string(list_name);
  if (!SLUICE_TRY(files.exists(path))) {
    return Error{Code::misconfigured,
                 "'" + source + "' is no whole backup: " + path + ", which is written last, is missing"};
  }
  const std::string text = SLUICE_TRY(read_file(files, path));
  JsonParser parser;
  const Json root = parser.parse(text);
  const std::int64_t format = root ? root["format"].integer().value_or(0) : 0;
  if (format > format_version) {
    return Error{Code::misconfigured, path + " has format " + std::to_string(format) +
                                          ", written by a newer version; this one knows formats up to " +
                                          std::to_string(format_version) +
                                          ": restore with the newer version"};
  }
  if (format < 1) return damaged(path, "cannot be read");
  List out;
  const auto number = [](Json value) { return static_cast<std::uint64_t>(value.integer().value_or(0)); };
  out.report.journal = root["journal"].string().value_or("");
  out.report.checkpoint_seq = number(root["checkpoint_seq"]);
  out.report.next_seq = number(root["next_seq"]);
  root["files"].elements([&](Json one) {
    const std::string hash(one["xxh3"].string().value_or("0"));
    out.files.push_back({std::string(one["path"].string().value_or("")), number(one["bytes"]),
                         std::strtoull(hash.c_str(), nullptr, 10)});
  });
  return out;
}

Status check_files(FileSystem& files, const std::string& source, const std::vector<Copied>& wanted) {
  for (const Copied& one : wanted) {
    const std::filesystem::path relative(one.path);
    const bool inside = relative.is_relative() && !one.path.empty() &&
                        std::find(relative.begin(), relative.end(), "..") == relative.end();
    if (!inside) return damaged(source + "/backup.json", "names a file outside of it");
    const std::string path = source + '/' + one.path;
    if (!SLUICE_TRY(files.exists(path))) return damaged(path, "is missing");
    if (SLUICE_TRY(hash_of(files, path)) != one.hash)
      return damaged(path, "has other bytes than when it was made");
  }
  return Done{};
}

}  // namespace

Result<BackupReport> back_up(FileSystem& files, const std::string& data, const std::string& target,
                             SecretsKey key, TimeUs now) {
  SLUICE_TRY(read_journal_head(files, data));
  SLUICE_TRY(must_be_empty(files, target, "name a folder of its own for each backup"));
  SLUICE_TRY(files.make_directory(target));
  BackupReport report;
  report.made = now;
  const std::string checkpoints = checkpoint_folder(target), lanes = lanes_folder(target);
  SLUICE_TRY(copy_room(files, checkpoints,
                       [&] { return copy_checkpoints(files, checkpoint_folder(data), checkpoints); }));
  SLUICE_TRY(copy_room(files, lanes, [&] { return copy_lanes(files, lanes_folder(data), lanes); }));
  if (SLUICE_TRY(files.exists(database_path(data))))
    SLUICE_TRY(store::copy_database(database_path(data), database_path(target)));
  const std::string rejects = rejects_folder(target), journal = target + "/journal";
  SLUICE_TRY(copy_room(files, rejects, [&] { return copy_plain(files, rejects_folder(data), rejects); }));
  const std::string kept = configurations_folder(target);
  SLUICE_TRY(copy_room(files, kept, [&] { return copy_plain(files, configurations_folder(data), kept); }));
  SLUICE_TRY(copy_room(files, journal, [&] { return copy_journal(files, data + "/journal", journal); }));
  report.with_key = key == SecretsKey::copy && SLUICE_TRY(files.exists(key_path(data)));
  if (report.with_key) SLUICE_TRY(copy_file(files, key_path(data), key_path(target)));

  report.checkpoint_seq = newest_checkpoint(files, target);
  const JournalReport copy = SLUICE_TRY(verify_journal(files, target, report.checkpoint_seq));
  if (!copy.problems.empty()) {
    return Error{Code::corrupt, "the journal is damaged, and its copy with it: " + copy.problems.front() +
                                    "; `sluice journal verify` and `sluice journal repair` say more"};
  }
  report.journal = copy.identity.id;
  report.generation = copy.identity.generation;
  report.next_seq = copy.next_seq;
  if (copy.first_seq > report.checkpoint_seq + 1) {
    return Error{Code::transient, "retention removed what the copied checkpoint needs meanwhile: try again"};
  }
  const std::vector<Copied> all = SLUICE_TRY(list_of(files, target));
  report.files = all.size();
  for (const Copied& one : all) report.bytes += one.bytes;
  SLUICE_TRY(replace_file(files, target + '/' + std::string(list_name), list_text(report, all)));
  return report;
}

Result<BackupReport> restore(FileSystem& files, const std::string& source, const std::string& data,
                             TimeUs now) {
  List list = SLUICE_TRY(read_list(files, source));
  SLUICE_TRY(must_be_empty(files, data, "move it away first, whatever it is worth"));
  SLUICE_TRY(check_files(files, source, list.files));
  const std::string making = data + ".restoring";
  SLUICE_TRY(empty(making));
  for (const Copied& one : list.files) {
    const std::string to = making + '/' + one.path;
    SLUICE_TRY(files.make_directory(std::filesystem::path(to).parent_path().string()));
    SLUICE_TRY(copy_file(files, source + '/' + one.path, to));
    list.report.bytes += one.bytes;
  }
  list.report.files = list.files.size();
  const auto seconds = static_cast<std::uint32_t>(now / us_per_s);
  list.report.generation = SLUICE_TRY(raise_generation(files, making, seconds)).generation;
  list.report.with_key = SLUICE_TRY(files.exists(key_path(making)));
  SLUICE_TRY(empty(data));
  SLUICE_TRY(files.rename(making, data));
  const std::string parent = std::filesystem::absolute(data).parent_path().string();
  SLUICE_TRY(files.sync_directory(parent));
  return list.report;
}

}  // namespace sluice::hub
