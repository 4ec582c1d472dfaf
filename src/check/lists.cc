// Lists, and dicts and collections in one block.
#include <cstring>

#include "check/commit.h"
#include "format/positional.h"
#include "format/sorted.h"

namespace utan::check {

using format::Kind;

void CommitWalk::walk_sorted(Offset root) {
  const Found block = follow(root, Kind::sorted, "sorted block");
  if (!block) return;
  const auto* sorted = block.as<format::Sorted>();
  if (const char* wrong = format::sorted_problem(sorted, ByteCount{block.room}); wrong != nullptr) problem(root, wrong);
  const std::uint64_t count = sorted->count();
  // What lies outside was a problem already.
  if (count > format::sorted_count_max || format::Sorted::slots_end(count) > block.room) {
    lost_some_ = true;
    return;
  }
  entry_count_ += count;
  for (std::uint64_t i = 0; i < count; ++i) {
    format::SortedItem item;
    if (!format::read_sorted_item(sorted, count, i, ByteCount{block.room}, item)) {
      lost_some_ = true;
      continue;
    }
    format::EncodedKey key;
    check_key(root, item.key_tag, item.key, key);
    if (!format::is_large(item.value_tag)) {
      check_value(root, item.value_tag, item.value);
    } else if (item.value.size() == sizeof(std::uint64_t)) {
      std::uint64_t offset;
      std::memcpy(&offset, item.value.data(), sizeof offset);
      walk_value_block(Offset{offset}, false, format::base_tag(item.value_tag));
    } else {
      problem(root, "the offset of a value has " + std::to_string(item.value.size()) + " bytes");
      lost_some_ = true;
    }
  }
}

std::uint64_t CommitWalk::walk_list(Offset root) {
  // The topmost node says how high the list is.
  std::uint64_t height = 0;
  const Place place = blocks_->place_of(root);
  if (place) {
    const auto* header = blocks_->at<format::BlockHeader>(root);
    if (header->kind == Kind::list_branch) {
      height = format::ListAux{header->aux}.height();
      if (height == 0 || height > format::list_height_max) {
        problem(root, "a list cannot have " + std::to_string(height) + " levels of branches");
        lost_some_ = true;
        return 0;
      }
    }
  }
  return walk_list_node(root, height, true, true, true);
}

std::uint64_t CommitWalk::walk_list_node(Offset offset, std::uint64_t height, bool is_first, bool is_last,
                                         bool is_top) {
  const Found block = follow(offset, format::list_node_kind(height), "node of a list");
  if (!block) return 0;
  if (const char* wrong = format::list_node_problem(block.header, height, ByteCount{block.room}); wrong != nullptr)
    problem(offset, wrong);
  const std::uint64_t count = format::ListAux{block.header->aux}.count();
  if (count == 0 || count > format::list_node_fanout(height) || format::list_node_size(count, height) > block.room) {
    lost_some_ = true;
    return 0;
  }
  const std::uint64_t least = height == 0 ? (is_first || is_last ? 1 : format::list_leaf_fill_min)
                              : is_top    ? 2
                                          : format::list_branch_fill_min;
  if (count < least)
    problem(offset, "a node of a list has " + std::to_string(count) + " entries, fewer than " + std::to_string(least));
  if (height == 0) {
    for (std::uint64_t i = 0; i < count; ++i) walk_word(offset, block.as<format::ListLeaf>()->words()[i]);
    return count;
  }
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const format::ListChild child = block.as<format::ListBranch>()->children()[i];
    const std::uint64_t found =
        walk_list_node(Offset{child.offset}, height - 1, is_first && i == 0, is_last && i + 1 == count, false);
    if (found != child.count) {
      problem(offset, "a branch says that child " + std::to_string(i) + " has " + std::to_string(child.count) +
                          " elements, and it has " + std::to_string(found));
    }
    sum += found;
  }
  return sum;
}

}  // namespace utan::check
