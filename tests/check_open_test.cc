// Shows that the checker finds what is wrong with blocks that wait to be freed, that are free to be handed out, or both, in
// images of a store that is open; and that no nonsense in them makes it crash, hang or read outside.
//
#include <gtest/gtest.h>

#include <random>

#include "support/check_fixture.h"

namespace utan {
namespace {

using checking::Image;
using format::ContainerType;

class CheckOpen : public testing::Test {
 protected:
  void SetUp() override {
    table_ = checking::make(*store_, "t", ContainerType::table);
    for (int i = 0; i < 500; ++i) checking::set(*table_, std::to_string(i % 100), format::Value::integer(i));
    const auto session = store_->attachment().session().value();
    const auto& heap = session->heap();
    seed_ = session->hash_seed();
    data_ = std::make_unique<Image>(std::span(heap.base(), heap.file_size().value));
    const std::uint64_t size = format::coordination_size(heap.coordination().fixed().line_count.load());
    shared_ = std::make_unique<Image>(std::span(reinterpret_cast<std::byte*>(&heap.coordination().fixed()), size));
  }
  format::Coordination coordination() { return format::Coordination(shared_->data()); }
  check::Report walk() { return check::Walk(data_->data(), data_->size(), coordination(), seed_).run(); }
  void expect(const std::string& text) {
    bool found = false;
    const check::Report report = walk();
    for (const std::string& problem : report.problems) found |= problem.find(text) != std::string::npos;
    EXPECT_TRUE(found) << text << "; first of " << report.problem_count << ": "
                       << (report.problems.empty() ? "none" : report.problems[0]);
  }
  // The only line that is used, and a class of which it has two blocks.
  format::Line& line() {
    for (std::uint64_t i = 0;; ++i) {
      if (coordination().line(i).queue.load() != 0) return coordination().line(i);
    }
  }
  unsigned stashed_class() {
    for (unsigned c = format::class_first;; ++c) {
      if (line().allocator[c].stashed.load() >= 2) return c;
    }
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<object::Store> store_ = test::open_store(folder_.path("s"));
  std::unique_ptr<object::Container> table_;
  std::unique_ptr<Image> data_;
  std::unique_ptr<Image> shared_;
  std::uint64_t seed_ = 0;
};

TEST_F(CheckOpen, ASoundStoreHasNoProblems) {
  const check::Report report = walk();
  for (const std::string& problem : report.problems) ADD_FAILURE() << problem;
  EXPECT_GT(report.waiting_count, 0U);
  EXPECT_GT(report.held_count, 0U);
}

TEST_F(CheckOpen, Stashes) {
  const unsigned size_class = stashed_class();
  format::AtomicWord* stash = &line().stash[format::stash_starts[size_class]];
  stash[1].store(stash[0].load());
  expect("may be handed out by two");
  stash[1].store(stash[0].load() + 8);
  expect("no block begins there");
  line().allocator[size_class].stashed.store(1000);
  expect("has no room for 1000 free blocks");
}

TEST_F(CheckOpen, WhatIsInUseAndFree) {
  const format::HeadWord head{coordination().fixed().head.load()};
  const std::uint64_t leaf = data_->at<format::CommitBlock>(head.block().value)->object_table_root;
  const unsigned size_class = stashed_class();
  line().stash[format::stash_starts[size_class]].store(leaf);
  expect("a line may hand it out");
  auto* commit = data_->at<format::CommitBlock>(head.block().value);
  commit->replaced[0] = leaf;
  commit->replaced_count = 1;
  expect("the newest commit reaches it, and it waits to be freed");
  commit->replaced[1] = leaf;
  commit->replaced_count = 2;
  expect("waits to be freed twice");
  commit->replaced[0] = format::ReplacedEntry::make(Offset{leaf}, format::ReplacedEntry::How::list).word;
  expect("is freed as a list, and is none");
  commit->replaced[0] = 12345;
  expect("is free or no block");
}

// Words of lines, lists and waiting blocks are mixed up: nothing is read outside, and it ends.
TEST_F(CheckOpen, NoNonsenseMakesItFail) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t*> words;
  const auto add_used = [&words](Image& image, std::uint64_t from) {
    for (std::uint64_t at = from; at + 8 <= image.size().value; at += 8) {
      if (*image.at<std::uint64_t>(at) != 0) words.push_back(image.at<std::uint64_t>(at));
    }
  };
  add_used(*shared_, format::claims_offset);
  const std::size_t shared_count = words.size();
  add_used(*data_, format::regions_offset);
  for (std::uint64_t round = 0; round < test::scaled(2000, 200'000); ++round) {
    std::vector<std::pair<std::uint64_t*, std::uint64_t>> before;
    for (std::uint64_t i = 0; i < 1 + random() % 10; ++i) {
      std::uint64_t* word = words[random() % (random() % 2 == 0 ? shared_count : words.size())];
      before.emplace_back(word, *word);
      *word = *words[random() % words.size()];
    }
    static_cast<void>(walk());
    for (auto one = before.rbegin(); one != before.rend(); ++one) *one->first = one->second;
  }
  EXPECT_TRUE(walk().sound());
}

TEST_F(CheckOpen, PinnedCommits) {
  const format::HeadWord head{coordination().fixed().head.load()};
  const std::uint64_t number = data_->at<format::CommitBlock>(head.block().value)->header.birth;
  format::PinSlot& pin = line().extra_pins[0].pins[0];
  pin.offset.store(head.block().value);
  pin.number.store(number + 1);
  expect("is the block of commit " + std::to_string(number) + ", not of " + std::to_string(number + 1));
  // A smaller block passes for a commit's.
  const std::uint64_t leaf = data_->at<format::CommitBlock>(head.block().value)->object_table_root;
  const std::uint64_t root = data_->at<format::ObjectLeaf>(leaf)->entries()[table_->id().index()].root;
  const std::uint64_t record = data_->record_in(data_->bucket(root), 0);
  data_->block(record)->kind = format::Kind::commit;
  pin.offset.store(record);
  expect("a commit block is shorter than it can be");
}

TEST_F(CheckOpen, MorePinnedCommitsThanAreWalked) {
  const format::HeadWord head{coordination().fixed().head.load()};
  ASSERT_TRUE(walk().whole);
  // Lines that were never used, each with as many pins as it can have, in a coordination file that is longer.
  const std::uint64_t lines = 64;
  std::vector<std::byte> longer(format::coordination_size(lines));
  std::memcpy(longer.data(), shared_->data(), shared_->size().value);
  shared_ = std::make_unique<Image>(std::span<const std::byte>(longer));
  coordination().fixed().line_count.store(lines);
  coordination().fixed().line_high.store(lines);
  std::uint64_t pinned = 0;
  const std::uint64_t number = data_->at<format::CommitBlock>(head.block().value)->header.birth;
  for (std::uint64_t i = lines - 1; i > 0 && coordination().line(i).owner.load() == 0; --i) {
    for (auto& extra : coordination().line(i).extra_pins) {
      for (auto& pin : extra.pins) {
        pin.offset.store(head.block().value);
        pin.number.store(number + ++pinned);
      }
    }
  }
  const check::Report report = walk();
  EXPECT_FALSE(report.whole) << "of " << pinned << " pinned commits";
  EXPECT_EQ(report.leaked_count, 0U);
  EXPECT_GT(report.problem_count, 0U) << "what was walked is not the commit that is said";
  EXPECT_LT(report.problem_count, pinned);
}

TEST_F(CheckOpen, Masks) {
  format::Line& nobodys = coordination().line(coordination().fixed().line_count.load() - 1);
  ASSERT_EQ(nobodys.owner.load(), 0U);
  // The first block of a class that has a free one.
  const std::uint64_t segment = format::segment_of(format::HeadWord{coordination().fixed().head.load()}.block()).value;
  const auto* bits = data_->at<format::Bitmap>(format::bitmap_offset(SegmentIndex{segment}).value);
  const std::uint64_t free = ~bits->words[0].load();
  ASSERT_NE(free, 0U) << "the test needs a block that is free";
  format::AllocatorSlot& slot = nobodys.allocator[format::class_first];
  slot.mask.store(free & -free);
  slot.place.store(format::AllocatorSlot::make_place(SegmentIndex{segment}, 0));
  coordination().fixed().line_high.store(coordination().fixed().line_count.load());
  expect("a block in a mask has a clear bit");
}

TEST_F(CheckOpen, Queues) {
  const auto queue = format::ChainWord{line().queue.load()};
  // Two lines have one queue.
  format::Line& other = coordination().line(coordination().fixed().line_count.load() - 1);
  coordination().fixed().line_high.store(coordination().fixed().line_count.load());
  other.queue.store(queue.word);
  expect("is queued twice");
  other.queue.store(0);
  data_->at<format::CommitBlock>(queue.offset().value)->owner_next = queue.offset().value;
  expect("is not the next commit of its line");
  line().queue.store(format::ChainWord::make(Offset{16}, 0).word);
  expect("is no commit block in use");
  coordination().waiting_list(3).store(queue.offset().value);
  expect("chunk");
  coordination().fixed().head.store(16 << 20);
  expect("no commit block is there");
}

}  // namespace
}  // namespace utan
