#include "tree/positional.h"

#include <algorithm>
#include <string>

#include "base/fetch.h"
#include "tree/positional_nodes.h"

namespace utan::tree {

using namespace positional;

namespace {

// How many cache lines of a leaf are fetched ahead from the place on that is changed.
constexpr std::uint64_t fetched_lines = 4;

// --- One word --------------------------------------------------------------------------------------------------------

// A list whose path to one word is made the build's own.
class Editor {
 public:
  explicit Editor(Build& build) : build_(build), nodes_(build) {}

  Result<Offset> set(Offset root, std::uint64_t index, Word word, Word* before) {
    UTAN_TRY(open(root, index, Change::set));
    *before = list_words(leaf_.at)[place_];
    UTAN_TRY(edit_leaf(leaf_.count));
    heap::set_word(own_leaf_, first_word + place_, word.word);
    return root_;
  }

  Result<Offset> insert(Offset root, std::uint64_t index, Word word) {
    if (!root) {
      if (index != 0) return list_index_error(index);
      UTAN_ASSIGN(const ListChild leaf, nodes_.write(&word.word, 1, 0));
      return Offset{leaf.offset};
    }
    UTAN_TRY(open(root, index, Change::insert));
    const std::uint64_t count = leaf_.count;
    if (count == format::list_leaf_fanout) return split_leaf(word);
    UTAN_TRY(edit_leaf(count + 1));
    insert_words(own_leaf_, first_word + place_, first_word + count, &word.word, 1);
    heap::set_aux(own_leaf_, ListAux::make(count + 1, 0).aux);
    return root_;
  }

  Result<Offset> erase(Offset root, std::uint64_t index, Word* before) {
    UTAN_TRY(open(root, index, Change::erase));
    *before = list_words(leaf_.at)[place_];
    const std::uint64_t count = leaf_.count;
    if (count == 1) {
      build_.drop(leaf_offset_, leaf_.at);
      if (height_ == 0) return Offset{};
      remove_child(path_[1], path_[1].child);
      return settle(1, false);
    }
    UTAN_TRY(edit_leaf(count));
    erase_words(own_leaf_, first_word + place_, first_word + count, 1);
    heap::set_aux(own_leaf_, ListAux::make(count - 1, 0).aux);
    if (height_ == 0 || count > format::list_leaf_fill_min || !must_be_mended()) return root_;
    return settle(1, true);
  }

 private:
  enum class Change : std::uint8_t { set, insert, erase };
  // A branch of the path, which is the build's own.
  struct Level {
    BlockHeader* at;
    Offset offset;
    std::uint64_t count;
    std::uint64_t child;  // through which the path goes
    const ListChild* children() const { return list_children(at); }
  };

  // The path to the word at `index`, whose branches count the change already. Before any is changed, it is known whether
  // the root has that word.
  Result<void> open(Offset root, std::uint64_t index, Change change) {
    if (!root) return list_index_error(index);
    if (!find_list_height(build_.view(), root, height_)) return list_damage(build_.view(), root, 0);
    root_ = root;
    Offset at = root;
    // What is put behind another word goes where that one is, so that what is appended to a list finds its last leaf.
    const std::uint64_t behind = change == Change::insert && index > 0 ? 1 : 0;
    place_ = index - behind;
    for (std::uint64_t height = height_; height > 0; --height) {
      UTAN_ASSIGN(const Node node, nodes_.follow(at.value, height));
      const std::uint64_t child = find_list_child(list_children(node.at), node.count, place_);
      if (child == node.count) return height == height_ ? list_index_error(index) : damage(at, height);
      fetch_ahead(list_children(node.at)[child].offset, height - 1);
      is_first_ = is_first_ && child == 0;
      is_last_ = is_last_ && child + 1 == node.count;
      const ByteCount size{format::list_node_size(node.count, height)};
      UTAN_ASSIGN(const Made<BlockHeader> made, build_.edit(node.at, at, size, size));
      path_[height] = {made.at, made.offset, node.count, child};
      moved(height, made.offset);
      at = Offset{path_[height].children()[child].offset};
      const std::uint64_t below = path_[height].children()[child].count;
      if (change == Change::insert) heap::set_word(made.at, count_word(child), below + 1);
      if (change == Change::erase) heap::set_word(made.at, count_word(child), below - 1);
    }
    UTAN_ASSIGN(leaf_, nodes_.follow(at.value, 0));
    leaf_offset_ = at;
    if (place_ >= leaf_.count) return height_ == 0 ? list_index_error(index) : damage(at, 0);
    place_ += behind;
    return {};
  }

  // Lets memory begin to bring the next node of the path while this one is being made the build's own. Whatever the
  // offset is, nothing is read by it.
  void fetch_ahead(std::uint64_t offset, std::uint64_t height) const {
    const std::uint64_t node = reinterpret_cast<std::uintptr_t>(build_.view().base()) + offset;
    fetch_line(reinterpret_cast<const void*>(node));
    if (height > 0) return;
    // Of a leaf, where the word is, and what may have to move.
    const std::uint64_t word = node + format::list_node_size(place_, 0);
    for (std::uint64_t line = 0; line < fetched_lines; ++line)
      fetch_line<FetchFor::writing>(reinterpret_cast<const void*>(word + line * 64));
  }

  Error damage(Offset at, std::uint64_t height) const { return list_damage(build_.view(), at, height); }

  // The node of the path at this height is at `offset` now.
  void moved(std::uint64_t height, Offset offset) {
    if (height == height_) {
      root_ = offset;
      return;
    }
    const Level& above = path_[height + 1];
    if (above.children()[above.child].offset != offset.value)
      heap::set_word(above.at, offset_word(above.child), offset.value);
  }

  // Room for a node of `count` items. One that this build has made grows by more than it must, since a build of many
  // changes would copy it again and again.
  ByteCount room_for(const BlockHeader* node, std::uint64_t count, std::uint64_t height) const {
    const std::uint64_t size = format::list_node_size(count, height);
    if (node->birth != build_.number().value || node->size_class >= format::class_count ||
        size <= format::size_classes[node->size_class].block_size)
      return ByteCount{size};
    const std::uint64_t size_max = format::list_node_size(format::list_node_fanout(height), height);
    return ByteCount{std::min(size * 2, size_max)};
  }

  // Makes the leaf the build's own, with room for `count` words.
  Result<void> edit_leaf(std::uint64_t count) {
    const ByteCount used{format::list_node_size(leaf_.count, 0)};
    UTAN_ASSIGN(const Made<BlockHeader> made,
                build_.edit(leaf_.at, leaf_offset_, used, room_for(leaf_.at, std::max(count, leaf_.count), 0)));
    moved(0, made.offset);
    own_leaf_ = made.at;
    return {};
  }

  // A full leaf gets one word more.
  Result<Offset> split_leaf(Word word) {
    Siblings siblings;
    siblings.two = true;
    const ListChild full{leaf_offset_.value, leaf_.count};
    if (is_last_ && place_ == leaf_.count) {
      siblings.first = full;
      UTAN_ASSIGN(siblings.second, begin_leaf(word));
    } else if (is_first_ && place_ == 0) {
      UTAN_ASSIGN(siblings.first, begin_leaf(word));
      siblings.second = full;
    } else {
      Items items(0);
      items.add(leaf_, 0, place_);
      items.add(word);
      items.add(leaf_, place_, leaf_.count - place_);
      build_.drop(leaf_offset_, leaf_.at);
      UTAN_ASSIGN(siblings, nodes_.write_two(items, cut_of(place_, items.count(), 0)));
    }
    return grow(siblings);
  }

  // A new leaf at one of the list's ends. After a leaf that this build has filled it will be filled, too.
  Result<ListChild> begin_leaf(Word word) {
    const bool in_a_row = leaf_.at->birth == build_.number().value;
    const std::uint64_t room = in_a_row ? format::list_leaf_fanout : 1;
    UTAN_ASSIGN(
        const Made<BlockHeader> leaf,
        build_.make<BlockHeader>(Kind::list_leaf, ByteCount{format::list_node_size(room, 0)}, ListAux::make(1, 0).aux));
    heap::add_word(leaf.at, first_word, word.word);
    return ListChild{leaf.offset.value, 1};
  }

  // Puts two nodes where the path had one leaf, and splits the branches that this makes too full.
  Result<Offset> grow(Siblings siblings) {
    for (std::uint64_t height = 1; height <= height_; ++height) {
      Level& level = path_[height];
      const Node node{level.at, level.count};
      if (level.count < format::list_branch_fanout) {
        const ByteCount used{format::list_node_size(level.count, height)};
        UTAN_ASSIGN(
            const Made<BlockHeader> made,
            build_.edit<BlockHeader>(level.at, level.offset, used, room_for(level.at, level.count + 1, height)));
        moved(height, made.offset);
        set_child(made.at, level.child, siblings.first);
        const std::uint64_t words[2] = {siblings.second.offset, siblings.second.count};
        insert_words(made.at, offset_word(level.child + 1), offset_word(level.count), words, 2);
        heap::set_aux(made.at, ListAux::make(level.count + 1, height).aux);
        return root_;
      }
      Items items(height);
      items.add(node, 0, level.child);
      items.add(siblings.first);
      items.add(siblings.second);
      items.add(node, level.child + 1, level.count - level.child - 1);
      nodes_.drop(level.offset.value, node);
      const std::uint64_t added = level.child == 0 ? 0 : level.child + 1;
      UTAN_ASSIGN(siblings, nodes_.write_two(items, cut_of(added, items.count(), height)));
    }
    if (height_ == format::list_height_max) return Error(Code::too_large, "the list cannot grow any further");
    Items items(height_ + 1);
    items.add(siblings.first);
    items.add(siblings.second);
    UTAN_ASSIGN(const ListChild root, nodes_.write(items.from(0), 2, height_ + 1));
    return Offset{root.offset};
  }

  // A leaf got less than a quarter full. At the ends of a list it may be, where words often go one by one, unless the
  // whole list has become so short that half a leaf would do.
  bool must_be_mended() const {
    if (!is_first_ && !is_last_) return true;
    const Level& level = path_[1];
    return height_ == 1 && level.count == 2 &&
           level.children()[0].count + level.children()[1].count <= format::list_leaf_fanout / 2;
  }

  void remove_child(Level& level, std::uint64_t child) {
    const std::uint64_t height = ListAux{level.at->aux}.height();
    erase_words(level.at, offset_word(child), offset_word(level.count), 2);
    --level.count;
    heap::set_aux(level.at, ListAux::make(level.count, height).aux);
  }

  // From this height on upwards: what is less than a quarter full is combined with a neighbour. `loose` says that the
  // path's child is.
  Result<Offset> settle(std::uint64_t height, bool loose) {
    for (;; ++height, loose = true) {
      Level& level = path_[height];
      if (loose) {
        if (level.count < 2) return damage(level.offset, height);
        const std::uint64_t left = level.child > 0 ? level.child - 1 : 0;
        UTAN_ASSIGN(const Siblings siblings,
                    nodes_.combine(level.children()[left], level.children()[left + 1], height - 1));
        set_child(level.at, left, siblings.first);
        if (siblings.two) {
          set_child(level.at, left + 1, siblings.second);
        } else {
          remove_child(level, left + 1);
        }
      }
      if (height == height_) return lowered();
      if (level.count >= format::list_branch_fill_min) return root_;
    }
  }

  // The root, or its child if it has but one.
  Result<Offset> lowered() {
    const Level& level = path_[height_];
    if (level.count > 1) return root_;
    // A sound branch had two.
    if (level.count == 0) return damage(level.offset, height_);
    const Offset child{level.children()[0].offset};
    build_.drop(level.offset, level.at);
    return child;
  }

  Build& build_;
  Nodes nodes_;
  Offset root_;
  std::uint64_t height_ = 0;
  Node leaf_;
  Offset leaf_offset_;
  std::uint64_t place_ = 0;          // of the word in the leaf
  BlockHeader* own_leaf_ = nullptr;  // the leaf once it may be written
  bool is_first_ = true;             // the leaf is the list's first one
  bool is_last_ = true;
  std::array<Level, format::list_height_max + 1> path_;  // by height; that of leaves is not used
};

}  // namespace

Error list_index_error(std::uint64_t index) {
  return Error(Code::invalid, "the list has no position " + std::to_string(index));
}

Error list_damage(const View& view, Offset at, std::uint64_t height) {
  return view.damage(at, format::list_node_kind(height));
}

Result<Count> list_count(const View& view, Offset root) {
  if (!root) return Count{};
  std::uint64_t height;
  if (!find_list_height(view, root, height)) return list_damage(view, root, 0);
  std::uint64_t count;
  const BlockHeader* node = follow_list_node(view, root, height, count);
  if (node == nullptr) return list_damage(view, root, height);
  if (height == 0) return Count{count};
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) sum += list_children(node)[i].count;
  // More than the file can hold: whoever goes by it would never come to an end.
  if (sum > view.size().value / sizeof(Word)) return list_damage(view, root, height);
  return Count{sum};
}

Result<Offset> list_set(Build& build, Offset root, std::uint64_t index, Word word, Word* before) {
  return Editor(build).set(root, index, word, before);
}

Result<Offset> list_insert(Build& build, Offset root, std::uint64_t index, Word word) {
  return Editor(build).insert(root, index, word);
}

Result<Offset> list_erase(Build& build, Offset root, std::uint64_t index, Word* before) {
  return Editor(build).erase(root, index, before);
}

// --- ListCursor ------------------------------------------------------------------------------------------------------

Result<void> ListCursor::seek(std::uint64_t index) {
  count_ = index_ = 0;
  UTAN_ASSIGN(const Count count, list_count(view_, root_));
  if (index > count.value) return list_index_error(index);
  if (count.value == 0) return {};
  if (!find_list_height(view_, root_, height_)) return list_damage(view_, root_, 0);
  UTAN_TRY(descend({root_.value, count.value}, height_, std::min(index, count.value - 1)));
  // Behind the last word is behind that of the last leaf.
  if (index == count.value) ++place_;
  count_ = count.value;
  index_ = index;
  return {};
}

// To the word at `index` of a subtree.
Result<void> ListCursor::descend(ListChild subtree, std::uint64_t height, std::uint64_t index) {
  std::uint64_t count;
  for (; height > 0; --height) {
    const BlockHeader* node = follow_list_node(view_, Offset{subtree.offset}, height, count);
    if (node == nullptr) return list_damage(view_, Offset{subtree.offset}, height);
    const ListChild* children = list_children(node);
    const std::uint64_t child = find_list_child(children, count, index);
    if (child == count) return list_damage(view_, Offset{subtree.offset}, height);
    levels_[height] = {children, count, child};
    subtree = children[child];
  }
  const BlockHeader* leaf = follow_list_node(view_, Offset{subtree.offset}, 0, count);
  // What the branches say must be so: the cursor counts its steps by it.
  if (leaf == nullptr || count != subtree.count) return list_damage(view_, Offset{subtree.offset}, 0);
  words_ = list_words(leaf);
  leaf_count_ = count;
  place_ = index;
  return {};
}

Result<bool> ListCursor::enter_next_leaf() {
  if (at_end()) return false;
  std::uint64_t height = 1;
  while (height <= height_ && levels_[height].child + 1 == levels_[height].count) ++height;
  if (height > height_) return list_damage(view_, root_, height_);
  const ListChild& next = levels_[height].children[++levels_[height].child];
  UTAN_TRY(descend(next, height - 1, 0));
  return true;
}

Result<bool> ListCursor::enter_previous_leaf() {
  std::uint64_t height = 1;
  while (height <= height_ && levels_[height].child == 0) ++height;
  if (height > height_) return list_damage(view_, root_, height_);
  const ListChild& previous = levels_[height].children[--levels_[height].child];
  UTAN_TRY(descend(previous, height - 1, previous.count - 1));
  return true;
}

}  // namespace utan::tree
