#include "heap/build.h"

namespace utan::heap {

Result<Offset> Build::make_anew(format::SizeClass& size_class, ByteCount size, std::span<const std::byte> end) {
  if (patience_.is_over()) [[unlikely]]
    return interruption();
  UTAN_ASSIGN(const Offset block, end.empty() ? allocator_->allocate_anew(size_class, size, number_)
                                              : allocator_->allocate_run(size, number_, end));
  // The file may have grown for this very block. What the stash has was there before this build's commit was pinned.
  if (block.value + size.value > view_.size().value) view_ = allocator_->heap().view(number_);
  return block;
}

bool Build::is_own(const format::BlockHeader* header, Offset offset) const {
  if (header->birth != number_.value) return false;
  const std::uint64_t count = made_count();
  if (count <= own_scanned_max) {
    for (std::size_t i = count; i > 0; --i) {
      if (allocator_->built(i - 1) == offset) return true;
    }
    return false;
  }
  own_.reserve(count - own_known_);
  for (; own_known_ < count; ++own_known_) own_.insert(allocator_->built(own_known_));
  return own_.contains(offset);
}

void Build::forget_own() {
  own_.clear();
  own_known_ = 0;
}

void Build::rebase(const View& base, CommitNumber number) {
  // Each is forgotten before it is freed: from then on others may take it, and an adopter must not free it again. Killed
  // in between, it leaks.
  for (std::size_t i = made_count(); i > kept_; --i) {
    const Offset block = allocator_->built(i - 1);
    allocator_->truncate_build(i - 1);
    allocator_->heap().expect_freed(allocator_->free(block));
  }
  dropped_.shrink(kept_dropped_);
  replaced_.clear();
  if (own_known_ != 0) [[unlikely]]
    forget_own();
  number_is(number);
  view_ = base.at(number);
  for (std::size_t i = 0; i < made_count(); ++i) {
    auto& header = *allocator_->heap().at<format::BlockHeader>(allocator_->built(i));
    header.checksum -= format::checksum_header(header);
    header.birth = number.value;
    header.checksum += format::checksum_header(header);
  }
}

void Build::discard() {
  kept_ = kept_dropped_ = 0;
  rebase(view_, number_);
  allocator_->end_build();
  ++beginning_;
}

void Build::published() {
  if (own_known_ != 0) [[unlikely]]
    forget_own();
  kept_ = kept_dropped_ = 0;
  replaced_.clear();
  // Recorded until now: killed from here on, what was dropped leaks.
  allocator_->end_build();
  for (std::size_t i = 0; i < dropped_.size(); ++i) allocator_->heap().expect_freed(allocator_->free(dropped_[i]));
  dropped_.clear();
}

}  // namespace utan::heap
