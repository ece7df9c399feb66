#include "kit/kit.hpp"

#include <filesystem>

#include "kit/checks.hpp"

namespace sluice::kit {
namespace {

constexpr DurationUs patience = 3 * us_per_s;

class Folder {
 public:
  Folder() {
    std::string made = (std::filesystem::temp_directory_path() / "sluice-kit-XXXXXX").string();
    path_ = ::mkdtemp(made.data()) == nullptr ? std::string() : made;
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Ruling ruling_of(const Status& status) {
  if (status) return {};
  const bool skipped = status.error().code == Code::cancelled;
  return {skipped ? Verdict::not_applicable : Verdict::failed, status.error().detail};
}

Finding find(std::string connector, const char* name, const char* promise,
             const std::function<Status()>& run) {
  const Ruling ruling = run_child([&] { return ruling_of(run()); }, patience);
  return {std::move(connector), name, promise, ruling.verdict, ruling.text};
}

void test_connector(const Library& library, const plugin::ManifestInfo& info, const Options& options,
                    std::vector<Finding>& out) {
  Result<Subject> subject = Error{};
  const auto add = [&](const Check& check) {
    const Folder folder;  // a fresh one, so that no check sees another's files
    subject = make_subject(library, info, folder.path(), options.with, options.records);
    if (!subject) {
      out.push_back({info.id, check.name, check.promise, Verdict::failed, subject.error().detail});
      return;
    }
    out.push_back(find(info.id, check.name, check.promise, [&]() -> Status {
      std::filesystem::current_path(folder.path());
      return check.run(subject.value());
    }));
  };
  for (const Check& check : instance_checks()) {
    add(check);
    if (out.back().check == std::string_view("create") && out.back().verdict == Verdict::failed) return;
  }
  for (const auto checks :
       {destination_checks(), answer_checks(), source_checks(), leak_checks(), growth_checks()}) {
    for (const Check& check : checks) add(check);
  }
}

}  // namespace

Result<std::vector<Finding>> test(const Options& options) {
  const Library library = SLUICE_TRY(read_library(options.library));
  std::vector<Finding> out;
  if (options.records) SLUICE_TRY(records_of(*options.records));
  bool whole = true;
  for (const LibraryCheck& check : library_checks()) {
    out.push_back(find("", check.name, check.promise, [&] { return check.run(library); }));
    const bool needed =
        out.back().check == std::string_view("manifest") || out.back().check == std::string_view("table");
    whole = whole && !(needed && out.back().verdict == Verdict::failed);
  }
  if (!whole) return out;  // there is nothing to make an instance of
  for (const plugin::ManifestInfo& info : library.manifest->connectors)
    test_connector(library, info, options, out);
  return out;
}

}  // namespace sluice::kit
