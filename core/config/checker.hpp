// Holds a tree against the field tables. What passes has the right shape: its readers need not look again.
#pragma once

#include <string>

#include "config/fields.hpp"
#include "config/node.hpp"
#include "config/report.hpp"

namespace sluice::config {

// Reports everything that is wrong with `node` as one `section`, and marks it bad.
// `required`: also report keys that must be there and are not; `owner`: the key that names the section, for
// their place.
void check_section(const Node& node, const Section& section, Report& report, bool required = true,
                   const Node* owner = nullptr);

// Short forms for readers.
void error(Report& report, const Node& at, std::string code, std::string what, std::string help = {});
void warn(Report& report, const Node& at, std::string code, std::string what, std::string help = {});
// "did you mean 'braze'?", or `other` when nothing is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates,
                         std::string other = {});

// Values of a section that check_section has let pass; the default where a key is missing or bad.
std::string text_of(const Node& section, std::string_view key, std::string_view otherwise = {});
bool boolean_of(const Node& section, std::string_view key, bool otherwise = false);
std::optional<Span> span_of(const Node& section, std::string_view key);
std::optional<DurationUs> duration_of(const Node& section, std::string_view key);
std::vector<const Node*> texts_of(const Node& section, std::string_view key);
bool enabled(const Node& section);

}  // namespace sluice::config
