// What tests of lists share: a list beside a vector, its shape, and a random operation on both.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <vector>

#include "format/positional.h"
#include "support/heap_fixture.h"
#include "tree/positional.h"

namespace utan::test {

using format::BlockHeader;
using format::ListAux;
using format::Word;
using heap::Build;
using ListModel = std::vector<std::uint64_t>;

// No byte of a word looks like that of a freed block: debug builds stop when such a one is followed.
inline std::uint64_t random_word(std::mt19937_64& random) { return random() & 0x7f7f7f7f7f7f7f7fu; }

inline ListModel random_words(std::mt19937_64& random, std::size_t count) {
  ListModel out(count);
  for (std::uint64_t& word : out) word = random_word(random);
  return out;
}

// What a walk over all nodes finds.
struct ListShape {
  std::uint64_t height = 0;
  std::vector<std::uint64_t> leaf_counts;
  std::vector<Offset> nodes;
};

class ListTest : public TreeTest {
 protected:
  // Runs one change as a commit and keeps the root it answers.
  void change(const std::function<Result<Offset>(Build&)>& what) {
    const Result<Offset> root = commit(what);
    ASSERT_TRUE(root.ok()) << root.error().message();
    root_ = root.value();
  }
  void load(const ListModel& words) {
    std::vector<Word> list;
    for (const std::uint64_t word : words) list.push_back(Word{word});
    change([&list](Build& build) { return tree::list_load(build, list); });
  }

  const BlockHeader* node_at(Offset offset) const { return heap_.at<BlockHeader>(offset); }

  void walk(const heap::View& view, Offset at, std::uint64_t height, bool is_first, bool is_last, bool is_root,
            ListShape& shape) {
    const auto* node = view.follow<BlockHeader>(at, format::list_node_kind(height));
    ASSERT_NE(node, nullptr) << view.damage(at, format::list_node_kind(height)).message();
    const char* problem = format::list_node_problem(node, height, ByteCount{view.size().value - at.value});
    ASSERT_EQ(problem, nullptr) << problem;
    shape.nodes.push_back(at);
    const std::uint64_t count = ListAux{node->aux}.count();
    if (height == 0) {
      shape.leaf_counts.push_back(count);
      if (!is_first && !is_last) {
        ASSERT_GE(count, format::list_leaf_fill_min);
      }
      return;
    }
    ASSERT_GE(count, is_root ? 2 : format::list_branch_fill_min);
    const format::ListChild* children = tree::list_children(node);
    for (std::uint64_t i = 0; i < count; ++i) {
      const Offset child{children[i].offset};
      ASSERT_NO_FATAL_FAILURE(
          walk(view, child, height - 1, is_first && i == 0, is_last && i + 1 == count, false, shape));
      ASSERT_EQ(format::list_word_count(node_at(child)), children[i].count);
    }
  }
  ListShape shape_of(const heap::View& view, Offset root) {
    ListShape shape;
    if (!root) return shape;
    EXPECT_TRUE(tree::find_list_height(view, root, shape.height));
    walk(view, root, shape.height, true, true, true, shape);
    return shape;
  }

  // The list has the words of the model, by count, by position and by cursor, and sound nodes.
  ListShape expect_equal(const heap::View& view, Offset root, const ListModel& model) {
    ListShape shape = shape_of(view, root);
    const Result<Count> count = tree::list_count(view, root);
    EXPECT_TRUE(count.ok());
    if (!count.ok() || count.value().value != model.size()) {
      ADD_FAILURE() << "has another number of words";
      return shape;
    }
    tree::ListCursor cursor(view, root);
    EXPECT_TRUE(cursor.seek(0).ok());
    for (std::size_t i = 0; i < model.size(); ++i) {
      EXPECT_FALSE(cursor.at_end());
      EXPECT_EQ(cursor.index(), i);
      if (cursor.at_end() || cursor.word().word != model[i]) {
        ADD_FAILURE() << "another word at " << i;
        return shape;
      }
      EXPECT_EQ(tree::list_at(view, root, i).value()->word, model[i]);
      EXPECT_EQ(cursor.next().value(), i + 1 < model.size());
    }
    EXPECT_TRUE(cursor.at_end());
    EXPECT_EQ(tree::list_at(view, root, model.size()).code(), Code::invalid);
    return shape;
  }
  ListShape expect_equal(const ListModel& model) { return expect_equal(view(), root_, model); }

  Offset root_;
};

// One operation on the list of a build and on the model.
inline Result<Offset> random_operation(Build& build, Offset root, ListModel& model, std::mt19937_64& random,
                                       std::size_t count_max) {
  const auto size = model.size();
  const auto position = [&model](std::size_t at) { return model.begin() + static_cast<std::ptrdiff_t>(at); };
  const std::uint64_t fresh = random_word(random);
  Word before;
  const bool full = size >= count_max;
  switch (random() % (full ? 20 : 16)) {
    case 0:
    case 1:
      model.push_back(fresh);
      return tree::list_insert(build, root, size, Word{fresh});
    case 2:
      model.insert(model.begin(), fresh);
      return tree::list_insert(build, root, 0, Word{fresh});
    case 3:
    case 4:
    case 5:
    case 6: {
      const std::size_t at = random() % (size + 1);
      model.insert(position(at), fresh);
      return tree::list_insert(build, root, at, Word{fresh});
    }
    case 7:
    case 8: {
      if (size == 0) return root;
      const std::size_t at = random() % size;
      UTAN_ASSIGN(root, tree::list_set(build, root, at, Word{fresh}, &before));
      EXPECT_EQ(before.word, model[at]);
      model[at] = fresh;
      return root;
    }
    case 9: {  // takes out a part
      const std::size_t from = random() % (size + 1);
      const std::size_t to = from + random() % std::min(size - from + 1, std::size_t{400});
      UTAN_ASSIGN(const auto first, tree::list_split(build, root, from));
      UTAN_ASSIGN(const auto second, tree::list_split(build, first.second, to - from));
      UTAN_TRY(tree::list_drop(build, second.first));
      model.erase(position(from), position(to));
      return tree::list_join(build, first.first, second.second);
    }
    case 10: {  // puts in a part
      std::vector<Word> words(random() % (full ? 3 : 1 + count_max / 20));
      for (Word& word : words) word.word = random_word(random);
      const std::size_t at = random() % (size + 1);
      UTAN_ASSIGN(const Offset part, tree::list_load(build, words));
      UTAN_ASSIGN(const auto cut, tree::list_split(build, root, at));
      UTAN_ASSIGN(root, tree::list_join(build, cut.first, part));
      UTAN_ASSIGN(root, tree::list_join(build, root, cut.second));
      for (std::size_t i = 0; i < words.size(); ++i) model.insert(position(at + i), words[i].word);
      return root;
    }
    case 11: {  // turns the parts around
      const std::size_t at = random() % (size + 1);
      UTAN_ASSIGN(const auto cut, tree::list_split(build, root, at));
      std::rotate(model.begin(), position(at), model.end());
      return tree::list_join(build, cut.second, cut.first);
    }
    case 12: {
      if (size == 0) return root;
      UTAN_ASSIGN(root, tree::list_erase(build, root, size - 1, &before));
      EXPECT_EQ(before.word, model.back());
      model.pop_back();
      return root;
    }
    case 13: {
      if (size == 0) return root;
      UTAN_ASSIGN(root, tree::list_erase(build, root, 0, &before));
      model.erase(model.begin());
      return root;
    }
    default: {
      if (size == 0) return root;
      const std::size_t at = random() % size;
      UTAN_ASSIGN(root, tree::list_erase(build, root, at, &before));
      EXPECT_EQ(before.word, model[at]);
      model.erase(position(at));
      return root;
    }
  }
}

}  // namespace utan::test
