#include "plugin/aws_sigv4.hpp"

#include <algorithm>
#include <ctime>
#include <map>

#include "base/hash.hpp"
#include "net/gzip.hpp"
#include "plugin/url.hpp"

namespace sluice::plugin {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// Without spaces around it, and one where several stand inside.
std::string trimmed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

int digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

// What stands in a URL's query means this text.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool code =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    if (code) {
      out += static_cast<char>(digit(text[i + 1]) << 4 | digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// Dot segments and repeated slashes taken out, as the HTTP client and AWS do; each segment encoded again, as
// AWS does with the path that it receives. S3 takes paths as they are.
std::string canonical_path(std::string_view path, bool as_it_is) {
  if (as_it_is) return path.empty() ? "/" : std::string(path);
  std::vector<std::string_view> segments;
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::string out;
  for (const std::string_view segment : segments) out += '/' + percent_encode(segment);
  const bool folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  if (out.empty() || folder) out += '/';
  return out;
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> params;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view param = query.substr(0, end);
    const std::size_t equals = std::min(param.find('='), param.size());
    const std::string_view value = param.substr(std::min(equals + 1, param.size()));
    if (!param.empty()) {
      params.emplace_back(percent_encode(decoded(param.substr(0, equals))), percent_encode(decoded(value)));
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  std::sort(params.begin(), params.end());
  std::string out;
  for (const auto& [name, value] : params) out += (out.empty() ? "" : "&") + name + '=' + value;
  return out;
}

struct Signed {
  std::string names, lines;  // "host;x-amz-date", "host:example.com\nx-amz-date:...\n"
};

Signed signed_headers(const HttpRequest& request, const UrlParts& url) {
  std::map<std::string, std::string> merged;
  const bool usual = url.port.empty() || (url.scheme == "https" && url.port == "443") ||
                     (url.scheme == "http" && url.port == "80");
  std::string host = url.host.find(':') == std::string_view::npos ? std::string(url.host)
                                                                  : '[' + std::string(url.host) + ']';
  merged["host"] = lower(host) + (usual ? "" : ':' + std::string(url.port));
  for (const Header& header : request.headers) {
    const std::string name = lower(header.name);
    if (name == "host") continue;
    const auto [at, fresh] = merged.try_emplace(name, trimmed(header.value));
    if (!fresh) at->second += ',' + trimmed(header.value);
  }
  Signed out;
  for (const auto& [name, value] : merged) {
    out.names += (out.names.empty() ? "" : ";") + name;
    out.lines += name + ':' + value + '\n';
  }
  return out;
}

// "20150830T123600Z"
std::string basic_time(TimeUs now) {
  const std::time_t seconds = static_cast<std::time_t>(now / us_per_s);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t n = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return {text, n};
}

}  // namespace

void sign_aws_v4(const AwsKeys& keys, TimeUs now, HttpRequest& request) {
  if (request.gzip) {
    request.body = net::gzip(request.body);
    request.headers.push_back({"content-encoding", "gzip"});
    request.gzip = false;
  }
  const std::optional<UrlParts> url = split_url(request.url);
  if (!url) return;  // resolve() has taken it: every URL that gets here has parts
  const bool s3 = keys.service == "s3";
  const std::string time = basic_time(now), date = time.substr(0, 8), body_hash = sha256_hex(request.body);
  request.headers.push_back({"x-amz-date", time});
  if (!keys.session_token.empty()) request.headers.push_back({"x-amz-security-token", keys.session_token});
  if (s3) request.headers.push_back({"x-amz-content-sha256", body_hash});

  const std::size_t mark = std::min(url->rest.find('?'), url->rest.size());
  const std::string_view query = url->rest.substr(std::min(mark + 1, url->rest.size()));
  const Signed headers = signed_headers(request, *url);
  const std::string canonical = request.method + '\n' + canonical_path(url->rest.substr(0, mark), s3) + '\n' +
                                canonical_query(query) + '\n' + headers.lines + '\n' + headers.names + '\n' +
                                body_hash;
  const std::string scope = date + '/' + keys.region + '/' + keys.service + "/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + time + '\n' + scope + '\n' + sha256_hex(canonical);
  std::string key = hmac_sha256("AWS4" + keys.secret_key, date);
  for (const std::string_view part :
       {std::string_view(keys.region), std::string_view(keys.service), std::string_view("aws4_request")}) {
    key = hmac_sha256(key, part);
  }
  request.headers.push_back({"authorization", "AWS4-HMAC-SHA256 Credential=" + keys.access_key + '/' + scope +
                                                  ", SignedHeaders=" + headers.names +
                                                  ", Signature=" + hex(hmac_sha256(key, to_sign))});
}

}  // namespace sluice::plugin
