// Inside this room: a connector's instance in the process of one check, with a host that keeps what it is
// told and lends what it must not touch.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "kit/child.hpp"
#include "kit/emission.hpp"
#include "kit/pages.hpp"
#include "kit/subject.hpp"

namespace sluice::kit {

class StageHost : public sluice_host {  // [any]
 public:
  explicit StageHost(const Subject& subject);
  std::vector<std::string> logs() const;
  void forget_logs();

  std::int64_t now = 1'763'825'500'000'000;              // moves at each look: who reads it is not pure
  plugin::Response answer{.status = 200, .body = "{}"};  // to blocking requests
  std::vector<std::string> faults;

 private:
  static StageHost& self(const sluice_host* host) {
    return *static_cast<StageHost*>(const_cast<sluice_host*>(host));
  }
  sluice_status send(const sluice_request& request, sluice_http_sink sink, void* arg);
  const Subject& subject_;
  mutable std::mutex mutex_;  // guards everything below, now and faults
  std::vector<std::string> logs_;
  std::vector<std::pair<std::string, std::string>> state_;
};

class Stage {
 public:
  explicit Stage(const Subject& subject, Lending lending = Lending::plain);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Status load();  // the library, and its table of this connector
  Emission create(std::string_view config);
  Status open();     // load() and create() with the sample settings
  Status replace();  // destroys the instance and makes another
  void destroy();

  const Subject& subject() const { return subject_; }
  const sluice_connector& table() const { return *table_; }
  bool has_instance() const { return instance_ != nullptr; }
  bool takes_records() const { return table_->plan != nullptr || table_->deliver != nullptr; }

  Emission plan(std::span<const plugin::Record> records, const Knobs& knobs = {},
                const plugin::SnapshotPart& part = {});
  Emission deliver(std::span<const plugin::Record> records, const Knobs& knobs = {},
                   const plugin::SnapshotPart& part = {});
  Emission take(std::span<const plugin::Record> records, const Knobs& knobs = {},
                const plugin::SnapshotPart& part = {});  // plan, else deliver
  Emission interpret(std::span<const plugin::Record> records, const plugin::Response& response);
  Emission check();
  Emission fetch(const plugin::Poll& poll, const Knobs& knobs = {});
  Emission interpret(const plugin::Poll& poll, const plugin::Response& response);
  Emission read(const plugin::Poll& poll, const Knobs& knobs = {});
  Emission receive(const plugin::Incoming& incoming);

  StageHost host;
  std::uint32_t kind = 0;    // as which it is opened; 0: any
  std::size_t appended = 0;  // bytes that a newer host has appended to each record

 private:
  const sluice_batch* lend_batch(std::span<const plugin::Record> records);
  const sluice_poll* lend_poll(const plugin::Poll& poll);
  const sluice_response* lend_response(const plugin::Response& response);
  const sluice_plan* lend_plan(std::span<const plugin::Record> records, const plugin::SnapshotPart& part);
  template <typename F>
  Emission call(const char* name, std::uint32_t emits, const Knobs& knobs, F&& function);

  const Subject& subject_;
  Lender lender_;
  const sluice_connector* table_ = nullptr;
  sluice_instance* instance_ = nullptr;
};

}  // namespace sluice::kit
