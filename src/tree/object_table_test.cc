// Shows that the object table keeps what std::map does, with indices close together and as far apart as there are, at every
// depth it can have; that older commits keep what they had; that another generation is not found; and that damage on the
// way is an error.
// Labels: small
#include "tree/object_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "support/heap_fixture.h"

namespace utan::tree {
namespace {

using format::ContainerType;
using format::ObjectEntry;
using format::ObjectId;
using heap::Build;

using Model = std::map<std::uint64_t, ObjectEntry>;  // by index

class ObjectTableTest : public test::TreeTest {
 protected:
  static void expect_entry(const ObjectEntry* found, const ObjectEntry& expected) {
    EXPECT_EQ(found->root, expected.root);
    EXPECT_EQ(found->what, expected.what);
    EXPECT_EQ(found->links, expected.links);
  }
  void set(ObjectTable& table, std::uint64_t index, const ObjectEntry& entry) {
    const Result<Offset> root = commit([&](Build& build) -> Result<Offset> {
      UTAN_TRY(set_object(build, table, ObjectId::make(index, entry.generation()), entry));
      return table.root;
    });
    ASSERT_TRUE(root.ok()) << root.error().message();
  }
  // What the table knows of its entries is asked, too, and then forgotten.
  void expect(ObjectTable table, const Model& model) const {
    if (table.known.entry != nullptr) expect_entry(table.known.entry, model.at(table.known.id.index()));
    table.known = {};
    for (const auto& [index, entry] : model) {
      const FoundObject found = find_object(view(), table, ObjectId::make(index, entry.generation()));
      ASSERT_EQ(found.status, Status::found) << index;
      expect_entry(found.entry, entry);
      const ObjectId later = ObjectId::make(index, entry.generation() + 1);
      EXPECT_EQ(find_object(view(), table, later).status, Status::missing) << index;
    }
    // Its neighbours are there only if the model has them.
    for (const auto& [index, entry] : model) {
      for (const std::uint64_t near : {index - 1, index + 1, index + format::object_leaf_fanout}) {
        if (near > format::object_index_max || model.contains(near)) continue;
        EXPECT_EQ(find_object(view(), table, ObjectId::make(near, entry.generation())).status, Status::missing);
      }
    }
  }
};

ObjectEntry entry_of(std::uint64_t number) {
  return {number * 64, ObjectEntry::make_what(1 + number % 1000, ContainerType::dict),
          static_cast<std::uint32_t>(number % 7)};
}

// The first index that needs so many levels of branches.
std::uint64_t first_of_depth(std::uint64_t depth) {
  if (depth == 0) return 0;
  std::uint64_t out = format::object_leaf_fanout;
  for (std::uint64_t i = 1; i < depth; ++i) out *= format::object_branch_fanout;
  return out;
}

TEST_F(ObjectTableTest, KeepsWhatAMapDoes) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  ObjectTable table;
  Model model;
  ObjectTable before;
  Model model_before;
  for (std::uint64_t step = 1; step <= 3000; ++step) {
    const std::uint64_t index = random() % 8 == 0 ? random() % 200'000 : random() % (step + 1);
    model[index] = entry_of(step);
    set(table, index, model[index]);
    if (step == 2000) {
      before = table;
      model_before = model;
    }
  }
  EXPECT_EQ(table.depth, 2U);
  expect(table, model);
  expect(before, model_before);
}

TEST_F(ObjectTableTest, HasEveryDepth) {
  for (std::uint64_t depth = 0; depth <= format::object_table_depth_max; ++depth) {
    ObjectTable table;
    Model model;
    const std::uint64_t first = first_of_depth(depth);
    for (const std::uint64_t index : {std::uint64_t{0}, first, first + 1, first + first / 2, 2 * first + 62}) {
      if (index > format::object_index_max) continue;
      model[index] = entry_of(index % 100'000 + depth + 1);
      set(table, index, model[index]);
    }
    EXPECT_GE(table.depth, depth);
    expect(table, model);
  }
  ObjectTable table;
  set(table, format::object_index_max, entry_of(1));
  EXPECT_EQ(table.depth, format::object_table_depth_max);
  expect(table, {{format::object_index_max, entry_of(1)}});
}

TEST_F(ObjectTableTest, KnowsTheEntryThatWasSetLast) {
  ObjectTable table;
  set(table, 2, entry_of(1));
  set(table, 9, entry_of(2));  // its leaf is another one now
  const ObjectId id = ObjectId::make(9, entry_of(2).generation());
  EXPECT_EQ(table.known.id, id);
  const ObjectEntry* const known = find_object(view(), table, id).entry;
  EXPECT_EQ(known, table.known.entry);
  ObjectTable asked = table;
  asked.known = {};
  EXPECT_EQ(find_object(view(), asked, id).entry, known);
  EXPECT_EQ(find_object(view(), table, ObjectId::make(9, id.generation() + 1)).status, Status::missing);
  // What is not there any more, or not whole, is not known.
  set(table, 9, ObjectEntry{0, ObjectEntry::make_what(id.generation(), ContainerType::none), 0});
  EXPECT_EQ(find_object(view(), table, id).status, Status::missing);
  set(table, 2, ObjectEntry{64, entry_of(1).what | ObjectEntry::emptied_flag, 0});
  EXPECT_EQ(find_object(view(), table, ObjectId::make(2, entry_of(1).generation())).status, Status::missing);
}

TEST_F(ObjectTableTest, DamageOnTheWayIsAnError) {
  ObjectTable table;
  set(table, 5, entry_of(1));
  set(table, 100'000, entry_of(2));
  table.known = {};
  const ObjectId id = ObjectId::make(100'000, entry_of(2).generation());
  ObjectTable deeper = table;
  deeper.depth = format::object_table_depth_max;
  EXPECT_NE(find_object(view(), deeper, id).status, Status::found);
  ObjectTable impossible = table;
  impossible.depth = format::object_table_depth_max + 1;
  EXPECT_EQ(find_object(view(), impossible, id).status, Status::missing);
  ObjectTable elsewhere = table;
  elsewhere.root = Offset{view().size().value + 64};
  const FoundObject found = find_object(view(), elsewhere, id);
  EXPECT_EQ(found.status, Status::damaged);
  EXPECT_EQ(found.at, elsewhere.root);
  const Result<Offset> changed = commit([&](Build& build) -> Result<Offset> {
    UTAN_TRY(set_object(build, impossible, id, entry_of(3)));
    return impossible.root;
  });
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.error().code(), Code::corruption);
  expect(table, {{5, entry_of(1)}, {100'000, entry_of(2)}});
}

}  // namespace
}  // namespace utan::tree
