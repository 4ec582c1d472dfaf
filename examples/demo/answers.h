// Questions to the index, answered on the standard output.
#pragma once

#include <cstddef>
#include <string>

#include "index.h"

namespace demo {

// How many identifiers there are, and the `count_max` most frequent. Goes over the whole index.
void answer_top(const Index& index, std::size_t count_max);

// The files that `name` is in, the first `count_max` by how often. Reads only the postings of `name`.
void answer_where(const Index& index, const std::string& name, std::size_t count_max);

}  // namespace demo
