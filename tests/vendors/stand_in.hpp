// For the connectors' tests: a connector opened as the hub opens it, a stand-in of its vendor in a process of
// its own, and the way from plan() over HTTP to the outcomes. Everything throws on failure: in a test that is
// what fails it.
#pragma once

#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <memory>
#include <signal.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <curl/curl.h>
#include <sys/wait.h>

#include "base/json.hpp"
#include "plugin/connector.hpp"

namespace sluice::vendors {

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set: run this test by ctest");
  return value;
}

// The host's services for one connector.
class TestHost final : public plugin::HostServices {
 public:
  void log(std::int32_t, std::string_view text) override { logged.append(text).push_back('\n'); }
  TimeUs now_us() override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  void metric(std::int32_t, std::string_view, double) override {}
  Result<std::optional<std::string>> get(std::string_view key) override {
    const auto found = kept.find(std::string(key));
    return found == kept.end() ? std::nullopt : std::optional(found->second);
  }
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    value ? void(kept[std::string(key)] = *value) : void(kept.erase(std::string(key)));
    return Done{};
  }
  plugin::Response http(const plugin::HttpRequest&) override {
    throw std::logic_error("this connector sends nothing itself");
  }

  std::string logged;
  std::map<std::string, std::string> kept;
};

// A connector of the built plugin, opened with `with:` as JSON.
class Opened {
 public:
  Opened(std::string_view plugin, const std::string& with, const std::string& routes_url = {}) {
    registry_ = plugin::Registry::scan({environment("SLUICE_PLUGINS")});
    const plugin::Entry* entry = registry_.find(plugin, SLUICE_DESTINATION);
    if (entry == nullptr) throw std::runtime_error("the plugin was not found");
    plugin::Instance instance;
    instance.name = "test";
    instance.config = with;
    instance.folder = "/";
    instance.routes_url = routes_url;
    instance.kind = SLUICE_DESTINATION;
    if (const char* const program = ::getenv("SLUICE_CONNECTOR")) instance.program = program;
    auto opened = plugin::Connector::open(*entry, instance, host);
    if (!opened) throw std::runtime_error(opened.error().detail);
    connector_ = std::move(opened).value();
  }
  plugin::Connector* operator->() { return connector_.get(); }
  plugin::Connector& operator*() { return *connector_; }

  TestHost host;

 private:
  plugin::Registry registry_;
  std::unique_ptr<plugin::Connector> connector_;
};

struct Answer {
  int status = 0;  // 0: none
  std::string body, error;
  std::vector<plugin::Header> headers;  // names in lower case
};

// One HTTP request, waiting for its answer.
inline Answer send(const std::string& method, const std::string& url, const std::string& body,
                   const std::vector<plugin::Header>& headers = {}, DurationUs timeout = 20 * us_per_s) {
  Answer answer;
  CURL* curl = curl_easy_init();
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const plugin::Header& h : headers) list = curl_slist_append(list, (h.name + ": " + h.value).c_str());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout / us_per_ms));
  if (method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  }
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(
      curl, CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t size, std::size_t count, void* arg) {
        static_cast<std::string*>(arg)->append(data, size * count);
        return size * count;
      });
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer.headers);
  curl_easy_setopt(
      curl, CURLOPT_HEADERFUNCTION, +[](char* data, std::size_t size, std::size_t count, void* arg) {
        const std::string line(data, size * count);
        const std::size_t colon = line.find(':');
        if (colon != std::string::npos) {
          std::string name = line.substr(0, colon);
          for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
          const std::size_t start = line.find_first_not_of(' ', colon + 1);
          static_cast<std::vector<plugin::Header>*>(arg)->push_back(
              {name, line.substr(start, line.find('\r') - start)});
        }
        return size * count;
      });
  const CURLcode result = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = result == CURLE_OK ? static_cast<int>(status) : 0;
  answer.error = result == CURLE_OK ? "" : curl_easy_strerror(result);
  curl_slist_free_all(list);
  curl_easy_cleanup(curl);
  return answer;
}

// A stand-in of tests/vendors, alive as long as this object.
class StandIn {
 public:
  StandIn(const std::string& script, std::vector<std::string> arguments) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const std::string path = environment("SLUICE_VENDORS") + "/" + script;
    arguments.insert(arguments.begin(), {"python3", "-B", path, "--print-port"});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execv("/usr/bin/python3", argv.data());
      _exit(127);
    }
    close(ends[1]);
    std::string line;
    for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
    close(ends[0]);
    std::istringstream numbers(line);
    for (int number = 0; numbers >> number;) ports.push_back(number);
    if (ports.empty()) throw std::runtime_error(script + " did not start");
  }
  ~StandIn() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  StandIn(StandIn&&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(ports.back()); }
  void order(const std::string& orders) {
    if (send("POST", url() + "/_stand-in/fail", orders).status != 200)
      throw std::runtime_error("the order was refused");
  }
  void reset() { send("POST", url() + "/_stand-in/reset", ""); }
  std::string stats() { return send("GET", url() + "/_stand-in/stats", "").body; }
  std::vector<std::string> records() {  // JSON objects, in the order of arrival
    std::istringstream lines(send("GET", url() + "/_stand-in/records", "").body);
    std::vector<std::string> out;
    for (std::string line; std::getline(lines, line);) out.push_back(line);
    return out;
  }

  std::vector<int> ports;

 private:
  pid_t pid_ = -1;
};

// Sends a planned request as the hub does.
inline plugin::Response exchange(plugin::Connector& connector, const plugin::Request& request, TimeUs now) {
  auto ready = plugin::resolve(connector.http_policy(), request, now);
  if (!ready) throw std::runtime_error(ready.error().detail);
  const plugin::HttpRequest& http = ready.value();
  const Answer answer = send(http.method, http.url, http.body, http.headers, http.timeout);
  plugin::Response response;
  response.status = answer.status;
  response.body = answer.body;
  response.error = answer.error;
  response.headers = answer.headers;
  for (const plugin::Header& h : answer.headers) {
    if (h.name == "retry-after") response.retry_after_ms = std::stoll(h.value) * 1'000;
  }
  response.state = request.state;
  response.records = request.records;
  response.purpose = request.purpose;
  return response;
}

// plan(), each request sent and judged, and what follows from that: the outcome of each record.
inline std::vector<plugin::Outcome> deliver(Opened& connector, const std::vector<plugin::Record>& records) {
  std::vector<plugin::Outcome> outcomes(records.size());
  const auto take = [&](const Result<plugin::Output>& output) {
    if (!output) throw std::runtime_error(output.error().detail);
    if (!output.value().faults.empty()) throw std::runtime_error(output.value().faults.front());
    for (const plugin::Fate& fate : output.value().outcomes) outcomes.at(fate.record) = fate.outcome;
    return output.value().requests;
  };
  std::vector<plugin::Request> open = take(connector->plan(records));
  while (!open.empty()) {
    const plugin::Response response = exchange(*connector, open.front(), connector.host.now_us());
    open.erase(open.begin());
    const std::vector<plugin::Request> further = take(connector->interpret(records, response));
    open.insert(open.begin(), further.begin(), further.end());
  }
  return outcomes;
}

}  // namespace sluice::vendors
