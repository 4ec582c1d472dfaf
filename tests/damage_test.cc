// Shows that a table whose nodes hold nonsense gives errors: nothing is read or written outside of its blocks.
//
// Labels: small
#include <gtest/gtest.h>

#include <limits>

#include "commit/session.h"
#include "format/nodes.h"
#include "object/table_get.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

class Damage : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 2000; ++i) test::put(*table_, key(i), "value");
  }
  static std::string key(int i) { return "key " + std::to_string(i); }

  const heap::Heap& heap() const { return store_->attachment().session().value()->heap(); }
  format::ObjectLeaf* leaf() const {
    const format::HeadWord head{heap().coordination().fixed().head.load()};
    const auto* commit = heap().at<format::CommitBlock>(head.block());
    EXPECT_EQ(commit->object_table_depth, 0U);
    return heap().at<format::ObjectLeaf>(Offset{commit->object_table_root});
  }
  format::TableRoot* root() const {
    return heap().at<format::TableRoot>(Offset{leaf()->entries()[table_->id().index()].root});
  }

  // As the C interface reads: the short way first.
  Code get(const std::string& name) const {
    object::Value value;
    switch (table_->get_quickly(test::bytes(name), value)) {
      case tree::Quick::found:
        value.release();
        return Code::ok;
      case tree::Quick::missing:
        return Code::not_found;
      case tree::Quick::unusual:
        break;
    }
    const Result<bool> found = table_->get(test::bytes(name), value);
    if (found.ok() && found.value()) value.release();
    return !found.ok() ? found.code() : found.value() ? Code::ok : Code::not_found;
  }

  void expect_corruption_everywhere() {
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(get(key(i)), Code::corruption);
      EXPECT_EQ(table_->put(test::bytes(key(i)), test::bytes("other"), object::Table::Put::always).code(),
                Code::corruption);
      EXPECT_EQ(table_->erase(test::bytes(key(i))).code(), Code::corruption);
      EXPECT_EQ(get("absent " + key(i)), Code::corruption);
    }
    auto cursor = object::Cursor::open(*table_);
    ASSERT_TRUE(cursor.ok());
    object::Bytes k;
    object::Bytes v;
    EXPECT_EQ((*cursor)->next(k, v).code(), Code::corruption);
    EXPECT_EQ(table_->count().code(), Code::corruption);
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<object::Store> store_ = test::open_store(folder_.path("s"));
  std::unique_ptr<object::Table> table_ = test::open_table(*store_, "t");
};

TEST_F(Damage, CountOfBuckets) {
  const std::uint64_t right = root()->bucket_count;
  ASSERT_EQ(root()->depth(), 1U);
  for (const std::uint64_t wrong :
       {std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max(), ~std::uint64_t{60}, ~std::uint64_t{61},
        std::uint64_t{1} << 63, std::uint64_t{1} << 40, format::table_top_fanout * format::directory_fanout + 1}) {
    SCOPED_TRACE("bucket count " + std::to_string(wrong));
    root()->bucket_count = wrong;
    expect_corruption_everywhere();
    root()->bucket_count = right;
  }
  EXPECT_EQ(get(key(7)), Code::ok);
}

TEST_F(Damage, Depth) {
  const std::uint16_t right = root()->header.aux;
  for (const std::uint16_t wrong : std::initializer_list<std::uint16_t>{0, 7, 255, 65535}) {
    SCOPED_TRACE("depth " + std::to_string(wrong));
    root()->header.aux = wrong;
    expect_corruption_everywhere();
    root()->header.aux = right;
  }
  // Deeper than it is: buckets pass for directories.
  root()->header.aux = 2;
  for (int i = 0; i < 100; ++i) EXPECT_NE(get(key(i)), Code::ok);
  root()->header.aux = right;
  EXPECT_EQ(get(key(7)), Code::ok);
}

// Two containers with one root: what one of them frees, the other takes for its own. It must not end badly.
TEST_F(Damage, ARootThatTwoContainersName) {
  const ExpectDamage expected;
  auto other = test::open_table(*store_, "other");
  test::put(*other, "k", "v");
  leaf()->entries()[table_->id().index()].root = leaf()->entries()[other->id().index()].root;
  for (int i = 0; i < 2000; ++i) {
    const std::string value(static_cast<std::size_t>(i % 64), 'x');
    for (object::Table* table : {table_.get(), other.get()}) {
      static_cast<void>(table->put(test::bytes(key(i)), test::bytes(value), object::Table::Put::always));
      static_cast<void>(get(key(i / 2)));
    }
  }
}

}  // namespace
}  // namespace utan
