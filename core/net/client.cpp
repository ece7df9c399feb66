#include "net/client.hpp"

#include <atomic>
#include <future>
#include <mutex>
#include <signal.h>
#include <thread>
#include <unordered_map>

#include "base/check.hpp"
#include "base/thread_name.hpp"
#include "net/transfer.hpp"

namespace sluice::net {

namespace {
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
}  // namespace

std::string_view HttpResponse::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return {};
}

struct HttpClient::Impl {
  ClientOptions options;
  std::unique_ptr<CURLM, FreeMulti> multi;
  std::atomic<std::size_t> in_flight{0};
  std::mutex mutex;  // guards `incoming` and `stopped`
  std::vector<std::unique_ptr<Transfer>> incoming;
  bool stopped = false;
  // [client thread] from here on
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> running;
  std::vector<std::unique_ptr<CURL, FreeEasy>> spare;  // handles to use again: cheaper than new ones
  std::jthread thread;

  void run();
  bool take();
  void start(std::unique_ptr<Transfer> transfer);
  void reap();
  void end(std::unique_ptr<Transfer> transfer);
  void cancel(std::unique_ptr<Transfer> transfer);
};

void HttpClient::Impl::run() {
  // Signals are the main thread's; and a TLS peer that goes away must not end the process with SIGPIPE.
  sigset_t all;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (take()) {
    int active = 0;
    (void)curl_multi_perform(multi.get(), &active);
    reap();
    (void)curl_multi_poll(multi.get(), nullptr, 0, 1'000, nullptr);
  }
  for (auto& [easy, transfer] : std::exchange(running, {})) {
    (void)curl_multi_remove_handle(multi.get(), easy);
    cancel(std::move(transfer));
  }
  spare.clear();
}

// Takes what was sent meanwhile; false when it is time to stop.
bool HttpClient::Impl::take() {
  std::vector<std::unique_ptr<Transfer>> taken;
  bool stop = false;
  {
    const std::lock_guard lock(mutex);
    taken.swap(incoming);
    stop = stopped;
  }
  for (auto& transfer : taken) {
    if (stop) {
      cancel(std::move(transfer));
    } else {
      start(std::move(transfer));
    }
  }
  return !stop;
}

void HttpClient::Impl::start(std::unique_ptr<Transfer> transfer) {
  if (const std::string_view mistake = mistake_in(transfer->request); !mistake.empty()) {
    transfer->response.error = mistake;
    return end(std::move(transfer));
  }
  if (spare.empty()) {
    transfer->easy.reset(curl_easy_init());
    SLUICE_CHECK(transfer->easy != nullptr);
  } else {
    transfer->easy = std::move(spare.back());
    spare.pop_back();
    curl_easy_reset(transfer->easy.get());
  }
  CURL* easy = transfer->easy.get();
  apply(easy, *transfer, options);
  SLUICE_CHECK(curl_multi_add_handle(multi.get(), easy) == CURLM_OK);
  running.emplace(easy, std::move(transfer));
}

void HttpClient::Impl::reap() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // the message dies with the removal
    (void)curl_multi_remove_handle(multi.get(), easy);
    auto node = running.extract(easy);
    SLUICE_CHECK(!node.empty());
    finish(*node.mapped(), code);
    end(std::move(node.mapped()));
  }
}

void HttpClient::Impl::end(std::unique_ptr<Transfer> transfer) {
  constexpr std::size_t spare_max = 64;
  if (transfer->easy && spare.size() < spare_max) spare.push_back(std::move(transfer->easy));
  in_flight.fetch_sub(1, std::memory_order_relaxed);
  transfer->done(std::move(transfer->response));
}

void HttpClient::Impl::cancel(std::unique_ptr<Transfer> transfer) {
  long sent = 0;
  if (transfer->easy) curl_easy_getinfo(transfer->easy.get(), CURLINFO_REQUEST_SIZE, &sent);
  transfer->response = {};
  transfer->response.reached = sent == 0 ? Reached::no : Reached::unknown;
  transfer->response.error = place_of(transfer->request.url) + ": cancelled, the hub is stopping";
  end(std::move(transfer));
}

Result<std::unique_ptr<HttpClient>> HttpClient::create(ClientOptions options) {
  // Once a process, thread-safe by the rules of static initialisation.
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) return Error{Code::misconfigured, "libcurl cannot start"};
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->multi.reset(curl_multi_init());
  SLUICE_CHECK(impl->multi != nullptr);
  curl_multi_setopt(impl->multi.get(), CURLMOPT_PIPELINING, long{CURLPIPE_NOTHING});
  curl_multi_setopt(impl->multi.get(), CURLMOPT_MAX_HOST_CONNECTIONS,
                    static_cast<long>(impl->options.connections_per_host_max));
  curl_multi_setopt(impl->multi.get(), CURLMOPT_MAXCONNECTS,
                    static_cast<long>(impl->options.idle_connections_max));
  Impl& running = *impl;
  impl->thread = std::jthread([&running] {
    name_thread("http client");
    running.run();
  });
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(impl)));
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() {
  stop();
}

void HttpClient::send(HttpRequest request, Callback done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->request = std::move(request);
  transfer->done = std::move(done);
  impl_->in_flight.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->stopped) {
      impl_->incoming.push_back(std::move(transfer));
      // The first of a burst wakes the thread; it takes all that came.
      if (impl_->incoming.size() == 1) (void)curl_multi_wakeup(impl_->multi.get());
      return;
    }
  }
  impl_->cancel(std::move(transfer));
}

HttpResponse HttpClient::fetch(HttpRequest request) {
  std::promise<HttpResponse> promise;
  auto answer = promise.get_future();
  send(std::move(request), [&promise](HttpResponse response) { promise.set_value(std::move(response)); });
  return answer.get();
}

std::size_t HttpClient::in_flight() const {
  return impl_->in_flight.load(std::memory_order_relaxed);
}

void HttpClient::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->stopped, true)) return;
    (void)curl_multi_wakeup(impl_->multi.get());
  }
  impl_->thread.join();
}

}  // namespace sluice::net
