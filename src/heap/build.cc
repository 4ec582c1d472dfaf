#include "heap/build.h"

namespace utan::heap {

void Build::rebase(const View& base, CommitNumber number) {
  // Freed before the record of the build forgets them: killed in between, an adopter clears bits that are clear. Nobody
  // else can have taken the blocks, because segments with blocks of a build stay owned until its end.
  for (std::size_t i = made_.size(); i > kept_; --i) {
    const bool freed = allocator_->free(made_[i - 1]);
    DCHECK(freed);
    static_cast<void>(freed);
  }
  made_.resize(kept_);
  allocator_->truncate_build(kept_);
  dropped_.clear();
  replaced_.clear();
  number_ = number;
  view_ = base.at(number);
  for (const Offset offset : made_) {
    auto& header = *allocator_->heap().at<format::BlockHeader>(offset);
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
  for (const Offset offset : dropped_) {
    const bool freed = allocator_->free(offset);
    DCHECK(freed);
    static_cast<void>(freed);
  }
  dropped_.clear();
}

}  // namespace utan::heap
