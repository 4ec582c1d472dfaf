// Counts the same files again, in one process and ordinary memory, and compares.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "index.h"

namespace demo {

struct Counts {
  std::unordered_map<std::string, std::vector<Posting>> words;  // each identifier's postings, by file id
  std::map<std::string, FileFacts> files;                       // by path
};

// Reads every file of the index's list.
Counts count_in_memory(const Index& index);

struct Comparison {
  Totals totals;  // expected, as are these
  std::uint64_t identifier_count = 0;
  std::uint64_t posting_count = 0;
  std::uint64_t difference_count = 0;
  std::vector<std::string> first_differences;  // at most ten, in words
};

// Compares all postings, documents, entries of indexes, and totals with `expected`, which is used up.
Comparison compare(const Index& index, Counts expected);

}  // namespace demo
