// Shows: a mapping is longer than its file, shows growth without a call, is shared between mappings and processes,
// outlives its File, and is left out of core dumps; how much address space there is.
// Labels: small
#include <sys/resource.h>

#include <atomic>
#include <fstream>

#include "os/linux/file.h"
#include "os/linux/testing.h"

namespace utan::os {
namespace {

using testing::create;
using testing::open_again;
using testing::succeeded;
using testing::TestChild;
using testing::TestFolder;
using testing::TestPipe;

constexpr ByteCount reservation{64 << 20};

std::unique_ptr<Mapping> map_or_die(File& file, Access access = Access::read_write, ByteCount size = reservation) {
  auto mapping = file.map(size, access);
  if (!mapping.ok()) {
    ADD_FAILURE() << mapping.error().message();
    std::abort();
  }
  return std::move(mapping).value();
}

std::atomic_ref<std::uint64_t> word_at(const Mapping& mapping, std::uint64_t offset) {
  return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(mapping.data() + offset));
}

TEST(LinuxMapping, GrowthShowsInEveryMappingWithoutACall) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{4096})));
  const auto first = map_or_die(*file);
  const auto other_file = open_again(folder.in("a"));
  const auto second = map_or_die(*other_file);
  const auto reader = map_or_die(*other_file, Access::read_only);
  EXPECT_EQ(first->reserved(), reservation);
  EXPECT_NE(first->data(), second->data());

  word_at(*first, 0).store(17);
  EXPECT_EQ(word_at(*second, 0).load(), 17U);

  ASSERT_TRUE(succeeded(file->allocate(ByteCount{32 << 20})));
  const std::uint64_t last = (32 << 20) - 8;
  EXPECT_EQ(word_at(*second, last).load(), 0U);
  word_at(*second, last).store(18);
  EXPECT_EQ(word_at(*first, last).load(), 18U);
  EXPECT_EQ(word_at(*reader, last).load(), 18U);
  std::uint64_t read = 0;
  ASSERT_TRUE(succeeded(file->read(Offset{last}, std::as_writable_bytes(std::span(&read, 1)))));
  EXPECT_EQ(read, 18U);
}

TEST(LinuxMapping, ProcessesShareIt) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{4096})));
  const auto mapping = map_or_die(*file);
  TestPipe grown;
  TestChild child([&] {
    const auto own_file = open_again(folder.in("a"));
    const auto own = map_or_die(*own_file);
    word_at(*own, 0).fetch_add(1);
    if (!own_file->allocate(ByteCount{1 << 20}).ok()) return false;
    word_at(*own, (1 << 20) - 8).store(5);
    grown.signal();
    return true;
  });
  ASSERT_TRUE(grown.wait());
  EXPECT_EQ(word_at(*mapping, 0).load(), 1U);
  EXPECT_EQ(word_at(*mapping, (1 << 20) - 8).load(), 5U);
  EXPECT_TRUE(child.join());
}

TEST(LinuxMapping, OutlivesItsFileAndItsName) {
  const TestFolder folder;
  auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{4096})));
  ASSERT_TRUE(succeeded(linux_system().remove(folder.in("a"))));
  const auto mapping = map_or_die(*file);
  file.reset();
  word_at(*mapping, 8).store(3);
  EXPECT_EQ(word_at(*mapping, 8).load(), 3U);
}

TEST(LinuxMapping, TheFileIsMappedAlsoWhenItsNameLeadsToAnother) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{4096})));
  const std::byte mark{42};
  ASSERT_TRUE(succeeded(file->write(Offset{0}, std::span(&mark, 1))));
  const auto other = create(folder.in("b"));
  ASSERT_TRUE(succeeded(linux_system().rename(folder.in("b"), folder.in("a"))));
  EXPECT_EQ(map_or_die(*file)->data()[0], mark);
}

TEST(LinuxMapping, StaysOutOfCoreDumps) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  const auto mapping = map_or_die(*file);
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  bool dump_excluded = false;
  while (std::getline(smaps, line)) {
    if (line.find(folder.in("a")) != std::string::npos) inside = true;
    if (inside && line.starts_with("VmFlags:")) {
      dump_excluded = line.find(" dd") != std::string::npos;
      break;
    }
  }
  EXPECT_TRUE(inside);
  EXPECT_TRUE(dump_excluded) << line;
}

TEST(LinuxMapping, AReservationBeyondTheAddressSpaceIsNoSpace) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  const auto mapping = file->map(ByteCount{std::uint64_t{1} << 55}, Access::read_write);
  EXPECT_EQ(mapping.code(), Code::no_space);
  EXPECT_NE(mapping.error().message().find(folder.in("a")), std::string::npos);
}

TEST(LinuxMapping, WhatAddressSpaceMaxSaysCanBeReserved) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  const ByteCount most = linux_system().address_space_max();
  EXPECT_GE(most, ByteCount{std::uint64_t{1} << 30});
  // No longer than the largest file of the file system, which a mapping may not exceed.
  (void)map_or_die(*file, Access::read_write, std::min(most, ByteCount{std::uint64_t{1} << 42}));
}

TEST(LinuxMapping, AddressSpaceMaxHeedsTheLimitOfTheProcess) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  TestChild child([] {
    const struct rlimit limit = {std::uint64_t{4} << 30, std::uint64_t{4} << 30};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return false;
    const ByteCount most = linux_system().address_space_max();
    return most <= ByteCount{std::uint64_t{1} << 30} && most >= ByteCount{std::uint64_t{1} << 28};
  });
  EXPECT_TRUE(child.join());
#else
  GTEST_SKIP() << "a sanitizer's own reservations exceed any limit";
#endif
}

}  // namespace
}  // namespace utan::os
