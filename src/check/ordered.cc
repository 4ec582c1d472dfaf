// Ordered trees: records in the order of their keys.
//
// Each node is read once, from the lowest key to the highest. What must hold of a key is asked of its neighbours: it is above
// the key before it, and between the separators on the way to its leaf, of which the nearest ones are the closest.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "check/commit.h"

namespace utan::check {

using format::Kind;
using format::ordered_head_size;
using format::ordered_separator_max;
using format::OrderedChild;
using format::OrderedEnd;
using format::OrderedEntry;
using format::OrderedShape;

// What is compared of a key: the byte of its class, and the bytes of its order.
struct CommitWalk::Sequence {
  std::byte first{};
  Bytes order;

  explicit Sequence(const format::EncodedKey& key) : first(static_cast<std::byte>(key.key_class)), order(key.order) {}
  Sequence() = default;

  std::uint64_t size() const { return order.size() + 1; }
  // Of the first `size` bytes of this, and as many of `other`.
  bool begins_with(const std::byte* other, std::uint64_t other_size) const {
    if (other_size > size()) return false;
    if (other_size == 0) return true;
    return first == other[0] && (other_size == 1 || std::memcmp(order.data(), other + 1, other_size - 1) == 0);
  }
  // Eight bytes from `position` on as a number, with zeros behind the end.
  std::uint64_t head_at(std::uint64_t position) const {
    std::uint64_t out = 0;
    for (std::uint64_t i = position; i < position + ordered_head_size; ++i) {
      const std::byte byte = i == 0 ? first : i <= order.size() ? order[i - 1] : std::byte{0};
      out = out << 8 | std::to_integer<std::uint64_t>(byte);
    }
    return out;
  }
  // Negative, zero or positive: this and `size` bytes, of both at most `most`.
  int compare(const std::byte* other, std::uint64_t other_size, std::uint64_t most) const {
    const std::uint64_t own_size = std::min(size(), most);
    other_size = std::min(other_size, most);
    const std::uint64_t common = std::min(own_size, other_size);
    if (common != 0 && first != other[0]) return first < other[0] ? -1 : 1;
    const int difference = common < 2 ? 0 : std::memcmp(order.data(), other + 1, common - 1);
    if (difference != 0) return difference;
    return own_size < other_size ? -1 : own_size > other_size ? 1 : 0;
  }
};

struct CommitWalk::Separator {
  std::array<std::byte, ordered_separator_max> bytes{};
  std::uint64_t size = 0;

  bool is_cut() const { return size == ordered_separator_max; }
  int compare(const Separator& other) const {
    const std::uint64_t common = std::min(size, other.size);
    const int difference = common == 0 ? 0 : std::memcmp(bytes.data(), other.bytes.data(), common);
    if (difference != 0) return difference;
    return size < other.size ? -1 : size > other.size ? 1 : 0;
  }
};

// The nearest separators on both sides of a node; null: there is none.
struct CommitWalk::Bounds {
  const Separator* low = nullptr;
  const Separator* high = nullptr;
};

struct CommitWalk::Ordered {
  format::EncodedKey last;  // the highest key so far
  bool has_last = false;
};

void CommitWalk::walk_ordered(Offset root) {
  // The topmost node says how high the tree is.
  std::uint64_t height = 0;
  const Place place = blocks_->place_of(root);
  if (place) {
    const auto* branch = blocks_->at<format::OrderedBranch>(root);
    if (branch->header.kind == Kind::ordered_branch) {
      height = branch->height;
      if (height == 0 || height > format::ordered_height_max) {
        problem(root, "an ordered tree cannot have " + std::to_string(height) + " levels of branches");
        lost_some_ = true;
        return;
      }
    }
  }
  Ordered tree;
  walk_ordered_node(root, height, true, Bounds{}, tree);
}

// Answers how many records are below.
std::uint64_t CommitWalk::walk_ordered_node(Offset offset, std::uint64_t height, bool is_top, const Bounds& bounds,
                                            Ordered& tree) {
  const Kind kind = height == 0 ? Kind::ordered_leaf : Kind::ordered_branch;
  const Found block = follow(offset, kind, "node of an ordered tree");
  if (!block) return 0;
  const OrderedShape shape = height == 0 ? OrderedShape::of(block.as<format::OrderedLeaf>())
                                         : OrderedShape::of(block.as<format::OrderedBranch>());
  if (shape.height != height) {
    problem(offset, "a branch of an ordered tree has height " + std::to_string(shape.height) + ", and must have " +
                        std::to_string(height));
    lost_some_ = true;
    return 0;
  }
  if (!shape.is_sound() || shape.size() > block.room) {
    problem(offset, "a node of an ordered tree cannot have " + std::to_string(shape.count) + " entries, " +
                        std::to_string(shape.prefix_size) + " bytes of prefix and " + std::to_string(shape.text_size) +
                        " of text");
    lost_some_ = true;
    return 0;
  }
  if (format::checksum_header(*block.header) + format::ordered_content_checksum(block.header, shape) !=
      block.header->checksum)
    problem(offset, "checksum does not match");
  if (height == 0) return walk_ordered_leaf(block, shape, bounds, tree);
  if (is_top && shape.count < 2) problem(offset, "the topmost branch of an ordered tree has a single child");
  return walk_ordered_branch(block, shape, bounds, tree);
}

// --- Leaves ------------------------------------------------------------------------------------------------------------

std::uint64_t CommitWalk::walk_ordered_leaf(const Found& block, const OrderedShape& shape, const Bounds& bounds,
                                            Ordered& tree) {
  for (std::uint64_t i = 0; i < shape.count; ++i) check_ordered_key(block, shape, i, bounds, tree);
  return shape.count;
}

void CommitWalk::check_ordered_key(const Found& leaf, const OrderedShape& shape, std::uint64_t index,
                                   const Bounds& bounds, Ordered& tree) {
  const OrderedEntry entry = format::ordered_entries(leaf.header, shape)[index];
  const Offset offset{entry.word};
  const RecordFound found = walk_record(offset);
  if (found.record == nullptr) return;
  const Sequence key(found.key);
  const auto place = [index] { return "entry " + std::to_string(index) + " of a leaf"; };
  if (!key.begins_with(format::ordered_part(leaf.header, shape.prefix_at()), shape.prefix_size)) {
    problem(leaf.offset, place() + ": its record's key does not begin with the leaf's prefix");
  } else if (key.head_at(shape.prefix_size) != entry.head) {
    problem(leaf.offset, place() + ": its head is not that of its record's key");
  }
  if (tree.has_last && format::compare_keys(tree.last, found.key) >= 0)
    problem(offset, "a key is not above the one before it");
  // Of a cut separator only so many bytes are in order.
  if (bounds.low != nullptr &&
      key.compare(bounds.low->bytes.data(), bounds.low->size, bounds.low->is_cut() ? ordered_separator_max : ~0ULL) < 0)
    problem(offset, "a key is below the separator before it");
  if (bounds.high != nullptr) {
    const bool is_cut = bounds.high->is_cut();
    const int order = key.compare(bounds.high->bytes.data(), bounds.high->size, is_cut ? ordered_separator_max : ~0ULL);
    if (is_cut ? order > 0 : order >= 0) problem(offset, "a key is not below the separator behind it");
  }
  tree.last = found.key;
  tree.has_last = true;
}

// --- Branches ----------------------------------------------------------------------------------------------------------

std::uint64_t CommitWalk::walk_ordered_branch(const Found& block, const OrderedShape& shape, const Bounds& bounds,
                                              Ordered& tree) {
  const OrderedEntry* entries = format::ordered_entries(block.header, shape);
  if (block.as<format::OrderedBranch>()->reserved != 0) problem(block.offset, "what is reserved in a branch is not 0");
  if (entries[0].head != 0) problem(block.offset, "the first child of a branch has a separator");
  Separator separators[2];
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < shape.count; ++i) {
    const Separator& before = separators[i % 2];
    Separator& behind = separators[(i + 1) % 2];
    const bool is_last = i + 1 == shape.count;
    bool has_behind = !is_last;
    if (has_behind) {
      has_behind = read_separator(block, shape, i + 1, behind);
      // Two cut ones may be equal.
      if (has_behind && i > 0 && before.size != 0) {
        const int order = before.compare(behind);
        if (order > 0 || (order == 0 && !behind.is_cut()))
          problem(block.offset, "separator " + std::to_string(i + 1) + " of a branch is not above the one before it");
      }
      if (!has_behind) behind.size = 0;
    }
    Bounds inner;
    inner.low = i == 0 ? bounds.low : before.size == 0 ? nullptr : &before;
    inner.high = is_last ? bounds.high : has_behind ? &behind : nullptr;
    const OrderedChild child{entries[i].word};
    const std::uint64_t found = walk_ordered_node(child.child(), shape.height - 1, false, inner, tree);
    const std::uint64_t said = format::ordered_count_below(block.header, shape, i);
    if (found != said) {
      problem(block.offset, "a branch says that child " + std::to_string(i) + " has " + std::to_string(said) +
                                " records, and it has " + std::to_string(found));
    }
    if (shape.has_counts() && child.count() != 0)
      problem(block.offset, "a branch with counts apart has another beside the offset of child " + std::to_string(i));
    sum += found;
  }
  return sum;
}

// Of child `index`, not the first. False: there is none that could be read.
bool CommitWalk::read_separator(const Found& block, const OrderedShape& shape, std::uint64_t index, Separator& out) {
  const auto wrong = [&](const char* text) {
    problem(block.offset, "separator " + std::to_string(index) + " of a branch " + text);
    return false;
  };
  const std::uint64_t head = format::ordered_entries(block.header, shape)[index].head;
  const auto zeros = static_cast<std::uint64_t>(head == 0 ? 64 : std::countr_zero(head));
  const std::uint64_t least_size = ordered_head_size - zeros / 8;
  std::uint64_t head_size = least_size;
  format::OrderedTail tail;
  if (shape.text_size != 0) {
    const auto* ends = reinterpret_cast<const OrderedEnd*>(format::ordered_part(block.header, shape.text_at()));
    const std::uint64_t tails_size = shape.text_size - shape.count * sizeof(OrderedEnd);
    if (ends[index].tail_end() < ends[index - 1].tail_end() || ends[index].tail_end() > tails_size)
      return wrong("has a tail that is not inside the text");
    tail = format::ordered_tail(block.header, shape, index);
    head_size = tail.head_size;
    if (head_size > ordered_head_size || head_size < least_size) return wrong("has another head than it says");
    if (tail.size != 0 && head_size != ordered_head_size) return wrong("has a tail behind a head that is not full");
  }
  if (shape.prefix_size + head_size + tail.size > ordered_separator_max) return wrong("is longer than it can be");
  if (shape.prefix_size != 0)
    std::memcpy(out.bytes.data(), format::ordered_part(block.header, shape.prefix_at()), shape.prefix_size);
  for (std::uint64_t i = 0; i < head_size; ++i)
    out.bytes[shape.prefix_size + i] = static_cast<std::byte>(head >> (56 - 8 * i));
  if (tail.size != 0) std::memcpy(out.bytes.data() + shape.prefix_size + head_size, tail.bytes, tail.size);
  out.size = shape.prefix_size + head_size + tail.size;
  if (out.size == 0) return wrong("is empty");
  return true;
}

}  // namespace utan::check
