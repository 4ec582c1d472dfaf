// Counts the same files again, in one process and ordinary memory, and compares.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "index.h"

namespace demo {

// Each identifier's postings, by file id.
using Counts = std::unordered_map<std::string, std::vector<Posting>>;

// Reads every file of the index's list.
Counts count_in_memory(const Index& index);

struct Comparison {
  std::uint64_t identifier_count = 0;  // expected, as are these
  std::uint64_t posting_count = 0;
  std::uint64_t occurrence_count = 0;
  std::uint64_t difference_count = 0;
  std::vector<std::string> first_differences;  // at most ten, in words
};

// Compares all postings in the index with `expected`, which is used up.
Comparison compare(const Index& index, Counts expected);

}  // namespace demo
