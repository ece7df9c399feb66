// What can be saved of a request's body that is no JSON as it stands, so that one event that nobody can read
// does not take the good ones of its batch with it. Only ever asked after a parser has refused the body.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::ingest {

// The body with what JSON's grammar allows and strict parsers refuse replaced: half a surrogate pair (a text
// that a browser cut in the middle of an emoji) by U+FFFD, an integer of more than 64 bits by the same number
// with an exponent.
std::string mend_json(std::string_view body);

struct LooseBatch {
  std::string rest;                        // the body, its `batch` empty
  std::vector<std::string_view> elements;  // of `batch`, as they stand in the body
};
// Found by brackets and quotes alone; nothing where even those do not fit.
std::optional<LooseBatch> cut_batch(std::string_view body);

}  // namespace sluice::ingest
