#include "journal/log_copy.hpp"

#include "base/hash.hpp"
#include "journal/log_fixture.hpp"

namespace sluice {
namespace {

using namespace log_fixture;

Strings of_copy(FileSystem& files) {
  LogOptions options = small();
  options.directory = "copy";
  return contents(*reopen(files, options));
}

TEST_CASE("the copy of a log that is written to ends with a whole commit", "[log][copy]") {
  SimFileSystem files(1);
  const auto writer = reopen(files);
  put(*writer, {"one"});
  put(*writer, {"two", "three"});
  for (int i = 0; i < 30; ++i) put(*writer, {std::string(200, 'x')});  // several segments
  const Strings before = contents(*writer);
  REQUIRE(copy_log(files, "d", "copy"));
  CHECK(of_copy(files) == before);
  put(*writer, {"later"});
  CHECK(of_copy(files) == before);
}

TEST_CASE("a copy holds nothing of a write that is not whole, and opens", "[log][copy]") {
  SimFileSystem files(1);
  const std::string name = "d/00000001.log";
  {
    const auto writer = reopen(files);
    put(*writer, {"one"});
    put(*writer, {"two", "three"});
    put(*writer, {"four"});  // says that what is before it was synced: a hole there would be damage
  }
  const std::string whole = files.content(name);
  const std::size_t end = whole.find_last_not_of('\0') / 8 * 8 + 8 - frame_bytes(4);
  // At each place where a reader may have met the write that is going on: what was behind it is there
  // already.
  for (std::size_t hole = end - 88; hole < end; hole += 8) {
    std::string bytes = whole;
    bytes.replace(hole, 8, 8, '\0');
    if (bytes == whole) continue;
    files.set_content(name, bytes);
    REQUIRE(copy_log(files, "d", "copy"));
    CHECK(of_copy(files) == Strings{"one"});
  }
}

TEST_CASE("a segment that was just being made is left out, and a log that is not there gives none",
          "[log][copy]") {
  SimFileSystem files(1);
  {
    put(*reopen(files), {"one"});
  }
  files.set_content("d/00000002.log", std::string(4096, '\0'));
  REQUIRE(copy_log(files, "d", "copy"));
  CHECK(of_copy(files) == Strings{"one"});
  REQUIRE(copy_log(files, "nowhere", "empty"));
  CHECK(files.list("empty").value().empty());
}

TEST_CASE("a log of a newer version is not copied as if it were empty", "[log][copy]") {
  SimFileSystem files(1);
  {
    put(*reopen(files), {"one"});
  }
  std::string bytes = files.content("d/00000001.log");
  bytes[8] = 9;
  const std::uint64_t sum = hash64(std::string_view(bytes).substr(0, 56));
  for (std::size_t i = 0; i < 8; ++i) bytes[56 + i] = static_cast<char>(sum >> (8 * i));
  files.set_content("d/00000001.log", bytes);
  CHECK_FALSE(copy_log(files, "d", "copy"));
}

}  // namespace
}  // namespace sluice
