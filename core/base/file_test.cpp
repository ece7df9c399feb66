#include "base/file.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/sim_file.hpp"

namespace sluice {
namespace {

// What every FileSystem must do, `root` being an empty place.
void obeys_the_contract(FileSystem& files, const std::string& root) {
  const std::string directory = root + "/a/b";
  const std::string path = directory + "/f";
  CHECK(files.list(directory).value().empty());
  REQUIRE(files.make_directory(directory));
  REQUIRE(files.make_directory(directory));
  CHECK_FALSE(files.open(path, OpenMode::read));
  CHECK_FALSE(files.open(path, OpenMode::read_write));
  {
    const std::unique_ptr<File> file = files.open(path, OpenMode::create).value();
    REQUIRE(file->preallocate(1000));
    CHECK(file->size().value() == 1000);
    REQUIRE(file->write_at(990, "0123456789tail"));
    CHECK(file->size().value() == 1004);
    std::string out(20, '?');
    CHECK(file->read_at(995, out).value() == 9);
    CHECK(out.substr(0, 9) == "56789tail");
    CHECK(file->read_at(0, out).value() == 20);
    CHECK(out == std::string(20, '\0'));
    CHECK(file->read_at(5000, out).value() == 0);
    REQUIRE(file->resize(992));
    REQUIRE(file->resize(1000));
    CHECK(file->read_at(990, out).value() == 10);
    CHECK(out.substr(0, 10) == std::string("01\0\0\0\0\0\0\0\0", 10));
    REQUIRE(file->preallocate(10));  // never shortens
    CHECK(file->size().value() == 1000);
    REQUIRE(file->sync());
  }
  CHECK_FALSE(files.open(path, OpenMode::create));
  CHECK_FALSE(files.open(path, OpenMode::read).value()->write_at(0, "x"));
  REQUIRE(replace_file(files, directory + "/g", "first"));
  REQUIRE(replace_file(files, directory + "/g", "second"));
  CHECK(read_file(files, directory + "/g").value() == "second");
  CHECK(files.list(directory).value() == std::vector<std::string>{"f", "g"});
  REQUIRE(files.rename(directory + "/g", path));
  CHECK(read_file(files, path).value() == "second");
  CHECK_FALSE(files.exists(directory + "/g").value());
  REQUIRE(files.remove(path));
  REQUIRE(files.remove(path));
  REQUIRE(files.sync_directory(directory));
  CHECK_FALSE(files.exists(path).value());
  CHECK(files.free_bytes(root).value() > 0);
}

// Of a file that is written past the page cache, beside readers that are not.
void writes_directly(FileSystem& files, const std::string& root) {
  constexpr std::size_t block = File::block_bytes;
  REQUIRE(files.make_directory(root));
  const std::string path = root + "/blocks";
  REQUIRE(files.open(path, OpenMode::create).value()->preallocate(4 * block));
  const std::unique_ptr<File> file = files.open(path, OpenMode::direct).value();
  const std::unique_ptr<File> reader = files.open(path, OpenMode::read).value();
  const std::unique_ptr<char[], decltype(&std::free)> bytes(
      static_cast<char*>(std::aligned_alloc(block, 2 * block)), &std::free);
  for (const char letter : {'a', 'b'}) {
    std::memset(bytes.get(), letter, 2 * block);
    REQUIRE(file->write_at(block, {bytes.get(), 2 * block}));
    std::string out(4 * block, '?');
    CHECK(reader->read_at(0, out).value() == out.size());
    CHECK(out == std::string(block, '\0') + std::string(2 * block, letter) + std::string(block, '\0'));
  }
  REQUIRE(file->sync());
  REQUIRE(files.open(path, OpenMode::read_write).value()->write_at(block, "changed"));
  CHECK(file->read_at(block, std::span(bytes.get(), block)).value() == block);
  CHECK(std::string_view(bytes.get(), 8) == "changedb");
  REQUIRE(files.open(path, OpenMode::read_write).value()->resize(3 * block - 5));
  CHECK(file->read_at(2 * block, std::span(bytes.get(), block)).value() == block - 5);
}

TEST_CASE("a file that is written in whole blocks shows them to all readers", "[file]") {
  SimFileSystem simulated(1);
  writes_directly(simulated, "root");
  const std::string root =
      std::filesystem::temp_directory_path() / ("sluice-direct-" + std::to_string(getpid()));
  writes_directly(*make_file_system(), root);
  std::filesystem::remove_all(root);
}

TEST_CASE("what is no whole block is written all the same", "[file]") {
  const std::string root =
      std::filesystem::temp_directory_path() / ("sluice-odd-" + std::to_string(getpid()));
  const std::unique_ptr<FileSystem> files = make_file_system();
  REQUIRE(files->make_directory(root));
  REQUIRE(files->open(root + "/f", OpenMode::create));
  REQUIRE(files->open(root + "/f", OpenMode::direct).value()->write_at(3, "odd"));
  CHECK(read_file(*files, root + "/f").value() == std::string("\0\0\0odd", 6));
  std::filesystem::remove_all(root);
}

// Whoever has it open reads it whole, also where it goes.
void goes_in_pieces(FileSystem& files, const std::string& root) {
  const std::string large(10 * 1024 * 1024, 'x'), path = root + "/large";
  REQUIRE(files.make_directory(root));
  for (const bool held : {false, true}) {
    {
      const std::unique_ptr<File> file = files.open(path, OpenMode::create).value();
      REQUIRE(file->write_at(0, large));
      CHECK(file->alone());
    }
    std::unique_ptr<File> reader;
    if (held) reader = files.open(path, OpenMode::read).value();
    CHECK(files.open(path, OpenMode::read_write).value()->alone() != held);
    REQUIRE(remove_in_pieces(files, path));
    CHECK(files.list(root).value().empty());
    if (held) CHECK(reader->size().value() == large.size());
  }
  CHECK(remove_in_pieces(files, path));
}

TEST_CASE("a large file goes in pieces, but not under the hands of whoever reads it", "[file]") {
  SimFileSystem simulated(1);
  goes_in_pieces(simulated, "root");
  const std::string root =
      std::filesystem::temp_directory_path() / ("sluice-pieces-" + std::to_string(getpid()));
  goes_in_pieces(*make_file_system(), root);
  std::filesystem::remove_all(root);
}

TEST_CASE("a crash while a large file goes leaves it whole, or none of its name", "[file]") {
  const std::string large(10 * 1024 * 1024, 'x');
  SimFileSystem files(3);
  REQUIRE(files.make_directory("d"));
  bool gone = false, cut = false;
  for (std::uint64_t calls = 0; calls < 12; ++calls) {
    {
      const std::unique_ptr<File> file = files.open("d/base", OpenMode::create).value();
      REQUIRE(file->write_at(0, large));
      REQUIRE(file->sync());
      REQUIRE(files.sync_directory("d"));
    }
    files.stop_after(calls);
    (void)remove_in_pieces(files, "d/base");
    files.crash();
    files.restart();
    const std::vector<std::string> left = files.list("d").value();
    gone = gone || left.empty();
    for (const std::string& name : left) {
      const std::uint64_t size = files.open("d/" + name, OpenMode::read).value()->size().value();
      if (name == "base") CHECK(size == large.size());
      cut = cut || size < large.size();
      CHECK(files.remove("d/" + name));
    }
    REQUIRE(files.sync_directory("d"));
  }
  CHECK(gone);
  CHECK(cut);
}

TEST_CASE("the disk and the simulated disk obey the same contract", "[file]") {
  SimFileSystem simulated(1);
  obeys_the_contract(simulated, "root");
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("sluice-file-test-" + std::to_string(::getpid()));
  std::filesystem::create_directories(root);
  const std::unique_ptr<FileSystem> real = make_file_system();
  obeys_the_contract(*real, root.string());
  CHECK(std::filesystem::status(root / "a").permissions() == std::filesystem::perms::owner_all);
  std::filesystem::remove_all(root);
}

TEST_CASE("a crash of the simulated disk keeps what was synced and may lose or tear the rest", "[file]") {
  bool kept = false;
  bool lost = false;
  bool torn = false;
  bool shorter = false;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SimFileSystem files(seed);
    REQUIRE(files.make_directory("d"));
    const std::unique_ptr<File> file = files.open("d/f", OpenMode::create).value();
    REQUIRE(file->write_at(0, std::string(1024, 'a')));
    REQUIRE(file->sync());
    REQUIRE(files.sync_directory("d"));
    REQUIRE(file->write_at(512, std::string(1536, 'b')));
    files.crash();
    CHECK_FALSE(file->sync());  // of before the crash
    const std::string bytes = files.content("d/f");
    REQUIRE(bytes.size() >= 1024);
    CHECK(bytes.substr(0, 512) == std::string(512, 'a'));
    const std::string sector = bytes.substr(512, 512);
    CHECK((sector == std::string(512, 'a') || sector == std::string(512, 'b')));
    const bool whole = bytes == std::string(512, 'a') + std::string(1536, 'b');
    const bool old = bytes == std::string(1024, 'a');
    kept = kept || whole;
    lost = lost || old;
    torn = torn || (!whole && !old);
    shorter = shorter || (bytes.size() > 1024 && bytes.size() < 2048);
  }
  CHECK((kept && lost && torn && shorter));
}

TEST_CASE("the simulated disk loses names that no directory sync made durable", "[file]") {
  int created = 0;
  int renamed = 0;
  int removed = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SimFileSystem files(seed);
    REQUIRE(files.make_directory("d"));
    REQUIRE(replace_file(files, "d/old", "old"));
    REQUIRE(replace_file(files, "d/gone", "gone"));
    REQUIRE(files.open("d/new", OpenMode::create));
    REQUIRE(files.rename("d/old", "d/moved"));
    REQUIRE(files.remove("d/gone"));
    files.crash();
    created += files.exists("d/new").value() ? 1 : 0;
    removed += files.exists("d/gone").value() ? 0 : 1;
    renamed += files.exists("d/moved").value() ? 1 : 0;
    CHECK(files.exists("d/moved").value() != files.exists("d/old").value());  // never both, never neither
  }
  for (const int count : {created, renamed, removed}) CHECK((count > 10 && count < 50));
}

TEST_CASE("the simulated disk is the same for the same seed", "[file]") {
  const auto play = [](std::uint64_t seed) {
    SimFileSystem files(seed);
    (void)files.make_directory("d");
    const auto file = files.open("d/f", OpenMode::create).value();
    (void)files.sync_directory("d");
    for (int i = 0; i < 20; ++i)
      (void)file->write_at(static_cast<std::uint64_t>(i) * 300, std::string(700, static_cast<char>('a' + i)));
    files.crash();
    return files.content("d/f");
  };
  CHECK(play(5) == play(5));
  CHECK(play(5) != play(6));
}

TEST_CASE("the simulated disk fails when it is told to", "[file]") {
  SimFileSystem files(1);
  REQUIRE(files.make_directory("d"));
  const std::unique_ptr<File> file = files.open("d/f", OpenMode::create).value();
  files.set_capacity(100);
  CHECK(files.free_bytes("d").value() == 100);
  CHECK(file->write_at(0, std::string(100, 'x')));
  CHECK_FALSE(file->write_at(100, "x"));
  CHECK_FALSE(file->preallocate(101));
  CHECK(files.free_bytes("d").value() == 0);
  files.fail_sync_after(1);
  CHECK(file->sync());
  CHECK(file->write_at(0, "y"));
  CHECK_FALSE(file->sync());
  CHECK(file->sync());  // as Linux: the failure is told once, and what it lost is not stored by the next
  REQUIRE(files.sync_directory("d"));
  files.stop_after(1);
  CHECK(file->write_at(1, "z"));
  CHECK_FALSE(file->write_at(2, "z"));
  CHECK_FALSE(file->sync());
  CHECK(files.stopped());
  files.crash();
  CHECK(files.content("d/f").substr(0, 1) == "x");
  CHECK(files.open("d/f", OpenMode::read_write).value()->write_at(0, "new"));
}

}  // namespace
}  // namespace sluice
