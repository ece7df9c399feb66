// Any text at all is parsed as a condition and as a template, and what parses is evaluated. What holds for
// every text: problems lie within it, a program evaluates alike twice, its canonical parts parse again,
// next_change is in the future.
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "expr/syntax.hpp"
#include "expr/test_context.hpp"

using namespace sluice;
using namespace sluice::expr;

namespace {

void check_problems(const std::vector<Problem>& problems, std::size_t size) {
  for (const Problem& p : problems) {
    SLUICE_CHECK(p.offset <= size);
    SLUICE_CHECK(p.length >= 1);
    SLUICE_CHECK(!p.what.empty());
  }
}

std::string json_of(const Program& program, TestContext& context, Arena& arena) {
  arena.reset();
  std::string out;
  program.evaluate(context, arena).append_json(out);
  return out;
}

void check_canonical(std::string_view text) {
  SyntaxTree tree;
  std::vector<Problem> problems;
  if (!parse_syntax(text, tree, problems)) return;
  const std::string once = canonical(tree, tree.root, "e");
  SyntaxTree again;
  if (once.size() > text_bytes_max) return;
  SLUICE_CHECK(parse_syntax(once, again, problems));
  SLUICE_CHECK(canonical(again, again.root, "e") == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Scope scope = everything();
  static TestContext context(
      R"({"a": 1, "b": 2.5, "c": "text", "d": ["x", 1, null, {"y": true}], "since": "2026-01-01T00:00:00Z"})",
      R"({"name": "Order", "time": "2026-01-02T03:04:05Z", "properties": {"total": 12.5, "tags": ["a", "b"]}})");
  static Arena arena;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  context.set_now("2026-02-01");
  context.set_row(R"({"Quantity": "3", "Price": "2.5"})");
  context.aggregates[0] = Value::number(3);
  const Program::Parsed parsed = Program::parse(text, scope, size % 2 == 0);
  check_problems(parsed.problems, size);
  if (parsed.program) {
    SLUICE_CHECK(json_of(*parsed.program, context, arena) == json_of(*parsed.program, context, arena));
    arena.reset();
    SLUICE_CHECK(parsed.program->next_change(context, arena) > context.now().as_integer());
  }
  check_canonical(text);
  const Template::Parsed message = Template::parse(text, scope, Template::Escape::html);
  check_problems(message.problems, size);
  if (message.value) {
    std::string out;
    arena.reset();
    message.value->render(context, arena, out);
  }
  return 0;
}
