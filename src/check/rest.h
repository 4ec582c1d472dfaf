// The walk of what belongs to no commit: queues, waiting blocks, what lines may hand out, and the bitmaps.
//
// Of a store at rest alone: nobody writes meanwhile. Every block that is handed out is reachable, waits to be freed, is
// somebody's to hand out, or has leaked; and it is never two of these, but for what an older commit reaches and waits.
// Thread safety: used by one thread. Complexity: O(bitmaps and all that waits).
#pragma once

#include <cstdint>

#include "base/types.h"
#include "check/blocks.h"
#include "check/report.h"
#include "format/coordination.h"
#include "format/nodes.h"

namespace utan::check {

class RestWalk {
 public:
  RestWalk(const Blocks& blocks, Findings& findings)
      : blocks_(&blocks), findings_(&findings), waiting_(blocks.region_count()), held_(blocks.region_count()) {}

  // What segments are used for. Before anything else: one that is wrong makes all its blocks so.
  void walk_segments();
  // What the coordination file knows of.
  void walk_lines(format::Coordination coordination);
  // What is in head, whose block is at `head`, is not to be freed.
  void compare_with_head(const BlockSet& in_head, Offset head);
  // All blocks that are handed out, against those that any commit reaches. Counts into `report`.
  void walk_bitmaps(const BlockSet& reachable, Report& report);

 private:
  bool is_in_use(Offset offset, std::uint64_t size_min, Place& out) const;
  void walk_line(const format::Line& line, std::uint64_t index);
  void walk_queue(const format::Line& line);
  void walk_chunks(Offset first, std::uint64_t done, bool chain, const char* where);
  void wait(format::ReplacedEntry entry, std::uint64_t replaced_by, const char* where, unsigned depth);
  void walk_stash(const format::Line& line, std::uint64_t index, unsigned size_class);
  void walk_mask(const format::Line& line, unsigned size_class);
  void walk_segment(SegmentIndex segment, const BlockSet& reachable, Report& report);

  const Blocks* blocks_;
  Findings* findings_;
  BlockSet waiting_;
  BlockSet held_;
};

}  // namespace utan::check
