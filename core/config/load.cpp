#include "config/load.hpp"

#include <algorithm>
#include <filesystem>

#include <re2/re2.h>

#include "base/text.hpp"
#include "config/reading.hpp"
#include "config/scalars.hpp"
#include "config/yaml_reader.hpp"

namespace sluice::config {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t included_files_max = 1'000;

// Files under `folder` that a pattern like workflows/*.yaml names, as paths from there, sorted.
std::vector<std::string> matching_files(const LoadOptions& options, const std::string& folder,
                                        std::string_view pattern) {
  if (options.from_memory) {
    std::vector<std::string> found;
    const std::string wanted = (fs::path(folder) / pattern).lexically_normal().string();
    for (const auto& [path, text] : options.files) {
      if (glob_match(wanted, path)) found.push_back(fs::path(path).lexically_relative(folder).string());
    }
    return found;
  }
  std::vector<std::string> found{""};
  for (const std::string_view part : split(pattern, '/')) {
    std::vector<std::string> next;
    for (const std::string& base : found) {
      std::error_code failed;
      if (part == "." || part.empty()) {
        next.push_back(base);
        continue;
      }
      for (fs::directory_iterator it(fs::path(folder) / base, failed), end; !failed && it != end;
           it.increment(failed)) {
        const std::string name = it->path().filename().string();
        const bool hidden = name.starts_with('.') && !part.starts_with('.');
        if (!hidden && glob_match(part, name)) next.push_back(base.empty() ? name : base + "/" + name);
      }
    }
    found = std::move(next);
  }
  std::sort(found.begin(), found.end());
  return found;
}

void add_document(Reading& reading, std::string name, std::string text, std::string folder,
                  std::string prefix) {
  Document document;
  document.file = std::make_unique<SourceText>(std::move(name), std::move(text));
  document.folder = std::move(folder);
  document.prefix = std::move(prefix);
  document.root = read_yaml(*document.file, reading.report);
  if (document.root) {
    check_section(*document.root, root_section(), reading.report, reading.documents.empty());
    if (!document.root->is_map()) document.root->bad = true;
  }
  reading.documents.push_back(std::move(document));
}

void include(Reading& reading, const Node& pattern) {
  const std::string folder = reading.documents.front().folder;
  const std::vector<std::string_view> parts = split(pattern.text, '/');
  if (pattern.text.starts_with('/') || std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    error(reading.report, pattern, "bad-path", "'" + pattern.text + "' is not under the folder of this file",
          "included files stand beside it or below");
    return;
  }
  const std::vector<std::string> paths = matching_files(reading.options, folder, pattern.text);
  const std::size_t wild = pattern.text.find_first_of("*?");
  const bool glob = wild != std::string::npos;
  const std::string fixed = pattern.text.substr(0, wild);
  reading.watch.insert(
      (fs::path(folder) / fixed.substr(0, fixed.rfind('/') + 1)).lexically_normal().string());
  if (paths.empty() && glob)
    warn(reading.report, pattern, "no-file", "no file matches '" + pattern.text + "'", "");
  if (paths.empty() && !glob) {
    error(reading.report, pattern, "no-file", "there is no file '" + pattern.text + "'",
          "paths are relative to this file");
  }
  const fs::path shown = fs::path(reading.documents.front().file->name()).parent_path();
  for (const std::string& path : paths) {
    const std::string name = (shown / path).string();
    const bool again = std::any_of(reading.documents.begin(), reading.documents.end(),
                                   [&name](const Document& d) { return d.file->name() == name; });
    if (again || reading.documents.size() > included_files_max) continue;
    std::optional<std::string> text = reading.read_file((fs::path(folder) / path).string(), config_bytes_max);
    if (!text) {
      error(reading.report, pattern, "no-file", "the file '" + path + "' cannot be read", "");
      continue;
    }
    const std::string parent = fs::path(path).parent_path().string();
    add_document(reading, name, std::move(*text), (fs::path(folder) / parent).string(),
                 parent.empty() ? "" : parent + "/");
  }
}

void read_includes(Reading& reading) {
  const Document& first = reading.documents.front();
  if (!first.root || !first.root->is_map()) return;
  const Node* version = first.root->find("version");
  if (version != nullptr && version->text != "1") {
    error(reading.report, *version, "bad-version", "this Sluice reads version 1 of the language",
          "write version: 1");
  }
  for (const Node* pattern : texts_of(*first.root, "include")) include(reading, *pattern);
  for (std::size_t i = 1; i < reading.documents.size(); ++i) {
    const Document& d = reading.documents[i];
    const Member* nested = d.root && d.root->is_map() ? d.root->member("include") : nullptr;
    if (nested != nullptr) {
      error(reading.report, nested->key, "conflict", "an included file cannot include others",
            "name them all in the first file");
    }
  }
}

// A connector that is not installed, or a file that is no YAML, leaves nobody to say what is secret. Then
// names do.
bool sounds_secret(const std::string& name) {
  static const RE2 words("(?i)key|token|secret|passw|credential|dsn|authorization");
  return RE2::PartialMatch(name, words);
}

void mask_matches(SourceText& file, std::string_view part, const RE2& pattern) {
  re2::StringPiece rest(part.data(), part.size()), value;
  while (RE2::FindAndConsume(&rest, pattern, &value)) {
    const std::string_view found(value.data(), value.size());
    if (found.find("${") != std::string_view::npos) continue;
    const std::size_t begin = static_cast<std::size_t>(value.data() - file.text().data());
    file.mask(begin, begin + found.size());
  }
}

void mask_settings(SourceText& file, const Node& node, bool secret) {
  static const RE2 userinfo(R"(://([^/@\s"']+)@)");
  if (node.is_scalar()) {
    const std::size_t end = std::min(std::max(node.end, source_offsets(node).back()), file.text().size());
    if (secret && node.text.find("${") == std::string::npos) file.mask(node.begin, end);
    mask_matches(file, file.text().substr(node.begin, end - node.begin), userinfo);
  }
  for (const Node& item : node.items) mask_settings(file, item, secret);
  for (const Member& m : node.members) mask_settings(file, m.value, secret || sounds_secret(m.key.text));
}

void mask_by_name(Reading& reading) {
  static const RE2 pair(
      R"((?i)(?:key|token|secret|passw|credential|dsn|authorization)[a-z0-9_-]*["']?\s*:\s*([^\s{\[][^,}\n]*))");
  for (Document& d : reading.documents) {
    for (const auto& [file, line] : reading.report.silenced()) {
      const std::size_t begin = file->line_begin(line);
      if (file == d.file.get()) {
        mask_matches(*d.file, file->text().substr(begin, file->line_end(line) - begin), pair);
      }
    }
    if (!d.root || !d.root->is_map()) {
      mask_matches(*d.file, d.file->text(), pair);
      continue;
    }
    for (const char* section : {"sources", "destinations"}) {
      const Member* all = d.root->member(section);
      if (all == nullptr) continue;
      for (const Member& m : all->value.members) {
        if (const Member* with = m.value.member("with")) mask_settings(*d.file, with->value, false);
      }
    }
  }
}

// The files go into the journal's epochs, where no secret may stand, even one that somebody wrote out.
void redact_files(Reading& reading) {
  for (const Document& d : reading.documents) {
    const fs::path path = fs::path(d.folder) / fs::path(d.file->name()).filename();
    const auto kept = reading.config.files.find(path.lexically_normal().string());
    if (kept != reading.config.files.end() && d.file->masked()) kept->second = d.file->redacted();
  }
}

bool whole(const Reading& reading) {
  return std::all_of(reading.documents.begin(), reading.documents.end(),
                     [](const Document& d) { return d.root && d.root->is_map(); });
}

}  // namespace

namespace {

Loaded no_such_file(const std::string& file, const Reading& reading) {
  Loaded loaded;
  loaded.watch.assign(reading.watch.begin(), reading.watch.end());
  Diagnostic diagnostic;
  diagnostic.place = {file, 1, 1};
  diagnostic.code = "no-file";
  std::error_code ignored;
  diagnostic.what = fs::exists(file, ignored) ? "this file cannot be read" : "there is no such file";
  diagnostic.help = "name the configuration: sluice check FILE";
  loaded.diagnostics.push_back(std::move(diagnostic));
  return loaded;
}

// `text`: the first file's, where it is given.
Loaded load_from(std::optional<std::string> text, const std::string& file, const LoadOptions& options) {
  Reading reading{options, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  std::error_code ignored;
  const std::string folder = fs::absolute(fs::path(file), ignored).parent_path().lexically_normal().string();
  reading.config.file = file;
  if (!text) text = reading.read_file(file, config_bytes_max);
  if (!text) return no_such_file(file, reading);
  add_document(reading, file, std::move(*text), folder, "");
  read_includes(reading);
  if (whole(reading)) {
    collect_names(reading);
    read_hub(reading);
    read_people(reading);
    read_sources(reading);
    read_destinations(reading);
    read_decide(reading);
    read_routes(reading);
    read_workflows(reading);
  }
  Loaded loaded;
  if (!reading.report.has_errors()) {
    redact_files(reading);
    reading.config.resolved = resolve(reading);
    loaded.config = std::make_shared<const Config>(std::move(reading.config));
  }
  mask_by_name(reading);
  std::vector<std::unique_ptr<SourceText>> files;
  for (Document& d : reading.documents) files.push_back(std::move(d.file));
  std::move(reading.files.begin(), reading.files.end(), std::back_inserter(files));
  loaded.diagnostics = reading.report.take(files);
  loaded.watch.assign(reading.watch.begin(), reading.watch.end());
  return loaded;
}

}  // namespace

Loaded load_text(std::string text, const std::string& file, const LoadOptions& options) {
  return load_from(std::move(text), file, options);
}

Loaded load(const std::string& file, const LoadOptions& options) {
  return load_from(std::nullopt, file, options);
}

namespace {

template <typename T>
const T* named(const std::vector<T>& all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [name](const T& t) { return t.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

const Source* Config::source(std::string_view name) const {
  return named(sources, name);
}
const Destination* Config::destination(std::string_view name) const {
  return named(destinations, name);
}
const Audience* Config::audience(std::string_view name) const {
  return named(audiences, name);
}
const Purpose* Config::purpose(std::string_view name) const {
  return named(consent.purposes, name);
}

}  // namespace sluice::config
