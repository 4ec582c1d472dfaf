// Shows: resolving through links, renaming, that exactly one of many processes wins a new name by either way of doing
// it, making names durable, and giving a file the mode of another.
// Labels: small
#include <grp.h>
#include <sys/stat.h>

#include <vector>

#include "os/linux/system.h"
#include "os/linux/testing.h"

namespace utan::os {
namespace {

using testing::create;
using testing::open_again;
using testing::succeeded;
using testing::TestChild;
using testing::TestFolder;
using testing::TestPipe;

TEST(LinuxNames, ResolveFollowsLinksAndAllowsAMissingLastName) {
  const TestFolder folder;
  ASSERT_EQ(::mkdir(folder.in("real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("real", folder.in("link").c_str()), 0);
  ASSERT_EQ(::symlink("link/later", folder.in("dangling").c_str()), 0);
  ASSERT_EQ(::symlink(folder.in("real/later").c_str(), folder.in("absolute").c_str()), 0);
  ASSERT_EQ(::symlink("loop", folder.in("loop").c_str()), 0);
  (void)create(folder.in("real/a"));

  System& system = linux_system();
  EXPECT_EQ(*system.resolve(folder.in("link/a")), folder.in("real/a"));
  EXPECT_EQ(*system.resolve(folder.in("link/../link/./a")), folder.in("real/a"));
  EXPECT_EQ(*system.resolve(folder.in("link/none")), folder.in("real/none"));
  EXPECT_EQ(*system.resolve(folder.in("dangling")), folder.in("real/later"));
  EXPECT_EQ(*system.resolve(folder.in("absolute")), folder.in("real/later"));
  EXPECT_EQ(*system.resolve("/none-such"), "/none-such");
  EXPECT_EQ(system.resolve(folder.in("none/none")).code(), Code::not_found);
  EXPECT_EQ(system.resolve(folder.in("real/a/b")).code(), Code::not_found);
  EXPECT_EQ(system.resolve("").code(), Code::not_found);
  EXPECT_EQ(system.resolve(folder.in("none/")).code(), Code::not_found);
  EXPECT_EQ(system.resolve(folder.in("loop")).code(), Code::invalid);
  EXPECT_EQ(system.resolve(folder.in("loop")).error().message(),
            "cannot resolve " + folder.in("loop") + ": Too many levels of symbolic links");
}

TEST(LinuxNames, ARelativePathBecomesAbsolute) {
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(*linux_system().resolve("utan-none-such"), (here == "/" ? "" : here) + "/utan-none-such");
}

TEST(LinuxNames, RenameReplacesAndRenameNewDoesNot) {
  const TestFolder folder;
  System& system = linux_system();
  const auto a = create(folder.in("a"))->status()->identity;
  const auto b = create(folder.in("b"))->status()->identity;
  EXPECT_EQ(system.rename_new(folder.in("a"), folder.in("b")).code(), Code::exists);
  EXPECT_EQ(linux_os::rename_new_by_link(folder.in("a"), folder.in("b")).code(), Code::exists);
  EXPECT_EQ(system.status(folder.in("b"))->identity, b);
  ASSERT_TRUE(succeeded(system.rename_new(folder.in("a"), folder.in("c"))));
  EXPECT_EQ(system.status(folder.in("a")).code(), Code::not_found);
  ASSERT_TRUE(succeeded(linux_os::rename_new_by_link(folder.in("c"), folder.in("d"))));
  EXPECT_EQ(system.status(folder.in("c")).code(), Code::not_found);
  ASSERT_TRUE(succeeded(system.rename(folder.in("d"), folder.in("b"))));
  EXPECT_EQ(system.status(folder.in("b"))->identity, a);
  EXPECT_EQ(system.rename(folder.in("d"), folder.in("b")).code(), Code::not_found);
  EXPECT_EQ(system.rename_new(folder.in("d"), folder.in("e")).code(), Code::not_found);
  ASSERT_TRUE(succeeded(system.remove(folder.in("b"))));
  EXPECT_EQ(system.remove(folder.in("b")).error().message(),
            "cannot remove " + folder.in("b") + ": No such file or directory");
}

// Each of the processes tries to give its file the same new name; the outcome is counted by what it says itself.
void race(Result<void> (*rename_new)(const std::string&, const std::string&)) {
  constexpr int rounds = 40;
  constexpr int processes = 4;
  for (int round = 0; round < rounds; ++round) {
    const TestFolder folder;
    TestPipe start;
    std::vector<std::unique_ptr<TestChild>> children;
    for (int p = 0; p < processes; ++p) {
      children.push_back(std::make_unique<TestChild>([&, p] {
        const std::string own = folder.in("own" + std::to_string(p));
        (void)create(own);
        start.close_writer();
        (void)start.wait();  // Ends for all of them at once, when the parent closes the last writer.
        const auto result = rename_new(own, folder.in("won"));
        if (result.ok()) return true;
        // The loser exits without success; anything but "exists" is found below, as its file would be gone or moved.
        return false;
      }));
    }
    start.close_writer();
    int winners = 0;
    for (int p = 0; p < processes; ++p) {
      const bool won = children[static_cast<std::size_t>(p)]->join();
      winners += won ? 1 : 0;
      EXPECT_EQ(linux_system().status(folder.in("own" + std::to_string(p))).ok(), !won);
    }
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(linux_system().status(folder.in("won"))->link_count, 1U);
  }
}

TEST(LinuxNames, OneOfManyWinsANewName) {
  race([](const std::string& from, const std::string& to) { return linux_system().rename_new(from, to); });
}

TEST(LinuxNames, OneOfManyWinsANewNameByLink) { race(linux_os::rename_new_by_link); }

TEST(LinuxNames, TheFolderOfAPathIsFlushed) {
  const TestFolder folder;
  (void)create(folder.in("a"));
  EXPECT_TRUE(succeeded(linux_system().flush_folder_of(folder.in("a"))));
  EXPECT_TRUE(succeeded(linux_system().flush_folder_of("relative")));
  EXPECT_EQ(linux_system().flush_folder_of(folder.in("none/a")).code(), Code::not_found);
  EXPECT_EQ(linux_system().flush_folder_of(folder.in("a/b")).code(), Code::not_found);
}

TEST(LinuxNames, OwnershipIsMatchedAsFarAsPermitted) {
  const TestFolder folder;
  auto like = *create(folder.in("like"))->status();
  (void)create(folder.in("a"));
  like.mode = 0664;
  linux_system().match_ownership(folder.in("a"), like);
  EXPECT_EQ(linux_system().status(folder.in("a"))->mode, 0664U);
  linux_system().match_ownership(folder.in("none"), like);  // No error, and nothing made.
  EXPECT_EQ(linux_system().status(folder.in("none")).code(), Code::not_found);

  // A link in the place of the file is not followed.
  ASSERT_EQ(::symlink("like", folder.in("link").c_str()), 0);
  linux_system().match_ownership(folder.in("link"), like);
  EXPECT_EQ(linux_system().status(folder.in("like"))->mode, 0600U);
}

TEST(LinuxNames, AGroupThatCannotBeGivenGetsNoMoreThanEverybody) {
  const TestFolder folder;
  auto like = *create(folder.in("like"))->status();
  like.mode = 0664;
  like.group += 4321;  // A group that the child below is not in.
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  TestChild child([&] {
    if (::geteuid() == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) return false;
    }
    (void)create(folder.in("a"));
    linux_system().match_ownership(folder.in("a"), like);
    return linux_system().status(folder.in("a"))->mode == 0644;
  });
  EXPECT_TRUE(child.join());
}

}  // namespace
}  // namespace utan::os
