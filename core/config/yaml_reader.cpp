#include "config/yaml_reader.hpp"

#include <algorithm>
#include <set>
#include <sstream>

#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/text.hpp"
#include "config/yaml_builder.hpp"

namespace sluice::config {

namespace {

constexpr const char* quoting_help = "put the text in single quotes, or write | and put it on the next line";

struct Attempt {
  std::optional<Node> root;
  std::vector<Mistake> mistakes;
  std::optional<Mistake> syntax;  // why it stopped
  std::size_t blank_from = 0;     // what to leave out in the next attempt begins here
};

// Where the value begins on the line of `offset`: behind "- " and "key: ". npos if there is no key.
std::size_t value_on_line(const SourceText& file, std::size_t offset) {
  const std::size_t line = file.line_of(offset), begin = file.line_begin(line), end = file.line_end(line);
  const std::string_view text = file.text().substr(begin, end - begin);
  const std::size_t colon = text.find(": ");
  if (colon == std::string_view::npos) return colon;
  const std::size_t value = text.find_first_not_of(" \t", colon + 1);
  return value == std::string_view::npos ? value : begin + value;
}

// Says in our words why the parser stopped at `at`.
class Explainer {
 public:
  Explainer(const SourceText& file, const YamlBuilder& builder, std::string why, std::size_t at)
      : file_(file),
        text_(file.text()),
        builder_(builder),
        why_(std::move(why)),
        at_(std::min(at, text_.size())) {}

  Attempt explain() {
    const std::size_t line = file_.line_of(at_);
    value_ = value_on_line(file_, at_);
    const std::size_t indent_end = text_.find_first_not_of(" \t", file_.line_begin(line));
    const std::string_view indent =
        text_.substr(file_.line_begin(line), std::min(indent_end, text_.size()) - file_.line_begin(line));
    if (indent.find('\t') != std::string_view::npos) {
      const std::size_t tab = file_.line_begin(line) + indent.find('\t');
      return at(tab, tab + 1, "tab", "a tab in the indentation", "indent with spaces");
    }
    if (unfinished_quote()) return attempt_;
    if (tag()) return attempt_;
    if (bracket()) return attempt_;
    if (in_text()) return attempt_;
    return at(at_, at_ + 1, "syntax", "YAML cannot be read here: " + why_,
              "look at the indentation, quotes and brackets of this line and the one before");
  }

 private:
  bool why(std::string_view part) const { return why_.find(part) != std::string::npos; }

  Attempt at(std::size_t begin, std::size_t end, std::string code, std::string what, std::string help) {
    attempt_.syntax = Mistake{begin, end, std::move(code), std::move(what), std::move(help)};
    const bool value_line = value_ != std::string_view::npos && file_.line_of(value_) == file_.line_of(begin);
    attempt_.blank_from = value_line && begin >= value_ ? value_ : file_.line_begin(file_.line_of(begin));
    return attempt_;
  }

  bool quote_at(std::size_t quote, const std::string& what) {
    at(quote, quote + 1, "unfinished-quote", what, "close the quote in the same line");
    attempt_.blank_from = quote;
    return true;
  }

  bool unfinished_quote() {
    const Node* last = builder_.last_scalar();
    if (why("EOF in scalar") || why("end of file")) {
      const std::size_t quote = text_.find_first_of("'\"", builder_.last_end());
      if (quote != std::string_view::npos)
        return quote_at(quote, "the quote that opens here is never closed");
    }
    if (last == nullptr || last->is_plain() || (text_[last->begin] != '"' && text_[last->begin] != '\''))
      return false;
    const std::size_t first = file_.line_of(last->begin), end = file_.line_of(last->end);
    if (first == end || file_.line_of(at_) != end) return false;
    return quote_at(last->begin, "the quote that opens here ends only in line " + std::to_string(end + 1));
  }

  bool tag() {
    if (value_ == std::string_view::npos || text_[value_] != '!') return false;
    std::size_t end = value_;
    while (end < text_.size() && static_cast<unsigned char>(text_[end]) > ' ') ++end;
    at(value_, end, "tag", "YAML reads what begins with '!' as a tag, not as a condition", quoting_help);
    return true;
  }

  bool bracket() {
    if (!why("end of map flow") && !why("end of sequence flow")) return false;
    const std::optional<std::size_t> open = builder_.open_bracket();
    if (!open) return false;
    if (file_.line_of(*open) == file_.line_of(at_) && at_ < file_.line_end(file_.line_of(at_))) {
      at(at_, at_ + 1, "quoting",
         "inside { } and [ ] a comma, bracket, brace or quote ends the text before it",
         "put the whole value in single quotes");
      return true;
    }
    at(*open, *open + 1, "unclosed-bracket",
       std::string("the '") + text_[*open] + "' that opens here is not closed",
       "close it in the same line, or quote the text if it is none of YAML's");
    attempt_.blank_from = *open;
    return true;
  }

  bool in_text() {
    const Node* last = builder_.last_scalar();
    const bool same_line = last != nullptr && file_.line_of(last->begin) == file_.line_of(at_);
    const char c = at_ < text_.size() ? text_[at_] : '\n';
    if (why("illegal map value") && same_line) {
      at(at_, at_ + 1, "quoting",
         "': ' inside a text that is not quoted: YAML reads what stands before it as a key", quoting_help);
    } else if (why("end of map not found") && same_line && !last->is_plain()) {
      at(at_, at_ + 1, "quoting", "more text after the closing quote: YAML takes the quotes for its own",
         quoting_help);
    } else if (why("illegal map value") || why("end of map not found") || why("end of sequence not found")) {
      const std::size_t first = text_.find_first_not_of(" ", file_.line_begin(file_.line_of(at_)));
      const bool bracketed = at_ > 0 && text_.substr(at_ - 1, 1) == "]";
      if (bracketed || (value_ != std::string_view::npos && text_[value_] == '[')) {
        at(at_, at_ + 1, "quoting", "more text after a bracket: YAML takes it for a list of its own",
           quoting_help);
      } else {
        at(first, at_, "indentation", "this line does not line up with the ones before it",
           "keys of one group begin in the same column, what belongs under one is indented further");
      }
    } else if (why("unknown token")) {
      at(at_, at_ + 1, "quoting", std::string("a text cannot begin with '") + c + "' unless it is quoted",
         quoting_help);
    } else if (why("anchor") || why("alias")) {
      at(at_, at_ + 1, "anchor", "anchors and aliases are not read here",
         "write the value out at each place; a text that begins with * or & goes in quotes");
    } else if (why("escape") || why("unicode") || why("hex number")) {
      at(at_, at_ + 1, "bad-escape", "no such escape in double quotes",
         "use single quotes, in which a backslash is a backslash");
    } else if (why("block entry")) {
      at(at_, at_ + 1, "indentation", "a list item cannot stand here", "begin the list on the next line");
    } else {
      return false;
    }
    return true;
  }

  const SourceText& file_;
  std::string_view text_;
  const YamlBuilder& builder_;
  std::string why_;
  std::size_t at_, value_ = std::string_view::npos;
  Attempt attempt_;
};

Attempt parse(const SourceText& file, const std::string& text) {
  YamlBuilder builder(file);
  Attempt result;
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    // A second document is a mistake; whether there are more is of no interest, and yaml-cpp can go on for
    // ever there.
    if (parser.HandleNextDocument(builder)) (void)parser.HandleNextDocument(builder);
    if (const std::optional<std::size_t> quote = builder.open_quote()) {
      result.syntax =
          Mistake{*quote, *quote + 1, "unfinished-quote", "the quote that opens here is never closed",
                  "close the quote in the same line"};
      result.blank_from = *quote;
    }
  } catch (const YAML::ParserException& e) {
    const std::size_t at = e.mark.is_null() ? 0 : static_cast<std::size_t>(std::max(e.mark.pos, 0));
    result = Explainer(file, builder, e.msg, at).explain();
  } catch (const std::exception&) {  // of the library, without a place
    result.syntax = Mistake{0, 1, "syntax", "this file cannot be read as YAML", ""};
  }
  result.mistakes = builder.mistakes();
  result.root = std::move(builder.root());
  return result;
}

// The length of the code point at the beginning of `text`; 0 if there is none.
std::size_t code_point_bytes(std::string_view text) {
  for (std::size_t n = 1; n <= 4 && n <= text.size(); ++n) {
    if (valid_utf8(text.substr(0, n))) return n;
  }
  return 0;
}

// What makes YAML impossible before its grammar is asked.
bool readable(const SourceText& file, Report& report) {
  const std::string_view text = file.text();
  const auto refuse = [&](std::size_t at, const char* code, const char* what, const char* help) {
    report.add(Report::Kind::error, file, at, at + 1, code, what, help);
    return false;
  };
  if (text.size() > config_bytes_max) {
    return refuse(0, "too-large", "the file is larger than 16 MiB", "split it with include:");
  }
  for (std::size_t line = 0; line < file.line_count(); ++line) {
    const std::size_t begin = file.line_begin(line);
    const std::string_view whole = text.substr(begin, file.line_end(line) - begin);
    for (std::size_t i = 0; i < whole.size();) {
      const std::size_t length = code_point_bytes(whole.substr(i));
      if (length == 0) return refuse(begin + i, "not-utf8", "the file is not UTF-8", "save it as UTF-8");
      i += length;
    }
    const auto control = std::find_if(whole.begin(), whole.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
    if (control != whole.end()) {
      return refuse(begin + static_cast<std::size_t>(control - whole.begin()), "control-character",
                    "a control character in the file", "remove it");
    }
  }
  return true;
}

}  // namespace

std::optional<Node> read_yaml(const SourceText& file, Report& report) {
  if (!readable(file, report)) return std::nullopt;
  std::string text(file.text());
  std::set<std::size_t> blanked;
  bool lost = false;
  Attempt attempt = parse(file, text);
  std::vector<std::pair<Mistake, std::size_t>> syntax;
  for (int n = 0; attempt.syntax && n < syntax_errors_max; ++n) {
    const std::size_t line = file.line_of(attempt.syntax->begin);
    std::size_t from = attempt.blank_from, to = file.line_end(line);
    if (attempt.syntax->code == "tab") {
      from = file.line_begin(line);
      to = std::min(text.find_first_not_of(" \t", from), to);
    }
    // Behind a tab it is nobody's guess what belongs to what.
    const bool echo =
        attempt.syntax->code == "indentation" &&
        std::any_of(syntax.begin(), syntax.end(), [](const auto& s) { return s.first.code == "tab"; });
    lost |= echo;
    if (blanked.insert(line).second && !echo) {
      syntax.emplace_back(std::move(*attempt.syntax), line);
    } else {
      from = file.line_begin(line);
      to = file.line_end(line);
    }
    lost |= to == file.line_end(line) && from == file.line_begin(line);
    const std::string before = text;
    std::fill(text.begin() + static_cast<std::ptrdiff_t>(from),
              text.begin() + static_cast<std::ptrdiff_t>(to), ' ');
    if (text == before) {
      lost = true;
      break;
    }
    attempt = parse(file, text);
  }
  lost |= attempt.syntax.has_value();
  for (const Mistake& m : attempt.mistakes) {
    report.add(Report::Kind::error, file, m.begin, m.end, m.code, m.what, m.help);
  }
  for (const auto& [m, line] : syntax) {
    report.add(Report::Kind::error, file, m.begin, m.end, m.code, m.what, m.help);
    report.silence_line(file, line);
  }
  if (lost) return std::nullopt;
  if (!attempt.root) {
    report.add(Report::Kind::error, file, 0, 1, "empty-file", "the file holds nothing",
               "begin with 'version: 1'");
  }
  return std::move(attempt.root);
}

}  // namespace sluice::config
