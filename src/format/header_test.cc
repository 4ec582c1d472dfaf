// Shows that a header or a checkpoint slot with one wrong bit, or torn, is never believed, and that what stands beside it
// is.
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

// --- The header -----------------------------------------------------------------------------------------------------

FileHeader good_header(std::uint64_t sequence) {
  FileHeader header{};
  std::memcpy(header.magic, magic, sizeof magic);
  header.version = format_version;
  header.clean = 1;
  header.store_id = {{1, 2}};
  header.incarnation = 100 + sequence;
  header.chunk_size = chunk_size_default;
  header.durability = static_cast<std::uint32_t>(Durability::manual);
  header.sequence = sequence;
  header.checksum = header_checksum(header);
  return header;
}

constexpr ByteCount some_size{file_size_min};

TEST(Header, TheValidCopyWithTheHigherSequenceCounts) {
  const FileHeader older = good_header(8);
  const FileHeader newer = good_header(9);
  EXPECT_EQ(choose_header(older, newer, some_size)->sequence, 9U);
  EXPECT_EQ(choose_header(newer, older, some_size)->sequence, 9U);
  const FileHeader empty{};
  EXPECT_EQ(choose_header(older, empty, some_size)->sequence, 8U);
  EXPECT_EQ(choose_header(empty, older, some_size)->sequence, 8U);
}

TEST(Header, ACopyWithOneWrongBitNeverCounts) {
  const FileHeader older = good_header(8);
  for (std::size_t bit = 0; bit < sizeof(FileHeader) * 8; ++bit) {
    FileHeader newer = good_header(9);
    auto* byte = reinterpret_cast<unsigned char*>(&newer) + bit / 8;
    *byte = static_cast<unsigned char>(*byte ^ (1U << (bit % 8)));
    const Result<FileHeader> chosen = choose_header(older, newer, some_size);
    ASSERT_TRUE(chosen.ok()) << bit;
    ASSERT_EQ(chosen->sequence, 8U) << bit;
  }
}

// The copy with sequence 10 goes where 8 was, and is torn after every byte.
TEST(Header, ATornWriteLeavesTheOtherCopy) {
  const FileHeader other = good_header(9);
  const FileHeader now = good_header(10);
  for (std::size_t written = 0; written <= sizeof(FileHeader); ++written) {
    FileHeader torn = good_header(8);
    std::memcpy(static_cast<void*>(&torn), &now, written);
    const Result<FileHeader> chosen = choose_header(torn, other, some_size);
    ASSERT_TRUE(chosen.ok());
    // The copy is new as soon as all bytes that differ are there.
    ASSERT_EQ(chosen->sequence, std::memcmp(&torn, &now, sizeof now) == 0 ? 10U : 9U) << written;
  }
}

TEST(Header, SaysWhatIsWrong) {
  const FileHeader good = good_header(1);
  const FileHeader empty{};
  EXPECT_EQ(choose_header(empty, empty, some_size).code(), Code::format);
  FileHeader broken = good;
  broken.checksum ^= 1;
  EXPECT_EQ(choose_header(broken, broken, some_size).code(), Code::corruption);
  EXPECT_EQ(choose_header(broken, empty, some_size).code(), Code::corruption);
  EXPECT_EQ(choose_header(good, good, ByteCount{file_size_min - 1}).code(), Code::corruption);

  const auto changed = [&good](auto&& change) {
    FileHeader header = good;
    change(header);
    header.checksum = header_checksum(header);
    return choose_header(header, header, some_size).code();
  };
  EXPECT_EQ(changed([](FileHeader&) {}), Code::ok);
  EXPECT_EQ(changed([](FileHeader& h) { h.version = format_version + 1; }), Code::version);
  EXPECT_EQ(changed([](FileHeader& h) { h.version = format_version_oldest - 1; }), Code::version);
  EXPECT_EQ(changed([](FileHeader& h) { h.version = 0; }), Code::version);
  EXPECT_EQ(changed([](FileHeader& h) { h.chunk_size = chunk_size_min - 1; }), Code::corruption);
  EXPECT_EQ(changed([](FileHeader& h) { h.chunk_size = chunk_size_max + 1; }), Code::corruption);
  EXPECT_EQ(changed([](FileHeader& h) { h.chunk_size = chunk_size_min; }), Code::ok);
  EXPECT_EQ(changed([](FileHeader& h) { h.chunk_size = chunk_size_max; }), Code::ok);
  EXPECT_EQ(changed([](FileHeader& h) { h.clean = 2; }), Code::corruption);
  EXPECT_EQ(changed([](FileHeader& h) { h.durability = 3; }), Code::corruption);
}

TEST(Header, CopiesAreWrittenInTurnAndAPageApart) {
  EXPECT_EQ(header_copy_offset(0).value, 0U);
  EXPECT_EQ(header_copy_offset(1).value, page_size);
  EXPECT_EQ(header_copy_offset(2).value, 0U);
}

// --- Checkpoint slots -----------------------------------------------------------------------------------------------

constexpr StoreId slot_store{{1, 2}};

CheckpointSlot good_slot() {
  CheckpointSlot slot{};
  std::memcpy(slot.magic, magic, sizeof magic);
  slot.store_id = slot_store;
  slot.number = 7;
  slot.offset = regions_offset + region_metadata_segments * segment_size;
  slot.file_size = file_size_min;
  slot.checksum = slot_checksum(slot);
  return slot;
}

bool valid_with(const std::function<void(CheckpointSlot&)>& change) {
  CheckpointSlot slot = good_slot();
  change(slot);
  slot.checksum = slot_checksum(slot);
  return valid_slot(slot, slot_store);
}

TEST(Slot, IsBelievedOnlyIfItsCommitCanLieInTheFile) {
  EXPECT_TRUE(valid_slot(good_slot(), slot_store));
  EXPECT_FALSE(valid_slot(CheckpointSlot{}, slot_store));
  EXPECT_FALSE(valid_slot(good_slot(), StoreId{{1, 3}}));
  EXPECT_FALSE(valid_with([](CheckpointSlot& s) { s.magic[0] = 'x'; }));
  EXPECT_FALSE(valid_with([](CheckpointSlot& s) { s.number = 0; }));
  EXPECT_FALSE(valid_with([](CheckpointSlot& s) { s.offset = regions_offset - 16; }));
  EXPECT_FALSE(valid_with([](CheckpointSlot& s) { s.offset += 8; }));
  EXPECT_TRUE(valid_with([](CheckpointSlot& s) { s.offset = file_size_min - commit_block_size; }));
  EXPECT_FALSE(valid_with([](CheckpointSlot& s) { s.offset = file_size_min - commit_block_size + 16; }));
  EXPECT_FALSE(valid_with([](CheckpointSlot& s) { s.file_size = file_size_max + 1; }));
  EXPECT_TRUE(valid_with([](CheckpointSlot& s) { s.file_size = file_size_max; }));
}

TEST(Slot, IsNotBelievedWhereTheEndOfItsCommitWrapsAround) {
  EXPECT_FALSE(valid_with([](CheckpointSlot& s) { s.offset = ~std::uint64_t{0} - commit_block_size + 1; }));
  EXPECT_FALSE(valid_with([](CheckpointSlot& s) { s.offset = ~std::uint64_t{0} - 15; }));
}

TEST(Slot, WithOneWrongBitIsNotBelieved) {
  for (std::size_t bit = 0; bit < sizeof(CheckpointSlot) * 8; ++bit) {
    CheckpointSlot slot = good_slot();
    auto* byte = reinterpret_cast<unsigned char*>(&slot) + bit / 8;
    *byte = static_cast<unsigned char>(*byte ^ (1U << (bit % 8)));
    ASSERT_FALSE(valid_slot(slot, slot_store)) << bit;
  }
}

TEST(Slot, SlotsFillThePartBetweenHeaderAndRegions) {
  EXPECT_EQ(slot_offset(0).value, checkpoint_slots_offset);
  EXPECT_EQ(slot_offset(checkpoint_slot_count).value, regions_offset);
  EXPECT_LE(sizeof(CheckpointSlot), 512U);
}

// --- The coordination file ------------------------------------------------------------------------------------------

TEST(CoordinationFile, AHeaderWithOneWrongBitHasAnotherSum) {
  CoordinationHeader header{};
  std::memcpy(header.magic, coordination_magic, sizeof header.magic);
  header.checksum = coordination_checksum(header);
  for (std::size_t bit = 0; bit < offsetof(CoordinationHeader, checksum) * 8; ++bit) {
    auto* byte = reinterpret_cast<unsigned char*>(&header) + bit / 8;
    *byte = static_cast<unsigned char>(*byte ^ (1U << (bit % 8)));
    ASSERT_NE(coordination_checksum(header), header.checksum) << bit;
    *byte = static_cast<unsigned char>(*byte ^ (1U << (bit % 8)));
  }
}

TEST(CoordinationFile, ItsPartsFollowEachOther) {
  EXPECT_LE(sizeof(CoordinationFixed), claims_offset);
  EXPECT_EQ(waiting_lists_offset, claims_offset + checkpoint_slot_count * sizeof(CheckpointClaim));
  EXPECT_EQ(waiting_hints_offset, waiting_lists_offset + waiting_list_count * 8);
  EXPECT_LE(waiting_hints_offset + waiting_list_count * 8, entries_offset);
  EXPECT_EQ(region_hints_offset, entries_offset + process_entry_count * sizeof(ProcessEntry));
  EXPECT_EQ(lines_offset, region_hints_offset + size_class_count_max * hinted_regions / 8);
  EXPECT_EQ(coordination_size(3), lines_offset + 3 * sizeof(Line));
}

}  // namespace
}  // namespace utan::format
