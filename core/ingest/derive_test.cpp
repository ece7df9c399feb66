#include "ingest/derive.hpp"

#include <catch2/catch.hpp>

namespace sluice::ingest {

TEST_CASE("a page fits a pattern by its path, or by host and path") {
  struct Row {
    const char *pattern, *url;
    bool fits;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"/shoes/*", "https://shop.example/shoes/42", true},
           {"/shoes/*", "https://shop.example/shoes/42?x=/bags/#y", true},
           {"/shoes/*", "https://shop.example/bags/shoes/42", false},
           {"/shoes/*", "/shoes/42", true},
           {"/shoes", "https://shop.example/shoes/", true},
           {"/shoes/", "https://shop.example/shoes", true},
           {"/", "https://shop.example", true},
           {"/", "https://shop.example/?utm_source=x", true},
           {"/", "https://shop.example/a", false},
           {"*/shoes/*/red", "https://shop.example/fr/shoes/a/b/red", true},
           {"*/shoes/*/red", "https://shop.example/fr/shoes/a/b/blue", false},
           {"blog.example/*", "http://blog.example/2027/05", true},
           {"blog.example/*", "http://shop.example/blog.example/x", false},
           {"*.shop.example/*", "https://fr.shop.example/a", true},
           {"/a*b*c", "/abbbc", true},
           {"/a*b*c", "/abbbd", false},
       }) {
    INFO(row.pattern << "  " << row.url);
    CHECK(fits_page(row.pattern, row.url) == row.fits);
  }
}

TEST_CASE("a pattern of many stars takes no more than its length times the address's") {
  const std::string url = "/" + std::string(20'000, 'a');
  std::string pattern = "/";
  for (int i = 0; i < 200; ++i) pattern += "a*";
  CHECK_FALSE(fits_page(pattern + "b", url));
}

TEST_CASE("a device is told by what its browser says of itself") {
  struct Row {
    const char *device, *user_agent;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"desktop",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"},
           {"desktop",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605"},
           {"mobile",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"},
           {"mobile",
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"},
           {"tablet",
            "Mozilla/5.0 (Linux; Android 14; SM-X700) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"},
           {"tablet",
            "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"},
           {"bot",
            "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) Mobile Safari/537.36 (compatible; Googlebot/2.1)"},
           {"other", "Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36"},
           {"other", "something"},
       }) {
    INFO(row.user_agent);
    CHECK(device_of(row.user_agent) == row.device);
  }
}

TEST_CASE("a campaign is what the SDK has found, else what the page's address says, cut to its length") {
  config::Derive wanted;
  wanted.campaign = true;
  const auto derivation = Derivation::open(wanted);
  REQUIRE(derivation);
  JsonParser parser;
  const auto of = [&](const std::string& context) {
    const Json event = parser.parse(R"({"context":)" + context + "}");
    return derivation.value()->find(event, event["context"], {});
  };
  CHECK(
      of(R"({"page":{"url":"https://a.example/?utm_source=news&utm_medium=e%20mail&x=1"},"campaign":{"source":"app"}})") ==
      R"({"campaign":{"source":"app","medium":"e mail"}})");
  CHECK(of(R"({"page":{"path":"/","search":"?utm_campaign=may"}})") == R"({"campaign":{"name":"may"}})");
  CHECK(of(R"({"page":{"url":"https://a.example/?utm_source=%FF"}})").empty());
  CHECK(of(R"({"page":{"url":"https://a.example/?utm_term=)" + std::string(300, 'x') + R"("}})").size() ==
        std::string(R"({"campaign":{"term":""}})").size() + 200);
}

}  // namespace sluice::ingest
