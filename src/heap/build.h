// A build: the blocks that one operation makes and replaces before its commit.
//
// Trees are changed by copying the path that changes. `edit` gives a block that may be written: a copy of a committed
// one, which is then on the list of what this build replaces, or the block itself if this build made it. After a lost
// race the record of the operation is kept and the path is built again (rebase). Checksums of nodes are kept up to date
// word by word. One of very many blocks ends with Code::interrupted if its caller wants that (base/interruption.h).
//
// Thread safety: belongs to one thread. Ownership: the blocks are the build's until `published` or `discard`.
#pragma once

#include <cstring>
#include <span>

#include "base/interruption.h"
#include "base/result.h"
#include "base/small_list.h"
#include "base/types.h"
#include "format/block.h"
#include "format/nodes.h"
#include "heap/allocator.h"
#include "heap/offset_set.h"
#include "heap/view.h"

namespace utan::heap {

template <class T>
struct Made {
  T* at = nullptr;
  Offset offset;
};

class Build {
 public:
  using Replaced = SmallList<format::ReplacedEntry, format::replaced_max>;

  explicit Build(Allocator& allocator) : allocator_(&allocator) {}

  // Begins, on the commit that `base` sees, what is to become commit `number`.
  void begin(const View& base, CommitNumber number) {
    DCHECK(made_count() == 0 && replaced_.empty() && dropped_.empty());
    number_is(number);
    view_ = base.at(number);
    patience_.begin();
  }

  CommitNumber number() const { return number_; }
  // What the base commit and this build see.
  const View& view() const { return view_; }
  const Replaced& replaced() const { return replaced_; }
  // Changes when everything made is given back: what was made before has to be made again.
  std::uint64_t beginning() const { return beginning_; }
  // How many blocks it has made.
  std::uint64_t made_count() const { return allocator_->built_count(); }

  // A new block with its header filled in (checksum: of the header alone); the rest is undefined.
  template <class T>
  [[gnu::always_inline]] Result<Made<T>> make(format::Kind kind, ByteCount size, std::uint16_t aux) {
    format::SizeClass size_class = kind == format::Kind::commit ? format::class_commit : format::class_for(size);
    Offset offset = allocator_->allocate_stashed(size_class, number_);
    if (!offset) [[unlikely]] {
      UTAN_ASSIGN(offset, make_anew(size_class, size));
    }
    return head<T>(offset, kind, size_class, aux);
  }

  // The same of one that ends with `bytes`, which are stored, too.
  template <class T>
  [[gnu::always_inline]] Result<Made<T>> make_with(format::Kind kind, ByteCount size, std::uint16_t aux,
                                                   std::span<const std::byte> bytes) {
    if (bytes.size() >= Heap::written_min) [[unlikely]] {
      format::SizeClass size_class = format::class_run;
      UTAN_ASSIGN(const Offset offset, make_anew(size_class, size, bytes));
      return head<T>(offset, kind, size_class, aux);
    }
    UTAN_ASSIGN(const Made<T> made, make<T>(kind, size, aux));
    std::byte* const end = reinterpret_cast<std::byte*>(made.at) + size.value;
    if (!bytes.empty()) std::memcpy(end - bytes.size(), bytes.data(), bytes.size());
    return made;
  }

  // `node`, of which `used` bytes count, as a block that may be written and has room for `needed` bytes.
  template <class T>
  [[gnu::always_inline]] Result<Made<T>> edit(const T* node, Offset offset, ByteCount used, ByteCount needed) {
    const auto* header = reinterpret_cast<const format::BlockHeader*>(node);
    if (header->birth == number_.value) [[unlikely]] {
      if (is_own(header, offset) && header->size_class < format::class_count &&
          format::size_classes[header->size_class].block_size >= needed.value) {
        return Made<T>{const_cast<T*>(node), offset};
      }
    }
    format::SizeClass size_class = format::class_for(needed);
    Offset copy_offset = allocator_->allocate_stashed(size_class, number_);
    if (!copy_offset) [[unlikely]] {
      UTAN_ASSIGN(copy_offset, make_anew(size_class, needed));
    }
    T* copy = allocator_->heap().at<T>(copy_offset);
    std::memcpy(reinterpret_cast<std::byte*>(copy) + format::block_header_size,
                reinterpret_cast<const std::byte*>(node) + format::block_header_size,
                used.value - format::block_header_size);
    std::uint32_t checksum = header->checksum - format::checksum_share(0, header->birth) + number_share_;
    if (header->size_class != size_class) {
      checksum += format::checksum_share(1, format::header_fields(header->kind, size_class, header->aux)) -
                  format::checksum_share(1, format::header_fields(header->kind, header->size_class, header->aux));
    }
    reinterpret_cast<format::BlockHeader*>(copy)->set_fields(checksum, header->kind, size_class, header->aux);
    drop(offset, header);
    return Made<T>{copy, copy_offset};
  }

  // The block is no longer part of the tree. One that this build made is freed at its end, another when nobody sees it.
  [[gnu::always_inline]] void drop(Offset offset, const format::BlockHeader* header) {
    if (header->birth == number_.value && is_own(header, offset)) [[unlikely]] {
      dropped_.push_back(offset);
    } else {
      replaced_.push_back(format::ReplacedEntry::make(offset, format::ReplacedEntry::How::block));
    }
  }
  // A list block and everything on it.
  void drop_list(Offset offset) {
    replaced_.push_back(format::ReplacedEntry::make(offset, format::ReplacedEntry::How::list));
  }

  // What has been made so far outlives a lost race: the record, without the path to it.
  void keep_made() {
    kept_ = made_count();
    kept_dropped_ = dropped_.size();
  }

  // After a lost race: gives back everything but what is kept, which is stamped with the new number.
  void rebase(const View& base, CommitNumber number);
  // Gives back everything.
  void discard();
  // The commit is in: everything made is part of it, except what was dropped again.
  void published();

 private:
  template <class T>
  [[gnu::always_inline]] Made<T> head(Offset offset, format::Kind kind, format::SizeClass size_class,
                                      std::uint16_t aux) const {
    T* at = allocator_->heap().at<T>(offset);
    const std::uint32_t checksum =
        number_share_ + format::checksum_share(1, format::header_fields(kind, size_class, aux));
    reinterpret_cast<format::BlockHeader*>(at)->set_fields(checksum, kind, size_class, aux);
    return Made<T>{at, offset};
  }
  // `size_class`: as of Allocator::allocate_anew. `end`: what a run ends with.
  Result<Offset> make_anew(format::SizeClass& size_class, ByteCount size, std::span<const std::byte> end = {});
  // Did this build make the block? A damaged file may claim the birth: what it says is not believed.
  bool is_own(const format::BlockHeader* header, Offset offset) const;
  void forget_own();
  void number_is(CommitNumber number) {
    number_ = number;
    number_share_ = format::checksum_share(0, number.value);
  }

  Allocator* allocator_;
  View view_;
  CommitNumber number_;
  std::uint64_t beginning_ = 1;
  std::uint32_t number_share_ = 0;  // in a block's checksum
  SmallList<Offset, 8> dropped_;    // made, and dropped again
  Replaced replaced_;
  std::size_t kept_ = 0;
  std::size_t kept_dropped_ = 0;  // of `dropped_`: those that are among what is kept
  // The blocks of a build of many, so that finding one is not a search through all of them; filled when asked.
  static constexpr std::uint64_t own_scanned_max = 32;
  mutable OffsetSet own_;
  mutable std::uint64_t own_known_ = 0;  // how many of those made are in `own_`
  Patience patience_;
};

// --- Writing into a node of the build, checksum included -------------------------------------------------------------

template <class T>
format::BlockHeader& header_of(T* node) {
  return *reinterpret_cast<format::BlockHeader*>(node);
}

// Replaces word `index` (in 8-byte words from the block's start).
template <class T>
void set_word(T* node, std::uint64_t index, std::uint64_t value) {
  auto* word = reinterpret_cast<std::uint64_t*>(node) + index;
  header_of(node).checksum += format::checksum_share(index, value) - format::checksum_share(index, *word);
  *word = value;
}
// Sets a word that was not part of the node before.
template <class T>
void add_word(T* node, std::uint64_t index, std::uint64_t value) {
  auto* word = reinterpret_cast<std::uint64_t*>(node) + index;
  header_of(node).checksum += format::checksum_share(index, value);
  *word = value;
}
// Takes a word out of the node's sum; its place no longer counts.
template <class T>
void remove_word(T* node, std::uint64_t index) {
  header_of(node).checksum -= format::checksum_share(index, reinterpret_cast<std::uint64_t*>(node)[index]);
}
template <class T>
void set_aux(T* node, std::uint16_t aux) {
  format::BlockHeader& header = header_of(node);
  header.checksum -= format::checksum_header(header);
  header.aux = aux;
  header.checksum += format::checksum_header(header);
}

}  // namespace utan::heap
