// What tests of forks share: children that fail when an expectation does, memory that processes share, a store that
// several have open.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "os/linux/testing.h"
#include "support/store_fixture.h"

namespace utan::test {

inline void close(std::unique_ptr<object::Store> store) {
  const Result<void> closed = object::Store::close(std::move(store));
  ASSERT_TRUE(closed.ok()) << closed.error().message();
}

// A child that fails when one of its expectations does.
inline os::testing::TestChild child_that(const std::function<void()>& body) {
  return os::testing::TestChild([&body] {
    body();
    return !::testing::Test::HasFailure();
  });
}

// What processes share besides the store.
class SharedMemory {
 public:
  SharedMemory()
      : at_(new (::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared{}) {
  }
  ~SharedMemory() { ::munmap(at_, sizeof(Shared)); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  std::atomic<std::uint64_t>& operator[](std::size_t i) { return at_->values[i]; }

 private:
  struct Shared {
    std::atomic<std::uint64_t> values[8];
  };
  Shared* at_;
};

// A process that takes turns with this one, with children of its own. All of them end when this one lets go.
class Family {
 public:
  explicit Family(const std::function<void(Family&)>& life)
      : parent_([this, &life] {
          go_.close_writer();
          life(*this);
          return !::testing::Test::HasFailure();
        }) {
    told_.close_writer();
  }
  // In the family: tells that it has come so far, or has failed; waits for the word that is given once to each.
  void tell() {
    if (::testing::Test::HasFailure()) failed_[0] = 1;
    told_.signal();
  }
  bool wait() { return go_.wait(); }
  // Here. False: a member has failed.
  bool told() { return told_.wait() && failed_[0] == 0; }
  void go_on() { go_.signal(); }
  void let_go() { go_.close_writer(); }
  void kill_parent() { parent_.kill(); }
  // All have ended: nobody can tell anything any more.
  bool all_ended() {
    let_go();
    return !told_.wait();
  }

 private:
  os::testing::TestPipe told_;
  os::testing::TestPipe go_;
  SharedMemory failed_;
  os::testing::TestChild parent_;
};

// One more, by compare-and-replace.
inline void count_up(object::Table& table, std::string_view key) {
  for (;;) {
    const std::optional<std::string> now = get(table, key);
    ASSERT_TRUE(now.has_value());
    const Result<bool> done = table.replace(bytes(key), bytes(*now), bytes(std::to_string(std::stoull(*now) + 1)));
    ASSERT_TRUE(done.ok()) << done.error().message();
    if (done.value()) return;
  }
}

class Fork : public ::testing::Test {
 protected:
  // Nobody has the store open any more: closed cleanly or not, it is sound.
  void expect_sound(std::uint64_t leaked_max = 0) {
    const auto store = open_store(path_);
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->statistics()->processes.value, 1U);
    EXPECT_EQ(store->statistics()->pins.value, 0U);
    EXPECT_LE(walk(*store).leaked_count, leaked_max);
  }
  TemporaryFolder folder_;
  const std::string path_ = folder_.path("s.utan");
};

}  // namespace utan::test
