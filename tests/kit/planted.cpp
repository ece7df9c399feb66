// A good destination, or the same with one planted bug that the conformance kit must find; see kit_test.py
// for which check finds it. What can be decided when it runs is compiled once for all of them (plant.c names
// the bug); what is in the table, the manifest or the symbols is decided by the preprocessor.
#include <cstdlib>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

extern "C" const char planted_bug[];  // plant.c

namespace {

namespace sdk = sluice::sdk;

bool is(std::string_view bug) {
  return bug == planted_bug;
}

#if defined(PLANT_UNIQUE_SYMBOL)
template <typename T>
struct SLUICE_EXPORT Shared {
  static inline int count = 0;  // one for all libraries of the process
};
#endif

class Planted {
 public:
  static constexpr std::uint32_t kind = SLUICE_DESTINATION;
  static constexpr char id[] = "planted";

  Planted(const sdk::Host& host, const sdk::Open& open) : host_(host), token_(host.secret("token")) {
    const sdk::Json config = sdk::Json::parse(open.config).value_or(sdk::Json());
    if (!config.is_object() && !is("takes_any_config")) {
      throw sdk::Fail(SLUICE_INVALID, "the settings are no mapping");
    }
    if (is("crashes_on_config") && config["endpoint"] && !config["endpoint"].is_string()) std::abort();
    static bool made = false;
    if (is("creates_once") && std::exchange(made, true)) {
      throw sdk::Fail(SLUICE_INTERNAL, "there is one already");
    }
    if (is("secret_in_log")) host.log(SLUICE_DEBUG, "connecting with " + token_);
    if (is("leaks_descriptors")) descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (is("leaks_threads")) std::thread([] { ::sleep(60); }).detach();
#if defined(PLANT_UNIQUE_SYMBOL)
    ++Shared<int>::count;
#endif
  }

  void plan(const sdk::Batch& batch, sdk::Call& call) {
#if defined(PLANT_KNOWS_THE_SIZE)
    sluice_batch copy = *c_batch_;
    copy.stride = sizeof(sluice_record);
#endif
    sdk::Request request{.url = "/batch", .headers = {{"content-type", "application/json"}}};
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
#if defined(PLANT_KNOWS_THE_SIZE)
      const sdk::Record record = sdk::Batch(&copy)[i];
#else
      const sdk::Record record = batch[i];
#endif
      if (!takes(record.op)) {
        call.outcome(i, {.status = SLUICE_INVALID, .reason = "unknown_op"});
        continue;
      }
      if (misbehaves(batch, i, call)) continue;
      if (is("leaves_a_hole") && batch.part() > 0 && i == 1) continue;
      request.body += request.body.empty() ? "[" : ",";
      request.body +=
          "{\"name\":" + quoted(record.name) + ",\"payload\":" + std::string(record.payload) + '}';
      request.records.push_back(i);
    }
    if (is("crashes_on_nothing") && batch[0].op == SLUICE_EVENT) request.timeout_ms = 1'000;
    if (is("exits") && batch.size() > 30) ::_exit(0);
    if (is("leaks_memory")) leaked_ = new std::string(4'096, 'x');
    if (is("reads_files")) ::close(::open("/etc/hostname", O_RDONLY | O_CLOEXEC));
    if (is("wrong_host")) request.url = "https://collector.example.net/?token=" + token_;
    if (is("reads_clock")) request.headers.push_back({"x-sent", std::to_string(host_.now_us())});
    if (is("counts")) request.headers.push_back({"x-count", std::to_string(++count_)});
    request.body += ']';
    if (!request.records.empty()) call.request(request);
  }

  void interpret(const sdk::Batch&, const sdk::Response& response, sdk::Call& call) {
    sluice_status status = sdk::verdict(response.status());
    std::string reason = status == SLUICE_OK ? "" : "http_" + std::to_string(response.status()), detail;
    if (is("crashes_on_garbage") && response.body().starts_with('<')) {
      *const_cast<volatile char*>(static_cast<char*>(nullptr)) = 1;
    }
    if (is("calls_it_delivered")) status = SLUICE_OK;
    if (is("secret_in_reason") && status == SLUICE_INVALID) reason = token_;
    if (is("email_in_detail") && status != SLUICE_OK) detail = response.body().substr(0, 100);
    if (is("reason_is_a_sentence") && status != SLUICE_OK) {
      reason = "HTTP status " + std::to_string(response.status());
    }
    for (const std::uint32_t i : response.records()) {
      call.outcome(i, {.status = status,
                       .reason = reason,
                       .detail = detail,
                       .retry_after_ms = response.retry_after_ms()});
    }
  }

 private:
  static bool takes(std::uint32_t op) {
#if defined(PLANT_THROWS)
    if (op > 90) return true;
#endif
    return op == SLUICE_EVENT || op == SLUICE_UPSERT || op == SLUICE_ENTER || op == SLUICE_SNAPSHOT_BEGIN ||
           op == SLUICE_SNAPSHOT_END || is("guesses_operations");
  }

  static std::string quoted(std::string_view text) {
    return is("no_escapes") ? '"' + std::string(text) + '"' : sdk::json_string(text);
  }

  // True: the record is dealt with.
  bool misbehaves(const sdk::Batch& batch, std::uint32_t i, sdk::Call& call) {
    const sdk::Record record = batch[i];
    const bool second = batch.size() > 1 && i == 1;
    if (is("covers_twice") && second) call.outcome(i, {.status = SLUICE_SKIPPED, .reason = "twice"});
    if (is("keeps_pointer")) {
      if (last_ != nullptr) seen_ = *last_;
      last_ = record.payload.data();
    }
    if (is("reads_too_far")) {
      const volatile char* const payload = record.payload.data();
      seen_ = payload[record.payload.size() + SLUICE_PADDING];
    }
    if (is("writes")) {
      auto* const payload = const_cast<volatile char*>(record.payload.data());
      *payload = *payload;
    }
    if (is("email_in_failure") && !sdk::Json::parse(record.payload)) {
      throw sdk::Fail(SLUICE_INVALID, "cannot parse " + std::string(record.payload));
    }
#if defined(PLANT_THROWS)
    if (record.op > 90) throws_ = true;
#endif
    if (is("ignores_stop")) {
      try {
        call.outcome(i, {.status = SLUICE_SKIPPED, .reason = "no_address"});
      } catch (...) {
      }
      return true;
    }
    return is("leaves_out") && second;
  }

  sdk::Host host_;
  std::string token_;
  const volatile char* last_ = nullptr;
  volatile char seen_ = 0;
  int descriptor_ = -1, count_ = 0;
  std::string* volatile leaked_ = nullptr;

 public:
  [[maybe_unused]] bool throws_ = false;
  [[maybe_unused]] const sluice_batch* c_batch_ = nullptr;
};

#if defined(PLANT_BAD_MANIFEST)
#define REQUIRED "\"endpoint\", \"tokn\""
#else
#define REQUIRED "\"endpoint\", \"token\""
#endif
#define MANIFEST(version)                                                                                \
  "{\"plugin\": \"planted\", \"version\": \"" version                                                    \
  "\", \"connectors\": [{\"id\": \"planted\","                                                           \
  "\"kind\": \"destination\", \"ops\": [\"event\", \"upsert\", \"enter\", \"snapshot_begin\", "          \
  "\"snapshot_end\"], \"identifiers\": [\"email\"],"                                                     \
  "\"base_url\": \"{config.endpoint}\", \"hosts\": [\"api.example.com\"],"                               \
  "\"auth\": {\"type\": \"header\", \"name\": \"authorization\", \"value\": \"Bearer {secret.token}\"}," \
  "\"config\": {\"type\": \"object\", \"required\": [" REQUIRED                                          \
  "], \"properties\": {"                                                                                 \
  "\"endpoint\": {\"type\": \"string\", \"format\": \"uri\"},"                                           \
  "\"token\": {\"type\": \"string\", \"x-secret\": true}}}}]}"

}  // namespace

#if defined(PLANT_EXTRA_SYMBOL)
extern "C" SLUICE_EXPORT int helper() {
  return 1;
}
#endif

#if defined(PLANT_KNOWS_THE_SIZE) || defined(PLANT_OTHER_MANIFEST) || defined(PLANT_OTHER_ID) || \
    defined(PLANT_THROWS) || defined(PLANT_NO_TEXT)
namespace {

[[gnu::section(".sluice_manifest"), gnu::used]] constexpr char section[] = MANIFEST("1.0.0");

// As plain C++ without the SDK may do it.
constexpr sluice_connector changed() {
  sluice_connector out = sdk::detail::table<Planted>();
#if defined(PLANT_OTHER_ID)
  out.id = "planted_again";
#elif defined(PLANT_THROWS)
  out.plan = [](sluice_instance* i, const sluice_plan* p, sluice_call* call) -> sluice_status {
    const sluice_status status = sdk::detail::table<Planted>().plan(i, p, call);
    if (reinterpret_cast<Planted*>(i)->throws_) throw std::runtime_error("an operation that I do not know");
    return status;
  };
#elif defined(PLANT_KNOWS_THE_SIZE)
  out.plan = [](sluice_instance* i, const sluice_plan* p, sluice_call* call) -> sluice_status {
    reinterpret_cast<Planted*>(i)->c_batch_ = p->batch;
    return sdk::detail::table<Planted>().plan(i, p, call);
  };
#elif defined(PLANT_NO_TEXT)
  out.create = [](const sluice_host* host, const sluice_open* open, sluice_call* call,
                  sluice_instance** made) -> sluice_status {
    if (!sdk::Json::parse(sdk::view(open->config))) return SLUICE_INVALID;
    return sdk::detail::create<Planted>(host, open, call, made);
  };
#endif
  return out;
}
constexpr sluice_connector connector = changed();
constexpr const sluice_connector* connectors[] = {&connector};
#if defined(PLANT_OTHER_MANIFEST)
constexpr char text[] = MANIFEST("1.0.1");
#else
constexpr char text[] = MANIFEST("1.0.0");
#endif

}  // namespace
extern "C" constinit const sluice_plugin sluice_plugin_v1 = {
    sizeof(sluice_plugin), 0, 0, 1, connectors, text};
#else
SLUICE_PLUGIN(MANIFEST("1.0.0"), Planted)
#endif
