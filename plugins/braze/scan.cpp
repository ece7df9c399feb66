#include "scan.hpp"

#include <array>
#include <bit>
#include <cstdint>
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

enum class Mark : std::uint8_t { none, quote, open, close };

constexpr std::array<Mark, 256> marks = [] {
  std::array<Mark, 256> out{};
  out['"'] = Mark::quote;
  out['{'] = out['['] = Mark::open;
  out['}'] = out[']'] = Mark::close;
  return out;
}();

Mark mark_of(char c) {
  return marks[static_cast<unsigned char>(c)];
}

// The first quote or backslash, or `end`. Eight bytes are looked at together: in `found` the lowest byte that
// is not zero is the first of them ("Hacker's Delight", 6-1).
const char* quote_or_backslash(const char* at, const char* end) {
  constexpr std::uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
  const auto zero = [](std::uint64_t word) { return (word - ones) & ~word; };
  if constexpr (std::endian::native == std::endian::little) {
    for (; end - at >= 8; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, sizeof word);
      const std::uint64_t found = (zero(word ^ ones * '"') | zero(word ^ ones * '\\')) & tops;
      if (found != 0) return at + std::countr_zero(found) / 8;
    }
  }
  while (at < end && *at != '"' && *at != '\\') ++at;
  return at;
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
  ++at_;
  for (;;) {
    at_ = quote_or_backslash(at_, end_);
    if (at_ == end_) return false;
    if (*at_++ == '"') return true;
    if (at_ == end_) return false;
    ++at_;  // what is escaped
  }
}

// At a brace or bracket: moves behind the one that closes it.
bool Walk::container_end() {
  int depth = 0;
  while (at_ < end_) {
    switch (mark_of(*at_)) {
      case Mark::quote:
        if (!text_end()) return false;
        continue;
      case Mark::open:
        ++depth;
        break;
      case Mark::close:
        if (--depth == 0) {
          ++at_;
          return true;
        }
        break;
      case Mark::none:
        break;
    }
    ++at_;
  }
  return false;
}

// At a value: moves behind it.
bool Walk::value_end() {
  if (*at_ == '"') return text_end();
  if (mark_of(*at_) == Mark::open) return container_end();
  while (at_ < end_ && *at_ != ',' && mark_of(*at_) != Mark::close) ++at_;  // a number or a word
  return at_ < end_;
}

bool Walk::next_name(Member& out) {
  space();
  if (at_ < end_ && *at_ == ',') {
    ++at_;
    space();
  }
  if (at_ >= end_ || *at_ == '}' || *at_ == ']') return false;
  out.name = {};
  if (!object_) return true;
  const char* const name = at_ + 1;
  if (*at_ != '"' || !text_end()) return false;
  out.name = {name, static_cast<std::size_t>(at_ - name - 1)};
  space();
  if (at_ >= end_ || *at_++ != ':') return false;
  space();
  return at_ < end_;
}

bool Walk::opens() const {
  return mark_of(*at_) == Mark::open;
}

Walk Walk::inside() const {
  return Walk({at_, static_cast<std::size_t>(end_ - at_)});
}

bool Walk::value(Member& out) {
  const char* const from = at_;
  if (!value_end() || at_ == from) return false;
  out.value = {from, static_cast<std::size_t>(at_ - from)};
  while (is_space(out.value.back())) out.value.remove_suffix(1);  // behind a number or a word
  return true;
}

bool Walk::value(Member& out, const Walk& walked) {
  if (walked.at_ >= end_ || mark_of(*walked.at_) != Mark::close) return false;
  out.value = {at_, static_cast<std::size_t>(walked.at_ + 1 - at_)};
  at_ = walked.at_ + 1;
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
