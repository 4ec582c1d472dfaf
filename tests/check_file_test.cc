// Shows that the checker counts what there is, that it checks files in whatever state they are, that no byte that means
// something goes unseen, and that no file makes it crash, hang or read outside.
//
// Labels: small
// Timeout: 180 s
#include <gtest/gtest.h>
#include <utan/utan.h>

#include <random>

#include "check/blocks.h"
#include "check/commit.h"
#include "check/file.h"
#include "os/os.h"
#include "support/check_fixture.h"

namespace utan {
namespace {

using checking::Image;
using checking::make;
using checking::set;
using format::ContainerType;
using format::Value;
using object::Container;
using object::Store;

TEST(CheckStore, ASnapshotIsCheckedAsItIs) {
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  auto table = make(*store, "t", ContainerType::table);
  set(*table, "a", Value::integer(1));
  utan_store* handle = nullptr;
  utan_store* snapshot = nullptr;
  ASSERT_EQ(utan_open(folder.path("s").c_str(), nullptr, &handle), UTAN_OK);
  ASSERT_EQ(utan_snapshot(handle, &snapshot), UTAN_OK);
  set(*table, "b", Value::integer(1));
  utan_check_report report{};
  report.struct_size = sizeof report;
  ASSERT_EQ(utan_check(snapshot, nullptr, &report), UTAN_OK);
  EXPECT_EQ(report.entry_count, 2U);  // the table's name, and a
  ASSERT_EQ(utan_check(handle, nullptr, &report), UTAN_OK);
  EXPECT_EQ(report.entry_count, 3U);
  report.struct_size = 0;
  EXPECT_EQ(utan_check(handle, nullptr, &report), UTAN_INVALID);
  EXPECT_EQ(utan_close(snapshot), UTAN_OK);
  EXPECT_EQ(utan_close(handle), UTAN_OK);
}

TEST(CheckStore, EndsWhenItsCallerWantsItTo) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path("s");
  constexpr std::int64_t record_count = 20'000;
  {
    auto store = test::open_store(path);
    auto table = make(*store, "t", ContainerType::table);
    for (std::int64_t i = 0; i < record_count; ++i) set(*table, std::to_string(i), Value::integer(i));
  }
  struct Asked {
    int times = 0;
    int stops_at = 3;
  } asked;
  utan_check_options options{};
  options.struct_size = sizeof options;
  options.context = &asked;
  options.stop = [](void* context) {
    auto* const state = static_cast<Asked*>(context);
    return ++state->times == state->stops_at ? 1 : 0;
  };
  utan_check_report report{};
  report.struct_size = sizeof report;
  utan_store* handle = nullptr;
  ASSERT_EQ(utan_open(path.c_str(), nullptr, &handle), UTAN_OK);
  EXPECT_EQ(utan_check(handle, &options, &report), UTAN_INTERRUPTED);
  EXPECT_EQ(asked.times, 3);
  asked.times = 0;
  EXPECT_EQ(utan_check_file(path.c_str(), &options, &report), UTAN_INTERRUPTED);
  EXPECT_EQ(asked.times, 3);
  EXPECT_EQ(utan_close(handle), UTAN_OK);
  asked.times = 0;
  EXPECT_EQ(utan_check_file(path.c_str(), &options, &report), UTAN_INTERRUPTED);  // nobody has it open
  EXPECT_EQ(asked.times, 3);
  // Who is asked and lets it go on gets all of it.
  asked.stops_at = 0;
  ASSERT_EQ(utan_check_file(path.c_str(), &options, &report), UTAN_OK);
  EXPECT_EQ(report.problem_count, 0U);
  EXPECT_EQ(report.entry_count, static_cast<std::uint64_t>(record_count) + 1);
  EXPECT_GT(asked.times, 10);
}

// --- Links -------------------------------------------------------------------------------------------------------------

TEST(CheckStore, OrphansAndCyclesAreCounted) {
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  auto held = make(*store, "held", ContainerType::dict);
  auto in_cycle = make(*store, "cycle", ContainerType::list);
  auto below = make(*store, "below", ContainerType::dict);
  checking::Everything::append(*in_cycle, Value::container(in_cycle->id()));
  set(*held, "below", Value::container(below->id()));
  for (const char* name : {"held", "cycle", "below"}) ASSERT_TRUE(store->root()->erase(Value::string(name)).value());
  const check::Report report = test::walk(*store);
  EXPECT_EQ(report.container_count, 4U);
  EXPECT_EQ(report.orphan_count, 1U);
  EXPECT_EQ(report.unreachable_count, 1U);
}

// --- Values in extents -------------------------------------------------------------------------------------------------

class CheckExtents : public testing::Test {
 protected:
  void SetUp() override {
    auto store = test::open_store(folder_.path("s"));
    auto dict = make(*store, "d", ContainerType::dict);
    id_ = dict->id();
    const std::string value(17'000'000, 'e');
    set(*dict, "large", Value::string(value));
    dict.reset();
    ASSERT_TRUE(Store::close(std::move(store)).ok());
    image_ = std::make_unique<Image>(Image::read(folder_.path("s")));
    const auto* sorted = image_->at<format::Sorted>(image_->root_of(id_));
    format::SortedItem item;
    ASSERT_TRUE(format::read_sorted_item(sorted, 1, 0, ByteCount{1024}, item));
    std::memcpy(&value_, item.value.data(), 8);
    std::memcpy(&list_, image_->at<format::ValueBlock>(value_)->value(), 8);
  }
  void expect(const std::string& text) {
    bool found = false;
    for (const std::string& problem : image_->walk().problems) found |= problem.find(text) != std::string::npos;
    EXPECT_TRUE(found) << text;
  }

  test::TemporaryFolder folder_;
  format::ObjectId id_;
  std::unique_ptr<Image> image_;
  std::uint64_t value_ = 0;
  std::uint64_t list_ = 0;
};

TEST_F(CheckExtents, EachPartIsLookedAt) {
  EXPECT_TRUE(image_->walk().sound());
  auto* list = image_->at<format::List>(list_);
  const std::uint64_t extent = format::ReplacedEntry{list->entries()[1]}.offset().value;
  *image_->at<std::byte>(extent + 1000) ^= std::byte{1};
  expect("checksum does not match");
  *image_->at<std::byte>(extent + 1000) ^= std::byte{1};
  std::swap(list->entries()[0], list->entries()[1]);
  expect("checksum does not match");
  image_->seal(list_);
  expect("checksum does not match");  // of the extents, whose sizes are others now
  std::swap(list->entries()[0], list->entries()[1]);
  list->drained = 1;
  expect("a list of extents has");
  list->drained = 0;
  list->count = 3;
  expect("a list of extents has 3");
  list->count = 2;
  image_->seal(list_);
  image_->block(value_)->aux = 130;
  image_->seal(value_);
  expect("cannot be in extents");
}

// --- Files -------------------------------------------------------------------------------------------------------------

utan_code check_file(const std::string& path, utan_check_report& report, std::string* text = nullptr) {
  report = utan_check_report{};
  report.struct_size = sizeof report;
  utan_check_options options{};
  options.struct_size = sizeof options;
  options.context = text;
  if (text != nullptr) {
    options.problem = [](void* context, const char* problem) { *static_cast<std::string*>(context) += problem; };
  }
  return utan_check_file(path.c_str(), &options, &report);
}
void write(const std::string& path, const void* data, std::size_t size) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
}

TEST(CheckFile, SoundDamagedAndForeign) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path("s");
  checking::Everything made;
  {
    auto store = test::open_store(path);
    made.fill(*store);
    ASSERT_TRUE(Store::close(std::move(store)).ok());
  }
  utan_check_report report;
  EXPECT_EQ(check_file(path, report), UTAN_OK);
  EXPECT_EQ(report.problem_count, 0U);
  EXPECT_EQ(report.whole, 1U);
  EXPECT_EQ(report.container_count, 8U);
  EXPECT_EQ(report.table_count, 1U);
  EXPECT_EQ(report.leaked_count, 0U);

  std::vector<std::byte> content = Image::read(path);
  Image image(content);
  const auto expect = [&](utan_code code, const char* text, const void* data, std::size_t size) {
    SCOPED_TRACE(text);
    write(folder.path("d"), data, size);
    std::string problems;
    EXPECT_EQ(check_file(folder.path("d"), report, &problems), code) << utan_last_error();
    EXPECT_GT(report.problem_count, 0U);
    EXPECT_NE(problems.find(text), std::string::npos) << problems;
  };
  // The newest checkpoint's commit is damaged, and there is no other one.
  Image single(content);
  const std::uint64_t commit = single.commit_offset();
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    auto* slot = single.at<format::CheckpointSlot>(format::slot_offset(i).value);
    if (slot->offset != commit) *slot = {};
  }
  single.block(commit)->checksum ^= 1;
  expect(UTAN_CORRUPTION, "its commit block is damaged", single.data(), content.size());
  // Damage that does not keep it from being opened.
  image.block(image.root_of(made.table))->checksum ^= 1;
  expect(UTAN_OK, "checksum does not match", image.data(), content.size());
  // Its end is missing, its newest commit is not.
  expect(UTAN_OK, "the file is truncated", image.data(), content.size() - 700'000);
  expect(UTAN_CORRUPTION, "truncated", image.data(), 300'000);
  expect(UTAN_CORRUPTION, "truncated", image.data(), 4096);
  expect(UTAN_FORMAT, "not a Utan store", image.data(), 5);
  expect(UTAN_FORMAT, "not a Utan store", image.data(), 0);
  expect(UTAN_FORMAT, "not a Utan store", std::string(700'000, 'x').data(), 700'000);
  EXPECT_EQ(check_file(folder.path("absent"), report), UTAN_NOT_FOUND);
  EXPECT_EQ(check_file(folder.path("."), report), UTAN_INVALID);
}

TEST(CheckFile, WhoHasItOpen) {
  const test::TemporaryFolder folder;
  utan_store* store = nullptr;
  utan_store* snapshot = nullptr;
  ASSERT_EQ(utan_open(folder.path("s").c_str(), nullptr, &store), UTAN_OK);
  ASSERT_EQ(utan_snapshot(store, &snapshot), UTAN_OK);
  std::vector<utan_process> found;
  const auto visit = [](void* context, const utan_process* process) {
    static_cast<std::vector<utan_process>*>(context)->push_back(*process);
  };
  ASSERT_EQ(utan_processes(store, visit, &found), UTAN_OK);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].is_caller, 1U);
  EXPECT_EQ(found[0].process_id, static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(found[0].pin_count, 1U);
  EXPECT_EQ(found[0].oldest_pin_number, 1U);
  EXPECT_EQ(found[0].read_only, 0U);
  EXPECT_EQ(utan_close(snapshot), UTAN_OK);
  EXPECT_EQ(utan_close(store), UTAN_OK);
}

// --- Hostile files -----------------------------------------------------------------------------------------------------

// A small store with something of every kind.
std::vector<std::byte> small_store() {
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  {
    auto table = make(*store, "t", ContainerType::table);
    auto tree = make(*store, "d", ContainerType::dict);
    auto list = make(*store, "l", ContainerType::list);
    for (int i = 0; i < 40; ++i) set(*table, std::to_string(i), Value::integer(i));
    for (int i = 0; i < 100; ++i)
      set(*tree, std::string(12, static_cast<char>('a' + i % 5)) + std::to_string(i), Value::null());
    for (int i = 0; i < 140; ++i) checking::Everything::append(*list, Value::integer(i));
    checking::Everything::append(*list, Value::string("a word is shorter"));
    checking::Everything::append(*list, Value::container(table->id()));
  }
  EXPECT_TRUE(Store::close(std::move(store)).ok());
  return Image::read(folder.path("s"));
}

std::vector<std::byte> large_store() {
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  checking::Everything made;
  made.fill(*store);
  EXPECT_TRUE(Store::close(std::move(store)).ok());
  return Image::read(folder.path("s"));
}

// Each byte that is not 0, and each byte of a block, is changed in turn.
TEST(CheckFile, NoByteMakesItFail) {
  const std::vector<std::byte> content = small_store();
  Image image(content);
  ASSERT_TRUE(image.walk().sound());
  const std::uint64_t seed = image.header().hash_seed;
  std::uint64_t found_count = 0;
  std::uint64_t tried_count = 0;
#if defined(__SANITIZE_ADDRESS__)
  const std::uint64_t step = 23;
#else
  const std::uint64_t step = 1;
#endif
  for (std::uint64_t i = 0; i < content.size(); i += step) {
    // Long stretches of zeros that no block is in.
    if (content[i] == std::byte{0} && i % 61 != 0) continue;
    constexpr std::byte changes[] = {std::byte{1}, std::byte{0x80}, std::byte{0xff}};
    const std::byte change = changes[tried_count++ % std::size(changes)];
    image.data()[i] ^= change;
    const check::Report report = check::Walk(image.data(), image.size(), format::Coordination{}, seed).run();
    found_count += report.sound() ? 0 : 1;
    image.data()[i] ^= change;
  }
  EXPECT_TRUE(image.walk().sound());
  // Most bytes are those of freed blocks.
  EXPECT_GT(found_count, tried_count / 60);
}

// No change of a byte that means something goes unseen.
TEST(CheckFile, EachByteOfABlockIsLookedAt) {
  const std::vector<std::byte> content = small_store();
  Image image(content);
  const std::uint64_t seed = image.header().hash_seed;
  const check::Blocks blocks(image.data(), image.size());
  check::Report ignored;
  check::Findings findings(ignored);
  check::CommitWalk walk(blocks, seed, findings, {});
  walk.run(Offset{image.commit_offset()}, CommitNumber{image.commit()->header.birth}, nullptr);
  std::uint64_t tried_count = 0;
  walk.seen().each_shared(walk.seen(), [&](std::uint64_t bit) {
    const std::uint64_t offset = blocks.offset_of(bit).value;
    const std::uint64_t size = image.used_size(offset);
    for (std::uint64_t i = 0; i < size; ++i) {
      if (image.is_padding(offset, i)) continue;
      image.data()[offset + i] ^= std::byte{4};
      const check::Report report = check::Walk(image.data(), image.size(), format::Coordination{}, seed).run();
      EXPECT_FALSE(report.sound()) << "block " << offset << " of kind " << static_cast<int>(image.block(offset)->kind)
                                   << ", byte " << i;
      image.data()[offset + i] ^= std::byte{4};
      ++tried_count;
    }
  });
  EXPECT_GT(tried_count, 5000U);
}

// Many bytes at once, with all checksums of blocks as they come: nothing is read outside, and it ends.
TEST(CheckFile, NoNonsenseMakesItFail) {
  UTAN_SEEDED(seed);
  const std::vector<std::byte> content = large_store();
  Image image(content);
  const std::uint64_t hash_seed = image.header().hash_seed;
  std::mt19937_64 random(seed);
  std::vector<std::uint64_t> used;
  for (std::uint64_t i = format::regions_offset; i + 8 <= content.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, &content[i], 8);
    if (word != 0) used.push_back(i);
  }
  for (std::uint64_t round = 0; round < test::scaled(1000, 100'000); ++round) {
    std::vector<std::uint64_t> changed;
    for (std::uint64_t i = 0; i < 1 + random() % 20; ++i) {
      const std::uint64_t at = used[random() % used.size()];
      const std::uint64_t other = used[random() % used.size()];
      // What another word says: offsets lead to blocks of other kinds, and in circles.
      std::memcpy(image.data() + at, &content[other], 8);
      changed.push_back(at);
    }
    static_cast<void>(check::Walk(image.data(), image.size(), format::Coordination{}, hash_seed).run());
    for (const std::uint64_t at : changed) std::memcpy(image.data() + at, &content[at], 8);
  }
  EXPECT_TRUE(image.walk().sound());
}

}  // namespace
}  // namespace utan
