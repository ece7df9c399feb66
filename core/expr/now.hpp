// When a program that reads the time may have another value.
#pragma once

#include "expr/code.hpp"

namespace sluice::expr {

TimeUs next_change(const Code& code, Context& context, Arena::Impl& arena);

}  // namespace sluice::expr
