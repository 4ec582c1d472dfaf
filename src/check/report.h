// What a check found: problems in words, and what there is in the store.
//
// Thread safety: values; a Findings belongs to one walk.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"
#include "format/word.h"

namespace utan::check {

// So many problems are kept in words. All are counted.
inline constexpr std::uint64_t problem_count_max = 100;

struct Report {
  std::vector<std::string> problems;  // at most `problem_count_max`
  std::uint64_t problem_count = 0;    // 0: sound

  // Of all that is kept: the newest commit and, if the whole store was walked, all others.
  std::uint64_t reachable_count = 0;  // blocks reachable from any commit that is kept
  std::uint64_t waiting_count = 0;    // replaced blocks that are not free yet, and what lists them
  std::uint64_t held_count = 0;       // blocks that lines may hand out
  std::uint64_t leaked_count = 0;     // handed out, but nobody's
  ByteCount leaked_size;
  bool whole = false;  // false: one commit alone was walked, and the four numbers above say nothing of the others

  // Of the newest commit.
  CommitNumber number;  // 0: there was none to walk
  std::uint64_t container_count = 0;
  std::array<std::uint64_t, 5> containers_by_type{};  // by ContainerType
  std::uint64_t orphan_count = 0;                     // containers that nothing names any more
  std::uint64_t unreachable_count =
      0;                            // containers that only name each other: no way leads to them from root or orphans
  std::uint64_t record_count = 0;   // entries of dicts, collections and tables
  std::uint64_t element_count = 0;  // of lists
  // Bytes of its blocks, by what is in them.
  ByteCount record_size;  // keys, and values beside them
  ByteCount value_size;   // values apart from their keys
  ByteCount node_size;    // what leads to them, and small containers
  ByteCount commit_size;  // the commit block and the object table

  bool sound() const { return problem_count == 0; }
};

// Is told now and then how many blocks have been looked at, and asked whether to go on.
struct Progress {
  void (*say)(void* context, std::uint64_t block_count) = nullptr;
  // True: no further block is looked at, and what was found until then means nothing.
  bool (*stop)(void* context) = nullptr;
  void* context = nullptr;
};

// Collects problems.
class Findings {
 public:
  explicit Findings(Report& report) : report_(&report) {}

  void add(std::string text) {
    ++report_->problem_count;
    if (report_->problems.size() < problem_count_max) report_->problems.push_back(std::move(text));
  }
  void add(Offset block, const std::string& text) { add("block " + std::to_string(block.value) + ": " + text); }

 private:
  Report* report_;
};

}  // namespace utan::check
