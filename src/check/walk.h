// The walk: reads a store, without the writers' code, and says everything that is wrong with it.
//
// It follows every offset of a commit and looks at every byte on the way: a block is reachable or free, never both; it has
// one referrer in each commit; it was not born later than the commit that it is read in; checksums, counts, orders, the
// places of keys and the links between containers are right. Of a store at rest it walks all commits that are kept, and
// compares them with what waits, with what lines may hand out, and with the bitmaps. What is handed out and belongs to
// nobody is counted as leaked; that is no damage.
//
// The file may hold anything: nothing outside of it is read, and the work is bounded by its size.
// Thread safety: a value; see each function for what others may do meanwhile. Complexity: O(file), for each commit that is
// kept. Memory: up to 1/64 of the file in the worst case, and 56 bytes for each container.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/types.h"
#include "check/report.h"
#include "format/coordination.h"
#include "format/header.h"

namespace utan::check {

class Walk {
 public:
  // `data` is the mapped data file, of which `size` bytes may be read; `coordination` may be empty.
  Walk(std::byte* data, ByteCount size, format::Coordination coordination, std::uint64_t hash_seed,
       Progress progress = {})
      : data_(data), size_(size), coordination_(coordination), hash_seed_(hash_seed), progress_(progress) {}

  // Everything, at rest: nobody writes meanwhile. From head and all commits that are kept; without coordination, from the
  // newest checkpoint.
  Report run();
  // One commit, which stays pinned meanwhile; others may write. Bits of its blocks must be set, and nothing is said of
  // blocks that it does not reach.
  Report run_commit(Offset block, CommitNumber number);

 private:
  struct Kept {
    Offset block;
    CommitNumber number;
  };
  // At most so many commits beside head are walked; if there are more, nothing is said of what leaked.
  static constexpr std::size_t kept_count_max = 1024;

  void run_with_coordination(Report& report);
  void run_closed(Report& report);
  std::vector<Kept> pinned_commits(CommitNumber newest) const;

  std::byte* data_;
  ByteCount size_;
  format::Coordination coordination_;
  std::uint64_t hash_seed_;
  Progress progress_;
};

// The checkpoints that the slots of a file name, the newest first. `store` may be null: then any store's.
std::vector<format::CheckpointSlot> checkpoints_of(const std::byte* data, const format::StoreId* store);

}  // namespace utan::check
