#include "config/yaml_builder.hpp"

#include <algorithm>

namespace sluice::config {

namespace {

constexpr const char* quoting_help = "put the text in single quotes, or write | and put it on the next line";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// yaml-cpp takes ~ and null for "nothing". Where a text is expected they are texts.
std::string_view null_word(std::string_view rest) {
  for (const std::string_view word : {"~", "null", "Null", "NULL"}) {
    if (!rest.starts_with(word)) continue;
    std::size_t after = word.size();
    while (after < rest.size() && rest[after] == ' ') ++after;
    const char next = after < rest.size() ? rest[after] : '\n';
    if (next == '\n' || next == '\r' || next == ',' || next == '}' || next == ']' || next == '#') return word;
  }
  return {};
}

}  // namespace

std::optional<std::size_t> quote_end(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  for (std::size_t i = begin + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != '\'') return i + 1;
      ++i;
    }
  }
  return std::nullopt;
}

void YamlBuilder::mistake(std::size_t begin, std::size_t end, std::string code, std::string what,
                          std::string help) {
  mistakes_.push_back({begin, end, std::move(code), std::move(what), std::move(help)});
}

Node YamlBuilder::make(const YAML::Mark& mark, Node::Kind kind) const {
  Node node;
  node.kind = kind;
  node.file = &file_;
  node.begin = std::min(static_cast<std::size_t>(std::max(mark.pos, 0)), file_.text().size());
  node.end = node.begin + 1;
  node.flow = !stack_.empty() && stack_.back().node.flow;
  return node;
}

void YamlBuilder::OnDocumentStart(const YAML::Mark& mark) {
  if (++documents_ == 2) {
    const std::size_t at = static_cast<std::size_t>(std::max(mark.pos, 0));
    const bool dashes = file_.text().substr(at, 3) == "---";
    mistake(at, at + (dashes ? 3 : 1), "several-documents", "a second document begins here",
            "one file is one document: move the rest to a file of its own and name it under include:");
  }
}

void YamlBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t) {
  Node node = make(mark, Node::Kind::null);
  const std::string_view rest = file_.text().substr(node.begin);
  if (const std::string_view word = null_word(rest); !word.empty()) {
    node.kind = Node::Kind::scalar;
    node.text = word;
    node.end = node.begin + word.size();
  } else if (!stack_.empty()) {  // the mark is the next token's
    const Node& owner = stack_.back().key ? *stack_.back().key : stack_.back().node;
    node.begin = owner.begin;
    node.end = owner.end;
  }
  add(std::move(node));
}

void YamlBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t) {
  Node node = make(mark, Node::Kind::null);
  while (node.end < file_.text().size() && !is_space(file_.text()[node.end])) ++node.end;
  mistake(node.begin, node.end, "anchor", "'*' is YAML's mark for an alias, which is not read here",
          "write the value out at each place; a text that begins with * goes in quotes");
  node.bad = true;
  add(std::move(node));
}

void YamlBuilder::check_start(Node& node, const std::string& tag) {
  const std::string_view text = file_.text();
  const char first = node.begin < text.size() ? text[node.begin] : '\0';
  std::size_t word_end = node.begin;
  while (word_end < text.size() && !is_space(text[word_end])) ++word_end;
  if (first == '&') {
    mistake(node.begin, word_end, "anchor", "'&' is YAML's mark for an anchor, which is not read here",
            "write the value out at each place; a text that begins with & goes in quotes");
    node.bad = true;
  } else if (first == '!' || (tag != "?" && tag != "!" && !tag.empty())) {
    mistake(node.begin, word_end, "tag", "YAML reads what begins with '!' as a tag, not as a condition",
            quoting_help);
    node.bad = true;
  }
}

void YamlBuilder::check_tab(const Node& node) {
  const std::size_t line = file_.line_begin(file_.line_of(node.begin));
  const std::string_view before = file_.text().substr(line, node.begin - line);
  const std::size_t tab = before.find('\t');
  if (tab == std::string_view::npos || !std::all_of(before.begin(), before.end(), is_space)) return;
  mistake(line + tab, line + tab + 1, "tab", "a tab in the indentation", "indent with spaces");
}

void YamlBuilder::finish_scalar(Node& node) {
  const std::string_view text = file_.text();
  const char first = node.begin < text.size() ? text[node.begin] : '\0';
  const std::size_t line_end = file_.line_end(file_.line_of(node.begin));
  last_end_ = node.begin + 1;
  if (node.style == Node::Style::plain) {
    node.end =
        text.substr(node.begin, node.text.size()) == node.text ? node.begin + node.text.size() : line_end;
    last_end_ = node.end;
  } else if (first == '|' || first == '>') {
    node.style = first == '|' ? Node::Style::literal : Node::Style::folded;
    node.end = line_end;
  } else if (first == '"' || first == '\'') {
    node.style = first == '"' ? Node::Style::double_quoted : Node::Style::single_quoted;
    const std::optional<std::size_t> end = quote_end(text, node.begin);
    if (!end) open_quote_ = node.begin;
    node.end = end.value_or(line_end);
    last_end_ = node.end;
  }
}

void YamlBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                           const std::string& value) {
  Node node = make(mark, Node::Kind::scalar);
  node.text = value;
  node.style = tag == "!" ? Node::Style::double_quoted : Node::Style::plain;
  check_start(node, tag);
  if (!node.bad) check_tab(node);
  finish_scalar(node);
  last_ = node;
  add(std::move(node));
}

void YamlBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                                  YAML::EmitterStyle::value style) {
  Node node = make(mark, Node::Kind::list);
  check_start(node, tag);
  open(std::move(node), style);
}

void YamlBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                             YAML::EmitterStyle::value style) {
  Node node = make(mark, Node::Kind::map);
  check_start(node, tag);
  open(std::move(node), style);
}

void YamlBuilder::open(Node node, YAML::EmitterStyle::value style) {
  node.flow = node.flow || style == YAML::EmitterStyle::Flow;
  stack_.push_back({std::move(node), std::nullopt});
}

void YamlBuilder::close() {
  Node node = std::move(stack_.back().node);
  stack_.pop_back();
  add(std::move(node));
}

void YamlBuilder::add_key(Frame& frame, Node key) {
  if (frame.node.members.empty() && !frame.node.flow) frame.node.end = key.end;
  if (!key.is_scalar()) {
    mistake(key.begin, key.end, "bad-key", "a key must be a text",
            "a text that begins with a bracket or brace goes in quotes");
  } else if (key.is_plain() && key.text == "<<") {
    mistake(key.begin, key.end, "merge-key", "merge keys are not read here",
            "write the values out at each place");
  } else if (const Member* first = frame.node.member(key.text); first != nullptr) {
    const Place place = file_.place(first->key.begin);
    mistake(key.begin, key.end, "duplicate-key", "key '" + key.text + "' stands twice",
            "first set in line " + std::to_string(place.line) + ", column " + std::to_string(place.column));
  } else {
    frame.key = std::move(key);
    return;
  }
  key.bad = true;
  frame.key = std::move(key);
}

void YamlBuilder::add(Node node) {
  if (stack_.empty()) {
    if (!root_) root_ = std::move(node);
    return;
  }
  Frame& frame = stack_.back();
  if (frame.node.is_list()) {
    frame.node.items.push_back(std::move(node));
  } else if (!frame.key) {
    add_key(frame, std::move(node));
  } else {
    if (!frame.key->bad || frame.key->is_scalar()) {
      if (frame.key->bad) node.bad = true;
      frame.node.members.push_back({std::move(*frame.key), std::move(node)});
    }
    frame.key.reset();
  }
}

std::optional<std::size_t> YamlBuilder::open_bracket() const {
  for (auto frame = stack_.rbegin(); frame != stack_.rend(); ++frame) {
    const char c = frame->node.begin < file_.text().size() ? file_.text()[frame->node.begin] : '\0';
    if (c == '[' || c == '{') return frame->node.begin;
  }
  return std::nullopt;
}

}  // namespace sluice::config
