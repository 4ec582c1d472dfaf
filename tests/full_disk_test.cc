// Shows what a full disk does: NoSpace with everything as it was, reading goes on, removing works, what it gives back is used
// again, and where there is room again writing goes on.
// Labels: small
// Timeout: 120 s
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <random>

#include "object/container.h"
#include "object/orphans.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;

// A file system of 8 MiB in memory, where this machine lets us make one.
class FullDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::mount("utan-test", folder_.path("").c_str(), "tmpfs", 0, "size=8m") != 0)
      GTEST_SKIP() << "only who may mount a file system can make a small one";
    mounted_ = true;
    store_ = test::open_store(path());
    ASSERT_NE(store_, nullptr);
    root_ = store_->root();
  }
  void TearDown() override {
    root_ = nullptr;
    store_ = nullptr;
    if (mounted_) {
      EXPECT_EQ(::umount(folder_.path("").c_str()), 0);
    }
  }
  std::string path() const { return folder_.path("store"); }

  // Takes all that is left of the disk, but `rest` bytes.
  void fill_disk(std::uint64_t rest = 0) {
    struct statvfs status = {};
    ASSERT_EQ(::statvfs(folder_.path("").c_str(), &status), 0);
    const std::uint64_t free = status.f_bavail * status.f_frsize;
    std::ofstream file(folder_.path("other"), std::ios::binary | std::ios::app);
    file << std::string(free > rest ? free - rest : 0, 'x');
  }
  void free_disk() { ASSERT_EQ(::unlink(folder_.path("other").c_str()), 0); }

  // A dict with a list and a text.
  Error put(std::int64_t key, std::uint64_t size) {
    Data data;
    EXPECT_TRUE(data.begin(ContainerType::dict).ok());
    EXPECT_TRUE(data.add(Value::string("text")).ok());
    const std::string text(size, static_cast<char>('a' + key % 26));
    EXPECT_TRUE(data.add(Value::string(text)).ok());
    EXPECT_TRUE(data.add(Value::string("list")).ok());
    EXPECT_TRUE(data.begin(ContainerType::list).ok());
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(data.add(Value::integer(key)).ok());
    EXPECT_TRUE(data.end().ok());
    EXPECT_TRUE(data.end().ok());
    object::Input input(data);
    Result<void> done = root_->set(Value::integer(key), input);
    return done.ok() ? Error{} : std::move(done).error();
  }
  // All that is there is whole.
  void expect_content(const std::map<std::int64_t, std::uint64_t>& expected) {
    ASSERT_EQ(root_->count()->value, expected.size());
    for (const auto& [key, size] : expected) {
      const Value keys[] = {Value::integer(key), Value::string("text")};
      object::Loan loan;
      const Result<bool> found = root_->get_at(keys, loan);
      ASSERT_TRUE(found.ok() && *found) << key;
      ASSERT_EQ(test::text(loan.value().bytes), std::string(size, static_cast<char>('a' + key % 26)));
    }
  }

  test::TemporaryFolder folder_;
  bool mounted_ = false;
  std::unique_ptr<object::Store> store_;
  std::unique_ptr<Container> root_;
};

TEST_F(FullDiskTest, NothingIsLostAndRemovingMakesRoom) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  fill_disk(4 << 20);
  std::map<std::int64_t, std::uint64_t> model;
  std::int64_t next = 0;
  // Fills the store until nothing more fits, of whatever size.
  const auto fill = [&] {
    for (std::uint64_t size = 20'000; size > 0 && !HasFatalFailure();) {
      const std::int64_t key = next++;
      const std::uint64_t now = 1 + random() % size;
      const Error error = put(key, now);
      if (error.ok()) {
        model[key] = now;
      } else {
        ASSERT_EQ(error.code(), Code::no_space) << error.message();
        EXPECT_NE(error.message().find(path()), std::string::npos) << error.message();
        EXPECT_EQ(error.message().find(path()), error.message().rfind(path())) << "named twice: " << error.message();
        size /= 2;
      }
    }
  };
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    fill();
    expect_content(model);
    EXPECT_TRUE(store_->sync().ok());
    EXPECT_EQ(test::walk(*store_).problem_count, 0u);
    // Every single removal works, whatever was done before.
    const std::size_t left = model.size() / 3;
    while (model.size() > left) {
      const auto one = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
      const Result<bool> erased = root_->erase(Value::integer(one->first));
      ASSERT_TRUE(erased.ok()) << erased.error().message() << " with " << model.size() << " left";
      ASSERT_TRUE(*erased);
      model.erase(one);
    }
    expect_content(model);
    // There is room again.
    const std::int64_t key = next++;
    const Error again = put(key, 5000);
    ASSERT_TRUE(again.ok()) << again.message();
    model[key] = 5000;
  }
  fill();
  free_disk();
  for (int i = 0; i < 20; ++i) {
    const std::int64_t key = next++;
    const Error again = put(key, 20'000);
    ASSERT_TRUE(again.ok()) << again.message();
    model[key] = 20'000;
  }
  expect_content(model);
  EXPECT_EQ(test::walk(*store_).problem_count, 0u);
}

TEST_F(FullDiskTest, ClearingAndCuttingWorkToo) {
  fill_disk(3 << 20);
  std::int64_t key = 0;
  for (std::uint64_t size = 5000; size > 10;) {
    if (put(key, size).ok()) {
      ++key;
    } else {
      size /= 2;
    }
  }
  object::Loan name;
  object::Loan value;
  ASSERT_TRUE(root_->pop_last(name, value).value());
  value = object::Loan();
  object::Range range;
  range.low = Value::integer(key / 2);
  const Result<Count> deleted = root_->delete_range(range);
  ASSERT_TRUE(deleted.ok()) << deleted.error().message();
  EXPECT_GT(deleted->value, 0u);
  const Result<void> cleared = root_->clear();
  ASSERT_TRUE(cleared.ok()) << cleared.error().message();
  EXPECT_EQ(root_->count()->value, 0u);
  const Error again = put(1, 5000);
  EXPECT_TRUE(again.ok()) << again.message();
}

TEST_F(FullDiskTest, AStoreCannotBeMadeWhereThereIsNoRoomButOpened) {
  ASSERT_TRUE(put(1, 100).ok());
  root_ = nullptr;
  ASSERT_TRUE(object::Store::close(std::move(store_)).ok());
  fill_disk();
  const Result<std::unique_ptr<object::Store>> made = object::Store::open(os::linux_system(), folder_.path("new"), {});
  EXPECT_EQ(made.code(), Code::no_space);
  EXPECT_NE(made.error().message().find(folder_.path("new")), std::string::npos) << made.error().message();
  EXPECT_NE(::access(folder_.path("new").c_str(), F_OK), 0) << "nothing half-made is left";
  store_ = test::open_store(path());
  ASSERT_NE(store_, nullptr);
  root_ = store_->root();
  expect_content({{1, 100}});
  ASSERT_TRUE(root_->erase(Value::integer(1)).value());
}

// As `fallocate --dig-holes` leaves a store.
TEST_F(FullDiskTest, WhereOthersHaveMadeHolesALargeValueHasNoRoom) {
  constexpr std::uint64_t size = 200'000;
  std::map<std::int64_t, std::uint64_t> model;
  for (std::int64_t key = 0; key < 10; ++key) {
    ASSERT_TRUE(put(key, size).ok());
    model[key] = size;
  }
  for (std::int64_t key = 0; key < 5; ++key) {
    ASSERT_TRUE(root_->erase(Value::integer(key)).value());
    model.erase(key);
  }
  object::work_off_orphans(**store_->attachment().thread());
  ASSERT_TRUE(store_->sync().ok());
  for (std::int64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(put(50, 1).ok());
    model[50] = 1;
  }
  const heap::Heap& heap = store_->attachment().session().value()->heap();
  const int file = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
  std::uint64_t holes = 0;
  for (SegmentIndex segment{format::region_metadata_segments}; segment.value < heap.segment_count();
       segment = segment.next()) {
    const format::ClassWord now{heap.descriptor(segment).class_word.load()};
    if (now.size_class() != format::class_empty) continue;
    ASSERT_EQ(::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          static_cast<off_t>(format::segment_start(segment).value), format::segment_size),
              0);
    ++holes;
  }
  ::close(file);
  ASSERT_GT(holes, size / format::segment_size);
  fill_disk();
  for (int i = 0; i < 3; ++i) {
    const Error error = put(100, size);
    ASSERT_EQ(error.code(), Code::no_space) << error.message();
  }
  expect_content(model);
  free_disk();
  const Error again = put(100, size);
  ASSERT_TRUE(again.ok()) << again.message();
  model[100] = size;
  expect_content(model);
  EXPECT_EQ(test::walk(*store_).problem_count, 0u);
}

// Who only reads needs no lock file that there is no room for.
TEST_F(FullDiskTest, WithoutALockFileAndRoomForOneItIsStillRead) {
  ASSERT_TRUE(put(1, 100).ok());
  root_ = nullptr;
  ASSERT_TRUE(object::Store::close(std::move(store_)).ok());
  ASSERT_EQ(::unlink((path() + "-lock").c_str()), 0);
  fill_disk();
  const Result<std::unique_ptr<object::Store>> writer = object::Store::open(os::linux_system(), path(), {});
  ASSERT_EQ(writer.code(), Code::no_space);
  EXPECT_NE(writer.error().message().find(path() + "-lock"), std::string::npos) << writer.error().message();
  store_ = test::open_store(path(), {.mode = commit::OpenMode::read_only});
  ASSERT_NE(store_, nullptr);
  root_ = store_->root();
  expect_content({{1, 100}});
  free_disk();
  const std::unique_ptr<object::Store> now = test::open_store(path());
  ASSERT_NE(now, nullptr);
  EXPECT_TRUE(now->root()->erase(Value::integer(1)).value());
}

// What a snapshot sees cannot be freed, and to remember it takes room: where there is none, it is counted.
TEST_F(FullDiskTest, WhatCannotBeRememberedIsCountedAsLeaked) {
  auto table = test::open_table(*store_, "t");
  const auto key = [](int i) { return std::to_string(i); };
  for (int i = 0; i < 2000; ++i) test::put(*table, key(i), key(i));
  std::unique_ptr<object::Store> snapshot = store_->snapshot().value();
  // Beyond a few hundred commits, what is replaced does not wait in their queue any more.
  for (int i = 0; i < 400; ++i) test::put(*table, key(i), "another");
  fill_disk();
  for (std::uint64_t size = 8000; size > 0; size /= 2) {
    for (std::int64_t i = 0; put(i + static_cast<std::int64_t>(size << 32), size).ok(); ++i) {
    }
  }
  ASSERT_EQ(test::leaked_max(*store_), 0U);
  for (int i = 0; i < 2000 && test::leaked_max(*store_) == 0; ++i) {
    const Result<bool> erased = table->erase(test::bytes(key(i)));
    ASSERT_TRUE(erased.ok()) << i << ": " << erased.error().message();
  }
  const std::uint64_t leaked_max = test::leaked_max(*store_);
  EXPECT_GT(leaked_max, 0U);
  {
    const auto before = snapshot->table("t", false);
    ASSERT_TRUE(before.ok());
    for (int i = 0; i < 2000; ++i) ASSERT_EQ(test::get(**before, key(i)), key(i));
  }
  snapshot.reset();
  ASSERT_TRUE(store_->sync().ok()) << "the checkpoint before may see what leaked";
  const check::Report report = test::walk(*store_);
  EXPECT_GT(report.leaked_count, 0U);
  EXPECT_LE(report.leaked_count, leaked_max);
}

}  // namespace
}  // namespace utan
