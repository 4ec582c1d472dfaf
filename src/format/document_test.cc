// Shows that docs/FORMAT.md says what the structs are: every field's offset and size, every bit field, kind, tag, size
// class and constant, in both directions, with no byte of a struct left out.
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
#include "format/ordered.h"
#include "format/positional.h"
#include "format/size_class.h"
#include "format/sorted.h"
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
       FIELD(FileHeader, clean_number), FIELD(FileHeader, reserved),
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
      {"Record", sizeof(Record), {FIELD(Record, header), FIELD(Record, packed), FIELD(Record, next)}},
      {"ValueBlock", sizeof(ValueBlock), {FIELD(ValueBlock, header), FIELD(ValueBlock, size)}},
      {"Extent", sizeof(Extent), {FIELD(Extent, header)}},
      {"Bucket", sizeof(Bucket), {FIELD(Bucket, header)}},
      {"Directory", sizeof(Directory), {FIELD(Directory, header)}},
      {"TableRoot", sizeof(TableRoot), {FIELD(TableRoot, header), FIELD(TableRoot, record_count),
       FIELD(TableRoot, bucket_count)}},
      {"ObjectEntry", sizeof(ObjectEntry), {FIELD(ObjectEntry, root), FIELD(ObjectEntry, what),
       FIELD(ObjectEntry, links)}},
      {"ObjectLeaf", sizeof(ObjectLeaf), {FIELD(ObjectLeaf, header)}},
      {"ObjectBranch", sizeof(ObjectBranch), {FIELD(ObjectBranch, header)}},
      {"Sorted", sizeof(Sorted), {FIELD(Sorted, header)}},
      {"ListLeaf", sizeof(ListLeaf), {FIELD(ListLeaf, header)}},
      {"ListBranch", sizeof(ListBranch), {FIELD(ListBranch, header)}},
      {"ListChild", sizeof(ListChild), {FIELD(ListChild, offset), FIELD(ListChild, count)}},
      {"OrderedLeaf", sizeof(OrderedLeaf), {FIELD(OrderedLeaf, header)}},
      {"OrderedBranch", sizeof(OrderedBranch), {FIELD(OrderedBranch, header), FIELD(OrderedBranch, height),
       FIELD(OrderedBranch, text_size), FIELD(OrderedBranch, reserved)}},
      {"OrderedEntry", sizeof(OrderedEntry), {FIELD(OrderedEntry, head), FIELD(OrderedEntry, word)}},
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
       FIELD(Line, role),
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
  const auto packed = [](std::uint64_t word) {
    Record out{};
    out.packed = static_cast<std::uint32_t>(word);
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
      {"OrderedChild",
       {{"child / 8", 0, 45, [](std::uint64_t w) { return OrderedChild{w}.child().value >> 3; }},
        {"count", 45, 19, [](std::uint64_t w) { return OrderedChild{w}.count(); }}}},
      {"OrderedEnd",
       {{"tail end", 0, 12, [](std::uint64_t w) { return OrderedEnd{static_cast<std::uint16_t>(w)}.tail_end(); }},
        {"head size", 12, 4, [](std::uint64_t w) { return OrderedEnd{static_cast<std::uint16_t>(w)}.head_size(); }}}},
      {"ordered node's aux",
       {{"count", 0, 8, [](std::uint64_t w) { return OrderedAux{static_cast<std::uint16_t>(w)}.count(); }},
        {"prefix size", 8, 8,
         [](std::uint64_t w) { return OrderedAux{static_cast<std::uint16_t>(w)}.prefix_size(); }}}},
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
      {"SortedSlot",
       {{"end", 0, 11, [](std::uint64_t w) { return SortedSlot{static_cast<std::uint32_t>(w)}.end(); }},
        {"tag", 11, 5,
         [](std::uint64_t w) {
           return static_cast<std::uint64_t>(SortedSlot{static_cast<std::uint32_t>(w)}.key_tag());
         }},
        {"key size", 16, 8, [](std::uint64_t w) { return SortedSlot{static_cast<std::uint32_t>(w)}.key_size(); }},
        {"hash", 24, 8, [](std::uint64_t w) { return SortedSlot{static_cast<std::uint32_t>(w)}.hash(); }}}},
      {"list node's aux",
       {{"count", 0, 8, [](std::uint64_t w) { return ListAux{static_cast<std::uint16_t>(w)}.count(); }},
        {"height", 8, 8, [](std::uint64_t w) { return ListAux{static_cast<std::uint16_t>(w)}.height(); }}}},
      {"packed sizes",
       {{"size of the key", 0, 12, [packed](std::uint64_t w) { return packed(w).key_size(); }},
        {"size of the value", 12, 20, [packed](std::uint64_t w) { return packed(w).value_size(); }}}},
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
    NAMED(Kind, waiting), NAMED(Kind, extent), NAMED(Kind, value), NAMED(Kind, sorted),
    NAMED(Kind, ordered_branch), NAMED(Kind, ordered_leaf), NAMED(Kind, list_branch), NAMED(Kind, list_leaf),
    NAMED(Kind, freed)};
const Numbers tags = {
    NAMED(Tag, null), NAMED(Tag, boolean), NAMED(Tag, integer), NAMED(Tag, big_integer), NAMED(Tag, real),
    NAMED(Tag, datetime), NAMED(Tag, datetime_utc), NAMED(Tag, uuid), NAMED(Tag, bytes), NAMED(Tag, string),
    NAMED(Tag, tuple), NAMED(Tag, container), NAMED(Tag, extended), NAMED(Tag, negative_zero),
    NAMED(Tag, spelled_tuple), NAMED(Tag, large)};
const Numbers constants = {
    NUMBER(format_version), NUMBER(format_version_oldest), NUMBER(coordination_version), NUMBER(page_size), NUMBER(segment_size),
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
    NUMBER(object_table_depth_max), NUMBER(object_index_max), NUMBER(list_entries_max), NUMBER(list_leaf_fanout),
    NUMBER(list_branch_fanout), NUMBER(list_leaf_fill_min), NUMBER(list_branch_fill_min), NUMBER(list_height_max),
    NUMBER(sorted_size_max), NUMBER(sorted_key_size_max), NUMBER(sorted_value_size_max), NUMBER(sorted_count_max),
    NUMBER(waiting_chunk_size),
    NUMBER(waiting_entries_max), NUMBER(process_entry_count), NUMBER(line_count_max), NUMBER(lines_per_growth),
    NUMBER(ordered_entries_max), NUMBER(ordered_prefix_max),
    NUMBER(ordered_separator_max), NUMBER(ordered_height_max), NUMBER(ordered_wide_height),
    NUMBER(ordered_branch_size_max), NUMBER(ordered_head_size), NUMBER(hold_bits_log2), NUMBER(hold_bit_count),
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

const std::string document_path = UTAN_FORMAT_DOCUMENT;

// The rows of the tables in docs/FORMAT.md by the heading (of level three) that they stand under. A row of a table's
// head or below it, or of no table, is left out: what counts begins with `a name`, "padding" or a number.
std::map<std::string, std::vector<Row>> read_document() {
  std::map<std::string, std::vector<Row>> out;
  std::ifstream file(document_path);
  EXPECT_TRUE(file.is_open()) << document_path << " is missing";
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

}  // namespace
}  // namespace utan::format
