#include "base/json_slices.hpp"

#include <catch2/catch.hpp>

#include "base/json.hpp"

namespace sluice {
namespace {

struct Cut {
  bool good = false;
  std::vector<JsonPart> members;
  std::vector<std::string_view> elements;
};

Cut cut(const std::string& text, std::string_view array) {
  static JsonParser parser;
  Cut out;
  out.good = parser.parse(text).is_object();
  if (out.good) cut_json(parser, text, array, out.members, out.elements);
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

TEST_CASE("the parts of a document put together again are the document", "[base]") {
  const std::string text =
      R"({"batch":[{"a":{"b":[1,{"c":"]}"}]},"d":"é\\"},[],{},"",[[[]]],1e5,true],"sentAt":"x","":{},"z":[1]})";
  const Cut parts = cut(text, "batch");
  REQUIRE(parts.good);
  std::string again = "{\"batch\":[";
  for (const std::string_view element : parts.elements)
    again.append(again.ends_with('[') && element == parts.elements.front() ? "" : ",").append(element);
  again += ']';
  for (const JsonPart& member : parts.members)
    again.append(",\"").append(member.key).append("\":").append(member.text);
  CHECK(again + '}' == text);
}

TEST_CASE("an empty object has no parts", "[base]") {
  const Cut parts = cut(" { } ", "list");
  CHECK(parts.good);
  CHECK(parts.members.empty());
  CHECK(parts.elements.empty());
}

TEST_CASE("a text that is absent is no JSON", "[base]") {
  JsonParser parser;
  CHECK_FALSE(parser.parse(std::string_view()));
  CHECK(parser.error() == "it is empty");
}

}  // namespace
}  // namespace sluice
