// Shows that containers keep the largest values and keys that they may have: values of 2 GiB under keys of 64 KiB in dicts,
// lists and collections are set, read, replaced, taken out and erased, a document has many of 100 MiB, and the space of all
// that comes back.
// Timeout: 240 s
//
// So large they are in a torture run alone; otherwise the same is done with values of some megabytes. There is never more
// than the value, one copy of it, and a file of three times its size: 10 GiB.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "format/layout.h"
#include "object/container.h"
#include "object/orphans.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;
using object::Input;
using object::Loan;

class LargeValueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    size_ = test::scaled(std::uint64_t{5} << 20, format::value_size_max);
    // One byte more than may be stored. No two parts of it are alike.
    bytes_.resize(size_ + 1);
    for (std::uint64_t i = 0; i + 8 <= bytes_.size(); i += 8) {
      const std::uint64_t word = (i + 1) * 0x9e3779b97f4a7c15u;
      std::memcpy(bytes_.data() + i, &word, 8);
    }
    store_ = test::open_store(folder_.path("store"));
    ASSERT_NE(store_, nullptr);
  }
  // The `size` bytes from `from` on.
  Value value(std::uint64_t from, std::uint64_t size) const {
    return Value::binary(object::Bytes(bytes_).subspan(from, size));
  }
  void expect_value(const Container& container, const Value& key, const Value& expected) {
    Loan loan;
    const Result<bool> got = container.get(key, loan);
    ASSERT_TRUE(got.ok()) << got.error().message();
    ASSERT_TRUE(*got);
    expect_same(loan, expected);
  }
  static void expect_same(const Loan& loan, const Value& expected) {
    ASSERT_EQ(loan.value().tag, expected.tag);
    ASSERT_EQ(loan.value().bytes.size(), expected.bytes.size());
    // Not by EXPECT_EQ, which would print them.
    EXPECT_TRUE(std::ranges::equal(loan.value().bytes, expected.bytes));
  }
  void set(Container& container, const Value& key, const Value& to) {
    Input input(to);
    const Result<void> done = container.set(key, input);
    ASSERT_TRUE(done.ok()) << done.error().message();
    reclaim();
  }
  // What is not used any more is free for the next one at once.
  void reclaim() {
    commit::Thread& thread = **store_->attachment().thread();
    EXPECT_TRUE(object::work_off_orphans(thread));
    thread.reclaim();
  }
  void expect_file_below(std::uint64_t size) {
    EXPECT_LT(store_->statistics()->file_size.value, size + (std::uint64_t{64} << 20));
  }

  // All that can be done with one value.
  void use(Container& container, const Value& key) {
    const Value largest = value(0, size_);
    const Value other = value(1, size_ - 1);
    set(container, key, largest);
    expect_value(container, key, largest);
    {
      Input input(value(0, 5));
      const Result<bool> replaced = container.replace(key, value(1, size_), input);
      ASSERT_TRUE(replaced.ok()) << replaced.error().message();
      EXPECT_FALSE(*replaced);
    }
    {
      Input input(other);
      const Result<bool> replaced = container.replace(key, largest, input);
      ASSERT_TRUE(replaced.ok()) << replaced.error().message();
      EXPECT_TRUE(*replaced);
      reclaim();
    }
    expect_value(container, key, other);
    {
      Input input(value(0, size_ + 1));
      EXPECT_EQ(container.set(key, input).code(), size_ == format::value_size_max ? Code::too_large : Code::ok);
      reclaim();
    }
    set(container, key, largest);
    {
      Loan taken;
      const Result<bool> popped = container.pop(key, taken);
      ASSERT_TRUE(popped.ok() && *popped);
      expect_same(taken, largest);
      reclaim();
    }
    EXPECT_EQ(container.count()->value, 0U);
  }

  std::uint64_t size_ = 0;
  std::vector<std::byte> bytes_;
  test::TemporaryFolder folder_;
  std::unique_ptr<object::Store> store_;
};

TEST_F(LargeValueTest, OfEachContainer) {
  const std::string longest(format::key_size_max, 'k');
  for (const ContainerType type : {ContainerType::dict, ContainerType::collection, ContainerType::table}) {
    const std::unique_ptr<Container> container = store_->container(object::name_of(type), type, true).value();
    use(*container, Value::string(longest));
    set(*container, Value::string(longest), value(0, size_));
    EXPECT_TRUE(*container->erase(Value::string(longest)));
    reclaim();
    if (HasFatalFailure()) return;
  }
  const std::unique_ptr<Container> list = store_->container("list", ContainerType::list, true).value();
  Input first(value(0, 0));
  ASSERT_TRUE(list->append(first).ok());
  use(*list, Value::integer(0));
  {
    Input input(value(0, size_));
    ASSERT_TRUE(list->insert(0, input).ok());
  }
  expect_value(*list, Value::integer(-1), value(0, size_));
  EXPECT_TRUE(*list->erase(Value::integer(0)));
  reclaim();
  expect_file_below(3 * size_);
  const check::Report report = test::walk(*store_);
  EXPECT_EQ(report.orphan_count, 0U);
  EXPECT_LT(store_->statistics()->heap.used.value, std::uint64_t{4} << 20) << "of the values";
}

// Of several runs of segments: what is there is compared with what is expected, run by run.
TEST_F(LargeValueTest, OfSeveralRunsIsReplacedIfItIsTheSame) {
  std::string text(format::run_size_max + 1, 't');
  const std::unique_ptr<Container> root = store_->root();
  const auto replace = [&](const Value& expected) {
    Input input(Value::integer(1));
    const Result<bool> replaced = root->replace(Value::string("k"), expected, input);
    EXPECT_TRUE(replaced.ok()) << replaced.error().message();
    return replaced.ok() && *replaced;
  };
  set(*root, Value::string("k"), Value::string(text));
  EXPECT_FALSE(replace(Value::binary(test::bytes(text)))) << "of another type";
  text.back() = 'u';
  EXPECT_FALSE(replace(Value::string(text)));
  text.back() = 't';
  EXPECT_TRUE(replace(Value::string(text)));
  expect_value(*root, Value::string("k"), Value::integer(1));
}

// Nothing is read of it: there are addresses alone.
TEST_F(LargeValueTest, OneThatIsTooLargeIsRefusedByItsSize) {
  const std::size_t size = format::value_size_max + 1;
  void* const at = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(at, MAP_FAILED);
  const Value too_large = Value::binary({static_cast<const std::byte*>(at), size});
  for (const ContainerType type : {ContainerType::dict, ContainerType::table}) {
    const std::unique_ptr<Container> container = store_->container(object::name_of(type), type, true).value();
    Input input(too_large);
    const Result<void> done = container->set(Value::string("k"), input);
    EXPECT_EQ(done.code(), Code::too_large);
    EXPECT_NE(done.error().message().find("a value has at most"), std::string::npos) << done.error().message();
    EXPECT_EQ(container->count()->value, 0U);
  }
  ::munmap(at, size);
}

TEST_F(LargeValueTest, InADocument) {
  const std::uint64_t count = 20;
  const std::uint64_t part = std::min<std::uint64_t>(size_ / count, std::uint64_t{100} << 20);
  const std::unique_ptr<Container> root = store_->root();
  const auto name = [](std::uint64_t i) { return "field " + std::to_string(i); };
  {
    Data data;
    ASSERT_TRUE(data.begin(ContainerType::dict).ok());
    for (std::uint64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(data.add(Value::string(name(i))).ok());
      // By turns in the document itself and in a list in it.
      if (i % 2 == 1) {
        ASSERT_TRUE(data.begin(ContainerType::list).ok());
      }
      ASSERT_TRUE(data.add(value(i * 8, part)).ok());
      if (i % 2 == 1) {
        ASSERT_TRUE(data.end().ok());
      }
    }
    ASSERT_TRUE(data.end().ok());
    Input input(data);
    const Result<void> done = root->set(Value::string("document"), input);
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string field = name(i);
    const Value path[] = {Value::string("document"), Value::string(field), Value::integer(0)};
    Loan loan;
    const Result<bool> got = root->get_at(std::span(path, i % 2 == 1 ? 3 : 2), loan);
    ASSERT_TRUE(got.ok() && *got);
    expect_same(loan, value(i * 8, part));
  }
  const Value path[] = {Value::string("document"), Value::string("field 1"), Value::integer(0)};
  Input changed(value(1, part));
  ASSERT_TRUE(root->set_at(path, changed, true).ok());
  {
    Loan loan;
    ASSERT_TRUE(*root->get_at(path, loan));
    expect_same(loan, value(1, part));
  }
  EXPECT_EQ(test::walk(*store_).problems.size(), 0U);
  EXPECT_TRUE(*root->erase(Value::string("document")));
  reclaim();
  EXPECT_LT(store_->statistics()->heap.used.value, std::uint64_t{4} << 20) << "of the document";
  expect_file_below(2 * size_);
}

}  // namespace
}  // namespace utan
