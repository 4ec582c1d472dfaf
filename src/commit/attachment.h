// An attachment: a store that this process has open, however many handles it has, across fork.
//
// The same file opened twice is one attachment; it ends with its last handle. In a child made by fork the attachment
// goes on to exist, with a session of its own that is opened when it is first used; what was pinned by the parent
// (snapshots, iterators) is not the child's. Thread safety: all methods may be called by any thread at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "commit/session.h"

namespace utan::commit {

class Thread;

// The session that this thread used last, and its state there. Trivial, so that reaching it is one load.
struct ThreadCache {
  std::uint64_t session_id = 0;
  Thread* thread = nullptr;
};
extern thread_local constinit ThreadCache thread_cache __attribute__((tls_model("initial-exec")));

class Attachment {
 public:
  // The attachment to the store at `path`, with one more handle. Handles are given back by close().
  static Result<Attachment*> open(os::System& system, const std::string& path, const OpenOptions& options);
  // One more handle of an open attachment.
  void share();
  // Gives a handle back. The last one leaves the store and destroys the attachment.
  static Result<void> close(Attachment* attachment);

  // The calling thread's state. One comparison and one load when it used this store last.
  Result<Thread*> thread() {
    // relaxed: the id changes only in a child, before it does anything else.
    if (thread_cache.session_id == session_id_.load(std::memory_order_relaxed) && !session_->forked()) [[likely]] {
      return thread_cache.thread;
    }
    return thread_slowly();
  }
  // The session; in a child a new one.
  Result<Session*> session();
  // Changes when the session does.
  std::uint64_t session_id() const { return session_id_.load(std::memory_order_relaxed); }
  const std::string& path() const { return path_; }
  bool read_only() const { return options_.mode == OpenMode::read_only; }

 private:
  Attachment(os::System& system, std::string path, const OpenOptions& options, std::shared_ptr<Session> session);
  ~Attachment() = default;
  friend struct Registry;

  Result<Thread*> thread_slowly();
  Result<void> attach_in_child();

  os::System* system_;
  std::string path_;
  OpenOptions options_;
  std::atomic<std::uint64_t> session_id_;
  std::shared_ptr<Session> session_;
  std::vector<std::shared_ptr<Session>> parents_;  // their mappings stay, for what still points into them
  int handles_ = 1;                                // under the registry's mutex
  std::mutex mutex_;
};

}  // namespace utan::commit
