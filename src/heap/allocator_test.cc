// Shows that blocks that are handed out never overlap, hold what they are asked to hold, and are all given back: random
// operations of several allocators on one heap beside an oracle of who has what, and threads that free each other's
// blocks.
// Labels: tsan
#include "heap/allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "support/heap_fixture.h"

namespace utan::heap {
namespace {

using test::HeapTest;
using test::incarnation;

std::uint64_t random_size(std::mt19937_64& random) {
  switch (random() % 50) {
    case 0:
      return 8'193 + random() % 200'000;  // a run
    case 1:
    case 2:
      return 1'025 + random() % 7'168;
    default:
      return 16 + random() % 1'009;
  }
}

TEST_F(HeapTest, HandsOutWhatNobodyHas) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  constexpr std::uint64_t lines = 3;
  std::unique_ptr<Allocator> allocators[lines];
  for (std::uint64_t i = 0; i < lines; ++i) allocators[i] = claim(i);
  struct Block {
    std::uint64_t size;
    unsigned char mark;
  };
  std::map<std::uint64_t, Block> oracle;  // by offset
  for (std::uint64_t i = 0; i < test::scaled(60'000, 3'000'000); ++i) {
    const std::uint64_t line = random() % lines;
    Allocator& allocator = *allocators[line];
    const std::uint64_t phase = i / 7'000 % 2;  // grows, then shrinks
    if (oracle.empty() || random() % 10 < (phase == 0 ? 6 : 4)) {
      const std::uint64_t size = random_size(random);
      const Result<Offset> made = allocator.allocate(ByteCount{size}, CommitNumber{i + 1});
      ASSERT_TRUE(made.ok()) << made.error().message();
      const std::uint64_t at = made->value;
      ASSERT_EQ(at % 8, 0u);
      ASSERT_LE(at + size, heap_.file_size().value);
      ASSERT_FALSE(format::describes_region(format::segment_of(made.value())));
      const auto after = oracle.lower_bound(at);
      ASSERT_TRUE(after == oracle.end() || after->first >= at + size) << "overlaps the block behind it";
      ASSERT_TRUE(after == oracle.begin() || std::prev(after)->first + std::prev(after)->second.size <= at)
          << "overlaps";
      ASSERT_EQ(heap_.at<format::BlockHeader>(made.value())->birth, i + 1);
      const auto mark = static_cast<unsigned char>(random());
      std::memset(heap_.at<std::byte>(made.value()) + format::block_header_size, mark,
                  size - format::block_header_size);
      oracle[at] = {size, mark};
    } else {
      auto it = oracle.lower_bound(random() % heap_.file_size().value);
      if (it == oracle.end()) it = oracle.begin();
      const auto* bytes = heap_.at<unsigned char>(Offset{it->first}) + format::block_header_size;
      for (std::uint64_t b = 0; b < it->second.size - format::block_header_size; b += 61)
        ASSERT_EQ(bytes[b], it->second.mark);
      ASSERT_TRUE(allocator.free(Offset{it->first}));
      oracle.erase(it);
    }
    if (random() % 10 == 0) allocator.end_build();
    if (random() % 3'000 == 0) {
      give_up(line, allocators[line]);
      allocators[line] = claim(line);
    }
  }
  for (const auto& [offset, block] : oracle) ASSERT_TRUE(allocators[0]->free(Offset{offset}));
  for (std::uint64_t i = 0; i < lines; ++i) give_up(i, allocators[i]);
  EXPECT_EQ(heap_.statistics().used.value, 0u) << "something was not given back";
}

TEST_F(HeapTest, RefusesToFreeWhatIsNoBlock) {
  auto allocator = claim(0);
  const Result<Offset> block = allocator->allocate(ByteCount{100}, CommitNumber{1});
  ASSERT_TRUE(block.ok());
  allocator->end_build();
  for (const std::uint64_t offset :
       {std::uint64_t{0}, std::uint64_t{8}, format::regions_offset, block->value + 8, heap_.file_size().value,
        heap_.file_size().value + format::segment_size, ~std::uint64_t{7}}) {
    EXPECT_FALSE(allocator->free(Offset{offset})) << offset;
  }
  EXPECT_TRUE(allocator->free(*block));
  give_up(0, allocator);
}

TEST_F(HeapTest, TheFileIsReusedBeforeItGrows) {
  auto allocator = claim(0);
  std::deque<Offset> held;
  for (int i = 0; i < 20'000; ++i) {
    held.push_back(allocator->allocate(ByteCount{144}, CommitNumber{1}).value());
    allocator->end_build();
  }
  const std::uint64_t size = heap_.file_size().value;
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 200'000; ++i) {
    const std::size_t at = random() % held.size();
    ASSERT_TRUE(allocator->free(held[at]));
    held[at] = allocator->allocate(ByteCount{144}, CommitNumber{1}).value();
    allocator->end_build();
  }
  EXPECT_LE(heap_.file_size().value, size + size / 8);
  for (const Offset block : held) ASSERT_TRUE(allocator->free(block));
  give_up(0, allocator);
  EXPECT_EQ(heap_.statistics().used.value, 0u);
}

TEST_F(HeapTest, ARunInUseIsNotTriedAgainAndAFreedOneIsFound) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  auto allocator = claim(0);
  auto neighbour = claim(1);
  const auto is_hinted = [&](SegmentIndex segment) {
    const std::uint64_t in_region = format::segment_in_region(segment);
    const auto* words = heap_.at<std::atomic<std::uint64_t>>(
        format::hints_offset(segment.value / format::segments_per_region, format::class_empty));
    return (words[in_region / 64].load() >> (in_region % 64) & 1) != 0;
  };
  struct Run {
    std::uint64_t size;
    Offset block;
  };
  std::vector<Run> runs;
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t size = 8'193 + random() % 200'000;
    runs.push_back({size, allocator->allocate(ByteCount{size}, CommitNumber{1}).value()});
    allocator->end_build();
  }
  for (const Run& run : runs) {
    for (std::uint64_t i = 0; i < format::run_length_for(ByteCount{run.size}); ++i)
      ASSERT_FALSE(is_hinted(SegmentIndex{format::segment_of(run.block).value + i})) << run.block.value;
  }
  // Freed by another line, which this one does not hear of: it looks again before the file grows.
  const std::uint64_t size = heap_.file_size().value;
  for (int round = 0; round < 3; ++round) {
    for (const Run& run : runs) ASSERT_TRUE(neighbour->free(run.block));
    for (Run& run : runs) {
      run.block = allocator->allocate(ByteCount{run.size}, CommitNumber{1}).value();
      allocator->end_build();
    }
  }
  EXPECT_LE(heap_.file_size().value, size + size / 16);
  // A kill may lose hints.
  for (const Run& run : runs) ASSERT_TRUE(neighbour->free(run.block));
  for (std::uint64_t region = 0; region * format::segments_per_region < heap_.segment_count(); ++region)
    std::memset(heap_.at<std::byte>(format::hints_offset(region, format::class_empty)), 0, format::hint_words * 8);
  for (Run& run : runs) {
    run.block = allocator->allocate(ByteCount{run.size}, CommitNumber{1}).value();
    allocator->end_build();
  }
  EXPECT_LE(heap_.file_size().value, size + size / 16);
  // By its own line: the same place again.
  Run& lowest = *std::ranges::min_element(runs, {}, &Run::block);
  const Offset first = lowest.block;
  ASSERT_TRUE(allocator->free(first));
  lowest.block = allocator->allocate(ByteCount{lowest.size}, CommitNumber{1}).value();
  EXPECT_EQ(lowest.block, first);
  for (const Run& run : runs) ASSERT_TRUE(allocator->free(run.block));
  give_up(0, allocator);
  give_up(1, neighbour);
  EXPECT_EQ(heap_.statistics().used.value, 0u);
}

// As a damaged coordination file says it: each growth must come from the size that is there, or it goes round for ever.
TEST_F(HeapTest, GrowsFromASizeThatIsNoWholeNumberOfSegments) {
  auto& size = coordination_.fixed().file_size;
  for (const std::uint64_t odd : {std::uint64_t{1}, std::uint64_t{4'096}, format::segment_size - 8}) {
    const std::uint64_t before = size.load() + odd;
    ASSERT_TRUE(file_->allocate(ByteCount{before}).ok());
    size.store(before);
    const Result<void> grown = heap_.grow(1);
    ASSERT_TRUE(grown.ok()) << grown.error().message();
    ASSERT_GT(size.load(), before) << odd;
    EXPECT_EQ((size.load() - format::regions_offset) % format::segment_size, 0U) << odd;
    // What a thread asks for is then there.
    auto allocator = claim(0);
    for (int i = 0; i < 200; ++i) {
      const Result<Offset> made = allocator->allocate(ByteCount{8'000}, CommitNumber{1});
      ASSERT_TRUE(made.ok()) << made.error().message();
      EXPECT_LE(made->value + 8'000, size.load());
    }
    allocator->end_build();
    give_up(0, allocator);
  }
}

TEST_F(HeapTest, GrowsNoFurtherThanAStoreOrItsAddresses) {
  const std::uint64_t before = heap_.file_size().value;
  const Result<void> too_large = heap_.grow(format::file_size_max >> format::segment_shift);
  EXPECT_EQ(too_large.code(), Code::no_space);
  EXPECT_NE(too_large.error().message().find("256 TiB"), std::string::npos) << too_large.error().message();
  heap_.open(map_->data(), ByteCount{before}, coordination_, *file_);
  const Result<void> outgrown = heap_.grow(1);
  EXPECT_EQ(outgrown.code(), Code::no_space);
  EXPECT_NE(outgrown.error().message().find("addresses reserved for it"), std::string::npos)
      << outgrown.error().message();
  EXPECT_EQ(heap_.file_size().value, before);
}

// As a damaged descriptor says it.
TEST_F(HeapTest, ALineThatIsNotThereOwnsNothing) {
  for (const std::uint64_t line : {coordination_.fixed().line_count.load(), format::line_count_max})
    EXPECT_FALSE(heap_.is_live_owner(format::OwnerWord::make(line, 0, incarnation))) << line;
  EXPECT_TRUE(heap_.is_live_owner(format::OwnerWord::make(0, 0, incarnation)));
}

// Regions without a hint are passed by, 64 at a time.
TEST_F(HeapTest, FindsAHintAmongManyRegionsWithout) {
  constexpr std::uint64_t regions = 100;
  const std::uint64_t size = format::regions_offset + regions * format::region_size;
  ASSERT_EQ(::truncate(folder_.path("heap").c_str(), static_cast<off_t>(size)), 0);
  coordination_.fixed().file_size.store(size);
  const unsigned size_class = format::class_first;
  EXPECT_FALSE(heap_.take_hint(size_class, SegmentIndex{0}).has_value());
  for (const std::uint64_t region : {0, 1, 63, 64, 65, 99}) {
    const SegmentIndex there{region * format::segments_per_region + 100};
    for (const std::uint64_t from : {0, 10, 64, 99}) {
      heap_.hint(there, size_class);
      EXPECT_EQ(heap_.take_hint(size_class, SegmentIndex{from * format::segments_per_region}), there) << from;
    }
    EXPECT_FALSE(heap_.take_hint(size_class, SegmentIndex{0}).has_value());
  }
}

TEST_F(HeapTest, ThreadsFreeEachOthersBlocks) {
  UTAN_SEEDED(seed);
  constexpr std::uint64_t thread_count = 3;
  struct Item {
    Offset offset;
    std::uint64_t size;
    unsigned char mark;
  };
  std::mutex mutex;
  std::vector<Item> market;  // what is put here, anyone may take and free
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> wrong{0};
  for (std::uint64_t t = 0; t < thread_count; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      auto allocator = claim(t);
      for (std::uint64_t i = 0; i < test::scaled(8'000, 500'000); ++i) {
        const std::uint64_t size = random_size(random) % 4'000 + 16;
        const Result<Offset> made = allocator->allocate(ByteCount{size}, CommitNumber{i + 1});
        if (!made.ok()) {
          ++wrong;
          break;
        }
        const auto mark = static_cast<unsigned char>(random());
        std::memset(heap_.at<std::byte>(made.value()) + format::block_header_size, mark,
                    size - format::block_header_size);
        allocator->end_build();
        Item other{made.value(), size, mark};
        {
          const std::lock_guard lock(mutex);
          market.push_back(other);
          if (market.size() < 500) continue;
          std::swap(market[random() % market.size()], market.back());
          other = market.back();
          market.pop_back();
        }
        const auto* bytes = heap_.at<unsigned char>(other.offset) + format::block_header_size;
        for (std::uint64_t b = 0; b < other.size - format::block_header_size; b += 61) wrong += bytes[b] != other.mark;
        wrong += !allocator->free(other.offset);
      }
      give_up(t, allocator);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0u);
  auto allocator = claim(0);
  for (const Item& item : market) EXPECT_TRUE(allocator->free(item.offset));
  give_up(0, allocator);
  EXPECT_EQ(heap_.statistics().used.value, 0u);
}

// Of a lost file the descriptors, too, are zeroes, which say that there is no such block.
TEST_F(HeapTest, ABuildOfALostFileIsGivenUp) {
  std::atomic<std::uint64_t> usable{1};
  heap_.open(map_->data(), map_->reserved(), coordination_, *file_, &usable);
  auto allocator = claim(0);
  Build build(*allocator);
  build.begin(heap_.view(CommitNumber{1}), CommitNumber{2});
  const auto made = build.make<format::BlockHeader>(format::Kind::value, ByteCount{100}, 0);
  ASSERT_TRUE(made.ok()) << made.error().message();
  heap_.descriptor(format::segment_of(made->offset)).class_word.store(0);
  usable = 0;
  build.discard();
  EXPECT_EQ(build.made_count(), 0U);
}

// Where the file cannot be made longer, and has more segments than are looked at without a hint before it would be.
class FullHeapTest : public HeapTest {
 protected:
  void SetUp() override {
    HeapTest::SetUp();
    const ByteCount size{format::regions_offset + 500 * format::segment_size};
    ASSERT_TRUE(file_->allocate(size).ok());
    coordination_.fixed().file_size = size.value;
    heap_.open(map_->data(), size, coordination_, *file_);
  }
  // Takes all that there is, the reserve, too.
  static std::vector<Offset> fill(Allocator& allocator, ByteCount size) {
    const Allocator::Using use(allocator, Room::reserve);
    std::vector<Offset> blocks;
    for (;;) {
      const Result<Offset> made = allocator.allocate(size, CommitNumber{1});
      allocator.end_build();
      if (!made.ok()) {
        EXPECT_EQ(made.code(), Code::no_space) << made.error().message();
        return blocks;
      }
      blocks.push_back(*made);
    }
  }
  // By another line, which keeps none of them.
  void free_all(const std::vector<Offset>& blocks) {
    auto neighbour = claim(1);
    for (const Offset block : blocks) ASSERT_TRUE(neighbour->free(block));
    give_up(1, neighbour);
  }
  // As a kill does.
  void lose_hints() {
    for (unsigned size_class = 0; size_class < format::class_run; ++size_class)
      std::memset(heap_.at<std::byte>(format::hints_offset(0, size_class)), 0, format::hint_words * 8);
  }
};

TEST_F(FullHeapTest, OneBuildGetsEveryFreeBlockOfALargerClass) {
  auto allocator = claim(0);
  const std::vector<Offset> blocks = fill(*allocator, ByteCount{64});
  std::vector<Offset> freed;
  std::ranges::copy_if(blocks.begin() + 1, blocks.end(), std::back_inserter(freed),
                       [&](Offset block) { return format::segment_of(block) == format::segment_of(blocks.front()); });
  ASSERT_GT(freed.size(), 128U) << "in several words of the bitmap";
  free_all(freed);
  const Allocator::Using use(*allocator, Room::reserve);
  for (std::size_t i = 0; i < freed.size(); ++i) {
    const Result<Offset> made = allocator->allocate(ByteCount{40}, CommitNumber{2});
    ASSERT_TRUE(made.ok()) << i << " of " << freed.size() << ": " << made.error().message();
  }
  EXPECT_EQ(allocator->allocate(ByteCount{40}, CommitNumber{2}).code(), Code::no_space);
  allocator->end_build();
}

TEST_F(FullHeapTest, WhatIsFreedAfterALookInVainIsFound) {
  auto allocator = claim(0);
  const std::vector<Offset> blocks = fill(*allocator, ByteCount{64});
  // So few in each word of a bitmap that nothing is hinted.
  std::vector<Offset> freed;
  for (std::size_t i = 0; i < blocks.size(); i += 64) freed.push_back(blocks[i]);
  free_all(freed);
  const Allocator::Using use(*allocator, Room::reserve);
  for (std::size_t i = 0; i < freed.size(); ++i) {
    const Result<Offset> made = allocator->allocate(ByteCount{64}, CommitNumber{2});
    ASSERT_TRUE(made.ok()) << i << " of " << freed.size() << ": " << made.error().message();
  }
  allocator->end_build();
}

TEST_F(FullHeapTest, TheOneBlockThatIsFreedIsFoundWhereverItIs) {
  auto allocator = claim(0);
  const std::vector<Offset> blocks = fill(*allocator, ByteCount{64});
  for (std::size_t i = 0; i < blocks.size(); i += 1'000) {
    free_all({blocks[i]});
    const Allocator::Using use(*allocator, Room::reserve);
    const Result<Offset> made = allocator->allocate(ByteCount{64}, CommitNumber{2});
    allocator->end_build();
    ASSERT_TRUE(made.ok()) << i << " of " << blocks.size() << ": " << made.error().message();
    EXPECT_EQ(*made, blocks[i]);
  }
}

TEST_F(FullHeapTest, NotEveryBlockIsALookAtAllSegments) {
  constexpr std::uint64_t sizes[] = {32, 40, 48, 56};
  auto allocator = claim(0);
  const std::vector<Offset> blocks = fill(*allocator, ByteCount{64});
  std::vector<Offset> freed;
  for (std::size_t i = 0; i < blocks.size(); i += 2) freed.push_back(blocks[i]);
  free_all(freed);
  lose_hints();
  const std::uint64_t before = allocator->look_count();
  for (std::size_t i = 0; i + std::size(sizes) <= freed.size(); i += std::size(sizes)) {
    const Allocator::Using use(*allocator, Room::reserve);
    for (const std::uint64_t size : sizes) {
      const Result<Offset> made = allocator->allocate(ByteCount{size}, CommitNumber{2});
      ASSERT_TRUE(made.ok()) << i << " of " << freed.size() << ": " << made.error().message();
    }
    allocator->end_build();
  }
  EXPECT_LE(allocator->look_count() - before, std::size(sizes) + 1)
      << "one for each class, and one for all larger ones";
}

}  // namespace
}  // namespace utan::heap
