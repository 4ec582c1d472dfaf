// Shows what of a table its users do not meet by chance: keys that share a hash, nodes at the very end of the file, an empty
// table of which nothing is left, and a root that has changed since a key was looked for.
// Labels: small
#include "tree/table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "support/heap_fixture.h"
#include "tree/table_find.h"

namespace utan::tree {
namespace {

using format::Bucket;
using format::Kind;
using format::Record;
using format::TableRoot;
using heap::Build;

constexpr std::uint64_t hash_seed = 5;

class TableTest : public test::TreeTest {
 protected:
  void SetUp() override {
    TreeTest::SetUp();
    const Result<Offset> root = commit([](Build& build) { return make_table(build); });
    ASSERT_TRUE(root.ok()) << root.error().message();
    root_ = *root;
  }

  static Key key_of(const std::string& text) {
    const object::Bytes bytes = test::bytes(text);
    return {bytes, format::Tag::bytes, format::hash_key(bytes.data(), bytes.size(), hash_seed)};
  }
  // Keys that all belong in the first bucket, whatever their bytes are.
  static Key sharing(const std::string& text) { return {test::bytes(text), format::Tag::bytes, 0}; }

  Result<Offset> insert(Build& build, Offset root, const Key& key) {
    const std::uint64_t size = Record::head_size_min + key.bytes.size();
    UTAN_ASSIGN(const heap::Made<Record> record,
                build.make<Record>(Kind::record, ByteCount{size}, static_cast<std::uint16_t>(key.tag)));
    std::memcpy(record.at->set_sizes(key.bytes.size(), 0), key.bytes.data(), key.bytes.size());
    const FoundRecord where = find_record(build.view(), root, key);
    EXPECT_EQ(where.status, Status::missing);
    return insert_record(build, root, hash_seed, where, record.offset);
  }
  Result<void> insert(const Key& key) {
    UTAN_ASSIGN(root_, commit([&](Build& build) { return insert(build, root_, key); }));
    return {};
  }

  template <class T>
  const T* at(Offset offset) const {
    return heap_.at<T>(offset);
  }
  std::uint64_t end_of(Offset offset) const {
    return offset.value + format::size_classes[at<format::BlockHeader>(offset)->size_class].block_size;
  }
  Offset first_bucket() const { return Offset{at<TableRoot>(root_)->entries()[0]}; }

  Offset root_;
};

TEST_F(TableTest, KeysOfOneHashFillABucketAndNoMore) {
  for (std::uint64_t i = 0; i < format::bucket_entries_max; ++i) {
    const Result<void> done = insert(sharing(std::to_string(i)));
    ASSERT_TRUE(done.ok()) << i << ": " << done.error().message();
  }
  const Result<void> done = insert(sharing("one more"));
  EXPECT_EQ(done.code(), Code::too_large);
  EXPECT_NE(done.error().message().find("keys share a hash bucket"), std::string::npos) << done.error().message();
  EXPECT_EQ(record_count(view(), root_)->value, format::bucket_entries_max);
  for (std::uint64_t i = 0; i < format::bucket_entries_max; ++i)
    ASSERT_EQ(find_record(view(), root_, sharing(std::to_string(i))).status, Status::found) << i;
  EXPECT_EQ(find_record(view(), root_, sharing("one more")).status, Status::missing);
}

// A search in a hurry reads sixteen slots at a time: where the file ends among them, it looks again with care.
TEST_F(TableTest, FindsAllWhereTheFileEndsBehindABucket) {
  bool was_bucket_last = false;
  std::uint64_t records_end = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(insert(sharing(std::to_string(i))).ok());
    const auto* bucket = at<Bucket>(first_bucket());
    for (std::uint64_t slot = 0; slot < bucket->count(); ++slot)
      records_end = std::max(records_end, end_of(format::BucketEntry{bucket->entries()[slot]}.record()));
    const std::uint64_t bucket_end = end_of(first_bucket());
    const std::uint64_t end = std::max({end_of(root_), bucket_end, records_end});
    was_bucket_last |= end == bucket_end && bucket->count() > slots_at_once;
    const heap::View whole{heap_.base(), ByteCount{end}, number_};
    for (int k = 0; k <= i; ++k) {
      const FoundRecord found = find_record(whole, root_, sharing(std::to_string(k)));
      ASSERT_EQ(found.status, Status::found) << k << " of " << i;
      ASSERT_EQ(found.record, find_record(view(), root_, sharing(std::to_string(k))).record);
    }
    ASSERT_EQ(find_record(whole, root_, sharing("missing")).status, Status::missing) << i;
  }
  EXPECT_TRUE(was_bucket_last);
}

TEST_F(TableTest, ShrinksWithItsRecordsAndLeavesNothing) {
  const std::uint64_t count = 2 * bucket_counts_max[1] * table_load;
  const auto each = [&](auto&& what) {
    for (std::uint64_t from = 0; from < count; from += 500) {
      const Result<Offset> root = commit([&](Build& build) -> Result<Offset> {
        Offset now = root_;
        for (std::uint64_t i = from; i < std::min(from + 500, count); ++i) {
          UTAN_ASSIGN(now, what(build, now, key_of(std::to_string(i))));
        }
        return now;
      });
      ASSERT_TRUE(root.ok()) << root.error().message();
      root_ = *root;
      forget();
    }
  };
  each([this](Build& build, Offset root, const Key& key) { return insert(build, root, key); });
  EXPECT_EQ(at<TableRoot>(root_)->depth(), 2U);
  each([](Build& build, Offset root, const Key& key) {
    const FoundRecord where = find_record(build.view(), root, key);
    EXPECT_EQ(where.status, Status::found);
    build.drop(where.offset, &where.record->header);
    return erase_record(build, root, hash_seed, where);
  });
  EXPECT_EQ(at<TableRoot>(root_)->depth(), 0U);
  EXPECT_EQ(used_size(), end_of(root_) - root_.value) << "of anything but the root";
  ASSERT_TRUE(commit([this](Build& build) { return drop_empty_table(build, root_); }).ok());
  EXPECT_EQ(used_size(), 0U);
}

// In a damaged file the root may have been handed out again between the search and the change.
TEST_F(TableTest, ARootThatHasChangedSinceTheSearchIsDamage) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(insert(key_of(std::to_string(i))).ok());
  std::string text;
  FoundRecord where;
  do {
    text += '.';
    where = find_record(view(), root_, key_of(text));
  } while (where.bucket == 0);
  auto* const root = const_cast<TableRoot*>(at<TableRoot>(root_));
  const std::uint64_t right = root->bucket_count;
  // More than its levels can have, and so few that the way leads past them.
  for (const std::uint64_t wrong : {bucket_counts_max[0] + 1, std::uint64_t{1}}) {
    root->bucket_count = wrong;
    const Result<Offset> done =
        commit([&](Build& build) { return insert_record(build, root_, hash_seed, where, where.offset); });
    EXPECT_EQ(done.code(), Code::corruption) << wrong;
  }
  root->bucket_count = right;
  EXPECT_EQ(record_count(view(), root_)->value, 100U);
}

}  // namespace
}  // namespace utan::tree
