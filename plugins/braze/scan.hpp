// Reads JSON text in place: the members of an object and the elements of an array as views of the text
// itself, so that a payload can be spliced into a request without a tree. For texts that the host has
// validated; on broken ones it stops early and never leaves their bounds. Names are compared as they are
// written (an escaped name does not match).
#pragma once

#include <string_view>

namespace sluice::braze {

struct Member {
  std::string_view name;   // without its quotes
  std::string_view value;  // with its quotes, brackets or braces
};

// Walks over the members of an object, or the elements of an array (whose name is empty).
class Walk {
 public:
  explicit Walk(std::string_view json);  // neither object nor array: nothing to walk over
  bool next(Member& out) { return next_name(out) && value(out); }
  // The same in two moves: between them the value may be walked over itself, and is not read twice then.
  bool next_name(Member& out);
  bool opens() const;  // it is an object or an array
  Walk inside() const;
  bool value(Member& out);
  bool value(Member& out, const Walk& walked);  // `walked` is inside(), come to its end

 private:
  bool text_end();
  bool container_end();
  bool value_end();
  void space();
  const char* at_;
  const char* end_;
  bool object_ = false;
};

// The value of a member; empty if there is none, or `object` is none.
std::string_view member(std::string_view object, std::string_view name);
// The first element of an array; empty if there is none.
std::string_view first(std::string_view array);
// What stands between the outer braces; empty for {} and for what is no object.
std::string_view inside(std::string_view object);
bool is_object(std::string_view json);
bool is_text(std::string_view json);  // a string that is not empty

}  // namespace sluice::braze
