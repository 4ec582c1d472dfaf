// Blocks of a store's file, to be changed by hand: found by what they are, made anew where there is room, mended.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "format/block.h"
#include "format/coordination.h"
#include "format/nodes.h"
#include "format/ordered.h"
#include "format/positional.h"
#include "support/damage_mend.h"
#include "support/damage_store.h"

namespace utan::damage {

class Shaper {
 public:
  // The file becomes longer, so that there is room for new blocks.
  explicit Shaper(Files& files) : files_(&files) {
    files.data.resize(files.data.size() + 32 * format::segment_size);
    spans_ = used_blocks(files.data);
    if (files.coordination.empty()) return;
    const std::uint64_t size = files.data.size();
    std::memcpy(files.coordination.data() + offsetof(format::CoordinationFixed, file_size), &size, sizeof size);
  }

  template <class T>
  T* at(std::uint64_t offset) const {
    return reinterpret_cast<T*>(files_->data.data() + offset);
  }
  format::BlockHeader* header(const Span& block) const { return at<format::BlockHeader>(block.from); }
  std::uint64_t file_size() const { return files_->data.size(); }
  const std::vector<Span>& blocks() const { return spans_; }
  std::vector<Span> of(format::Kind kind) const {
    std::vector<Span> out;
    for (const Span& span : spans_) {
      if (header(span)->kind == kind) out.push_back(span);
    }
    return out;
  }
  void mend(const Span& block) const { mend_block(files_->data, block); }

  // The newest commit: that of the checkpoint with the highest number.
  format::CommitBlock* commit() const {
    std::uint64_t best = 0;
    std::uint64_t offset = 0;
    for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
      const auto* const slot = at<format::CheckpointSlot>(format::slot_offset(i).value);
      if (slot->number <= best) continue;
      best = slot->number;
      offset = slot->offset;
    }
    return at<format::CommitBlock>(offset);
  }
  void mend_commit() const { mend({offset_of(commit()), sizeof(format::CommitBlock)}); }
  // Its object table, which is one leaf.
  format::ObjectLeaf* leaf() const { return at<format::ObjectLeaf>(commit()->object_table_root); }
  void mend_leaf() const { mend({commit()->object_table_root, format::ObjectLeaf::size_for(leaf()->count())}); }
  // The containers whose topmost block is of this kind get another one.
  void put_roots(format::Kind kind, std::uint64_t offset) const {
    for (std::uint64_t i = 0; i < leaf()->count(); ++i) {
      auto& entry = leaf()->entries()[i];
      if (entry.root != 0 && at<format::BlockHeader>(entry.root)->kind == kind) entry.root = offset;
    }
    mend_leaf();
  }
  std::uint64_t offset_of(const void* block) const {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(block) - files_->data.data());
  }

  // A new block of this kind, in a segment that was empty. Its content is zeros.
  Span make(format::Kind kind, std::uint64_t size, std::uint16_t aux) {
    const unsigned size_class = format::class_for(ByteCount{size});
    const std::uint64_t segments = format::segment_count(ByteCount{file_size()});
    for (std::uint64_t i = segments; i-- > format::region_metadata_segments;) {
      const SegmentIndex segment{i};
      auto* const descriptor = at<std::uint64_t>(format::descriptor_offset(segment).value);
      auto* const bits = at<std::uint64_t>(format::bitmap_offset(segment).value);
      const bool is_empty = (*descriptor & 0xff) == format::class_empty || *bits == 0;
      if ((*descriptor & 0xff) != size_class && !is_empty) continue;
      if (is_empty) *descriptor = (*descriptor & ~std::uint64_t{0xff}) | size_class;
      const auto& info = format::size_classes[size_class];
      for (std::uint64_t bit = 0; bit < info.block_count; ++bit) {
        std::uint64_t& word = bits[bit / 64];
        if ((word >> (bit % 64) & 1) != 0) continue;
        word |= std::uint64_t{1} << (bit % 64);
        const Span out{format::segment_start(segment).value + bit * info.block_size, info.block_size};
        std::memset(at<std::byte>(out.from), 0, out.size);
        header(out)->birth = 1;
        header(out)->set_fields(0, kind, static_cast<format::SizeClass>(size_class), aux);
        return out;
      }
    }
    ADD_FAILURE() << "no segment is empty";
    return {};
  }

  // A list of this height whose every branch has the same child 63 times, and says of each that so many words are below.
  std::uint64_t make_list(std::uint64_t height_max, const std::function<std::uint64_t(std::uint64_t)>& count_of) {
    std::uint64_t below = of(format::Kind::list_leaf).front().from;
    for (std::uint64_t height = 1; height <= height_max; ++height) {
      constexpr std::uint64_t count = format::list_branch_fanout;
      const Span node = make(format::Kind::list_branch, format::ListBranch::size_for(count),
                             format::ListAux::make(count, height).aux);
      for (std::uint64_t i = 0; i < count; ++i)
        at<format::ListBranch>(node.from)->children()[i] = {below, count_of(height)};
      mend(node);
      below = node.from;
    }
    return below;
  }
  // An ordered tree of the same kind. The first child of each branch is the one in which every key is looked for.
  std::uint64_t make_ordered(std::uint64_t height_max, std::uint64_t count_below) {
    std::uint64_t below = of(format::Kind::ordered_leaf).front().from;
    for (std::uint64_t height = 1; height <= height_max; ++height) {
      constexpr std::uint64_t count = format::ordered_entries_max;
      const format::OrderedShape shape{count, 0, height, 0};
      const Span node = make(format::Kind::ordered_branch, shape.size(), format::OrderedAux::make(count, 0).word);
      auto* const branch = at<format::OrderedBranch>(node.from);
      branch->height = static_cast<std::uint16_t>(height);
      auto* const entries = at<format::OrderedEntry>(node.from + shape.entries_at());
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t narrow = shape.has_counts() ? 0 : std::min(count_below, format::OrderedChild::count_max);
        entries[i] = {i << 56, format::OrderedChild::make(Offset{below}, narrow).word};
        if (shape.has_counts()) at<std::uint64_t>(node.from + shape.counts_at())[i] = count_below;
      }
      mend(node);
      below = node.from;
    }
    return below;
  }
  // A table of this many buckets that are all the same one, behind directories whose entries are all the same.
  std::uint64_t make_table(std::uint64_t depth, std::uint64_t bucket_count) {
    std::uint64_t below = of(format::Kind::bucket).front().from;
    std::uint64_t top = bucket_count;
    for (std::uint64_t i = 0; i < depth; ++i) {
      constexpr std::uint64_t count = format::directory_fanout;
      const Span node = make(format::Kind::directory, format::Directory::size_for(count), count);
      for (std::uint64_t j = 0; j < count; ++j) at<format::Directory>(node.from)->entries()[j] = below;
      mend(node);
      below = node.from;
      top = (top + count - 1) / count;
    }
    const Span root = make(format::Kind::table_root, format::TableRoot::size_for(format::table_top_fanout),
                           static_cast<std::uint16_t>(depth));
    auto* const table = at<format::TableRoot>(root.from);
    table->record_count = 1000;
    table->bucket_count = bucket_count;
    for (std::uint64_t j = 0; j < std::min(top, format::table_top_fanout); ++j) table->entries()[j] = below;
    mend(root);
    return root.from;
  }
  // An object table of this depth, every branch of which names the same one 62 times.
  void make_object_table(std::uint64_t depth) {
    std::uint64_t below = commit()->object_table_root;
    for (std::uint64_t i = 0; i < depth; ++i) {
      constexpr std::uint64_t count = format::object_branch_fanout;
      const Span node = make(format::Kind::object_branch, format::ObjectBranch::size_for(count), count);
      for (std::uint64_t j = 0; j < count; ++j) at<format::ObjectBranch>(node.from)->entries()[j] = below;
      mend(node);
      below = node.from;
    }
    commit()->object_table_root = below;
    commit()->object_table_depth = depth;
    mend_commit();
  }

 private:
  Files* files_;
  std::vector<Span> spans_;
};

}  // namespace utan::damage
