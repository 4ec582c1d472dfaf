// A session: one process's attachment to one store, from claiming an entry in the coordination file to giving it up.
//
// Opening is in attach.cc, its file in memory in map.cc, new files in create.cc, the header in mark.cc, taking over after
// the dead in adopt.cc, checkpoints in checkpoint.cc, leaving in leave.cc.
// Thread safety: all public methods may be called by any thread at once. A child made by fork must not use its parent's
// session: `forked()` tells, Attachment (commit/attachment.h) makes a new one.
// Ownership: owns files, mappings and its threads' states; refers to the System, which must outlive it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "format/coordination.h"
#include "format/header.h"
#include "heap/heap.h"
#include "os/os.h"

namespace utan::commit {

class Thread;

enum class OpenMode { create, existing, read_only, fresh };

struct OpenOptions {
  OpenMode mode = OpenMode::create;
  std::uint64_t chunk_size = 0;   // 0: keep
  std::uint64_t reservation = 0;  // bytes of addresses to begin with; 0: so many that they last
  std::uint32_t permissions = 0666;
  Nanoseconds timeout = milliseconds(10'000);
  bool any_file_system = false;  // also one that other machines can reach
};

// Code::invalid if an option is outside its range.
Result<void> check_options(const std::string& path, const OpenOptions& options);

struct SessionStatistics {
  heap::Statistics heap;
  ByteCount file_size;
  CommitNumber newest;
  CommitNumber durable;
  Count processes;
  Count threads;
  Count pins;
  CommitNumber oldest_pin;
  Count leaked_max;
  std::uint64_t incarnation = 0;
};

// An extra pin (of a snapshot or an iterator), in some line of this session.
struct PinPlace {
  Thread* thread = nullptr;
  unsigned index = 0;
};

class Session : public std::enable_shared_from_this<Session>, private heap::Widener {
 public:
  // Opens, creates or recovers the store at `path`.
  static Result<std::shared_ptr<Session>> open(os::System& system, const std::string& path, const OpenOptions& options);

  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Leaves the store. The last to leave a changed store makes a checkpoint and closes it cleanly. Nobody may use the
  // session during or after it. Idempotent.
  Result<void> leave();
  // In a child: lets go of the parent's files, so that its locks end with it also where no fork handler has run.
  void forget_in_child();

  // Neither is this process a child of the one that opened the session, nor are its files lost to it: what every operation
  // asks first. relaxed: what it reads afterwards may be zeroes all the same, of which it asks again at its end.
  bool is_usable() const { return sentinel_word_->load(std::memory_order_relaxed) != 0; }
  // The same, of all that was read before: what an operation asks at its end, before it believes that. The fence pairs with the
  // store in the handler (os/linux/fault.cc), which comes before the zeroes: a processor that may read in another order than it is
  // told to must not read this word first.
  bool was_usable() const {
    std::atomic_thread_fence(std::memory_order_acquire);
    return is_usable();
  }
  bool forked() const { return !is_usable() && !is_lost(); }
  // Part of a file could not be had (os/linux/fault.h): nothing that this process reads or writes in it counts any more.
  bool is_lost() const;
  Error lost() const;
  // Tells sessions of one process apart, for ever.
  std::uint64_t unique_id() const { return unique_id_; }
  // The same, or 0 if each use of this session begins with a look whether it may go on (still_current).
  std::uint64_t quick_id() const { return quick_id_; }

  const std::string& path() const { return path_; }
  os::FileIdentity identity() const { return identity_; }
  bool read_only() const { return read_only_; }
  // A reader without a place among the others: he may not use the lock file, and reads the checkpoint that was the newest
  // when he opened the store. Nobody sees his pins.
  bool reads_alone() const { return reads_alone_; }
  // Code::in_use for one who reads alone when somebody has made a newer checkpoint since: nothing of the older one is reused
  // before that.
  Result<void> still_current() const;
  const heap::Heap& heap() const { return heap_; }
  format::Coordination coordination() const { return coordination_; }
  std::uint64_t hash_seed() const { return hash_seed_; }
  format::OwnerOfLine owner() const { return owner_; }

  // A state for the calling thread, on a line of its own. It is given back by `release_thread`.
  Result<Thread*> claim_thread();
  void release_thread(Thread* thread);

  // A line for what this process holds, of which it is to have one; given back with the session.
  Result<std::uint64_t> claim_hold_line();

  // A place for a pin that outlives an operation.
  Result<PinPlace> claim_pin();

  // Before the first block is handed out or freed: the header names this incarnation and is no longer clean. One
  // durable write; idempotent. Also refuses where the store cannot be written.
  Result<void> prepare_writing() {
    // relaxed: once set it stays; whoever sees it late does the write again.
    if (coordination_.fixed().marked.load(std::memory_order_relaxed) ==
            static_cast<std::uint64_t>(format::Marked::yes) &&
        coordination_.fixed().health.load(std::memory_order_relaxed) == 0 && !read_only_) [[likely]] {
      return {};
    }
    return mark();
  }

  // Changes the settings of the store that `options` give.
  Result<void> apply_settings(const OpenOptions& options);

  // Takes over what dead processes left. Cheap if there are none.
  void adopt_dead();
  // The same, at most every 100 ms.
  void adopt_dead_sometimes();

  // Makes the newest commit survive a power cut (D4).
  Result<void> checkpoint();

  SessionStatistics statistics() const;

 private:
  friend class Opener;
  Session(os::System& system, std::string path) : system_(&system), path_(std::move(path)) {}

  void map_heap();
  Result<void> map_first(ByteCount reservation, ByteCount size);
  Result<void> widen(ByteCount needed) override;
  void lose() override { data_map_->lose(); }
  Result<std::unique_ptr<os::Mapping>> map_more(ByteCount wanted, ByteCount needed);
  Result<void> mark();
  void touch_page(Offset page);
  void touch_newest_slot();
  Result<void> write_header(const format::FileHeader& header);
  Result<format::FileHeader> read_header() const;
  // `idle`: one on which nobody left work to do.
  Result<std::uint64_t> claim_line(bool idle);
  Result<Thread*> add_thread();
  void adopt_dead_locked();
  void adopt_entry(std::uint32_t index);
  void adopt_line(std::uint64_t index);
  void give_up_threads();
  bool alone();
  Result<void> close_cleanly(CommitNumber checkpointed);
  Result<void> drain_everything();
  std::uint64_t fixed_line_high() const;
  std::uint64_t claim_slot();
  Result<void> write_checkpoint(CommitNumber commit, Offset block);
  Error fail_flush(Error error);
  Error flush_has_failed() const;
  Result<void> flush();
  Result<void> flush_patiently();

  os::System* system_;
  std::string path_;
  os::FileIdentity identity_;
  bool read_only_ = false;
  bool reads_alone_ = false;
  std::unique_ptr<os::File> data_file_;
  std::unique_ptr<os::File> lock_file_;
  std::unique_ptr<os::Mapping> data_map_;
  // Longer ones, for a file that has outgrown the first; all stay, for what still points into them.
  std::vector<std::unique_ptr<os::Mapping>> wider_maps_;
  mutable std::mutex widening_;
  std::unique_ptr<os::Mapping> coordination_map_;
  std::unique_ptr<os::ForkSentinel> sentinel_;
  std::atomic<std::uint64_t>* sentinel_word_ = nullptr;
  std::uint32_t process_id_ = 0;
  std::uint64_t quick_id_ = 0;  // beside the sentinel: each operation looks at both
  std::uint64_t unique_id_ = 0;
  format::Coordination coordination_;
  heap::Heap heap_;
  std::uint64_t hash_seed_ = 0;
  std::uint64_t incarnation_ = 0;
  std::uint32_t entry_ = 0;
  format::OwnerOfLine owner_;
  bool left_ = false;

  std::mutex mutex_;  // of the members below, and of adoption: two threads share the file's locks
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<std::uint64_t> hold_lines_;
  std::uint64_t line_cursor_ = 0;  // where the next free line is looked for
  std::atomic<std::uint64_t> adopted_at_ns_{0};
};

}  // namespace utan::commit
