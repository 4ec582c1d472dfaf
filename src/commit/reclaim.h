// Reuse: freeing what commits replaced, as soon as nobody can see it (rules R1 to R3).
//
// `Horizon` is one scan of all pins and checkpoints. `Reclaimer` works on one line: its queue of own commits, the
// chunks of blocks that wait for a pin, the chunks that it took from a common list. Everything it does can be
// continued, after a kill at any instruction, by another Reclaimer on the same line: a count always advances before the
// free that it stands for, so that a kill leaks a block and never frees one twice. Thread safety: used by the line's
// owner alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/types.h"
#include "format/coordination.h"
#include "format/nodes.h"
#include "heap/allocator.h"
#include "heap/heap.h"

namespace utan::commit {

// The commits that somebody can still see.
class Horizon {
 public:
  // Reads head, then all pins, then the checkpoints, in this order (R1): a checkpointer lets go of its pin only after
  // its checkpoint is claimed.
  void scan(const heap::Heap& heap);

  // Somebody protects everything.
  bool open() const { return open_; }
  // Is a commit c with born <= c < replaced_by visible? Answers the newest such, or 0. A commit that was not there when
  // the scan began may have been pinned since: what was replaced later than that counts as visible.
  std::uint64_t blocking(std::uint64_t born, std::uint64_t replaced_by) const;
  // The same of a commit of whatever was born before it, and whether it is visible itself, at once. All ones and true
  // if this scan cannot say it, because that commit was not there yet.
  struct Around {
    std::uint64_t newest_before;  // what is born after it, and replaced by the commit, is visible to nobody
    bool itself;
  };
  Around around(std::uint64_t number) const {
    if (number >= head_number_) [[unlikely]]
      return {number > head_number_ ? ~std::uint64_t{0} : blocking(0, number), true};
    const auto above = std::lower_bound(numbers_.begin(), numbers_.end(), number);
    return {above == numbers_.begin() ? 0 : *(above - 1), above != numbers_.end() && *above == number};
  }
  bool is_visible(std::uint64_t number) const { return blocking(number, number + 1) != 0; }
  // May somebody read a commit older than this one? Of pins alone: what a checkpoint has, nobody reads while processes run.
  bool is_pinned_before(std::uint64_t number) const { return open_ || oldest_pin_ < number || number > head_number_; }
  // A line without an owner whose queue or chunks are not empty, as seen in the scan.
  bool found_abandoned() const { return abandoned_found_; }
  std::uint64_t abandoned_line() const { return abandoned_line_; }

 private:
  std::vector<std::uint64_t> numbers_;  // sorted
  std::uint64_t head_number_ = 0;       // newest commit when the scan began
  std::uint64_t oldest_pin_ = 0;
  bool open_ = false;
  bool abandoned_found_ = false;
  std::uint64_t abandoned_line_ = 0;
};

// The commit block, or the waiting chunk, at an offset that a line or a common list names; null if there is none. Those are
// followed here alone: the coordination file may be damaged like any other, and the chains lead through the data file.
format::CommitBlock* queued_commit(const heap::Heap& heap, Offset offset);
format::WaitingChunk* waiting_chunk(const heap::Heap& heap, Offset offset);

class Reclaimer {
 public:
  // Works on `line`; frees and allocates through `allocator`, which may belong to another line of the same thread.
  Reclaimer(const heap::Heap& heap, format::Line& line, heap::Allocator& allocator);

  // Puts a commit of this line, which has just been published, at the end of its queue. True: what it replaced takes so
  // much space that it should not wait for the next time that the queue is drained.
  bool enqueue(Offset commit_block);
  // How many commits are in the queue.
  std::uint64_t queued() const { return queued_; }

  // Frees what can be freed. What a pin blocks stays in the queue while it is short, and then goes to the chunks.
  void drain(const Horizon& horizon);
  // Takes those chunks from the common lists whose pin is gone.
  void retry_waiting(const Horizon& horizon);
  // Leaves the line without chunks of its own: puts them on the common lists. The queue stays.
  void file_open_chunks();
  bool empty() const;

  // Blocks of a commit block's list that are not freed yet (for counting).
  static std::uint64_t remaining(const heap::Heap& heap, const format::CommitBlock* commit);
  // The same of a waiting chunk.
  static std::uint64_t waiting_in(const heap::Heap& heap, const format::WaitingChunk* chunk);

 private:
  bool drain_front(const Horizon& horizon, bool patient, const heap::Allocator::Freeing& freeing);
  bool drain_unusual(Offset block, std::uint64_t i, std::uint64_t number, const Horizon& horizon, bool patient);
  void release(format::ReplacedEntry entry, std::uint64_t replaced_by, const Horizon& horizon, unsigned depth);
  void release_list(Offset offset, std::uint64_t replaced_by, const Horizon& horizon, unsigned depth);
  bool count_joining(const format::CommitBlock* commit);
  void wait(format::ReplacedEntry entry, std::uint64_t replaced_by, std::uint64_t blocking);
  std::atomic<std::uint64_t>* open_chunk_for(std::uint64_t blocking);
  Result<Offset> make_chunk(std::uint64_t blocking, std::uint64_t replaced_by);
  void file_chunk(Offset offset);
  void work_on_taken(const Horizon& horizon);
  void free(Offset block);

  const heap::Heap* heap_;
  format::Line* line_;
  heap::Allocator* allocator_;
  Offset tail_;
  std::uint64_t queued_ = 0;
  std::uint64_t newest_large_ = 0;  // the number of the newest that ever joined it with lists or long runs
  std::uint64_t scans_ = 0;
};

}  // namespace utan::commit
