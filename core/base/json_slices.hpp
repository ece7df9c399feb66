// The texts of a document's parts, byte for byte as they stand in it, for what has to be kept as it was
// received.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

// Cuts one document at a time. One a thread; reuse it: its memory is kept. What it yields borrows from the
// document's text.
class JsonSlicer {
 public:
  JsonSlicer();
  ~JsonSlicer();
  JsonSlicer(JsonSlicer&&) noexcept;
  JsonSlicer& operator=(JsonSlicer&&) noexcept;

  struct Member {
    std::string key;        // unescaped
    std::string_view text;  // of the value, without white space around it
  };
  // `padded` is an object that JsonParser has accepted, with json_padding readable bytes behind its end. The
  // members of the root, in order, go to `members`; the elements of the array named `array` (the last of that
  // name) to `elements`. About 0.1 us for 600 bytes. False: the text is not such an object; then what was
  // yielded means nothing.
  bool cut(std::string_view padded, std::string_view array, std::vector<Member>& members,
           std::vector<std::string_view>& elements);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
