// Shows: what may be opened and how a refusal reads; that reading, writing and status agree; that allocation is real,
// idempotent, keeps what is there and never truncates, also when several processes do it at once.
// Labels: small
#include "os/linux/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fstream>
#include <vector>

#include "os/linux/testing.h"

namespace utan::os {
namespace {

using testing::create;
using testing::open_again;
using testing::succeeded;
using testing::TestChild;
using testing::TestFolder;
using testing::TestPipe;

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* start = reinterpret_cast<const std::byte*>(text.data());
  return {start, start + text.size()};
}

// What really lies on the disk, unlike the size.
std::uint64_t allocated_bytes(const std::string& path) {
  struct stat raw = {};
  EXPECT_EQ(::stat(path.c_str(), &raw), 0);
  return static_cast<std::uint64_t>(raw.st_blocks) * 512;
}

TEST(LinuxFile, AMissingFileIsNamedWithTheSystemsReason) {
  const TestFolder folder;
  const auto file = linux_system().open(folder.in("none"), Access::read_write, Creation::existing, 0600);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.code(), Code::not_found);
  EXPECT_EQ(file.error().system_error(), ENOENT);
  EXPECT_EQ(file.error().message(), "cannot open " + folder.in("none") + ": No such file or directory");
}

TEST(LinuxFile, CreatingWhatExistsIsRefusedAndChangesNothing) {
  const TestFolder folder;
  ASSERT_TRUE(succeeded(create(folder.in("a"))->write(Offset{0}, bytes_of("kept"))));
  const auto again = linux_system().open(folder.in("a"), Access::read_write, Creation::create_new, 0600);
  EXPECT_EQ(again.code(), Code::exists);
  EXPECT_EQ(again.error().message(), "cannot create " + folder.in("a") + ": File exists");
  EXPECT_EQ(open_again(folder.in("a"))->status()->size, ByteCount{4});
}

TEST(LinuxFile, OnlyRegularFilesAreOpenedAndNothingBlocks) {
  const TestFolder folder;
  ASSERT_EQ(::mkfifo(folder.in("fifo").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("fifo", folder.in("link").c_str()), 0);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  folder.in("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(socket);

  const std::pair<std::string, const char*> cases[] = {{folder.in("fifo"), "a FIFO"},
                                                       {folder.in("link"), "a FIFO"},
                                                       {folder.in("socket"), "a socket"},
                                                       {folder.path(), "a directory"},
                                                       {"/dev/null", "a device"}};
  for (const auto& [path, kind] : cases) {
    for (const auto access : {Access::read_only, Access::read_write}) {
      const auto file = linux_system().open(path, access, Creation::existing, 0600);
      EXPECT_EQ(file.code(), Code::invalid) << path;
      EXPECT_EQ(file.error().message(), "cannot open " + path + ": it is " + kind + ", not a regular file");
    }
  }
}

TEST(LinuxFile, StatusFollowsTheFileNotItsName) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->write(Offset{10}, bytes_of("text"))));
  const auto status = *file->status();
  EXPECT_EQ(status.size, ByteCount{14});
  EXPECT_EQ(status.kind, FileKind::regular);
  EXPECT_EQ(status.mode, 0600U);
  EXPECT_EQ(status.user, ::geteuid());
  EXPECT_EQ(status.link_count, 1U);
  EXPECT_EQ(status.identity, linux_system().status(folder.in("a"))->identity);

  const auto other = create(folder.in("b"));
  EXPECT_NE(status.identity, other->status()->identity);
  ASSERT_TRUE(succeeded(linux_system().rename(folder.in("b"), folder.in("a"))));
  EXPECT_EQ(file->status()->identity, status.identity);
  EXPECT_EQ(file->status()->link_count, 0U);
  EXPECT_EQ(linux_system().status(folder.in("a"))->identity, other->status()->identity);
  EXPECT_EQ(linux_system().status(folder.path())->kind, FileKind::directory);
  EXPECT_FALSE(file->medium()->shared_with_others) << file->medium()->name;
}

TEST(LinuxFile, ReadsAndWritesExactlyOrSaysWhereTheFileEnds) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->write(Offset{4}, bytes_of("wörter"))));
  std::vector<std::byte> read(11);
  ASSERT_TRUE(succeeded(file->read(Offset{0}, read)));
  EXPECT_EQ(read, bytes_of(std::string(4, '\0') + "wörter"));
  const auto past = file->read(Offset{8}, read);
  EXPECT_EQ(past.code(), Code::corruption);
  EXPECT_EQ(past.error().message(), folder.in("a") + " ends at 11, expected at least 19 bytes");
  ASSERT_TRUE(succeeded(file->read(Offset{11}, {})));
  EXPECT_TRUE(succeeded(file->flush()));
}

TEST(LinuxFile, AReadOnlyFileIsNeitherWrittenNorMappedForWriting) {
  const TestFolder folder;
  (void)create(folder.in("a"));
  const auto file = open_again(folder.in("a"), Access::read_only);
  EXPECT_FALSE(file->write(Offset{0}, bytes_of("no")).ok());
  EXPECT_FALSE(file->allocate(ByteCount{4096}).ok());
  EXPECT_EQ(file->map(ByteCount{1 << 20}, Access::read_write).code(), Code::permission);
  EXPECT_TRUE(succeeded(file->map(ByteCount{1 << 20}, Access::read_only)));
}

TEST(LinuxFile, AllocationIsRealIdempotentAndKeepsWhatIsThere) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->write(Offset{0}, bytes_of("kept"))));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{1 << 20})));
  EXPECT_EQ(file->status()->size, ByteCount{1 << 20});
  EXPECT_GE(allocated_bytes(folder.in("a")), std::uint64_t{1} << 20);
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{1 << 20})));
  EXPECT_EQ(file->status()->size, ByteCount{1 << 20});

  // Less than there is: nothing happens, above all no truncation.
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{4096})));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{0})));
  EXPECT_EQ(file->status()->size, ByteCount{1 << 20});

  std::vector<std::byte> start(4);
  ASSERT_TRUE(succeeded(file->read(Offset{0}, start)));
  EXPECT_EQ(start, bytes_of("kept"));
}

TEST(LinuxFile, AllocationFillsTheHolesOfASparseFile) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->write(Offset{(8 << 20) - 4}, bytes_of("tail"))));
  ASSERT_LT(allocated_bytes(folder.in("a")), std::uint64_t{8} << 20);
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{8 << 20})));
  EXPECT_GE(allocated_bytes(folder.in("a")), std::uint64_t{8} << 20);
  std::vector<std::byte> tail(4);
  ASSERT_TRUE(succeeded(file->read(Offset{(8 << 20) - 4}, tail)));
  EXPECT_EQ(tail, bytes_of("tail"));
}

TEST(LinuxFile, WhatWasCutOffIsAllocatedAgain) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{8 << 20})));
  ASSERT_EQ(::truncate(folder.in("a").c_str(), 4096), 0);
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{9 << 20})));
  EXPECT_GE(allocated_bytes(folder.in("a")), std::uint64_t{9} << 20);
}

TEST(LinuxFile, WhatBecameAHoleIsAllocatedAgain) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{8 << 20})));
  ASSERT_EQ(::truncate(folder.in("a").c_str(), 4096), 0);
  ASSERT_EQ(::truncate(folder.in("a").c_str(), 8 << 20), 0);
  ASSERT_LT(allocated_bytes(folder.in("a")), std::uint64_t{8} << 20);
  ASSERT_TRUE(succeeded(file->allocate(ByteCount{9 << 20})));
  EXPECT_GE(allocated_bytes(folder.in("a")), std::uint64_t{9} << 20);
}

TEST(LinuxFile, SeveralProcessesAllocateAtOnce) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  constexpr std::uint64_t step = 64 << 10;
  constexpr std::uint64_t rounds = 32;
  constexpr std::uint64_t processes = 4;
  {
    std::vector<std::unique_ptr<TestChild>> children;
    for (std::uint64_t p = 0; p < processes; ++p) {
      children.push_back(std::make_unique<TestChild>([&, p] {
        const auto own = open_again(folder.in("a"));
        const std::byte mark{static_cast<unsigned char>(p + 1)};
        for (std::uint64_t round = 0; round < rounds; ++round) {
          const std::uint64_t base = round * step;
          if (!own->allocate(ByteCount{base + step}).ok()) return false;
          // A mark in one's own place of the new range: lost if another's allocation truncated or rewrote it.
          if (!own->write(Offset{base + p}, std::span(&mark, 1)).ok()) return false;
        }
        return true;
      }));
    }
    for (const auto& child : children) EXPECT_TRUE(child->join());
  }
  EXPECT_EQ(file->status()->size, ByteCount{rounds * step});
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::vector<std::byte> marks(processes);
    ASSERT_TRUE(succeeded(file->read(Offset{round * step}, marks)));
    for (std::uint64_t p = 0; p < processes; ++p) EXPECT_EQ(marks[p], std::byte(p + 1)) << round << " " << p;
  }
}

TEST(LinuxFile, ALimitOnTheSizeOfFilesIsNoSpace) {
  const TestFolder folder;
  const std::string path = folder.in("a");
  TestChild child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {1 << 20, 1 << 20};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    const auto file = create(path);
    if (!file->allocate(ByteCount{1 << 20}).ok()) return false;
    const auto more = file->allocate(ByteCount{2 << 20});
    return more.code() == Code::no_space && more.error().message().find(path) != std::string::npos &&
           file->status()->size == ByteCount{1 << 20};
  });
  EXPECT_TRUE(child.join());
}

TEST(LinuxFile, DescriptorsAreClosedByExec) {
  const TestFolder folder;
  const auto file = create(folder.in("a"));
  const auto mapping = file->map(ByteCount{1 << 20}, Access::read_write);
  ASSERT_TRUE(succeeded(mapping));
  // A shell that looks whether any descriptor of its own leads to the file.
  const std::string script =
      "for f in /proc/self/fd/*; do [ \"$(readlink $f)\" = \"" + folder.in("a") + "\" ] && exit 1; done; exit 0";
  EXPECT_EQ(std::system(script.c_str()), 0);
}

}  // namespace
}  // namespace utan::os
