#include "heap/build.h"

namespace utan::heap {

void Build::rebase(const View& base, CommitNumber number) {
  // Each is forgotten before it is freed: from then on others may take it, and an adopter must not free it again. Killed
  // in between, it leaks.
  for (std::size_t i = made_.size(); i > kept_; --i) {
    allocator_->truncate_build(i - 1);
    const bool freed = allocator_->free(made_[i - 1]);
    DCHECK(freed);
    static_cast<void>(freed);
  }
  made_.shrink(kept_);
  dropped_.clear();
  replaced_.clear();
  number_ = number;
  view_ = base.at(number);
  for (std::size_t i = 0; i < made_.size(); ++i) {
    auto& header = *allocator_->heap().at<format::BlockHeader>(made_[i]);
    header.checksum -= format::checksum_header(header);
    header.birth = number.value;
    header.checksum += format::checksum_header(header);
  }
}

void Build::discard() {
  kept_ = 0;
  rebase(view_, number_);
  allocator_->end_build();
}

void Build::published() {
  kept_ = 0;
  made_.clear();
  replaced_.clear();
  // Recorded until now: killed from here on, what was dropped leaks.
  allocator_->end_build();
  for (std::size_t i = 0; i < dropped_.size(); ++i) {
    const bool freed = allocator_->free(dropped_[i]);
    DCHECK(freed);
    static_cast<void>(freed);
  }
  dropped_.clear();
}

}  // namespace utan::heap
