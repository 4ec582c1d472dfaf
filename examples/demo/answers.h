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

// How much there is, and the `count_max` largest files: the end of an index, read backwards.
void answer_totals(const Index& index, std::size_t count_max);

// The files whose path begins with `prefix`, the first `count_max`: a range of keys.
void answer_under(const Index& index, const std::string& prefix, std::size_t count_max);

// The files that were changed in the day up to the newest change, the newest `count_max`.
void answer_changed(const Index& index, std::size_t count_max);

// The files that have `name` in an #include line, the first `count_max`.
void answer_includes(const Index& index, const std::string& name, std::size_t count_max);

}  // namespace demo
