// Snapshots: commits that stay readable.
//
// Thread safety: any thread may use and drop one. Ownership: shared by everything that was got from the snapshot; keeps its
// store open.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "commit/attachment.h"
#include "commit/thread.h"

namespace utan::object {

// A commit that stays readable until the last owner of this object lets go.
class SnapshotPin {
 public:
  static Result<std::shared_ptr<SnapshotPin>> take(commit::Attachment& attachment);
  // Of nothing, for take().
  explicit SnapshotPin(commit::Attachment& attachment) : attachment_(&attachment) {}
  ~SnapshotPin();
  SnapshotPin(const SnapshotPin&) = delete;
  SnapshotPin& operator=(const SnapshotPin&) = delete;

  const commit::Pinned& pinned() const { return pinned_; }
  // A snapshot is not its owner's children's.
  Result<void> usable() const {
    if (is_usable()) [[likely]]
      return {};
    return check_usable();
  }
  // The same at the end of an operation, of all that it has read.
  Result<void> usable_until_now() const {
    if (was_usable()) [[likely]]
      return {};
    return check_usable();
  }
  bool is_usable() const { return attachment_->session_quickly() == session_id_; }
  // The same, of all that was read before (Session::was_usable).
  bool was_usable() const {
    std::atomic_thread_fence(std::memory_order_acquire);
    return is_usable();
  }

 private:
  Result<void> check_usable() const;
  commit::Attachment* attachment_;
  std::uint64_t session_id_ = 0;
  commit::PinPlace place_;
  commit::Pinned pinned_;
};

}  // namespace utan::object
