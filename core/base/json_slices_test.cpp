#include "base/json_slices.hpp"

#include <catch2/catch.hpp>

#include "base/json.hpp"

namespace sluice {
namespace {

struct Cut {
  bool good = false;
  std::vector<JsonSlicer::Member> members;
  std::vector<std::string_view> elements;
};

Cut cut(std::string& text, std::string_view array) {
  text.reserve(text.size() + json_padding);
  static JsonSlicer slicer;
  Cut out;
  out.good = slicer.cut(text, array, out.members, out.elements);
  return out;
}

TEST_CASE("each part of a document is cut as it stands in it", "[base]") {
  std::string text =
      "\n{ \"a\" : 1.50e1 ,\t\"list\": [ {\"x\" : \"]\\\"}\"} , [ ] , \"s, t\",null ,-0 ], \"b\\u0062\" : { "
      "\"c\":[1 ,2] } \r\n}  ";
  const Cut parts = cut(text, "list");
  REQUIRE(parts.good);
  REQUIRE(parts.members.size() == 2);
  CHECK(parts.members[0].key == "a");
  CHECK(parts.members[0].text == "1.50e1");
  CHECK(parts.members[1].key == "bb");
  CHECK(parts.members[1].text == "{ \"c\":[1 ,2] }");
  CHECK(parts.elements ==
        std::vector<std::string_view>{"{\"x\" : \"]\\\"}\"}", "[ ]", "\"s, t\"", "null", "-0"});
}

TEST_CASE("of a repeated array the last is cut, as a reader takes the last", "[base]") {
  std::string twice = R"({"list":[1,2],"list":[3]})";
  CHECK(cut(twice, "list").elements == std::vector<std::string_view>{"3"});
  std::string shadowed = R"({"list":[1,2],"list":{"x":1},"y":2})";
  const Cut parts = cut(shadowed, "list");
  CHECK(parts.good);
  CHECK(parts.elements.empty());
}

TEST_CASE("what is no object is not cut", "[base]") {
  for (std::string text : {"[]", "17", "", "nonsense"}) CHECK_FALSE(cut(text, "list").good);
}

}  // namespace
}  // namespace sluice
