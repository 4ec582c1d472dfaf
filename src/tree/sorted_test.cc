// Shows that a sorted block behaves as std::map does with keys of all types, one operation or many in a build, that it is
// sound and never longer than it may be, that older commits keep what they had, that nothing of an empty one remains, and
// that a block which holds nonsense gives errors or wrong values at worst.
// Labels: small
#include "tree/sorted.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "format/sorted.h"
#include "support/heap_fixture.h"

namespace utan::tree {
namespace {

using format::EncodedKey;
using format::Sorted;
using format::Tag;
using format::Value;
using heap::Build;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A key that owns its bytes.
struct Key {
  Tag tag = Tag::null;
  format::KeyClass key_class = format::KeyClass::null;
  std::string bytes;
  std::size_t order_size = 0;

  EncodedKey encoded() const { return {tag, key_class, bytes_of(bytes).first(order_size), bytes_of(bytes)}; }
  bool operator<(const Key& other) const { return format::compare_keys(encoded(), other.encoded()) < 0; }
};

Key key_of(const Value& value) {
  format::KeyBuffer buffer;
  const Result<EncodedKey> encoded = buffer.encode(value);
  EXPECT_TRUE(encoded.ok());
  return {encoded->tag, encoded->key_class, text_of(encoded->bytes), encoded->order.size()};
}

std::string random_text(std::mt19937_64& random, std::size_t size_max) {
  std::string out(random() % (size_max + 1), ' ');
  // No byte looks like that of a freed block.
  for (char& one : out) one = static_cast<char>(random() % 4 == 0 ? random() % 128 : 'a' + random() % 3);
  return out;
}

Key random_key(std::mt19937_64& random) {
  switch (random() % 14) {
    case 0:
      return key_of(Value::null());
    case 1:
      return key_of(Value::boolean(random() % 2 == 0));
    case 2:
      return key_of(Value::integer(static_cast<std::int64_t>(random() % 20) - 10));
    case 3:
      return key_of(Value::real(static_cast<double>(random() % 20) / 2 - 5));
    case 4:
      return key_of(Value::datetime(static_cast<std::int64_t>(random() % 20)));
    case 5:
      return key_of(Value::datetime_utc(static_cast<std::int64_t>(random() % 20)));
    case 6: {
      const std::string text(16, static_cast<char>('a' + random() % 5));
      return key_of(Value::uuid(bytes_of(text)));
    }
    case 7:
      return key_of(Value::binary(bytes_of(random_text(random, 3))));
    case 8: {
      const std::string text = random_text(random, 3);
      const std::vector<Value> elements = {Value::integer(static_cast<std::int64_t>(random() % 3)),
                                           Value::real(static_cast<double>(random() % 3)), Value::string(text)};
      return key_of(Value::tuple(elements));
    }
    case 9: {
      const std::string text = random_text(random, format::sorted_key_size_max);
      return key_of(Value::string(text));
    }
    default: {
      const std::string text = random_text(random, random() % 20);
      return key_of(Value::string(text));
    }
  }
}

struct Stored {
  Tag key_tag;
  std::string key;
  Tag value_tag;
  std::string value;
};
using Model = std::map<Key, Stored>;

class SortedTest : public test::TreeTest {
 protected:
  void change(const std::function<Result<Offset>(Build&)>& what) {
    const Result<Offset> root = commit(what);
    ASSERT_TRUE(root.ok()) << root.error().message();
    root_ = root.value();
  }
  const Sorted* block(Offset root) const { return heap_.at<Sorted>(root); }

  void expect_equal(const heap::View& view, Offset root, const Model& model) {
    ASSERT_EQ(sorted_count(view, root)->value, model.size());
    std::uint64_t size = sizeof(Sorted);
    std::uint64_t index = 0;
    for (const auto& [key, stored] : model) {
      const Result<SortedItem> item = sorted_item(view, root, index);
      ASSERT_TRUE(item.ok());
      expect_item(*item, stored);
      const FoundSorted found = find_sorted(view, root, key.encoded());
      ASSERT_EQ(found.status, Status::found);
      ASSERT_EQ(found.index, index);
      expect_item(found.item, stored);
      size += format::sorted_item_size(stored.key.size(), stored.value.size());
      ++index;
    }
    EXPECT_EQ(sorted_item(view, root, index).code(), Code::invalid);
    EXPECT_EQ(sorted_size(view, root)->value, size);
    ASSERT_LE(size, format::sorted_size_max);
    if (!root) return;
    const char* problem = format::sorted_problem(block(root), ByteCount{view.size().value - root.value});
    ASSERT_EQ(problem, nullptr) << problem;
  }
  static void expect_item(const SortedItem& item, const Stored& stored) {
    EXPECT_EQ(item.key_tag, stored.key_tag);
    EXPECT_EQ(text_of(item.key), stored.key);
    EXPECT_EQ(item.value_tag, stored.value_tag);
    EXPECT_EQ(text_of(item.value), stored.value);
  }

  // One operation on the block of a build and on the model.
  Result<Offset> operate(Build& build, Offset root, Model& model, std::mt19937_64& random) {
    const Key key = random_key(random);
    const auto known = model.find(key);
    const FoundSorted found = find_sorted(build.view(), root, key.encoded());
    EXPECT_EQ(found.status, known == model.end() ? Status::missing : Status::found);
    EXPECT_EQ(look_up_sorted(build.view(), root, key.encoded()).status, found.status);
    EXPECT_EQ(found.index, std::distance(model.begin(), model.lower_bound(key)));
    const bool is_there = found.status == Status::found;
    if (is_there && random() % 3 == 0) {
      model.erase(known);
      return erase_sorted(build, root, found);
    }
    const std::string value = random_text(random, random() % 8 == 0 ? format::sorted_value_size_max : 12);
    const Tag tag = random() % 2 == 0 ? Tag::string : Tag::bytes;
    UTAN_ASSIGN(const bool fits, sorted_fits(build.view(), root, ByteCount{key.bytes.size()}, ByteCount{value.size()},
                                             is_there ? &found.item : nullptr));
    if (!is_there) {
      Result<Offset> done = insert_sorted(build, root, found, key.encoded(), tag, bytes_of(value));
      EXPECT_EQ(done.code(), fits ? Code::ok : Code::too_large);
      if (!fits) return shrink(build, root, model, random);
      model[key] = {key.tag, key.bytes, tag, value};
      return done;
    }
    // A replaced item keeps the spelling of its key, so that it fits if the sizes say so with that.
    const std::uint64_t rest = sorted_size(build.view(), root)->value - found.item.value.size();
    Result<Offset> done = replace_sorted(build, root, found, tag, bytes_of(value));
    EXPECT_EQ(done.ok(), rest + value.size() <= format::sorted_size_max);
    if (!done.ok()) return shrink(build, root, model, random);
    known->second.value_tag = tag;
    known->second.value = value;
    return done;
  }
  // Takes a few away from one that has become full.
  Result<Offset> shrink(Build& build, Offset root, Model& model, std::mt19937_64& random) {
    for (std::uint64_t i = 1 + random() % (random() % 4 == 0 ? 50 : 3); i > 0 && !model.empty(); --i) {
      const auto gone = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
      const FoundSorted found = find_sorted(build.view(), root, gone->first.encoded());
      EXPECT_EQ(found.status, Status::found);
      UTAN_ASSIGN(root, erase_sorted(build, root, found));
      model.erase(gone);
    }
    return root;
  }

  Offset root_;
};

TEST_F(SortedTest, TheEmptyOne) {
  const Key key = key_of(Value::string("a"));
  EXPECT_EQ(find_sorted(view(), Offset{}, key.encoded()).status, Status::missing);
  EXPECT_EQ(sorted_count(view(), Offset{})->value, 0U);
  EXPECT_EQ(sorted_item(view(), Offset{}, 0).code(), Code::invalid);
  EXPECT_TRUE(*sorted_fits(view(), Offset{}, ByteCount{format::sorted_key_size_max},
                           ByteCount{format::sorted_value_size_max}, nullptr));
  EXPECT_FALSE(*sorted_fits(view(), Offset{}, ByteCount{format::sorted_key_size_max + 1}, ByteCount{}, nullptr));
  EXPECT_FALSE(*sorted_fits(view(), Offset{}, ByteCount{}, ByteCount{format::sorted_value_size_max + 1}, nullptr));
  EXPECT_EQ(make_sorted(*build_, {})->value, 0U);
}

TEST_F(SortedTest, ANumberIsOneKeyHoweverItIsSpelled) {
  const Key one = key_of(Value::integer(1));
  const Key real = key_of(Value::real(1.0));
  const std::string value = "x";
  const SortedItem item{one.tag, one.encoded().bytes, Tag::string, bytes_of(value)};
  change([&](Build& build) { return make_sorted(build, {&item, 1}); });
  const FoundSorted found = find_sorted(view(), root_, real.encoded());
  ASSERT_EQ(found.status, Status::found);
  change([&](Build& build) { return replace_sorted(build, root_, found, Tag::string, bytes_of("other")); });
  EXPECT_EQ(sorted_item(view(), root_, 0)->key_tag, Tag::integer);
  EXPECT_EQ(text_of(sorted_item(view(), root_, 0)->value), "other");
}

TEST_F(SortedTest, AsManyItemsAsFitAreAllFound) {
  for (std::uint64_t count = 1; count <= 169; ++count) {
    Model model;
    for (std::uint64_t i = 0; i < count; ++i) {
      const char text = static_cast<char>(i < 127 ? i : 256 - i);
      const Key key = i < 127 ? key_of(Value::string({&text, 1}))
                              : key_of(Value::binary({reinterpret_cast<const std::byte*>(&text), 1}));
      model[key] = {key.tag, key.bytes, Tag::null, ""};
    }
    std::vector<SortedItem> items;
    for (const auto& [key, stored] : model) items.push_back({stored.key_tag, bytes_of(stored.key), Tag::null, {}});
    const Result<Offset> made = commit([&](Build& build) { return make_sorted(build, items); });
    if (made.code() == Code::too_large) {
      EXPECT_GT(16 + count * 6, format::sorted_size_max);
      break;
    }
    ASSERT_TRUE(made.ok());
    expect_equal(view(), *made, model);
  }
}

struct Held {
  heap::View view;
  Offset root;
  Model model;
};

TEST_F(SortedTest, BehavesAsAMapWithOlderCommitsThatStayAsTheyWere) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  Model model;
  std::vector<Held> held;
  const std::uint64_t commits = test::scaled(20'000, 500'000);
  for (std::uint64_t i = 0; i < commits; ++i) {
    const std::uint64_t operations = random() % 8 == 0 ? random() % 50 : 1;
    change([&](Build& build) -> Result<Offset> {
      Offset root = root_;
      for (std::uint64_t k = 0; k < operations; ++k) {
        UTAN_ASSIGN(root, operate(build, root, model, random));
      }
      return root;
    });
    if (random() % 8 == 0) expect_equal(view(), root_, model);
    if (held.size() < 3 && random() % 20 == 0) held.push_back({view(), root_, model});
    if (random() % 100 == 0) {
      for (const Held& older : held) expect_equal(older.view, older.root, older.model);
      held.clear();
      forget();
    }
    ASSERT_FALSE(HasFailure()) << "after " << i << " commits";
  }
  expect_equal(view(), root_, model);
  while (!model.empty()) {
    change([&](Build& build) { return shrink(build, root_, model, random); });
    expect_equal(view(), root_, model);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_EQ(root_, Offset{});
  EXPECT_EQ(used_size(), 0U);
}

TEST_F(SortedTest, IsMadeOfAllItemsAtOnceInABlockOfTheirSize) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 500; ++trial) {
    Model model;
    std::uint64_t size = sizeof(Sorted);
    for (std::uint64_t i = random() % 60; i > 0; --i) {
      const Key key = random_key(random);
      model[key] = {key.tag, key.bytes, Tag::string, random_text(random, 20)};
    }
    std::vector<SortedItem> items;
    for (const auto& [key, stored] : model) {
      items.push_back({stored.key_tag, bytes_of(stored.key), stored.value_tag, bytes_of(stored.value)});
      size += format::sorted_item_size(stored.key.size(), stored.value.size());
    }
    const Result<Offset> made = commit([&](Build& build) { return make_sorted(build, items); });
    if (size > format::sorted_size_max) {
      EXPECT_EQ(made.code(), Code::too_large);
      continue;
    }
    ASSERT_TRUE(made.ok());
    expect_equal(view(), *made, model);
    if (!*made) continue;
    EXPECT_EQ(block(*made)->header.size_class, format::class_for(ByteCount{size}));
    const Result<Offset> dropped = commit([&](Build& build) -> Result<Offset> {
      UTAN_ASSIGN(const SortedBlock there, sorted_block(build.view(), *made));
      drop_sorted(build, *made, there);
      return Offset{};
    });
    ASSERT_TRUE(dropped.ok());
    forget();
  }
  EXPECT_EQ(used_size(), 0U);
}

TEST_F(SortedTest, ManyChangesInOneBuildUseFewBlocks) {
  const Key key = key_of(Value::string("counter"));
  change([&](Build& build) -> Result<Offset> {
    Offset root;
    for (int i = 0; i < 1000; ++i) {
      const std::string value(static_cast<std::size_t>(i % 200), 'x');
      const FoundSorted found = find_sorted(build.view(), root, key.encoded());
      if (found.status == Status::missing) {
        UTAN_ASSIGN(root, insert_sorted(build, root, found, key.encoded(), Tag::string, bytes_of(value)));
      } else {
        UTAN_ASSIGN(root, replace_sorted(build, root, found, Tag::string, bytes_of(value)));
      }
    }
    EXPECT_LE(build.made_count(), 30U);
    return root;
  });
}

// What lies in the block itself can be put into it again.
TEST_F(SortedTest, AValueMayLieInTheBlock) {
  const Key a = key_of(Value::string("a"));
  const Key b = key_of(Value::string("b"));
  change([&](Build& build) -> Result<Offset> {
    UTAN_ASSIGN(Offset root, insert_sorted(build, Offset{}, {}, b.encoded(), Tag::string, bytes_of("the value")));
    const FoundSorted place = find_sorted(build.view(), root, a.encoded());
    UTAN_ASSIGN(const SortedItem item, sorted_item(build.view(), root, 0));
    UTAN_ASSIGN(root, insert_sorted(build, root, place, a.encoded(), Tag::string, item.value));
    const FoundSorted found = find_sorted(build.view(), root, b.encoded());
    return replace_sorted(build, root, found, Tag::string, find_sorted(build.view(), root, a.encoded()).item.value);
  });
  EXPECT_EQ(text_of(sorted_item(view(), root_, 0)->value), "the value");
  EXPECT_EQ(text_of(sorted_item(view(), root_, 1)->value), "the value");
}

// --- Damage ----------------------------------------------------------------------------------------------------------

TEST_F(SortedTest, FlippedBitsGiveErrorsAtWorst) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  std::uint64_t sum = 0;
  const std::uint64_t trials = test::scaled(20'000, 1'000'000);
  Model model;
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    if (trial % 100 == 0) {
      change([&](Build& build) -> Result<Offset> {
        Offset root = root_;
        for (int k = 0; k < 20; ++k) {
          UTAN_ASSIGN(root, operate(build, root, model, random));
        }
        return root;
      });
    }
    if (!root_) continue;
    auto* bytes = heap_.at<std::uint8_t>(root_);
    const std::uint64_t size = format::size_classes[block(root_)->header.size_class].block_size;
    const std::vector<std::uint8_t> right(bytes, bytes + size);
    for (std::uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
      const std::uint64_t where = random() % 3;
      bytes[where == 0 ? 12 + random() % 12 : random() % (where == 1 ? std::min(size, std::uint64_t{100}) : size)] ^=
          static_cast<std::uint8_t>(1u << (random() % 8));
    }
    if (block(root_)->header.kind == format::Kind::freed) bytes[12] = 0;
    const heap::View seen = view();
    static_cast<void>(format::sorted_problem(block(root_), ByteCount{seen.size().value - root_.value}));
    static_cast<void>(sorted_count(seen, root_));
    for (std::uint64_t i = 0; i < format::sorted_count_max + 2; ++i) {
      const Result<SortedItem> item = sorted_item(seen, root_, i);
      if (!item.ok()) continue;
      for (const std::byte one : item->key) sum += std::to_integer<unsigned>(one);
      for (const std::byte one : item->value) sum += std::to_integer<unsigned>(one);
    }
    build_->begin(seen, number_.next());
    Offset root = root_;
    for (int k = 0; k < 4; ++k) {
      const Key key = random_key(random);
      const FoundSorted found = find_sorted(build_->view(), root, key.encoded());
      if (found.status == Status::damaged) break;
      const std::string value = random_text(random, 30);
      Result<Offset> done = Offset{};
      if (found.status == Status::missing) {
        done = insert_sorted(*build_, root, found, key.encoded(), Tag::string, bytes_of(value));
      } else if (random() % 2 == 0) {
        done = replace_sorted(*build_, root, found, Tag::string, bytes_of(value));
      } else {
        done = erase_sorted(*build_, root, found);
      }
      if (!done.ok()) break;
      root = *done;
    }
    build_->discard();
    std::memcpy(bytes, right.data(), size);
  }
  expect_equal(view(), root_, model);
  EXPECT_NE(sum, 0U);
}

// A block at the end of the file that says it is longer.
TEST_F(SortedTest, NothingIsReadBehindTheFile) {
  const Key key = key_of(Value::string("key"));
  change(
      [&](Build& build) { return insert_sorted(build, Offset{}, {}, key.encoded(), Tag::string, bytes_of("value")); });
  const std::uint64_t used = sorted_size(view(), root_)->value;
  const std::uint64_t block_size = format::size_classes[block(root_)->header.size_class].block_size;
  for (std::uint64_t size = 1; size <= block_size; ++size) {
    if (size >= used && size < block_size) continue;
    const heap::View cut(heap_.base(), ByteCount{root_.value + size}, number_);
    EXPECT_EQ(find_sorted(cut, root_, key.encoded()).status, size < used ? Status::damaged : Status::found) << size;
    EXPECT_EQ(sorted_item(cut, root_, 0).ok(), size >= used) << size;
  }
}

}  // namespace
}  // namespace utan::tree
