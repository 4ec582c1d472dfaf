// Adding numbers exactly: what incr does.
//
// Integers of any size add to an integer of any size; as soon as one of both is a real, so is the sum, rounded once.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "format/value.h"

namespace utan::object {

// Is it one of the numbers: boolean (0 or 1), integer, big integer, real?
bool is_number(const format::Value& value);

// a + b. A big integer's bytes are in `scratch`. Code::type if one of them is no number; Code::too_large if a real is to
// be added to an integer beyond the largest real.
Result<format::Value> add(const format::Value& a, const format::Value& b, std::vector<std::byte>& scratch);

}  // namespace utan::object
