// Shows that the building blocks of the format hold: every size has a class, an offset's block index is exact, a checksum
// sees every single bit and can be kept up to date word by word, packed words give back what was put in.
// Labels: small
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "format/block.h"
#include "format/coordination.h"
#include "format/header.h"
#include "format/layout.h"
#include "format/nodes.h"
#include "format/size_class.h"
#include "format/word.h"

namespace utan::format {
namespace {

// --- Places ---------------------------------------------------------------------------------------------------------

TEST(Layout, WhatDescribesASegmentLiesInItsRegionAndNothingOverlaps) {
  for (const std::uint64_t region : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4097}}) {
    const std::uint64_t start = region_start(region).value;
    std::set<std::uint64_t> lines;  // of 16 bytes, each described once
    const auto take = [&](Offset from, std::uint64_t size) {
      for (std::uint64_t at = from.value; at < from.value + size; at += 16) {
        EXPECT_TRUE(at >= start && at < start + region_metadata_segments * segment_size);
        EXPECT_TRUE(lines.insert(at).second) << at;
      }
    };
    for (std::uint64_t i = 0; i < segments_per_region; ++i) {
      const SegmentIndex segment{region * segments_per_region + i};
      EXPECT_EQ(segment_of(segment_start(segment)), segment);
      EXPECT_EQ(segment_of(Offset{segment_start(segment).value + segment_size - 1}), segment);
      EXPECT_EQ(describes_region(segment), i < region_metadata_segments);
      take(bitmap_offset(segment), bitmap_size);
      take(descriptor_offset(segment), sizeof(SegmentDescriptor));
    }
    for (unsigned c = 0; c < size_class_count_max; ++c) take(hints_offset(region, c), hint_words * 8);
  }
}

TEST(Layout, CountsWholeSegments) {
  EXPECT_EQ(segment_count(ByteCount{0}), 0U);
  EXPECT_EQ(segment_count(ByteCount{regions_offset - 1}), 0U);
  EXPECT_EQ(segment_count(ByteCount{regions_offset + segment_size - 1}), 0U);
  EXPECT_EQ(segment_count(ByteCount{file_size_min}), region_metadata_segments + 16);
}

// --- Size classes ---------------------------------------------------------------------------------------------------

TEST(SizeClass, EverySizeGetsTheSmallestBlockThatHoldsIt) {
  for (std::uint64_t size = 1; size <= small_block_size_max; ++size) {
    const SizeClass c = class_for(ByteCount{size});
    ASSERT_TRUE(c >= class_first && c <= class_last) << size;
    const std::uint64_t block = size_classes[c].block_size;
    ASSERT_GE(block, size);
    if (c > class_first) {
      ASSERT_LT(size_classes[c - 1].block_size, size);
    }
    const std::uint64_t slack = block - size;
    if (size >= 49 && size <= 2336) {
      ASSERT_LE(slack * 8, block) << size;  // 12.5 %
    } else if (size > 2336) {
      ASSERT_LE(slack * 1000, block * 334) << size;
    }
  }
  EXPECT_EQ(class_for(ByteCount{small_block_size_max + 1}), class_run);
  EXPECT_EQ(run_length_for(ByteCount{segment_size}), 1U);
  EXPECT_EQ(run_length_for(ByteCount{segment_size + 1}), 2U);
  EXPECT_EQ(run_length_for(ByteCount{run_size_max}), run_segments_max);
}

TEST(SizeClass, FillsItsSegmentAndItsBitmap) {
  for (unsigned c = class_first; c <= class_commit; ++c) {
    SCOPED_TRACE(c);
    const SizeClassInfo& info = size_classes[c];
    EXPECT_TRUE(is_small_class(c));
    EXPECT_EQ(info.block_size % 8, 0U);
    EXPECT_LE(std::uint64_t{info.block_count} * info.block_size, segment_size);
    EXPECT_GT((std::uint64_t{info.block_count} + 1) * info.block_size, segment_size);
    std::uint64_t bits = 0;
    for (unsigned word = 0; word < bitmap_words; ++word) {
      bits += static_cast<unsigned>(std::popcount(used_bits(info, word)));
    }
    EXPECT_EQ(bits, info.block_count);
    EXPECT_TRUE(info.room_min >= 1 && info.room_min <= info.block_count);
  }
  for (const unsigned c : {unsigned{class_empty}, unsigned{class_run}, unsigned{class_run_body}}) {
    EXPECT_FALSE(is_small_class(c));
  }
}

TEST(SizeClass, TheReciprocalGivesTheIndexOfEveryByte) {
  for (unsigned c = class_first; c <= class_commit; ++c) {
    const SizeClassInfo& info = size_classes[c];
    for (std::uint64_t distance = 0; distance < segment_size; ++distance) {
      ASSERT_EQ((distance * info.reciprocal) >> 32, distance / info.block_size)
          << "class " << c << ", byte " << distance;
    }
  }
}

// --- Checksums ------------------------------------------------------------------------------------------------------

// A node of 512 bytes: its header, and 62 words.
struct Node {
  BlockHeader header{};
  std::uint64_t words[62]{};
  std::uint32_t sum() const { return checksum_header(header) + checksum_words(this, 2, 62); }
};
static_assert(sizeof(Node) == 512);

// The seed, printed where something fails; UTAN_SEED=n runs it again.
std::uint64_t seed() {
  const char* given = std::getenv("UTAN_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20240229;
}

Node random_node(std::mt19937_64& random) {
  Node node;
  node.header = {random(), 0, Kind::directory, class_for(ByteCount{512}), static_cast<std::uint16_t>(random())};
  for (auto& word : node.words) word = random() >> (random() % 64);
  return node;
}

TEST(Checksum, SeesEverySingleBitOfANode) {
  SCOPED_TRACE("UTAN_SEED=" + std::to_string(seed()));
  std::mt19937_64 random(seed());
  for (int round = 0; round < 20; ++round) {
    Node node = round == 0 ? Node{} : random_node(random);
    node.header.checksum = node.sum();
    for (std::size_t bit = 0; bit < sizeof node * 8; ++bit) {
      auto* byte = reinterpret_cast<unsigned char*>(&node) + bit / 8;
      *byte = static_cast<unsigned char>(*byte ^ (1U << (bit % 8)));
      ASSERT_NE(node.sum(), node.header.checksum) << "bit " << bit << ", round " << round;
      *byte = static_cast<unsigned char>(*byte ^ (1U << (bit % 8)));
    }
  }
}

TEST(Checksum, ReplacingWordsOneByOneEqualsAddingUpAnew) {
  SCOPED_TRACE("UTAN_SEED=" + std::to_string(seed()));
  std::mt19937_64 random(seed());
  Node node = random_node(random);
  std::uint32_t sum = node.sum();
  for (int i = 0; i < 10'000; ++i) {
    if (random() % 8 == 0) {
      sum -= checksum_header(node.header);
      node.header.birth = random();
      node.header.aux = static_cast<std::uint16_t>(random());
      sum += checksum_header(node.header);
    } else {
      const std::uint64_t at = random() % 62;
      const std::uint64_t now = random() % 4 == 0 ? 0 : random();
      sum += checksum_share(at + 2, now) - checksum_share(at + 2, node.words[at]);
      node.words[at] = now;
    }
    ASSERT_EQ(sum, node.sum()) << "step " << i;
  }
}

TEST(Checksum, SeesWordsThatChangePlacesAndNodesCutShort) {
  SCOPED_TRACE("UTAN_SEED=" + std::to_string(seed()));
  std::mt19937_64 random(seed());
  Node node = random_node(random);
  const std::uint32_t sum = node.sum();
  for (std::size_t i = 0; i < 62; ++i) {
    for (std::size_t j = i + 1; j < 62; ++j) {
      if (node.words[i] == node.words[j]) continue;
      std::swap(node.words[i], node.words[j]);
      ASSERT_NE(node.sum(), sum) << i << " and " << j;
      std::swap(node.words[i], node.words[j]);
    }
  }
  const Node zeroes;
  EXPECT_NE(checksum_words(&zeroes, 2, 62), checksum_words(&zeroes, 2, 61));
}

TEST(Checksum, OfAPayloadSeesEverySingleBit) {
  SCOPED_TRACE("UTAN_SEED=" + std::to_string(seed()));
  std::mt19937_64 random(seed());
  for (const std::size_t size : {1U, 8U, 9U, 116U, 124U, 300U}) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const std::uint32_t sum = checksum_payload(text.data(), size);
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
      ASSERT_NE(checksum_payload(text.data(), size), sum) << "size " << size << ", bit " << bit;
      text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    }
  }
}

// --- Packed words ---------------------------------------------------------------------------------------------------

TEST(Words, GiveBackWhatWasPutInAtTheLimits) {
  const Offset last16{file_size_max - 16};
  const Offset last8{file_size_max - 8};
  for (const Offset offset : {Offset{}, Offset{regions_offset}, last16}) {
    for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{0xfffff}, std::uint64_t{0x100000}, pin_open}) {
      const HeadWord head = HeadWord::make(offset, CommitNumber{number});
      EXPECT_EQ(head.block(), offset);
      EXPECT_TRUE(head.matches(number));
      EXPECT_TRUE(head.matches(number ^ (std::uint64_t{1} << 20)));  // only the low 20 bits are there
      for (unsigned bit = 0; bit < 20; ++bit) EXPECT_FALSE(head.matches(number ^ (std::uint64_t{1} << bit)));
    }
    for (const std::uint64_t count : {std::uint64_t{0}, waiting_entries_max, std::uint64_t{0xfffff}}) {
      const ChainWord chain = ChainWord::make(offset, count);
      EXPECT_EQ(chain.offset(), offset);
      EXPECT_EQ(chain.count(), count);
    }
  }
  for (const Offset offset : {Offset{}, Offset{regions_offset}, last8}) {
    for (const std::uint64_t tag : {std::uint64_t{0}, std::uint64_t{1}, BucketEntry::tag_mask}) {
      const BucketEntry entry = BucketEntry::make(tag, offset);
      EXPECT_EQ(entry.tag(), tag);
      EXPECT_EQ(entry.record(), offset);
    }
    for (const auto how : {ReplacedEntry::How::block, ReplacedEntry::How::list}) {
      const ReplacedEntry entry = ReplacedEntry::make(offset, how);
      EXPECT_EQ(entry.offset(), offset);
      EXPECT_EQ(entry.how(), how);
    }
  }
  for (const std::uint64_t line : {std::uint64_t{0}, line_count_max - 1}) {
    for (const std::uint64_t generation : {std::uint64_t{0}, std::uint64_t{0xffff}, std::uint64_t{0x10001}}) {
      for (const std::uint32_t incarnation : {0U, 1U, ~0U}) {
        const OwnerWord owner = OwnerWord::make(line, generation, incarnation);
        EXPECT_EQ(owner.line(), line);
        EXPECT_EQ(owner.line_generation(), generation & 0xffff);
        EXPECT_EQ(owner.incarnation(), incarnation);
      }
    }
  }
  for (const std::uint64_t entry : {std::uint64_t{0}, process_entry_count - 1}) {
    const OwnerOfLine owner = OwnerOfLine::make(static_cast<std::uint32_t>(entry), (std::uint64_t{1} << 47) - 1);
    EXPECT_EQ(owner.entry(), entry);
    EXPECT_EQ(owner.word >> 17, (std::uint64_t{1} << 47) - 1);
    EXPECT_EQ(owner.word & 1, 1U);
  }
  const SegmentIndex last_segment{segment_count(ByteCount{file_size_max}) - 1};
  const std::uint64_t place = AllocatorSlot::make_place(last_segment, 7);
  EXPECT_EQ(AllocatorSlot::place_segment(place), last_segment);
  EXPECT_EQ(AllocatorSlot::place_word(place), 7U);
  const ObjectId id = ObjectId::make(object_index_max, 0xffffff);
  EXPECT_EQ(id.index(), object_index_max);
  EXPECT_EQ(id.generation(), 0xffffffU);
  EXPECT_EQ(root_object.index(), 0U);
  EXPECT_EQ(root_object.generation(), 1U);
}

TEST(Words, AChangedClassCountsItsGenerationOnAndAround) {
  ClassWord word;
  word = word.changed_to(class_run, run_segments_max);
  EXPECT_EQ(word.size_class(), class_run);
  EXPECT_EQ(word.run_length(), run_segments_max);
  EXPECT_EQ(word.generation(), 1U);
  word = ClassWord{0xffffff00}.changed_to(class_first, 0);
  EXPECT_EQ(word.generation(), 0U);
  EXPECT_EQ(word.size_class(), class_first);
  EXPECT_EQ(word.run_length(), 0U);
}

TEST(Words, ABucketHoldsItsMostEntriesAtEveryLevel) {
  for (std::uint64_t level = 0; level < 64; ++level) {
    Bucket bucket{};
    bucket.header.aux = Bucket::make_aux(bucket_entries_max, level);
    EXPECT_EQ(bucket.count(), bucket_entries_max);
    EXPECT_EQ(bucket.base_level(), level);
  }
  EXPECT_LE(Bucket::size_for(bucket_entries_max), small_block_size_max);
  EXPECT_LE(List::size_for(list_entries_max), small_block_size_max);
}

}  // namespace
}  // namespace utan::format
