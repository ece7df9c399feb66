// `sluice plugin test` and `sluice plugin try`: the conformance kit for people and programs.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/json.hpp"
#include "cli/commands.hpp"
#include "cli/setup.hpp"
#include "kit/kit.hpp"

namespace sluice::cli {
namespace {

// The whole file; nothing, with the reason printed, where it cannot be read.
std::optional<std::string> content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  if (!file || !(out << file.rdbuf())) {
    (void)fail(path + ": it cannot be read, or is empty; give a JSON file");
    return std::nullopt;
  }
  JsonParser parser;
  if (!parser.parse(out.str())) {
    (void)fail(path + ": it is no JSON: " + std::string(parser.error()));
    return std::nullopt;
  }
  return out.str();
}

// An empty path: none was given. False: it was, and cannot be read.
bool read_option(const std::string& path, std::optional<std::string>& out) {
  if (path.empty()) return true;
  out = content_of(path);
  return out.has_value();
}

const char* name_of(kit::Verdict verdict) {
  return verdict == kit::Verdict::ok ? "ok" : verdict == kit::Verdict::failed ? "FAIL" : "n.a.";
}

void print_json(const std::vector<kit::Finding>& findings, bool passed) {
  std::string out;
  JsonWriter w(out);
  w.begin_object().member_boolean("passed", passed).key("checks").begin_array();
  for (const kit::Finding& f : findings) {
    w.begin_object().member("connector", f.connector).member("check", f.check).member("promise", f.promise);
    w.member("verdict", f.verdict == kit::Verdict::not_applicable ? "not_applicable"
                        : f.verdict == kit::Verdict::failed       ? "failed"
                                                                  : "ok");
    w.member("why", f.why).end_object();
  }
  w.end_array().end_object();
  (void)std::printf("%s\n", out.c_str());
}

void print_section(Json trial, const char* name, const char* none) {
  const Json list = trial[name];
  if (list.size() == 0) return (void)std::printf("%s: %s\n", name, none);
  (void)std::printf("%s:\n", name);
  list.elements([](Json one) {
    if (const Json body = one["body"]) {
      (void)std::printf("  %s %s  (records %s)\n", std::string(one["method"].string_or("")).c_str(),
                        std::string(one["url"].string_or("")).c_str(), one["records"].text().c_str());
      one["headers"].members([](std::string_view header, Json value) {
        (void)std::printf("    %s: %s\n", std::string(header).c_str(),
                          std::string(value.string_or("")).c_str());
      });
      if (const Json refused = one["refused"])
        (void)std::printf("    NOT SENT: %s\n", std::string(refused.string_or("")).c_str());
      (void)std::printf("    %s\n", std::string(body.string_or("")).c_str());
    } else {
      (void)std::printf("  %s\n", one.is_string() ? std::string(*one.string()).c_str() : one.text().c_str());
    }
  });
}

}  // namespace

int plugin_test(const Common& common, const KitFiles& files) {
  kit::Options options{.library = files.library};
  if (!read_option(files.with, options.with) || !read_option(files.records, options.records)) return 1;
  const auto findings = kit::test(options);
  if (!findings) return fail(findings.error().detail);
  std::size_t failed = 0, passed = 0;
  for (const kit::Finding& f : findings.value()) {
    failed += f.verdict == kit::Verdict::failed ? 1 : 0;
    passed += f.verdict == kit::Verdict::ok ? 1 : 0;
  }
  if (common.json) {
    print_json(findings.value(), failed == 0);
    return failed == 0 ? 0 : 1;
  }
  std::string connector;
  for (const kit::Finding& f : findings.value()) {
    if (f.connector != connector) (void)std::printf("%s\n", (connector = f.connector).c_str());
    (void)std::printf("%-4s  %-14s %s\n", name_of(f.verdict), f.check.c_str(),
                      f.verdict == kit::Verdict::ok ? f.promise.c_str() : f.why.c_str());
  }
  (void)std::printf("%zu checks passed, %zu failed, %zu not applicable\n", passed, failed,
                    findings.value().size() - passed - failed);
  return failed == 0 ? 0 : 1;
}

int plugin_try(const Common& common, const KitFiles& files) {
  kit::TrialOptions options{.library = files.library};
  const auto records = content_of(files.records);
  if (!records || !read_option(files.with, options.with) || !read_option(files.answer, options.answer))
    return 1;
  options.records = *records;
  const auto trial = kit::try_records(options);
  if (!trial) return fail(trial.error().detail);
  if (common.json) return std::printf("%s\n", trial.value().c_str()) > 0 ? 0 : 1;
  JsonParser parser;
  const Json root = parser.parse(trial.value());
  (void)std::printf("%s; nothing was sent\n", std::string(root["connector"].string_or("")).c_str());
  print_section(root, "records", "none");
  print_section(root, "requests", "none");
  print_section(root, "outcomes", options.answer ? "none" : "none without an answer; give --answer FILE");
  if (root["logs"].size() > 0) print_section(root, "logs", "none");
  return 0;
}

}  // namespace sluice::cli
