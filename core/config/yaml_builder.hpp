// The parser's events put together to a tree, with what a tree would no longer show noted on the way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include "config/node.hpp"

namespace sluice::config {

struct Mistake {
  std::size_t begin = 0, end = 0;
  std::string code, what, help;
};

class YamlBuilder final : public YAML::EventHandler {
 public:
  explicit YamlBuilder(const SourceText& file) : file_(file) {}

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { close(); }

  std::optional<Node>& root() { return root_; }
  const std::vector<Mistake>& mistakes() const { return mistakes_; }
  // Where the parser stood when it gave up.
  const Node* last_scalar() const { return last_ ? &*last_ : nullptr; }
  std::size_t last_end() const { return last_end_; }
  std::optional<std::size_t> open_bracket() const;
  // The quote of a text that ends with the file.
  std::optional<std::size_t> open_quote() const { return open_quote_; }

 private:
  struct Frame {
    Node node;
    std::optional<Node> key;
  };
  Node make(const YAML::Mark& mark, Node::Kind kind) const;
  // Looks at what stands at `node`: tags and anchors are mistakes.
  void check_start(Node& node, const std::string& tag);
  void check_tab(const Node& node);
  void finish_scalar(Node& node);
  void open(Node node, YAML::EmitterStyle::value style);
  void close();
  void add(Node node);
  void add_key(Frame& frame, Node key);
  void mistake(std::size_t begin, std::size_t end, std::string code, std::string what, std::string help);

  const SourceText& file_;
  std::vector<Frame> stack_;
  std::optional<Node> root_, last_;
  std::optional<std::size_t> open_quote_;
  std::size_t last_end_ = 0;
  int documents_ = 0;
  std::vector<Mistake> mistakes_;
};

// The offset behind the closing quote of the text that opens at `begin`; nothing when it never closes.
std::optional<std::size_t> quote_end(std::string_view text, std::size_t begin);

}  // namespace sluice::config
