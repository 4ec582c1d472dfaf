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

#include "base/result.h"
#include "commit/holds.h"
#include "commit/session.h"
#include "format/word.h"

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
  // The same for who can tell nobody what fails.
  static void close_quietly(Attachment* attachment) noexcept;

  // The calling thread's state. One comparison and one load when it used this store last.
  Result<Thread*> thread() {
    Thread* const cached = thread_quickly();
    if (cached != nullptr) [[likely]]
      return cached;
    return thread_slowly();
  }
  // The same if it used this store last, else null.
  [[gnu::always_inline]] Thread* thread_quickly() const {
    // acquire: pairs with attach_in_child. Id and fork are asked of one and the same session: a thread that another one
    // of the same child overtakes must not take its cached state, which is the parent's, for the new session's.
    const Session* const session = current_.load(std::memory_order_acquire);
    return thread_cache.session_id == session->quick_id() && session->is_usable() ? thread_cache.thread : nullptr;
  }
  // Ok, unless files have been lost since the operation began that asks: what it found says nothing then.
  Result<void> still_there() const {
    const Session* const session = current_.load(std::memory_order_acquire);
    return session->was_usable() || !session->is_lost() ? Result<void>{} : Result<void>(session->lost());
  }
  // The session; in a child a new one.
  Result<Session*> session();
  // The unique id of the session; 0 in a child that has not attached yet, and where each use begins with a look at more.
  std::uint64_t session_quickly() const {
    const Session* const session = current_.load(std::memory_order_acquire);
    return session->is_usable() ? session->quick_id() : 0;
  }
  // Changes when the session does.
  std::uint64_t session_id() const { return current_.load(std::memory_order_acquire)->unique_id(); }
  // A handle on a container keeps it alive (commit/holds.h).
  Result<void> hold(format::ObjectId id) {
    UTAN_ASSIGN(Session* const session, this->session());
    return holds_.add(*session, id);
  }
  void let_go(format::ObjectId id) { holds_.remove(id); }
  const std::string& path() const { return path_; }
  bool read_only() const { return options_.mode == OpenMode::read_only; }

 private:
  Attachment(os::System& system, std::string path, const OpenOptions& options, std::shared_ptr<Session> session);
  ~Attachment();
  friend struct Registry;

  // A session and those of the process's parents: their mappings stay, for what still points into them.
  struct Held {
    std::shared_ptr<Session> session;
    Held* older;
  };

  Result<Thread*> thread_slowly();
  Result<void> attach_in_child();

  os::System* system_;
  std::string path_;
  OpenOptions options_;
  // Of the newest in `held_`, never null; replaced in a child alone, released after the new session was opened.
  std::atomic<Session*> current_;
  // Changed by one store each, so that a fork finds it whole. Under `mutex_`, which lets one thread of a child attach.
  Held* held_;
  // Goes up from at least 1 by anyone; to 0 under the registry's mutex alone.
  std::atomic<int> handles_{1};
  Holds holds_;
  std::mutex mutex_;
};

}  // namespace utan::commit
