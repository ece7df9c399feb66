#include "scan.hpp"

#include <cstring>

namespace sluice::braze {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

std::string_view trimmed(std::string_view json) {
  while (!json.empty() && is_space(json.front())) json.remove_prefix(1);
  while (!json.empty() && is_space(json.back())) json.remove_suffix(1);
  return json;
}

}  // namespace

Walk::Walk(std::string_view json) : at_(json.data()), end_(json.data() + json.size()) {
  space();
  if (at_ == end_ || (*at_ != '{' && *at_ != '[')) {
    at_ = end_;
    return;
  }
  object_ = *at_++ == '{';
}

void Walk::space() {
  while (at_ < end_ && is_space(*at_)) ++at_;
}

// At an opening quote: moves behind the closing one.
bool Walk::text_end() {
  for (const char* from = ++at_;;) {
    const void* found = std::memchr(from, '"', static_cast<std::size_t>(end_ - from));
    if (found == nullptr) return false;
    const char* quote = static_cast<const char*>(found);
    const char* before = quote;
    while (before > at_ && before[-1] == '\\') --before;
    from = quote + 1;
    if ((quote - before) % 2 == 0) {
      at_ = from;
      return true;
    }
  }
}

// At a value: moves behind it.
bool Walk::value_end() {
  int depth = 0;
  while (at_ < end_) {
    switch (*at_) {
      case '"':
        if (!text_end()) return false;
        if (depth == 0) return true;
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (depth == 0) return true;  // of what is walked over: the end of a number or word
        if (--depth == 0) {
          ++at_;
          return true;
        }
        break;
      case ',':
        if (depth == 0) return true;
        break;
      default:
        break;
    }
    ++at_;
  }
  return false;
}

bool Walk::next(Member& out) {
  space();
  if (at_ < end_ && *at_ == ',') {
    ++at_;
    space();
  }
  if (at_ >= end_ || *at_ == '}' || *at_ == ']') return false;
  out.name = {};
  if (object_) {
    const char* name = at_ + 1;
    if (*at_ != '"' || !text_end()) return false;
    out.name = {name, static_cast<std::size_t>(at_ - name - 1)};
    space();
    if (at_ >= end_ || *at_++ != ':') return false;
    space();
  }
  const char* value = at_;
  if (!value_end() || at_ == value) return false;
  out.value = trimmed({value, static_cast<std::size_t>(at_ - value)});
  return true;
}

std::string_view member(std::string_view object, std::string_view name) {
  if (!is_object(object)) return {};
  Walk walk(object);
  for (Member m; walk.next(m);) {
    if (m.name == name) return m.value;
  }
  return {};
}

std::string_view first(std::string_view array) {
  Walk walk(array);
  Member m;
  return walk.next(m) ? m.value : std::string_view{};
}

std::string_view inside(std::string_view object) {
  const std::string_view json = trimmed(object);
  return is_object(json) ? trimmed(json.substr(1, json.size() - 2)) : std::string_view{};
}

bool is_object(std::string_view json) {
  const std::string_view text = trimmed(json);
  return text.size() >= 2 && text.front() == '{' && text.back() == '}';
}

bool is_text(std::string_view json) {
  return json.size() > 2 && json.front() == '"' && json.back() == '"';
}

}  // namespace sluice::braze
