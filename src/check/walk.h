// The walk: reads a whole store, without the writers' code, and says everything that is wrong with it.
//
// It follows every offset from head, from every pinned commit and from the durable checkpoint; it knows what waits in
// queues and chunks and what lines hold in their masks; and it compares all of that with the bitmaps: a block is
// reachable or free, never both; it has one referrer in each commit; it was not born later than the commit that it is
// read in; checksums, counts, hash placement and tags are right. What is handed out and belongs to nobody is counted as
// leaked.
//
// The store must be at rest: nobody writes while it is walked. Complexity: O(file). Thread safety: a value.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/types.h"
#include "format/coordination.h"
#include "format/nodes.h"

namespace utan::check {

struct Report {
  std::vector<std::string> problems;  // empty: sound; at most `problem_count_max` are kept
  std::uint64_t problem_count = 0;
  std::uint64_t reachable_count = 0;  // blocks reachable from any commit that is kept
  std::uint64_t waiting_count = 0;    // replaced blocks that are not free yet, and what lists them
  std::uint64_t held_count = 0;       // blocks that lines may hand out
  std::uint64_t leaked_count = 0;     // handed out, but nobody's
  std::uint64_t record_count = 0;     // in the newest commit
  bool sound() const { return problem_count == 0; }
};

inline constexpr std::uint64_t problem_count_max = 100;

class Walk {
 public:
  // `data` is the mapped data file; `coordination` may be empty for a file at rest.
  Walk(std::byte* data, ByteCount size, format::Coordination coordination, std::uint64_t hash_seed)
      : data_(data), size_(size.value), coordination_(coordination), hash_seed_(hash_seed) {}

  // Walks from the newest commit (from the newest checkpoint if there is no coordination) and all others that are kept.
  Report run();

 private:
  struct Table;

  Report run_at_rest();

  void problem(std::string text);
  const format::BlockHeader* block(Offset offset, format::Kind kind, std::uint64_t number, const char* where);
  bool mark(Offset offset, const char* where);
  bool handed_out(Offset offset) const;
  std::uint64_t bit_of(Offset offset) const;  // index into the whole file's bits; ~0: not the start of a block
  void check_node_sum(const format::BlockHeader* header, std::uint64_t words, Offset offset);
  void check_payload_sum(const format::BlockHeader* header, std::uint64_t bytes, Offset offset);

  void walk_commit(Offset offset, std::uint64_t number, bool newest);
  void walk_objects(Offset offset, std::uint64_t depth, std::uint64_t number);
  void walk_table(Offset offset, std::uint64_t number);
  void walk_directory(Offset offset, std::uint64_t height, std::uint64_t first_bucket, Table& table);
  void walk_bucket(Offset offset, std::uint64_t bucket, Table& table);
  void walk_record(Offset offset, std::uint64_t bucket, std::uint64_t tag, std::uint64_t base_level, Table& table);
  void walk_stashed(Offset offset, unsigned size_class);
  void walk_lines();
  void walk_queue(const format::Line& line);
  void wait(format::ReplacedEntry entry, std::uint64_t replaced_by, const char* where);
  void walk_chunks(std::uint64_t first, std::uint64_t done, bool chain, const char* where);
  void walk_bitmaps();

  std::byte* data_;
  std::uint64_t size_;
  format::Coordination coordination_;
  std::uint64_t hash_seed_;
  Report report_;
  std::unordered_set<std::uint64_t> in_commit_;  // blocks of the commit being walked: one referrer each
  std::unordered_set<std::uint64_t> reachable_;
  std::unordered_set<std::uint64_t> waiting_;
  std::unordered_set<std::uint64_t> held_;
  bool newest_ = false;
};

}  // namespace utan::check
