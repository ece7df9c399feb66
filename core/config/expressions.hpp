// CEL and message texts inside YAML: parsed with what may be named where they stand, and their problems put
// where they are in the file, whatever quotes, folds or indentation lie between.
#pragma once

#include <memory>
#include <vector>

#include "config/reading.hpp"

namespace sluice::config {

// What may be named at a place: people's data, with the audiences and purposes of this file.
expr::Scope people_scope(const Reading& reading);
expr::Scope event_scope(const Reading& reading);     // the same and `event`
expr::Scope computed_scope(const Reading& reading);  // without audiences
expr::Scope row_scope();

// Null when it is wrong (reported) or `node` is null. What it reads of the row is noted in
// reading.row_reader.
expr::ProgramPtr read_expression(Reading& reading, const Node* node, const expr::Scope& scope,
                                 bool condition);
// As above, of a part of the node's text that begins at byte `skip` ("=CEL").
expr::ProgramPtr read_expression_part(Reading& reading, const Node& node, std::size_t skip,
                                      const expr::Scope& scope);
// NAME: CEL or { value: LITERAL }, in the order of the file.
std::vector<Mapped> read_mapping(Reading& reading, const Node* node, const expr::Scope& scope,
                                 bool condition = false);
std::shared_ptr<const expr::Template> read_template(Reading& reading, const Node& node,
                                                    const expr::Scope& scope, expr::Template::Escape escape);
// Of another file's text: problems stand there.
std::shared_ptr<const expr::Template> read_template_text(Reading& reading, const SourceText& file,
                                                         const expr::Scope& scope,
                                                         expr::Template::Escape escape);

// Where byte `offset` of an expression's text stands in the file.
std::size_t offset_in_file(const Node& scalar, std::size_t offset);

}  // namespace sluice::config
