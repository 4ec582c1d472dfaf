// Holds: what keeps a container alive that nothing in the store names any more (G3).
//
// A handle on a container holds it, in whatever process. Each process publishes what its handles hold as a set of bits,
// by a hash of the object id, in a line of the coordination file that it has for this alone; how many handles stand behind
// a bit, it counts for itself. Two containers with the same hash only make the removal of one wait for the other. A dead
// process's bits count until its line is adopted.
//
// A hold is published before the pin is let go under which the container was found. Whoever wants to remove a container
// scans the pins first and the holds afterwards: a pin that is older than the commit that took its last name is seen, or
// what was found under it is held by then.
// Thread safety: any number of threads. Ownership: refers to the session it is told.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "base/result.h"
#include "format/coordination.h"
#include "format/word.h"

namespace utan::commit {

class Session;

class Holds {
 public:
  // One handle more. Fails if the coordination file has no room for another line.
  Result<void> add(Session& session, format::ObjectId id);
  // One handle less; as often as `add`.
  void remove(format::ObjectId id);
  // In a child made by fork: what its parent's handles hold, its own hold, too, in a line of `session`, which must then
  // live as long as this process uses the store.
  Result<void> publish_again(Session& session);
  // In a child: whoever held the mutex in the parent does not exist here.
  void forget_lock() { new (&mutex_) std::mutex; }

  // What all processes hold, from one look at which lines are of holds: there may be thousands of others. Made after the
  // pins were scanned, since a line that becomes one of holds later holds nothing that was found before.
  class All {
   public:
    explicit All(const format::Coordination& coordination);
    // Does any process hold it now? Bits may stand for others.
    bool has(format::ObjectId id) const;

   private:
    std::vector<const format::Line*> lines_;
  };

 private:
  Result<void> have_line(Session& session);
  // Is there a line, and is it this process's own? In a child that has not published again yet it is its parent's.
  bool line_is_own() const;

  std::mutex mutex_;
  std::unique_ptr<std::uint32_t, void (*)(void*)> counts_{nullptr, std::free};  // by hash
  format::Line* line_ = nullptr;
  const Session* line_session_ = nullptr;  // of which the line is
};

}  // namespace utan::commit
