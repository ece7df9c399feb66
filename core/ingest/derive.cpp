#include "ingest/derive.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "net/server.hpp"

namespace sluice::ingest {

namespace {

constexpr std::size_t campaign_bytes_max = 200;  // of one parameter; what is longer is cut

bool has_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

// '*' is any text: the last one that was met takes as much as it must.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

// Cut where a character ends.
std::string_view shortened(std::string_view text) {
  if (text.size() <= campaign_bytes_max) return text;
  std::size_t end = campaign_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string_view page_of(Json event, Json context) {
  for (const Json place : {context["page"]["url"], event["properties"]["url"], context["page"]["path"],
                           event["properties"]["path"]}) {
    if (const std::string_view text = place.string_or(""); !text.empty()) return text;
  }
  return {};
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> campaign_members{
    {{"source", "utm_source"},
     {"medium", "utm_medium"},
     {"name", "utm_campaign"},
     {"term", "utm_term"},
     {"content", "utm_content"}}};

// What an SDK has found stands above what the address says.
void write_campaign(JsonWriter& w, Json event, Json context) {
  const Json said = context["campaign"];
  net::Request page;  // for its reading of a query
  const std::string_view url = page_of(event, context);
  if (const std::size_t query = url.find('?'); query != std::string_view::npos) {
    page.query_text = url.substr(query + 1, url.find('#', query) - query - 1);
  } else if (const std::string_view search = context["page"]["search"].string_or(""); search.size() > 1) {
    page.query_text = search.substr(1);
  }
  bool any = false;
  for (const auto& [member, parameter] : campaign_members) {
    std::string value(said[member].string_or(""));
    if (value.empty() && !page.query_text.empty()) value = page.query(parameter);
    if (value.empty() || !valid_utf8(value)) continue;
    if (!std::exchange(any, true)) w.key("campaign").begin_object();
    w.member(member, shortened(value));
  }
  if (any) w.end_object();
}

}  // namespace

std::string_view device_of(std::string_view user_agent) {
  const std::string text = lower_ascii(user_agent);
  if (text.empty()) return "other";
  if (has_any(text,
              {"bot", "crawl", "spider", "slurp", "headless", "lighthouse", "curl/", "wget/", "python-"}))
    return "bot";
  const bool android = has_any(text, {"android"}), mobile = has_any(text, {"mobi"});
  if (has_any(text, {"smart-tv", "smarttv", "appletv", "hbbtv", "crkey", "playstation", "xbox"}))
    return "other";
  if (has_any(text, {"ipad", "tablet", "kindle", "silk/"}) || (android && !mobile)) return "tablet";
  if (mobile || has_any(text, {"iphone", "ipod", "windows phone"})) return "mobile";
  if (has_any(text, {"windows", "macintosh", "x11", "linux", "cros"})) return "desktop";
  return "other";
}

bool fits_page(std::string_view pattern, std::string_view url) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos)
    url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("?#"));
  if (pattern.starts_with('/')) {
    const std::size_t path = url.find('/');
    url = path == std::string_view::npos ? std::string_view("/") : url.substr(path);
  }
  const auto without_slash = [](std::string_view text) {
    return text.size() > 1 && text.ends_with('/') ? text.substr(0, text.size() - 1) : text;
  };
  return matches(without_slash(pattern), without_slash(url)) || matches(pattern, url);
}

Result<std::shared_ptr<const Derivation>> Derivation::open(const config::Derive& wanted) {
  std::shared_ptr<const Locations> locations;
  if (!wanted.location.empty()) locations = SLUICE_TRY(Locations::open(wanted.location));
  return std::shared_ptr<const Derivation>(new Derivation(wanted, std::move(locations)));
}

std::string Derivation::find(Json event, Json context, const Visitor& visitor) const {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  if (!wanted_.categories.empty()) {
    const std::string_view url = page_of(event, context);
    const auto at = std::find_if(wanted_.categories.begin(), wanted_.categories.end(),
                                 [&](const auto& c) { return fits_page(c.first, url); });
    if (!url.empty() && at != wanted_.categories.end()) w.member("category", at->second);
  }
  if (locations_ && !visitor.ip.empty()) {
    const Locations::Found found = locations_->find(std::string(visitor.ip));
    if (!found.country.empty()) w.member("country", found.country);
    if (!found.region.empty()) w.member("region", found.region);
  }
  if (wanted_.device) {
    std::string_view user_agent = context["userAgent"].string_or("");
    if (user_agent.empty()) user_agent = visitor.user_agent;
    if (!user_agent.empty()) w.member("device", device_of(user_agent));
  }
  if (wanted_.campaign) write_campaign(w, event, context);
  w.end_object();
  return out.size() > 2 ? out : std::string{};
}

}  // namespace sluice::ingest
