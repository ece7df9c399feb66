#include "config/node.hpp"

#include <algorithm>

namespace sluice::config {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The bytes that a backslash escape takes in the file, the backslash included.
std::size_t escape_bytes(char kind) {
  switch (kind) {
    case 'x':
      return 4;
    case 'u':
      return 6;
    case 'U':
      return 10;
    default:
      return 2;
  }
}

// The bytes of UTF-8 that follow the first one.
std::size_t continuation_bytes(std::string_view text, std::size_t at) {
  std::size_t n = 0;
  while (at + 1 + n < text.size() && (static_cast<unsigned char>(text[at + 1 + n]) & 0xC0) == 0x80) ++n;
  return n;
}

// Walks the scalar's text and its source side by side. Where YAML folds white space, a run of it in the text
// stands for a run in the source; elsewhere bytes are the same, but for escapes.
class Aligner {
 public:
  explicit Aligner(const Node& scalar) : scalar_(scalar), source_(scalar.file->text()), at_(scalar.begin) {}

  std::vector<std::size_t> run() {
    const std::string& text = scalar_.text;
    offsets_.reserve(text.size() + 1);
    begin();
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (block()) skip_indent();
      if (at_ >= source_.size()) break;
      if (quoted() && escaped(i)) continue;
      if (is_space(text[i])) {
        white(i);
        continue;
      }
      while (at_ < source_.size() && source_[at_] != text[i] && is_space(source_[at_])) ++at_;
      offsets_.push_back(std::min(at_, source_.size()));
      ++at_;
    }
    offsets_.resize(text.size() + 1, std::min(at_, source_.size()));
    return std::move(offsets_);
  }

 private:
  bool block() const { return scalar_.style == Node::Style::literal || scalar_.style == Node::Style::folded; }
  bool quoted() const {
    return scalar_.style == Node::Style::single_quoted || scalar_.style == Node::Style::double_quoted;
  }

  void begin() {
    if (quoted()) ++at_;
    if (!block()) return;
    at_ = std::min(source_.find('\n', at_), source_.size() - 1) + 1;
    std::size_t first = at_;  // the first line that is not blank sets the indentation
    while (first < source_.size() && is_space(source_[first])) {
      if (source_[first] == '\n')
        indent_ = 0;
      else
        ++indent_;
      ++first;
    }
  }

  void skip_indent() {
    if (at_ == 0 || at_ > source_.size() || source_[at_ - 1] != '\n') return;
    for (std::size_t n = 0; n < indent_ && at_ < source_.size() && source_[at_] == ' '; ++n) ++at_;
  }

  // Handles '' and \x; true when the byte of the text at `i` (and its continuations) came from one.
  bool escaped(std::size_t& i) {
    const bool twice = scalar_.style == Node::Style::single_quoted && source_.substr(at_, 2) == "''";
    const bool slash = scalar_.style == Node::Style::double_quoted && source_[at_] == '\\';
    if (!twice && !slash) return false;
    const char kind = at_ + 1 < source_.size() ? source_[at_ + 1] : '\0';
    if (slash && is_space(kind) && kind != ' ' &&
        kind != '\t') {  // a line that goes on: nothing of it is in the text
      ++at_;
      while (at_ < source_.size() && is_space(source_[at_])) ++at_;
      return at_ < source_.size() && escaped(i);
    }
    const std::size_t more = slash ? continuation_bytes(scalar_.text, i) : 0;
    offsets_.insert(offsets_.end(), more + 1, at_);
    i += more;
    at_ += twice ? 2 : escape_bytes(kind);
    return true;
  }

  void white(std::size_t i) {
    offsets_.push_back(at_);
    std::size_t run_end = at_;
    bool broken = false;
    while (run_end < source_.size() && is_space(source_[run_end])) broken |= source_[run_end++] == '\n';
    const bool last = i + 1 >= scalar_.text.size() || !is_space(scalar_.text[i + 1]);
    if (!block() && broken) {
      if (last) at_ = run_end;
    } else {
      if (source_[at_] == '\r' && scalar_.text[i] == '\n') ++at_;
      if (at_ < source_.size() && is_space(source_[at_])) ++at_;
    }
  }

  const Node& scalar_;
  std::string_view source_;
  std::size_t at_, indent_ = 0;
  std::vector<std::size_t> offsets_;
};

}  // namespace

const Member* Node::member(std::string_view name) const {
  const auto found = std::find_if(members.begin(), members.end(), [name](const Member& m) {
    return m.key.is_scalar() && m.key.text == name;
  });
  return found == members.end() ? nullptr : &*found;
}

const Node* Node::find(std::string_view name) const {
  const Member* found = member(name);
  if (found == nullptr || found->value.bad || found->key.bad || found->value.kind == Kind::null)
    return nullptr;
  return &found->value;
}

std::vector<std::size_t> source_offsets(const Node& scalar) {
  return Aligner(scalar).run();
}

}  // namespace sluice::config
