#include "tree/ordered_find.h"

#include <algorithm>

namespace utan::tree {

using format::Kind;
using format::OrderedTail;
using format::Record;
using heap::View;

int compare_long_prefix(Sequence key, const std::byte* prefix, std::uint64_t size) {
  const auto first = static_cast<std::uint8_t>(*prefix);
  if (key.first != first) return key.first < first ? -1 : 1;
  const std::uint64_t common = std::min(key.order_size, size - 1);
  const int order = common == 0 ? 0 : std::memcmp(key.order, prefix + 1, common);
  if (order != 0) return order;
  return key.size() < size ? -1 : 0;
}

bool find_edge(const View& view, const OrderedNode& node, bool lowest, const Record*& out, Offset& damaged,
               Kind& expected) {
  OrderedNode at = node;
  for (std::uint64_t height = node.shape.height; height > 0; --height) {
    const Offset below = at.child(lowest ? 0 : at.shape.count - 1);
    if (!read_node(view, below, height - 1, at)) {
      damaged = below;
      expected = kind_at(height - 1);
      return false;
    }
  }
  const Offset offset{at.entries()[lowest ? 0 : at.shape.count - 1].word};
  out = view.follow_record(offset);
  damaged = offset;
  expected = Kind::record;
  return out != nullptr;
}

Result<Sequence> edge_sequence(const View& view, const OrderedNode& node, bool lowest) {
  const Record* record;
  Offset damaged;
  Kind expected;
  if (!find_edge(view, node, lowest, record, damaged, expected)) return view.damage(damaged, expected);
  Sequence out;
  if (!read_sequence(record, out)) return view.damage(damaged, expected);
  return out;
}

Result<Sequence> record_sequence(const View& view, Offset offset) {
  const Record* record = view.follow_record(offset);
  Sequence out;
  if (record == nullptr || !read_sequence(record, out)) return view.damage(offset, Kind::record);
  return out;
}

namespace {

void say_damaged(FoundOrdered& out, Offset at, Kind expected) {
  out.status = Status::damaged;
  out.damaged = at;
  out.expected = expected;
}

// Compares the key with a separator that has the same prefix and head. `cut`: they agree in all there is of it, and it is
// only the beginning of one.
int compare_with_tail(const OrderedNode& branch, const Sequence& key, std::uint64_t index, bool& cut) {
  const OrderedTail tail = format::ordered_tail(branch.header, branch.shape, index);
  const std::uint64_t behind = branch.shape.prefix_size + format::ordered_head_size;
  cut = false;
  if (key.size() < branch.shape.prefix_size + tail.head_size) return -1;
  if (tail.size == 0) {
    cut = branch.shape.prefix_size + tail.head_size >= format::ordered_separator_max;
    return 0;
  }
  if (key.size() < behind) return -1;
  const std::uint64_t rest = key.size() - behind;
  const int order = std::memcmp(key.order + behind - 1, tail.bytes, std::min(rest, tail.size));
  if (order != 0) return order;
  if (rest < tail.size) return -1;
  cut = behind + tail.size >= format::ordered_separator_max;
  return 0;
}

// Which child of a branch with text, whose entry `last` is the last one with the key's head. False: damage below, said in
// `out`.
bool choose_among_equal(const View& view, const OrderedNode& branch, const Sequence& key, std::uint64_t last,
                        std::uint64_t& child, FoundOrdered& out) {
  // Looks for the last separator that is not above the key, among [low, high).
  std::uint64_t low = first_of_equal(branch.entries(), 1, last);
  std::uint64_t high = last + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    bool cut;
    int order = compare_with_tail(branch, key, middle, cut);
    if (cut) {
      OrderedNode below;
      const Offset offset = branch.child(middle);
      if (!read_node(view, offset, branch.shape.height - 1, below)) {
        say_damaged(out, offset, kind_at(branch.shape.height - 1));
        return false;
      }
      const Record* record;
      if (!find_edge(view, below, true, record, out.damaged, out.expected)) {
        out.status = Status::damaged;
        return false;
      }
      Sequence lowest;
      if (!read_sequence(record, lowest)) {
        out.status = Status::damaged;
        return false;
      }
      order = compare(key, lowest);
    }
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  child = low - 1;
  return true;
}

// Which entry of a leaf, whose entry `last` is the last one with the key's head: completes `out`.
void find_among_equal(const View& view, const OrderedNode& leaf, const Sequence& key, std::uint64_t last,
                      FoundOrdered& out) {
  const format::OrderedEntry* entries = leaf.entries();
  std::uint64_t low = first_of_equal(entries, 0, last);
  std::uint64_t high = last + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const Offset offset{entries[middle].word};
    const Record* record = view.follow_record(offset);
    Sequence sequence;
    if (record == nullptr || !read_sequence(record, sequence)) return say_damaged(out, offset, Kind::record);
    const int order = compare(key, sequence);
    if (order == 0) {
      out.status = Status::found;
      out.record = record;
      out.offset = offset;
      low = middle;
      break;
    }
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  out.path.add(leaf.offset, low);
}

// Which child of a branch the key belongs to. False: damage.
bool choose_child(const View& view, const OrderedNode& branch, const Sequence& key, std::uint64_t& child,
                  FoundOrdered& out) {
  const int side = compare_prefix(key, key.head_at(0), branch.prefix(), branch.shape.prefix_size);
  if (side != 0) {
    child = side < 0 ? 0 : branch.shape.count - 1;
    return true;
  }
  const format::OrderedEntry* entries = branch.entries();
  const std::uint64_t head = key.head_at(branch.shape.prefix_size);
  child = last_not_above(entries, branch.shape.count, head);
  if (branch.shape.text_size == 0 || child == 0 || entries[child].head != head) return true;
  return choose_among_equal(view, branch, key, child, child, out);
}

void find_in_ordered_leaf(const View& view, const OrderedNode& leaf, const Sequence& key, FoundOrdered& out) {
  const int side = compare_prefix(key, key.head_at(0), leaf.prefix(), leaf.shape.prefix_size);
  if (side != 0) return out.path.add(leaf.offset, side < 0 ? 0 : leaf.shape.count);
  const std::uint64_t head = key.head_at(leaf.shape.prefix_size);
  const std::uint64_t index = last_not_above(leaf.entries(), leaf.shape.count, head);
  const std::uint64_t found = leaf.entries()[index].head;
  if (found != head) return out.path.add(leaf.offset, index + (found < head ? 1 : 0));
  find_among_equal(view, leaf, key, index, out);
}

}  // namespace

void find_ordered_carefully(View view, Offset root, format::EncodedKey encoded, FoundOrdered& out) {
  out.status = Status::missing;
  out.path.depth = 0;
  const Sequence key = sequence_of(encoded);
  OrderedNode node;
  if (!read_root(view, root, node)) return say_damaged(out, root, kind_of_root(view, root));
  for (std::uint64_t height = node.shape.height; height > 0; --height) {
    std::uint64_t child;
    if (!choose_child(view, node, key, child, out)) return;
    const Offset below = node.child(child);
    fetch_node(view, below);
    out.path.add(node.offset, child);
    if (!read_node(view, below, height - 1, node)) return say_damaged(out, below, kind_at(height - 1));
  }
  find_in_ordered_leaf(view, node, key, out);
}

FoundOrdered find_ordered(const View& view, Offset root, const format::EncodedKey& key) {
  FoundOrdered out;
  find_ordered_here(view, root, key, out);
  return out;
}

FoundOrdered find_ordered_rank(const View& view, Offset root, std::uint64_t rank) {
  FoundOrdered out;
  if (!root) return out;
  OrderedNode node;
  if (!read_root(view, root, node)) {
    say_damaged(out, root, kind_of_root(view, root));
    return out;
  }
  for (std::uint64_t height = node.shape.height; height > 0; --height) {
    std::uint64_t child = 0;
    // From the count on, the way leads to behind the last one.
    for (; child + 1 < node.shape.count && rank >= node.count_below(child); ++child) rank -= node.count_below(child);
    const Offset below = node.child(child);
    out.path.add(node.offset, child);
    if (!read_node(view, below, height - 1, node)) {
      say_damaged(out, below, kind_at(height - 1));
      return out;
    }
  }
  if (rank >= node.shape.count) {
    out.path.add(node.offset, node.shape.count);
    return out;
  }
  const Offset offset{node.entries()[rank].word};
  out.record = view.follow_record(offset);
  if (out.record == nullptr) {
    say_damaged(out, offset, Kind::record);
    return out;
  }
  out.status = Status::found;
  out.offset = offset;
  out.path.add(node.offset, rank);
  return out;
}

Result<Count> ordered_count(const View& view, Offset root) {
  if (!root) return Count{0};
  OrderedNode node;
  if (!read_root(view, root, node)) return view.damage(root, kind_of_root(view, root));
  const std::uint64_t count = node.record_count();
  // More than the file can hold: whoever goes by it would never come to an end.
  if (count > view.size().value / format::block_size_min) return view.damage(root, kind_at(node.shape.height));
  return Count{count};
}

Result<std::uint64_t> ordered_rank(const View& view, Offset root, const FoundOrdered& where) {
  std::uint64_t rank = 0;
  Offset at = root;
  for (std::uint64_t i = 0; i < where.path.depth; ++i) {
    const OrderedPath::Step& step = where.path.steps[i];
    OrderedNode node;
    const std::uint64_t height = where.path.depth - 1 - i;
    if (at != step.node() || !read_node(view, at, height, node) ||
        step.index > node.shape.count - (height == 0 ? 0 : 1))
      return view.damage(at, kind_at(height));
    if (height == 0) {
      rank += step.index;
    } else {
      for (std::uint64_t child = 0; child < step.index; ++child) rank += node.count_below(child);
      at = node.child(step.index);
    }
  }
  return rank;
}

}  // namespace utan::tree
