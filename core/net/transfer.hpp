// One request of the client on its way through libcurl. Used by client.cpp.
#pragma once

#include <memory>
#include <string_view>

#include <curl/curl.h>

#include "net/client.hpp"

namespace sluice::net {

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One request on its way. Stays where it is: libcurl points into it.
struct Transfer {
  HttpRequest request;
  HttpClient::Callback done;
  HttpResponse response;
  std::unique_ptr<curl_slist, FreeList> headers;
  std::unique_ptr<CURL, FreeEasy> easy;
  bool refused_address = false;
  bool too_large = false;
  std::size_t header_bytes = 0;  // of this answer and of interim ones before it
};

// Why a request cannot be sent at all; empty when it can.
std::string_view mistake_in(const HttpRequest& request);
// Makes `easy` ready to run the transfer. The transfer stays where it is until it has ended.
void apply(CURL* easy, Transfer& transfer, const ClientOptions& options);
// Fills in the response from how the transfer ended.
void finish(Transfer& transfer, CURLcode code);
// Where a URL goes, for people: scheme, host and port. A path or a query may hold tokens.
std::string place_of(const std::string& url);

}  // namespace sluice::net
