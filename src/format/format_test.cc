// Shows that docs/FORMAT.md says what the structs are: every field's offset and size, every bit field, kind, tag, size
// class and constant, in both directions, with no byte of a struct left out. And that the building blocks hold: every
// size has a class, an offset's block index is exact, a checksum sees every single bit and can be kept up to date word
// by word, packed words give back what was put in, a torn header or slot is never believed.
// Labels: small
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>
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

// --- What the code says ---------------------------------------------------------------------------------------------

struct Field {
  std::string name;
  std::uint64_t offset;
  std::uint64_t size;
};
struct Layout {
  std::string name;
  std::uint64_t size;
  std::vector<Field> fields;
};

#define FIELD(type, name) \
  Field { #name, offsetof(type, name), sizeof(type::name) }

// clang-format off
std::vector<Layout> layouts() {
  return {
      {"StoreId", sizeof(StoreId), {FIELD(StoreId, words)}},
      {"FileHeader", sizeof(FileHeader), {FIELD(FileHeader, magic), FIELD(FileHeader, version),
       FIELD(FileHeader, clean), FIELD(FileHeader, store_id), FIELD(FileHeader, incarnation),
       FIELD(FileHeader, hash_seed), FIELD(FileHeader, trusted_from), FIELD(FileHeader, chunk_size),
       FIELD(FileHeader, durability), FIELD(FileHeader, interval_ms), FIELD(FileHeader, created_ns),
       FIELD(FileHeader, sequence), FIELD(FileHeader, leaked_count_max), FIELD(FileHeader, number_floor),
       FIELD(FileHeader, reserved),
       FIELD(FileHeader, checksum)}},
      {"CheckpointSlot", sizeof(CheckpointSlot), {FIELD(CheckpointSlot, magic), FIELD(CheckpointSlot, store_id),
       FIELD(CheckpointSlot, number), FIELD(CheckpointSlot, offset), FIELD(CheckpointSlot, file_size),
       FIELD(CheckpointSlot, incarnation), FIELD(CheckpointSlot, time_ns), FIELD(CheckpointSlot, reserved),
       FIELD(CheckpointSlot, checksum)}},
      {"Bitmap", sizeof(Bitmap), {FIELD(Bitmap, words)}},
      {"SegmentDescriptor", sizeof(SegmentDescriptor), {FIELD(SegmentDescriptor, class_word),
       FIELD(SegmentDescriptor, owner)}},
      {"BlockHeader", sizeof(BlockHeader), {FIELD(BlockHeader, birth), FIELD(BlockHeader, checksum),
       FIELD(BlockHeader, kind), FIELD(BlockHeader, size_class), FIELD(BlockHeader, aux)}},
      {"CommitBlock", sizeof(CommitBlock), {FIELD(CommitBlock, header), FIELD(CommitBlock, object_table_root),
       FIELD(CommitBlock, object_table_depth), FIELD(CommitBlock, object_index_high),
       FIELD(CommitBlock, container_count), FIELD(CommitBlock, time_ns), FIELD(CommitBlock, record),
       FIELD(CommitBlock, log_offset), FIELD(CommitBlock, reserved), FIELD(CommitBlock, owner_next),
       FIELD(CommitBlock, replaced_count), FIELD(CommitBlock, reserved2), FIELD(CommitBlock, replaced)}},
      {"Record", sizeof(Record), {FIELD(Record, header), FIELD(Record, key_size), FIELD(Record, value_size)}},
      {"Extent", sizeof(Extent), {FIELD(Extent, header)}},
      {"Bucket", sizeof(Bucket), {FIELD(Bucket, header)}},
      {"Directory", sizeof(Directory), {FIELD(Directory, header)}},
      {"TableRoot", sizeof(TableRoot), {FIELD(TableRoot, header), FIELD(TableRoot, record_count),
       FIELD(TableRoot, bucket_count)}},
      {"ObjectEntry", sizeof(ObjectEntry), {FIELD(ObjectEntry, root), FIELD(ObjectEntry, generation),
       FIELD(ObjectEntry, link_count)}},
      {"ObjectLeaf", sizeof(ObjectLeaf), {FIELD(ObjectLeaf, header)}},
      {"ObjectBranch", sizeof(ObjectBranch), {FIELD(ObjectBranch, header)}},
      {"List", sizeof(List), {FIELD(List, header), FIELD(List, drained), FIELD(List, count)}},
      {"WaitingEntry", sizeof(WaitingEntry), {FIELD(WaitingEntry, entry), FIELD(WaitingEntry, replaced_by)}},
      {"WaitingChunk", sizeof(WaitingChunk), {FIELD(WaitingChunk, header), FIELD(WaitingChunk, next),
       FIELD(WaitingChunk, blocking), FIELD(WaitingChunk, count), FIELD(WaitingChunk, reserved)}},
      {"CoordinationHeader", sizeof(CoordinationHeader), {FIELD(CoordinationHeader, magic),
       FIELD(CoordinationHeader, version), FIELD(CoordinationHeader, boot_id_known),
       FIELD(CoordinationHeader, boot_id), FIELD(CoordinationHeader, store_id),
       FIELD(CoordinationHeader, data_device), FIELD(CoordinationHeader, data_inode),
       FIELD(CoordinationHeader, own_inode), FIELD(CoordinationHeader, incarnation),
       FIELD(CoordinationHeader, incarnation_before), FIELD(CoordinationHeader, number_floor),
       FIELD(CoordinationHeader, opening_number), FIELD(CoordinationHeader, trusted_from),
       FIELD(CoordinationHeader, checksum)}},
      {"CoordinationFixed", sizeof(CoordinationFixed), {FIELD(CoordinationFixed, header),
       FIELD(CoordinationFixed, head), FIELD(CoordinationFixed, object_index_next),
       FIELD(CoordinationFixed, file_size), FIELD(CoordinationFixed, marked), FIELD(CoordinationFixed, health),
       FIELD(CoordinationFixed, health_errno), FIELD(CoordinationFixed, line_count),
       FIELD(CoordinationFixed, line_high), FIELD(CoordinationFixed, chunk_size), FIELD(CoordinationFixed, reserved0),
       FIELD(CoordinationFixed, leaked_count_max), FIELD(CoordinationFixed, adopted_count),
       FIELD(CoordinationFixed, durable_number), FIELD(CoordinationFixed, reserved3),
       FIELD(CoordinationFixed, ticket), FIELD(CoordinationFixed, reserved1)}},
      {"CheckpointClaim", sizeof(CheckpointClaim), {FIELD(CheckpointClaim, claimant),
       FIELD(CheckpointClaim, number)}},
      {"ProcessEntry", sizeof(ProcessEntry), {FIELD(ProcessEntry, claim), FIELD(ProcessEntry, process_id),
       FIELD(ProcessEntry, started_ns), FIELD(ProcessEntry, flags)}},
      {"PinSlot", sizeof(PinSlot), {FIELD(PinSlot, number), FIELD(PinSlot, offset)}},
      {"AllocatorSlot", sizeof(AllocatorSlot), {FIELD(AllocatorSlot, mask), FIELD(AllocatorSlot, place),
       FIELD(AllocatorSlot, stashed), FIELD(AllocatorSlot, reserved)}},
      {"PinLine", sizeof(PinLine), {FIELD(PinLine, pins)}},
      {"Line", sizeof(Line), {FIELD(Line, pins), FIELD(Line, extra_pins_high), FIELD(Line, records_from),
       FIELD(Line, reserved0), FIELD(Line, owner), FIELD(Line, generation), FIELD(Line, leaked_count),
       FIELD(Line, reserved1), FIELD(Line, pending), FIELD(Line, queue), FIELD(Line, taken), FIELD(Line, uncertain),
       FIELD(Line, open_chunks), FIELD(Line, build_count), FIELD(Line, build), FIELD(Line, allocator),
       FIELD(Line, extra_pins), FIELD(Line, reserved2), FIELD(Line, stash)}},
  };
}
// clang-format on

// A part of a packed word. `get` reads it as a plain number of `bits` bits.
struct Part {
  std::string name;
  unsigned first;
  unsigned bits;
  std::function<std::uint64_t(std::uint64_t word)> get;
};

std::map<std::string, std::vector<Part>> words() {
  const auto bucket = [](std::uint64_t word) {
    Bucket out{};
    out.header.aux = static_cast<std::uint16_t>(word);
    return out;
  };
  const auto record = [](std::uint64_t word) {
    Record out{};
    out.header.aux = static_cast<std::uint16_t>(word);
    return out;
  };
  return {
      {"HeadWord",
       {{"tag", 0, 20, [](std::uint64_t w) { return HeadWord{w}.matches(w & 0xfffff) ? w & 0xfffff : ~w; }},
        {"block / 16", 20, 44, [](std::uint64_t w) { return HeadWord{w}.block().value >> 4; }}}},
      {"ChainWord",
       {{"count", 0, 20, [](std::uint64_t w) { return ChainWord{w}.count(); }},
        {"offset / 16", 20, 44, [](std::uint64_t w) { return ChainWord{w}.offset().value >> 4; }}}},
      {"ClassWord",
       {{"size class", 0, 8, [](std::uint64_t w) { return std::uint64_t{ClassWord{w}.size_class()}; }},
        {"generation", 8, 24, [](std::uint64_t w) { return ClassWord{w}.generation(); }},
        {"run length", 32, 32, [](std::uint64_t w) { return ClassWord{w}.run_length(); }}}},
      {"OwnerWord",
       {{"line", 0, 16, [](std::uint64_t w) { return OwnerWord{w}.line(); }},
        {"line generation", 16, 16, [](std::uint64_t w) { return OwnerWord{w}.line_generation(); }},
        {"incarnation", 32, 32, [](std::uint64_t w) { return std::uint64_t{OwnerWord{w}.incarnation()}; }}}},
      {"BucketEntry",
       {{"record / 8", 0, 45, [](std::uint64_t w) { return BucketEntry{w}.record().value >> 3; }},
        {"tag", 45, 19, [](std::uint64_t w) { return BucketEntry{w}.tag(); }}}},
      {"ReplacedEntry",
       {{"offset", 0, 48, [](std::uint64_t w) { return ReplacedEntry{w}.offset().value; }},
        {"how", 56, 8, [](std::uint64_t w) { return static_cast<std::uint64_t>(ReplacedEntry{w}.how()); }}}},
      {"ObjectId",
       {{"generation", 0, 24, [](std::uint64_t w) { return ObjectId{w}.generation(); }},
        {"index", 24, 36, [](std::uint64_t w) { return ObjectId{w}.index(); }}}},
      {"OwnerOfLine",
       {{"one", 0, 1, [](std::uint64_t w) { return w & OwnerOfLine::make(0, 0).word; }},
        {"entry", 1, 16, [](std::uint64_t w) { return std::uint64_t{OwnerOfLine{w}.entry()}; }},
        {"generation", 17, 47, [](std::uint64_t w) { return w >> 17; }}}},
      {"place",
       {{"one", 0, 1, [](std::uint64_t w) { return w & AllocatorSlot::make_place(SegmentIndex{0}, 0); }},
        {"word", 1, 3, [](std::uint64_t w) { return std::uint64_t{AllocatorSlot::place_word(w)}; }},
        {"segment", 4, 60, [](std::uint64_t w) { return AllocatorSlot::place_segment(w).value; }}}},
      {"bucket's aux",
       {{"count", 0, 10, [bucket](std::uint64_t w) { return bucket(w).count(); }},
        {"base level", 10, 6, [bucket](std::uint64_t w) { return bucket(w).base_level(); }}}},
      {"record's aux",
       {{"tag of the key", 0, 8, [record](std::uint64_t w) { return static_cast<std::uint64_t>(record(w).key_tag()); }},
        {"tag of the value", 8, 8,
         [record](std::uint64_t w) { return static_cast<std::uint64_t>(record(w).value_tag()); }}}},
  };
}

#define NUMBER(name) \
  { #name, static_cast < std::uint64_t>(name) }
#define NAMED(type, name) \
  { #name, static_cast < std::uint64_t>(type::name) }

using Numbers = std::map<std::string, std::uint64_t>;

// clang-format off
const Numbers kinds = {
    NAMED(Kind, none), NAMED(Kind, commit), NAMED(Kind, record), NAMED(Kind, bucket), NAMED(Kind, directory),
    NAMED(Kind, table_root), NAMED(Kind, object_leaf), NAMED(Kind, object_branch), NAMED(Kind, list),
    NAMED(Kind, waiting), NAMED(Kind, extent), NAMED(Kind, dict), NAMED(Kind, ordered_root),
    NAMED(Kind, ordered_branch), NAMED(Kind, ordered_leaf), NAMED(Kind, list_root), NAMED(Kind, list_branch),
    NAMED(Kind, list_leaf), NAMED(Kind, freed)};
const Numbers tags = {
    NAMED(Tag, null), NAMED(Tag, boolean), NAMED(Tag, integer), NAMED(Tag, big_integer), NAMED(Tag, real),
    NAMED(Tag, datetime), NAMED(Tag, datetime_utc), NAMED(Tag, uuid), NAMED(Tag, bytes), NAMED(Tag, string),
    NAMED(Tag, tuple), NAMED(Tag, container), NAMED(Tag, extended), NAMED(Tag, negative_zero),
    NAMED(Tag, spelled_tuple), NAMED(Tag, large)};
const Numbers constants = {
    NUMBER(format_version), NUMBER(coordination_version), NUMBER(page_size), NUMBER(segment_size),
    NUMBER(segments_per_region), NUMBER(region_size), NUMBER(region_metadata_segments), NUMBER(run_segments_max),
    NUMBER(header_offset), NUMBER(checkpoint_slots_offset), NUMBER(checkpoint_slot_count),
    NUMBER(checkpoint_slot_size), NUMBER(regions_offset), NUMBER(bitmap_size), NUMBER(descriptors_in_region),
    NUMBER(hints_in_region), NUMBER(size_class_count_max), NUMBER(file_size_min), NUMBER(file_size_max),
    NUMBER(chunk_size_min), NUMBER(chunk_size_max), NUMBER(chunk_size_default), NUMBER(key_size_max),
    NUMBER(value_size_max), NUMBER(block_size_min), NUMBER(commit_block_size), NUMBER(small_block_size_max),
    NUMBER(run_size_max), NUMBER(class_empty), NUMBER(class_first), NUMBER(class_last), NUMBER(class_commit),
    NUMBER(class_run), NUMBER(class_run_body), NUMBER(replaced_max), NUMBER(commit_checksum_first_word),
    NUMBER(commit_checksum_words), NUMBER(extent_payload_max), NUMBER(directory_fanout), NUMBER(table_top_fanout),
    NUMBER(table_depth_max), NUMBER(bucket_entries_max), NUMBER(object_leaf_fanout), NUMBER(object_branch_fanout),
    NUMBER(object_table_depth_max), NUMBER(object_index_max), NUMBER(list_entries_max), NUMBER(waiting_chunk_size),
    NUMBER(waiting_entries_max), NUMBER(process_entry_count), NUMBER(line_count_max), NUMBER(lines_per_growth),
    NUMBER(waiting_list_count), NUMBER(hinted_regions), NUMBER(build_recorded_max), NUMBER(open_chunk_count),
    NUMBER(extra_pin_count), NUMBER(claims_offset), NUMBER(waiting_lists_offset), NUMBER(waiting_hints_offset),
    NUMBER(entries_offset), NUMBER(region_hints_offset), NUMBER(lines_offset), NUMBER(coordination_size_min),
    NUMBER(coordination_size_max), NUMBER(stash_capacity_max), NUMBER(stash_size)};
// clang-format on

// --- What the document says -----------------------------------------------------------------------------------------

using Row = std::vector<std::string>;

std::string trimmed(std::string text, const char* unwanted) {
  text.erase(0, std::min(text.find_first_not_of(unwanted), text.size()));
  text.erase(text.find_last_not_of(unwanted) + 1);
  return text;
}

// "278,528" as a number; the test fails if it is none.
std::uint64_t number_in(std::string text) {
  std::erase(text, ',');
  std::size_t used = 0;
  std::uint64_t out = 0;
  try {
    out = std::stoull(text, &used);
  } catch (const std::exception&) {
  }
  EXPECT_TRUE(used == text.size() && used != 0) << "\"" << text << "\" is not a number";
  return out;
}

std::string document_path() {
#ifdef UTAN_FORMAT_DOCUMENT
  return UTAN_FORMAT_DOCUMENT;
#else
  const std::string own = __FILE__;  // .../src/format/format_test.cc
  const std::size_t root = own.rfind("src/format/");
  return (root == std::string::npos ? std::string() : own.substr(0, root)) + "docs/FORMAT.md";
#endif
}

// The rows of the tables in docs/FORMAT.md by the heading (of level three) that they stand under. A row of a table's
// head or below it, or of no table, is left out: what counts begins with `a name`, "padding" or a number.
std::map<std::string, std::vector<Row>> read_document() {
  std::map<std::string, std::vector<Row>> out;
  std::ifstream file(document_path());
  EXPECT_TRUE(file.is_open()) << document_path() << " is missing";
  std::string heading;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) {
      heading = line.starts_with("### ") ? line.substr(4) : std::string();
      if (!heading.empty()) {
        EXPECT_TRUE(out.emplace(heading, std::vector<Row>()).second) << "two headings \"" << heading << "\"";
      }
      continue;
    }
    if (heading.empty() || !line.starts_with("| ")) continue;
    if (line[2] != '`' && !line.starts_with("| padding |") && (line[2] < '0' || line[2] > '9')) continue;
    Row row;
    std::size_t at = 1;
    for (std::size_t end; (end = line.find('|', at)) != std::string::npos; at = end + 1) {
      row.push_back(trimmed(line.substr(at, end - at), " `"));
    }
    out[heading].push_back(row);
  }
  return out;
}

// The rows under the heading that begins with `name` in backticks, and what follows the name there.
struct Section {
  std::string rest;
  std::vector<Row> rows;
};
std::map<std::string, Section> read_structs() {
  std::map<std::string, Section> out;
  for (const auto& [heading, rows] : read_document()) {
    if (!heading.starts_with("`")) continue;
    const std::size_t end = heading.find('`', 1);
    out[heading.substr(1, end - 1)] = {heading.substr(end + 1), rows};
  }
  return out;
}

TEST(FormatDocument, SaysEveryStruct) {
  std::map<std::string, Section> sections = read_structs();
  for (const Layout& layout : layouts()) {
    SCOPED_TRACE(layout.name);
    const auto found = sections.find(layout.name);
    ASSERT_NE(found, sections.end()) << "there is no heading for it";
    EXPECT_EQ(found->second.rest, ": " + std::to_string(layout.size) + " bytes");
    std::map<std::string, Field> expected;
    for (const Field& field : layout.fields) expected[field.name] = field;
    std::uint64_t end = 0;
    for (const Row& row : found->second.rows) {
      ASSERT_GE(row.size(), 4U) << row[0];
      SCOPED_TRACE(row[0]);
      const std::uint64_t offset = number_in(row[1]);
      const std::uint64_t size = number_in(row[2]);
      // Without a hole between the rows, so that a field which both lists forget is found.
      EXPECT_EQ(offset, end);
      end = offset + size;
      if (row[0] == "padding") continue;
      const auto field = expected.find(row[0]);
      ASSERT_NE(field, expected.end()) << "the struct has no such field";
      EXPECT_EQ(offset, field->second.offset);
      EXPECT_EQ(size, field->second.size);
      EXPECT_FALSE(row[3].empty()) << "says nothing about it";
      expected.erase(field);
    }
    EXPECT_EQ(end, layout.size) << "the rows do not make up the whole struct";
    for (const auto& [name, field] : expected) ADD_FAILURE() << "the document does not have the field " << name;
    sections.erase(found);
  }
  for (const auto& [name, section] : sections) {
    if (section.rest.ends_with("bytes")) ADD_FAILURE() << "there is no struct " << name;
  }
}

TEST(FormatDocument, SaysEveryPackedWord) {
  std::map<std::string, Section> sections = read_structs();
  for (const auto& [name, parts] : words()) {
    SCOPED_TRACE(name);
    const auto found = sections.find(name);
    ASSERT_NE(found, sections.end()) << "there is no heading for it";
    EXPECT_TRUE(found->second.rest.ends_with(" bits")) << found->second.rest;
    const std::vector<Row>& rows = found->second.rows;
    ASSERT_EQ(rows.size(), parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Part& part = parts[i];
      SCOPED_TRACE(part.name);
      ASSERT_GE(rows[i].size(), 4U);
      EXPECT_EQ(rows[i][0], part.name);
      EXPECT_EQ(number_in(rows[i][1]), part.first);
      EXPECT_EQ(number_in(rows[i][2]), part.bits);
    }
    sections.erase(found);
  }
  for (const auto& [name, section] : sections) {
    if (section.rest.ends_with("bits")) ADD_FAILURE() << "there is no word " << name;
  }
}

void expect_numbers(const std::string& heading, Numbers expected) {
  SCOPED_TRACE(heading);
  const auto document = read_document();
  const auto found = document.find(heading);
  ASSERT_NE(found, document.end());
  for (const Row& row : found->second) {
    ASSERT_GE(row.size(), 3U);
    SCOPED_TRACE(row[0]);
    const auto entry = expected.find(row[0]);
    ASSERT_NE(entry, expected.end()) << "the code does not have it";
    EXPECT_EQ(number_in(row[1]), entry->second);
    expected.erase(entry);
  }
  for (const auto& [name, value] : expected) ADD_FAILURE() << "the document does not have " << name;
}

TEST(FormatDocument, SaysEveryKindTagAndConstant) {
  expect_numbers("Kinds", kinds);
  expect_numbers("Tags", tags);
  expect_numbers("Constants", constants);
}

TEST(FormatDocument, SaysEverySizeClass) {
  const auto document = read_document();
  const auto found = document.find("Size classes");
  ASSERT_NE(found, document.end());
  std::uint64_t next = class_first;
  for (const Row& row : found->second) {
    ASSERT_GE(row.size(), 2U);
    EXPECT_EQ(number_in(row[0].substr(0, row[0].find(' '))), next) << "of the first class of the row";
    for (std::size_t at = 0; at < row[1].size();) {
      const std::size_t end = std::min(row[1].find(' ', at), row[1].size());
      ASSERT_LE(next, class_commit);
      EXPECT_EQ(number_in(row[1].substr(at, end - at)), size_classes[next].block_size) << "class " << next;
      ++next;
      at = end + 1;
    }
  }
  EXPECT_EQ(next, class_commit + 1U);
}

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

TEST(Words, EveryPartReadsItsOwnBitsAndNoOthers) {
  for (const auto& [name, parts] : words()) {
    const bool is_aux = name.ends_with("aux");
    for (const Part& part : parts) {
      SCOPED_TRACE(name + ", " + part.name);
      const std::uint64_t most = (std::uint64_t{1} << part.bits) - 1;
      const std::uint64_t mask = most << part.first;
      EXPECT_EQ(part.get(is_aux ? mask & 0xffff : mask), most);
      EXPECT_EQ(part.get(is_aux ? ~mask & 0xffff : ~mask), 0U);
    }
  }
}

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
