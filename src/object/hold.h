// A hold: keeps a container alive that nothing in the store may name any more.
//
// Thread safety: a value, used by one thread at a time. Ownership: keeps its store open.
#pragma once

#include <utility>

#include "base/result.h"
#include "commit/attachment.h"
#include "format/word.h"

namespace utan::object {

class Hold {
 public:
  Hold() = default;  // of nothing
  // Must be taken under a pin of a commit in which the container is named, or by somebody who holds it already.
  static Result<Hold> take(commit::Attachment& attachment, format::ObjectId id) {
    Hold out;
    // The root is never removed.
    if (id != format::root_object) UTAN_TRY(attachment.hold(id));
    attachment.share();
    out.attachment_ = &attachment;
    out.id_ = id;
    return out;
  }
  Hold(Hold&& other) noexcept : attachment_(std::exchange(other.attachment_, nullptr)), id_(other.id_) {}
  Hold& operator=(Hold&& other) noexcept {
    if (this != &other) {
      release();
      attachment_ = std::exchange(other.attachment_, nullptr);
      id_ = other.id_;
    }
    return *this;
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { release(); }

  explicit operator bool() const { return attachment_ != nullptr; }
  void release() {
    if (attachment_ == nullptr) return;
    if (id_ != format::root_object) attachment_->let_go(id_);
    commit::Attachment::close_quietly(std::exchange(attachment_, nullptr));
  }

 private:
  commit::Attachment* attachment_ = nullptr;
  format::ObjectId id_;
};

}  // namespace utan::object
