// What tests of other users and other places share: children that are somebody else, and children with mounts of their own.
//
// Both need root, and the second a kernel that lets this process have namespaces: a test asks first, and says why it skips.
#pragma once

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>

#include "support/attach_fixture.h"

namespace utan::attaching {

struct User {
  uid_t id;
  gid_t group;
};
// Of no account on purpose: nobody else's files are theirs.
inline constexpr User anna{61'001, 62'000};
inline constexpr User bert{61'002, 62'000};   // of Anna's group
inline constexpr User carla{61'003, 62'003};  // of another

inline bool become(const User& user) {
  ::umask(0);
  return ::setgroups(0, nullptr) == 0 && ::setresgid(user.group, user.group, user.group) == 0 &&
         ::setresuid(user.id, user.id, user.id) == 0;
}

// Runs `body` as this user, in a process that ends with it. Its failures are this test's.
inline void as_user(const User& user, const std::function<void()>& body) {
  TestChild child([&] {
    if (!become(user)) return false;
    body();
    return !::testing::Test::HasFailure();
  });
  EXPECT_TRUE(child.join()) << "as user " << user.id;
}

// Runs `body` in a process whose mounts nobody else sees, and that are gone with it.
inline void with_own_mounts(const std::function<void()>& body) {
  TestChild child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    body();
    return !::testing::Test::HasFailure();
  });
  EXPECT_TRUE(child.join());
}

inline bool can_mount() {
  TestChild child(
      [] { return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0; });
  return child.join();
}

#define UTAN_NEEDS_ROOT() \
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else"
#define UTAN_NEEDS_MOUNTS() \
  if (!::utan::attaching::can_mount()) GTEST_SKIP() << "this machine does not let this process mount anything"

// What is mounted at `folder` is only read from now on.
inline void make_read_only(const std::string& folder) {
  ASSERT_EQ(::mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND, nullptr), 0) << std::strerror(errno);
  ASSERT_EQ(::mount("none", folder.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0)
      << std::strerror(errno);
}

inline void give_to(const std::string& path, const User& user, mode_t mode) {
  ASSERT_EQ(::chown(path.c_str(), user.id, user.group), 0) << std::strerror(errno);
  ASSERT_EQ(::chmod(path.c_str(), mode), 0) << std::strerror(errno);
}

inline struct stat status_of(const std::string& path) {
  struct stat out {};
  EXPECT_EQ(::stat(path.c_str(), &out), 0) << path;
  return out;
}

}  // namespace utan::attaching
