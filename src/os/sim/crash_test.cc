// Shows what a simulated power cut leaves: never a version of a page from before the last flush, any one since, torn
// at sectors between two neighbours; sizes and names likewise; that a failed flush makes nothing durable, later either;
// and that drawing images changes nothing in the run.
//
// Labels: plain
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "os/sim/disk_file.h"
#include "os/sim/machine.h"

namespace utan::os::sim {
namespace {

constexpr std::uint64_t seed = 20240917;
constexpr int draws = 400;

class Crash : public ::testing::Test {
 protected:
  Crash() { RecordProperty("seed", std::to_string(seed)); }

  std::unique_ptr<File> create(const std::string& path) {
    auto file = process_.open(path, Access::read_write, Creation::create_new, 0600);
    EXPECT_TRUE(file.ok());
    EXPECT_TRUE(process_.flush_folder_of(path).ok());
    return std::move(file).value();
  }
  // A durable file of `page_count` pages of zeros, mapped.
  void make_store(std::size_t page_count) {
    file_ = create("/a");
    EXPECT_TRUE(file_->allocate(ByteCount{page_count * page_bytes}).ok());
    EXPECT_TRUE(file_->flush().ok());
    mapping_ = file_->map(ByteCount{1 << 20}, Access::read_write).value();
  }
  void fill(std::size_t page, int value) { std::memset(mapping_->data() + page * page_bytes, value, page_bytes); }

  Machine machine_{seed};
  Process& process_ = machine_.start_process();
  Random random_{seed};
  std::unique_ptr<File> file_;
  std::unique_ptr<Mapping> mapping_;
};

// The value of each sector of a page; a sector that is not of one value fails the test.
std::vector<int> sectors_of(const Machine& machine, const std::string& path, std::size_t page) {
  const auto content = machine.content(path);
  std::vector<int> values;
  for (std::size_t sector = 0; sector < page_bytes / sector_bytes; ++sector) {
    const auto start = content.begin() + static_cast<std::ptrdiff_t>(page * page_bytes + sector * sector_bytes);
    EXPECT_TRUE(std::all_of(start, start + sector_bytes, [start](std::byte one) { return one == *start; }));
    values.push_back(static_cast<int>(*start));
  }
  return values;
}

TEST_F(Crash, AnyVersionSinceTheLastFlushAppearsAndNoOlderOne) {
  make_store(1);
  for (int value = 1; value <= 3; ++value) {
    fill(0, value);
    machine_.capture();
  }
  ASSERT_TRUE(file_->flush().ok());
  for (int value = 4; value <= 8; ++value) {
    fill(0, value);
    machine_.capture();
  }
  EXPECT_EQ(machine_.version_count("/a", 0), 6U);
  std::map<int, int> whole;
  int torn = 0;
  for (int i = 0; i < draws; ++i) {
    const auto image = machine_.crash_image(random_);
    const auto values = sectors_of(*image, "/a", 0);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    EXPECT_GE(*low, 3) << "draw " << i;
    EXPECT_LE(*high, 8);
    EXPECT_LE(*high - *low, 1) << "torn between neighbours alone";
    torn += *high != *low ? 1 : 0;
    whole[*low] += *high == *low ? 1 : 0;
  }
  for (int value = 3; value <= 8; ++value) EXPECT_GT(whole[value], draws / 50) << value;
  EXPECT_GT(torn, draws / 20);
}

TEST_F(Crash, PagesAreLostIndependently) {
  make_store(4);
  for (std::size_t page = 0; page < 4; ++page) fill(page, 1);
  machine_.capture();
  std::set<std::vector<int>> seen;
  for (int i = 0; i < draws; ++i) {
    const auto image = machine_.crash_image(random_);
    std::vector<int> pages;
    for (std::size_t page = 0; page < 4; ++page) {
      const auto values = sectors_of(*image, "/a", page);
      if (std::equal(values.begin() + 1, values.end(), values.begin())) pages.push_back(values[0]);
    }
    if (pages.size() == 4) seen.insert(pages);
  }
  EXPECT_EQ(seen.size(), 16U) << "every combination of old and new pages";
}

TEST_F(Crash, SectorsAreTornIndependently) {
  make_store(1);
  fill(0, 1);
  machine_.capture();
  std::map<std::size_t, std::set<int>> seen;
  for (int i = 0; i < draws; ++i) {
    const auto values = sectors_of(*machine_.crash_image(random_), "/a", 0);
    if (std::count(values.begin(), values.end(), 1) == 1) {
      seen[static_cast<std::size_t>(std::find(values.begin(), values.end(), 1) - values.begin())].insert(1);
    }
    if (std::count(values.begin(), values.end(), 0) == 1) {
      seen[static_cast<std::size_t>(std::find(values.begin(), values.end(), 0) - values.begin())].insert(0);
    }
  }
  EXPECT_FALSE(seen.empty()) << "a lone sector reached the disk, or a lone one did not";
}

TEST_F(Crash, TheImageCapturesWhatWasStoredLast) {
  make_store(1);
  fill(0, 9);
  bool found = false;
  for (int i = 0; i < draws && !found; ++i) found = sectors_of(*machine_.crash_image(random_), "/a", 0)[0] == 9;
  EXPECT_TRUE(found);
}

TEST_F(Crash, WhatIsStoredDuringAFlushIsNotDurableByIt) {
  make_store(1);
  fill(0, 1);
  bool stored = false;
  machine_.on_call([&](const Call& call) -> Error {
    if (call.kind == CallKind::flush_end && !stored) {
      fill(0, 2);
      machine_.capture();
      fill(0, 3);
      stored = true;
    }
    return {};
  });
  ASSERT_TRUE(file_->flush().ok());
  std::set<int> seen;
  for (int i = 0; i < draws; ++i) seen.insert(sectors_of(*machine_.crash_image(random_), "/a", 0)[0]);
  EXPECT_EQ(seen, (std::set<int>{1, 2, 3}));
}

TEST_F(Crash, ACrashDuringAFlushMayHoldWhatWasBefore) {
  make_store(1);
  fill(0, 1);
  std::set<int> seen;
  machine_.on_call([&](const Call& call) -> Error {
    if (call.kind == CallKind::flush_end) {
      for (int i = 0; i < draws; ++i) seen.insert(sectors_of(*machine_.crash_image(random_), "/a", 0)[0]);
    }
    return {};
  });
  ASSERT_TRUE(file_->flush().ok());
  EXPECT_EQ(seen, (std::set<int>{0, 1}));
  EXPECT_EQ(sectors_of(*machine_.crash_image(random_), "/a", 0)[0], 1);
}

TEST_F(Crash, AFailedFlushMakesNothingDurableAndNeitherDoesTheNextOne) {
  make_store(2);
  fill(0, 1);
  fill(1, 1);
  machine_.on_call([](const Call& call) -> Error {
    if (call.kind == CallKind::flush) return Error{Code::io, EIO, "cannot flush"};
    return {};
  });
  EXPECT_EQ(file_->flush().code(), Code::io);
  machine_.on_call({});
  fill(1, 2);
  ASSERT_TRUE(file_->flush().ok());
  std::set<int> first;
  std::set<int> second;
  for (int i = 0; i < draws; ++i) {
    const auto image = machine_.crash_image(random_);
    first.insert(sectors_of(*image, "/a", 0)[0]);
    second.insert(sectors_of(*image, "/a", 1)[0]);
  }
  EXPECT_EQ(first, (std::set<int>{0, 1})) << "the kernel took this page for clean";
  EXPECT_EQ(second, (std::set<int>{2})) << "this one became dirty again";
}

TEST_F(Crash, SizesAreAnySinceTheLastFlushAndNewRangesZeroOrWritten) {
  make_store(1);
  ASSERT_TRUE(file_->allocate(ByteCount{3 * page_bytes}).ok());
  fill(2, 7);
  machine_.capture();
  ASSERT_TRUE(file_->allocate(ByteCount{5 * page_bytes}).ok());
  std::map<std::uint64_t, int> sizes;
  std::set<int> last_page;
  for (int i = 0; i < draws; ++i) {
    const auto image = machine_.crash_image(random_);
    const auto size = image->content("/a").size();
    ++sizes[size / page_bytes];
    if (size >= 3 * page_bytes) last_page.insert(sectors_of(*image, "/a", 2)[0]);
  }
  EXPECT_EQ(sizes.size(), 3U);
  for (const std::uint64_t pages : {1U, 3U, 5U}) EXPECT_GT(sizes[pages], draws / 10) << pages;
  EXPECT_EQ(last_page, (std::set<int>{0, 7}));
  ASSERT_TRUE(file_->flush().ok());
  EXPECT_EQ(machine_.crash_image(random_)->content("/a").size(), 5 * page_bytes);
}

TEST_F(Crash, OperationsOnNamesAreLostFromTheEnd) {
  const auto text = [](const char* one) { return std::as_bytes(std::span(one, 1)); };
  (void)create("/a");
  machine_.put_file("/b", text("b"));
  machine_.put_file("/c", text("c"));
  ASSERT_TRUE(process_.rename("/b", "/d").ok());
  ASSERT_TRUE(process_.remove("/a").ok());
  ASSERT_TRUE(process_.rename("/c", "/d").ok());
  std::set<std::vector<std::string>> seen;
  for (int i = 0; i < draws; ++i) {
    const auto image = machine_.crash_image(random_);
    const auto names = image->file_names();
    if (names == std::vector<std::string>{"/d"}) {
      EXPECT_EQ(image->content("/d"), machine_.content("/d"));
    }
    seen.insert(names);
  }
  const std::set<std::vector<std::string>> prefixes = {{"/a", "/b", "/c"}, {"/a", "/c", "/d"}, {"/c", "/d"}, {"/d"}};
  EXPECT_EQ(seen, prefixes);
  ASSERT_TRUE(process_.flush_folder_of("/x").ok());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(machine_.crash_image(random_)->file_names(), std::vector<std::string>{"/d"});
}

TEST_F(Crash, FlushingAFolderFlushesWhatCameBeforeItsLastOperation) {
  machine_.make_folder("/f");
  machine_.make_folder("/g");
  const auto make = [this](const char* path) {
    return process_.open(path, Access::read_write, Creation::create_new, 0600).ok();
  };
  ASSERT_TRUE(make("/g/1") && make("/f/1") && make("/g/2"));
  ASSERT_TRUE(process_.flush_folder_of("/f/anything").ok());
  std::set<std::vector<std::string>> seen;
  for (int i = 0; i < draws; ++i) seen.insert(machine_.crash_image(random_)->file_names());
  EXPECT_EQ(seen, (std::set<std::vector<std::string>>{{"/f/1", "/g/1"}, {"/f/1", "/g/1", "/g/2"}}));
}

TEST_F(Crash, AFileThatComesBackHasContentOfItsOwnTime) {
  make_store(1);
  fill(0, 1);
  ASSERT_TRUE(file_->flush().ok());
  ASSERT_TRUE(process_.remove("/a").ok());
  fill(0, 2);  // Through the mapping of a file without a name.
  std::set<int> seen;
  for (int i = 0; i < draws; ++i) {
    const auto image = machine_.crash_image(random_);
    seen.insert(image->exists("/a") ? sectors_of(*image, "/a", 0)[0] : -1);
  }
  EXPECT_EQ(seen, (std::set<int>{-1, 1, 2}));
}

TEST_F(Crash, ImagesAreOtherBootsOfTheSameDiskAndLeaveTheRunAlone) {
  make_store(1);
  ASSERT_TRUE(*file_->try_lock(LockMode::exclusive));
  fill(0, 5);
  const auto identity = file_->status()->identity;
  const auto boot = process_.boot_id();

  const auto crashed = machine_.crash_image(random_);
  const auto rebooted = machine_.reboot_image();
  const auto killed = machine_.kill_image();
  for (Machine* image : {crashed.get(), rebooted.get(), killed.get()}) {
    Process& process = image->start_process();
    const auto file = process.open("/a", Access::read_write, Creation::existing, 0);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(file.value()->status()->identity, identity);
    EXPECT_EQ(file.value()->status()->link_count, 1U);
    EXPECT_TRUE(*file.value()->try_lock(LockMode::exclusive));
    EXPECT_EQ(process.boot_id() == boot, image == killed.get());
    const auto mapping = file.value()->map(ByteCount{1 << 20}, Access::read_write);
    std::memset(mapping.value()->data(), 77, page_bytes);
    EXPECT_EQ(image->version_count("/a", 0), image == killed.get() ? 2U : 1U) << "a killed process flushed nothing";
  }
  EXPECT_NE(crashed->start_process().boot_id(), rebooted->start_process().boot_id());
  EXPECT_EQ(mapping_->data()[0], std::byte{5});
  EXPECT_EQ(sectors_of(*machine_.kill_image(), "/a", 0)[0], 5);
  EXPECT_EQ(sectors_of(*machine_.reboot_image(), "/a", 0)[0], 5);
  EXPECT_EQ(machine_.version_count("/a", 0), 2U);
}

TEST_F(Crash, APowerCutAfterAKillLosesWhatTheKilledHadNotFlushed) {
  make_store(1);
  fill(0, 1);
  ASSERT_TRUE(process_.rename("/a", "/b").ok());
  const auto killed = machine_.kill_image();
  EXPECT_EQ(killed->file_names(), std::vector<std::string>{"/b"});
  std::set<std::pair<std::string, int>> seen;
  for (int i = 0; i < draws; ++i) {
    const auto image = killed->crash_image(random_);
    const std::string name = image->file_names().at(0);
    seen.emplace(name, sectors_of(*image, name, 0)[0]);
  }
  EXPECT_EQ(seen, (std::set<std::pair<std::string, int>>{{"/a", 0}, {"/a", 1}, {"/b", 0}, {"/b", 1}}));
  // The two do not share anything.
  Process& process = killed->start_process();
  const auto file = process.open("/b", Access::read_write, Creation::existing, 0);
  ASSERT_TRUE(file.value()->flush().ok());
  ASSERT_TRUE(process.flush_folder_of("/b").ok());
  EXPECT_EQ(machine_.version_count("/b", 0), 2U);
  EXPECT_EQ(sectors_of(*killed->crash_image(random_), "/b", 0)[0], 1);
}

TEST_F(Crash, TheSameSeedsGiveTheSameImages) {
  make_store(8);
  for (std::size_t page = 0; page < 8; ++page) {
    fill(page, static_cast<int>(page) + 1);
    machine_.capture();
  }
  Random first{7};
  Random second{7};
  for (int i = 0; i < 20; ++i) {
    const auto one = machine_.crash_image(first);
    const auto other = machine_.crash_image(second);
    EXPECT_EQ(one->content("/a"), other->content("/a"));
    EXPECT_EQ(one->start_process().boot_id(), other->start_process().boot_id());
  }
}

}  // namespace
}  // namespace utan::os::sim
