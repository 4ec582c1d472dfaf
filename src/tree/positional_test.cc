// Shows that a list behaves as std::vector does under random operations, one or many in a build, that its nodes are as
// full as they should be, that older commits keep what they had, and that nothing of an empty list remains.
#include "tree/positional.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "support/list_fixture.h"

namespace utan::tree {
namespace {

using format::BlockHeader;
using format::ListAux;
using format::Word;
using heap::Build;
using test::random_operation;
using test::random_word;
using test::random_words;
using Model = test::ListModel;
using Shape = test::ListShape;

using Positional = test::ListTest;

// --- Shapes ----------------------------------------------------------------------------------------------------------

TEST_F(Positional, AppendingLeavesFullLeavesInBuildsOfAnySize) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  for (const std::size_t in_a_build : {1, 7, 1000, 50'000}) {
    SCOPED_TRACE(in_a_build);
    const Model model = random_words(random, test::scaled(50'000, 500'000));
    for (std::size_t at = 0; at < model.size();) {
      const std::size_t end = std::min(at + in_a_build, model.size());
      change([&](Build& build) -> Result<Offset> {
        Offset root = root_;
        for (; at < end; ++at) {
          UTAN_ASSIGN(root, list_insert(build, root, at, Word{model[at]}));
        }
        return root;
      });
      if (at % 64 == 0) forget();
    }
    const Shape shape = expect_equal(model);
    EXPECT_EQ(shape.leaf_counts.size(), (model.size() + 125) / 126);
    for (std::size_t i = 0; i + 1 < shape.leaf_counts.size(); ++i) ASSERT_EQ(shape.leaf_counts[i], 126U);
    change([this](Build& build) -> Result<Offset> {
      UTAN_TRY(list_drop(build, root_));
      return Offset{};
    });
    EXPECT_EQ(used_size(), 0U);
  }
}

TEST_F(Positional, PrependingLeavesFullLeaves) {
  Model model;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    change([this, i](Build& build) { return list_insert(build, root_, 0, Word{i}); });
    model.insert(model.begin(), i);
  }
  const Shape shape = expect_equal(model);
  EXPECT_EQ(shape.leaf_counts.size(), (model.size() + 125) / 126);
}

TEST_F(Positional, InsertingOneAfterAnotherInTheMiddleLeavesLeavesHalfFull) {
  Model model(300, 1);
  load(model);
  for (std::uint64_t i = 0; i < 5000; ++i) {
    change([this, i](Build& build) { return list_insert(build, root_, 150 + i, Word{i}); });
    model.insert(model.begin() + static_cast<std::ptrdiff_t>(150 + i), i);
  }
  const Shape shape = expect_equal(model);
  EXPECT_LE(shape.leaf_counts.size(), model.size() / 63 + 4);
}

TEST_F(Positional, LoadsAnyNumberOfWords) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  std::vector<std::size_t> counts = {0, 1, 2, 125, 126, 127, 128, 252, 253};
  for (const std::size_t branches : {1, 2, 3, 16, 63}) {
    for (const std::size_t more : {0, 1, 126, 127, 15 * 126, 16 * 126, 16 * 126 + 1})
      counts.push_back(branches * 63 * 126 + more);
  }
  for (const std::size_t count : counts) {
    SCOPED_TRACE(count);
    const Model model = random_words(random, count);
    load(model);
    const Shape shape = shape_of(view(), root_);
    EXPECT_EQ(shape.leaf_counts.size(), (count + 125) / 126);
    EXPECT_EQ(list_count(view(), root_)->value, count);
    for (std::size_t i = 0; i < count; i += 1 + random() % 50)
      ASSERT_EQ(list_at(view(), root_, i).value()->word, model[i]);
    change([this](Build& build) -> Result<Offset> {
      UTAN_TRY(list_drop(build, root_));
      return Offset{};
    });
    forget();
  }
  EXPECT_EQ(used_size(), 0U);
}

TEST_F(Positional, ASmallListIsOneBlockOfItsSize) {
  for (std::uint64_t i = 0; i < 126; ++i) {
    change([this, i](Build& build) { return list_insert(build, root_, i, Word{i}); });
    const BlockHeader* leaf = node_at(root_);
    EXPECT_EQ(leaf->kind, format::Kind::list_leaf);
    EXPECT_EQ(leaf->size_class, format::class_for(ByteCount{16 + (i + 1) * 8}));
  }
}

// Two leaves become one with what joins them, and the branch above them goes.
TEST_F(Positional, JoiningMayTakeALevelAway) {
  Model model(130, 7);
  load(model);
  // The first leaf has as few as one may have that is not at an end, and the second one 4.
  for (std::uint64_t i = format::list_leaf_fill_min; i < format::list_leaf_fanout; ++i) {
    Word erased;
    change([&](Build& build) { return list_erase(build, root_, 0, &erased); });
    model.erase(model.begin());
  }
  ASSERT_EQ(node_at(root_)->kind, format::Kind::list_branch);
  change([&](Build& build) -> Result<Offset> {
    UTAN_ASSIGN(const Offset one, list_insert(build, Offset{}, 0, Word{8}));
    return list_join(build, root_, one);
  });
  model.push_back(8);
  EXPECT_EQ(expect_equal(model).height, 0U);
  EXPECT_EQ(used_size(), format::size_classes[node_at(root_)->size_class].block_size);
}

// --- Beside std::vector ----------------------------------------------------------------------------------------------

struct Held {
  heap::View view;
  Offset root;
  Model model;
};

TEST_F(Positional, BehavesAsAVectorWithOlderCommitsThatStayAsTheyWere) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  Model model;
  std::vector<Held> held;
  std::size_t count_max = 2000;
  const std::uint64_t commits = test::scaled(20'000, 500'000);
  for (std::uint64_t i = 0; i < commits; ++i) {
    if (random() % 2000 == 0) count_max = std::size_t{1} << (random() % 15);
    const std::uint64_t operations = random() % 8 == 0 ? random() % 100 : 1;
    change([&](Build& build) -> Result<Offset> {
      Offset root = root_;
      for (std::uint64_t k = 0; k < operations; ++k) {
        UTAN_ASSIGN(root, random_operation(build, root, model, random, count_max));
      }
      return root;
    });
    if (HasFatalFailure()) return;
    if (held.size() < 3 && random() % 50 == 0) held.push_back({view(), root_, model});
    if (random() % 200 == 0) {
      expect_equal(model);
      for (const Held& older : held) expect_equal(older.view, older.root, older.model);
      held.clear();
      forget();
    }
    ASSERT_FALSE(HasFailure()) << "after " << i << " commits";
  }
  expect_equal(model);
  while (!model.empty()) {
    change([&](Build& build) -> Result<Offset> {
      Offset root = root_;
      for (int k = 0; k < 50 && !model.empty(); ++k) {
        const std::size_t at = random() % model.size();
        Word before;
        UTAN_ASSIGN(root, list_erase(build, root, at, &before));
        EXPECT_EQ(before.word, model[at]);
        model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
      }
      return root;
    });
    ASSERT_FALSE(HasFailure());
    shape_of(view(), root_);
  }
  EXPECT_EQ(root_, Offset{});
  EXPECT_EQ(used_size(), 0U);
}

TEST_F(Positional, AnErasedListIsEmptyFromWhicheverSide) {
  for (const int side : {0, 1, 2}) {
    Model model(20'000, 5);
    load(model);
    std::uint64_t size = model.size();
    while (size > 0) {
      change([&](Build& build) -> Result<Offset> {
        Offset root = root_;
        for (int k = 0; k < 100 && size > 0; ++k, --size) {
          Word before;
          UTAN_ASSIGN(root, list_erase(build, root, side == 0 ? 0 : side == 1 ? size - 1 : size / 2, &before));
        }
        return root;
      });
      shape_of(view(), root_);
      ASSERT_FALSE(HasFailure()) << size;
    }
    EXPECT_EQ(root_, Offset{});
    EXPECT_EQ(used_size(), 0U);
  }
}

TEST_F(Positional, ADiscardedBuildLeavesNothing) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  const Model model = random_words(random, 10'000);
  load(model);
  const std::uint64_t used = used_size();
  const Result<Offset> undone = commit([&](Build& build) -> Result<Offset> {
    Offset root = root_;
    Model other = model;
    for (int k = 0; k < 500; ++k) {
      UTAN_ASSIGN(root, random_operation(build, root, other, random, 10'000));
    }
    return Error(Code::timeout, "not to be");
  });
  EXPECT_EQ(undone.code(), Code::timeout);
  EXPECT_EQ(used_size(), used);
  expect_equal(model);
}

// --- Parts -----------------------------------------------------------------------------------------------------------

TEST_F(Positional, SplittingAndJoiningMakeFewNodes) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  Model model = random_words(random, 300'000);
  load(model);
  std::uint64_t most = 0;
  for (int i = 0; i < 300; ++i) {
    change([&](Build& build) -> Result<Offset> {
      const std::size_t at = random() % model.size();
      UTAN_ASSIGN(const auto cut, list_split(build, root_, at));
      std::rotate(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(at), model.end());
      UTAN_ASSIGN(const Offset joined, list_join(build, cut.second, cut.first));
      most = std::max(most, build.made_count());
      return joined;
    });
    forget();
    ASSERT_FALSE(HasFailure());
  }
  const Shape shape = expect_equal(model);
  EXPECT_LE(shape.height, 3U);
  EXPECT_LE(most, 40U);
}

TEST_F(Positional, ShortPiecesPutTogetherMakeAPackedList) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  Model model;
  for (int i = 0; i < 3000; ++i) {
    const Model piece = random_words(random, 1 + random() % 5);
    const bool in_front = random() % 2 == 0;
    change([&](Build& build) -> Result<Offset> {
      std::vector<Word> words;
      for (const std::uint64_t word : piece) words.push_back(Word{word});
      UTAN_ASSIGN(const Offset part, list_load(build, words));
      return in_front ? list_join(build, part, root_) : list_join(build, root_, part);
    });
    model.insert(in_front ? model.begin() : model.end(), piece.begin(), piece.end());
    shape_of(view(), root_);
    ASSERT_FALSE(HasFailure());
  }
  const Shape shape = expect_equal(model);
  EXPECT_LE(shape.leaf_counts.size(), model.size() / 32 + 2);
}

TEST_F(Positional, AnyTwoListsCanBeJoinedAndSplitAgain) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  const std::vector<std::size_t> sizes = {0, 1, 31, 32, 126, 127, 300, 2100, 63 * 126, 63 * 126 + 1, 70'000};
  for (const std::size_t left : sizes) {
    for (const std::size_t right : sizes) {
      SCOPED_TRACE(std::to_string(left) + " and " + std::to_string(right));
      const Model model = random_words(random, left + right);
      change([&](Build& build) -> Result<Offset> {
        std::vector<Word> words;
        for (const std::uint64_t word : model) words.push_back(Word{word});
        UTAN_ASSIGN(const Offset a, list_load(build, std::span(words).first(left)));
        UTAN_ASSIGN(const Offset b, list_load(build, std::span(words).subspan(left)));
        return list_join(build, a, b);
      });
      shape_of(view(), root_);
      ASSERT_EQ(list_count(view(), root_)->value, model.size());
      Offset rest;
      const std::size_t at = random() % (model.size() + 1);
      change([&](Build& build) -> Result<Offset> {
        UTAN_ASSIGN(const auto cut, list_split(build, root_, at));
        rest = cut.second;
        return cut.first;
      });
      const auto middle = model.begin() + static_cast<std::ptrdiff_t>(at);
      expect_equal(view(), root_, Model(model.begin(), middle));
      expect_equal(view(), rest, Model(middle, model.end()));
      change([&](Build& build) -> Result<Offset> {
        UTAN_TRY(list_drop(build, root_));
        UTAN_TRY(list_drop(build, rest));
        return Offset{};
      });
      forget();
      ASSERT_FALSE(HasFailure());
    }
  }
  EXPECT_EQ(used_size(), 0U);
}

TEST_F(Positional, SaysWhatIsNoPosition) {
  for (const std::size_t count : {0, 1, 126, 40'000}) {
    SCOPED_TRACE(count);
    load(Model(count, 7));
    for (const std::uint64_t index : {std::uint64_t{count}, std::uint64_t{count} + 1, ~std::uint64_t{0}}) {
      Word before;
      EXPECT_EQ(list_at(view(), root_, index).code(), Code::invalid);
      EXPECT_EQ(commit([&](Build& build) { return list_set(build, root_, index, Word{}, &before); }).code(),
                Code::invalid);
      EXPECT_EQ(commit([&](Build& build) { return list_erase(build, root_, index, &before); }).code(), Code::invalid);
      if (index == count) continue;
      EXPECT_EQ(commit([&](Build& build) { return list_insert(build, root_, index, Word{}); }).code(), Code::invalid);
      EXPECT_EQ(commit([&](Build& build) { return list_split(build, root_, index); }).code(), Code::invalid);
      EXPECT_EQ(ListCursor(view(), root_).seek(index).code(), Code::invalid);
    }
    if (count > 0) {
      EXPECT_EQ(commit([&](Build& build) { return list_join(build, root_, root_); }).code(), Code::invalid);
    }
  }
}

// --- The cursor ------------------------------------------------------------------------------------------------------

TEST_F(Positional, TheCursorGoesBothWays) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  for (const std::size_t count : {0, 1, 126, 127, 5000, 20'000}) {
    SCOPED_TRACE(count);
    const Model model = random_words(random, count);
    load(model);
    ListCursor cursor(view(), root_);
    EXPECT_TRUE(cursor.at_end());
    ASSERT_TRUE(cursor.seek(count).ok());
    EXPECT_TRUE(cursor.at_end());
    EXPECT_FALSE(cursor.next().value());
    for (std::size_t i = count; i > 0; --i) {
      ASSERT_TRUE(cursor.previous().value());
      ASSERT_EQ(cursor.index(), i - 1);
      ASSERT_EQ(cursor.word().word, model[i - 1]);
    }
    EXPECT_FALSE(cursor.previous().value());
    EXPECT_EQ(cursor.index(), 0U);
    std::size_t at = random() % (count + 1);
    ASSERT_TRUE(cursor.seek(at).ok());
    for (int step = 0; step < 5000; ++step) {
      const bool onwards = (random() % 1000 < 500) != (step / 700 % 2 == 0);
      const bool more = onwards ? at < count && at + 1 < count : at > 0;
      at = onwards ? std::min(at + 1, count) : at - (at > 0 ? 1 : 0);
      ASSERT_EQ((onwards ? cursor.next() : cursor.previous()).value(), more);
      ASSERT_EQ(cursor.index(), at);
      if (at < count) {
        ASSERT_EQ(cursor.word().word, model[at]);
      }
    }
  }
}

}  // namespace
}  // namespace utan::tree
