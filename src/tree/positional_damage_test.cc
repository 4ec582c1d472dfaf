// Shows that a list whose nodes hold nonsense gives errors or wrong words at worst: nothing is read or written outside of
// its blocks, and everything comes to an end.
// Labels: small
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <vector>

#include "support/list_fixture.h"
#include "tree/positional.h"

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

class DamagedList : public test::ListTest {
 protected:
  // Everything that can be done to a list, as if it were sound. Nothing of it is kept.
  void use(std::mt19937_64& random, std::size_t size) {
    const heap::View seen = view();
    static_cast<void>(list_count(seen, root_));
    for (int i = 0; i < 5; ++i) static_cast<void>(list_at(seen, root_, random() % (size + 1)));
    ListCursor cursor(seen, root_);
    if (cursor.seek(random() % (size + 1)).ok()) {
      for (int i = 0; i < 300; ++i) {
        if (!cursor.at_end()) sum_ += cursor.word().word;
        const Result<bool> more = i < 200 ? cursor.next() : cursor.previous();
        if (!more.ok()) break;
      }
    }
    for (int what = 0; what < 6; ++what) {
      undo([&](Build& build) -> Result<void> {
        Offset root = root_;
        Word before;
        for (int k = 0; k < 3; ++k) {
          const std::uint64_t at = random() % (size + 1);
          switch (what) {
            case 0: {
              UTAN_ASSIGN(root, list_set(build, root, at, Word{1}, &before));
              break;
            }
            case 1: {
              UTAN_ASSIGN(root, list_insert(build, root, at, Word{1}));
              break;
            }
            case 2: {
              UTAN_ASSIGN(root, list_erase(build, root, at, &before));
              break;
            }
            case 3: {
              UTAN_ASSIGN(const auto cut, list_split(build, root, at));
              UTAN_ASSIGN(root, list_join(build, cut.second, cut.first));
              break;
            }
            case 4: {
              UTAN_ASSIGN(const Offset one, list_insert(build, Offset{}, 0, Word{2}));
              UTAN_ASSIGN(root, list_join(build, one, root));
              break;
            }
            default:
              return list_drop(build, root);
          }
        }
        return {};
      });
    }
  }

  // No block looks freed any more: a damaged offset may name one, and debug builds would stop at it.
  void disguise_freed() {
    std::uint64_t freed;
    std::memset(&freed, format::freed_pattern, sizeof freed);
    const std::uint64_t end = heap_.file_size().value;
    for (std::uint64_t at = format::regions_offset; at < end; at += 8) {
      auto* word = heap_.at<std::uint64_t>(Offset{at});
      if (*word == freed) *word = 0;
    }
  }
  // Runs a change and discards it. Nor does anything that was handed out for it look freed.
  void undo(const std::function<Result<void>(Build&)>& what) {
    build_->begin(view(), number_.next());
    static_cast<void>(what(*build_));
    std::map<std::uint64_t, std::uint64_t> made;
    for (std::uint64_t i = 0; i < build_->made_count(); ++i) {
      const Offset offset = allocator_->built(i);
      made[offset.value] = format::size_classes[node_at(offset)->size_class].block_size;
    }
    build_->discard();
    for (const auto& [offset, size] : made) std::memset(heap_.at<std::byte>(Offset{offset}), 0, size);
  }

  std::uint64_t sum_ = 0;
};

TEST_F(DamagedList, FlippedBitsGiveErrorsAtWorst) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  Model model = random_words(random, 30'000);
  load(model);
  change([&](Build& build) -> Result<Offset> {
    Offset root = root_;
    for (int k = 0; k < 5000; ++k) {
      UTAN_ASSIGN(root, random_operation(build, root, model, random, 40'000));
    }
    return root;
  });
  const Shape shape = expect_equal(model);
  disguise_freed();
  const std::uint64_t trials = test::scaled(4000, 200'000);
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    // Branches are few, and much depends on them.
    std::vector<Offset> nodes = {root_};
    for (const Offset node : shape.nodes) {
      if (node_at(node)->kind == format::Kind::list_branch || random() % 200 == 0) nodes.push_back(node);
    }
    const Offset at = nodes[random() % nodes.size()];
    auto* bytes = heap_.at<std::uint8_t>(at);
    const std::uint64_t size = format::size_classes[node_at(at)->size_class].block_size;
    std::vector<std::uint8_t> right(bytes, bytes + size);
    for (std::uint64_t flips = 1 + random() % 3; flips > 0; --flips)
      bytes[random() % (random() % 2 == 0 ? 32 : size)] ^= static_cast<std::uint8_t>(1u << (random() % 8));
    // A freed block's kind is what debug builds stop at.
    if (node_at(at)->kind != format::Kind::freed) use(random, model.size());
    std::memcpy(bytes, right.data(), size);
  }
  expect_equal(model);
}

TEST_F(DamagedList, NodesThatNameOneAnotherManyTimesComeToAnEnd) {
  load(Model(63 * 126, 9));
  const auto* sound = node_at(root_);
  const format::ListChild leaf = list_children(sound)[0];
  // A tower of branches, each with the one below it 63 times.
  format::ListChild below = leaf;
  for (std::uint64_t height = 1; height <= format::list_height_max; ++height) {
    change([&](Build& build) -> Result<Offset> {
      UTAN_ASSIGN(const auto made,
                  build.make<BlockHeader>(format::Kind::list_branch, ByteCount{1024}, ListAux::make(63, height).aux));
      auto* children = reinterpret_cast<format::ListChild*>(made.at + 1);
      for (int i = 0; i < 63; ++i) children[i] = below;
      below = {made.offset.value, 126};
      return made.offset;
    });
  }
  EXPECT_TRUE(list_at(view(), root_, 5).ok());
  std::uint64_t steps = 0;
  ListCursor cursor(view(), root_);
  if (cursor.seek(0).ok()) {
    for (;; ++steps) {
      const Result<bool> more = cursor.next();
      if (!more.ok() || !more.value()) break;
    }
  }
  EXPECT_LE(steps, view().size().value);
  undo([&](Build& build) -> Result<void> {
    EXPECT_EQ(list_drop(build, root_).code(), Code::corruption);
    return {};
  });
  std::mt19937_64 random(1);
  use(random, 10'000);
}

}  // namespace
}  // namespace utan::tree
