// Shows that a sound coordination file is believed however fast its numbers move while they are looked at, and that the same
// numbers, standing still, are not.
//
// What moves is made to move by the look itself: a page that is looked at may not be read, and the handler of that fault
// changes a number, lets the page be read, and keeps the one before it from being read.
#include "commit/belief.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <functional>

#include "support/check_fixture.h"

namespace utan::commit {
namespace {

std::function<bool(std::byte*)> on_look;  // false: the fault is not the test's

class Belief : public ::testing::Test {
 protected:
  void SetUp() override {
    test::put(*test::open_table(*store_, "t"), "k", "v");
    ASSERT_TRUE(store_->sync().ok());
    const heap::Heap& heap = store_->attachment().session().value()->heap();
    data_ = std::make_unique<checking::Image>(std::span(heap.base(), heap.file_size().value));
    const std::uint64_t size = format::coordination_size(heap.coordination().fixed().line_count.load());
    shared_ =
        std::make_unique<checking::Image>(std::span(reinterpret_cast<std::byte*>(&heap.coordination().fixed()), size));
    ASSERT_TRUE(is_believable(mapped()));
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
      if (!on_look(static_cast<std::byte*>(info->si_addr))) ::signal(SIGSEGV, SIG_DFL);
    };
    ASSERT_EQ(::sigaction(SIGSEGV, &action, &before_), 0);
  }
  void TearDown() override { ASSERT_EQ(::sigaction(SIGSEGV, &before_, nullptr), 0); }

  format::CoordinationFixed& fixed() { return format::Coordination(shared_->data()).fixed(); }
  MappedStore mapped() {
    return {format::Coordination(shared_->data()),
            shared_->size(),
            data_->data(),
            data_->size(),
            data_->size(),
            fixed().header.store_id};
  }
  void protect(std::byte* page, bool may_be_read) {
    ASSERT_EQ(::mprotect(page, format::page_size, may_be_read ? PROT_READ | PROT_WRITE : PROT_NONE), 0);
  }
  // Pages of which each can be read only until another one is looked at. `move` is called for each look.
  void watch(const std::vector<std::byte*>& pages, const std::function<void(std::size_t)>& move) {
    for (std::byte* const page : pages) protect(page, false);
    on_look = [this, pages, move](std::byte* address) {
      for (std::size_t i = 0; i < pages.size(); ++i) {
        if (address < pages[i] || address >= pages[i] + format::page_size) continue;
        ++looks_;
        move(i);
        protect(pages[i], true);
        protect(pages[(i + pages.size() - 1) % pages.size()], false);
        return true;
      }
      return false;
    };
  }
  std::byte* page_of(std::uint64_t offset) { return data_->data() + offset / format::page_size * format::page_size; }

  test::TemporaryFolder folder_;
  std::unique_ptr<object::Store> store_ = test::open_store(folder_.path("s"));
  std::unique_ptr<checking::Image> data_;
  std::unique_ptr<checking::Image> shared_;
  std::uint64_t looks_ = 0;
  struct sigaction before_ {};
};

TEST_F(Belief, OfCheckpointsThatAreMadeFasterThanTheyAreRead) {
  fixed().durable_number.fetch_add(1);
  EXPECT_FALSE(is_believable(mapped())) << "no slot has this checkpoint";
  std::vector<std::byte*> pages;
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i)
    pages.push_back(page_of(format::slot_offset(i).value));
  watch(pages, [this](std::size_t) { fixed().durable_number.fetch_add(1); });
  EXPECT_TRUE(is_believable(mapped()));
  EXPECT_GT(looks_, 100U);
}

TEST_F(Belief, OfCommitsThatAreMadeFasterThanTheyAreRead) {
  // Two places where no commit is, as if its block had been reused each time.
  const format::HeadWord head{fixed().head.load()};
  const std::uint64_t number = data_->at<format::CommitBlock>(head.block().value)->header.birth;
  const std::uint64_t end = data_->size().value / format::page_size * format::page_size;
  std::vector<std::uint64_t> heads;
  std::vector<std::byte*> pages;
  for (const std::uint64_t offset : {end - format::page_size, end - 2 * format::page_size}) {
    heads.push_back(format::HeadWord::make(Offset{offset}, CommitNumber{number}).word);
    pages.push_back(page_of(offset));
  }
  fixed().head.store(heads[0]);
  EXPECT_FALSE(is_believable(mapped()));
  watch(pages, [&](std::size_t i) { fixed().head.store(heads[1 - i]); });
  EXPECT_TRUE(is_believable(mapped()));
  EXPECT_GT(looks_, 100U);
}

}  // namespace
}  // namespace utan::commit
