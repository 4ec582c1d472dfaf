// Shows that odd circumstances of a process do a store no harm, and that an error says what is in the way: odd paths, files
// that are removed, limits of the system, processes that sleep, other namespaces, no /proc, clocks that jump.
// Labels: plain
// Timeout: 180 s
#include <sys/prctl.h>
#include <sys/resource.h>

#include <map>

#include "os/sim/machine.h"
#include "support/users_fixture.h"

namespace utan::attaching {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UTAN_NEEDS_ADDRESSES() GTEST_SKIP() << "a sanitizer needs more addresses than this test leaves"
#else
#define UTAN_NEEDS_ADDRESSES() static_cast<void>(0)
#endif

// Runs `body` in a process of its own, whose limits and mounts are its own. Its failures are this test's.
void apart(const std::function<void()>& body) {
  TestChild child([&] {
    body();
    return !::testing::Test::HasFailure();
  });
  EXPECT_TRUE(child.join());
}

void limit(int what, rlim_t most) {
  const rlimit limits = {most, most};
  ASSERT_EQ(::setrlimit(static_cast<__rlimit_resource_t>(what), &limits), 0) << std::strerror(errno);
}

// --- Paths ---------------------------------------------------------------------------------------------------------------

TEST_F(Attach, APathIsAnyBytes) {
  const std::string path = folder_.path("\xff\xfe \n\x01'\".utan");
  put_in(path, "k", "v");
  EXPECT_EQ(get_from(path, "k"), "v");
  overwrite(path, "not a store any more");
  expect_refused(path, {}, Code::format, "\xff\xfe \n\x01'\".utan");
}

TEST_F(Attach, ALongPath) {
  std::string folder = folder_.path("");
  for (int i = 0; i < 14; ++i) {
    folder += std::string(250, static_cast<char>('a' + i)) + "/";
    ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  }
  put_in(folder + "s.utan", "k", "v");
  EXPECT_EQ(get_from(folder + "s.utan", "k"), "v");
  // No name of more than 255 bytes is possible, and the files beside the store have longer ones.
  const std::string longest = folder_.path(std::string(230, 'n'));
  put_in(longest, "k", "v");
  EXPECT_EQ(get_from(longest, "k"), "v");
  for (const std::size_t size : {240, 255, 256}) {
    const std::string path = folder_.path(std::string(size, 'm'));
    const auto opened = Store::open(os::linux_system(), path, {});
    ASSERT_EQ(opened.code(), Code::invalid) << size;
    EXPECT_NE(opened.error().message().find("name too long"), std::string::npos) << opened.error().message();
  }
  expect_refused(folder_.path(std::string(240, 'm')), {}, Code::invalid, "25 bytes shorter");
  EXPECT_EQ(names_in(folder_.path("")), 3U) << "nothing is left of what could not be made";
  EXPECT_EQ(Store::open(os::linux_system(), folder_.path(std::string(5000, 'p')), {}).code(), Code::invalid);
}

TEST_F(Attach, LinksThatLeadNowhere) {
  ASSERT_EQ(::symlink("there", folder_.path("here").c_str()), 0);
  ASSERT_EQ(::symlink("here", folder_.path("there").c_str()), 0);
  for (const OpenMode mode : {OpenMode::create, OpenMode::existing, OpenMode::read_only, OpenMode::fresh})
    expect_refused(folder_.path("here"), with_mode(mode), Code::invalid, "symbolic links");
  ASSERT_EQ(::symlink("nothing", folder_.path("dangling").c_str()), 0);
  EXPECT_EQ(Store::open(os::linux_system(), folder_.path("dangling"), with_mode(OpenMode::existing)).code(),
            Code::not_found);
  EXPECT_EQ(names_in(folder_.path("")), 3U);
}

// Every byte, and nothing beside it.
TEST_F(Attach, WhatIsNoStoreOrANewerOneStaysAsItIs) {
  put_in(path_, "k", "v");
  change_header(path_, [](FileHeader& header) { header.version = format::format_version + 1; });
  std::filesystem::remove(lock_path_);
  overwrite(folder_.path("empty"), "");
  overwrite(folder_.path("short"), "x");
  overwrite(folder_.path("foreign"), std::string(1'000'000, 'x'));
  std::map<std::string, std::string> before;
  for (const char* name : {"s.utan", "empty", "short", "foreign"})
    before[folder_.path(name)] = content_of(folder_.path(name));
  for (const auto& [path, content] : before) {
    SCOPED_TRACE(path);
    for (const OpenMode mode : {OpenMode::create, OpenMode::existing, OpenMode::read_only}) {
      const auto opened = Store::open(os::linux_system(), path, with_mode(mode));
      EXPECT_EQ(opened.code(), path == path_ ? Code::version : Code::format) << opened.error().message();
    }
    EXPECT_TRUE(content_of(path) == content);
  }
  expect_refused(path_, {}, Code::version, "use a newer Utan");
  EXPECT_EQ(names_in(folder_.path("")), 4U);
}

TEST_F(Attach, RemovedInUseThoseWhoHaveItGoOn) {
  put_in(path_, "k", "old");
  Neighbour neighbour([this](Neighbour& self) {
    auto store = test::open_store(path_);
    self.pause();
    put_in(*store, "k", "older");
    EXPECT_EQ(store->statistics()->processes.value, 2U);
    self.pause();
    EXPECT_EQ(get_from(*store, "k"), "oldest");
    close(std::move(store));
  });
  ASSERT_TRUE(neighbour.paused());
  auto here = test::open_store(path_);
  std::filesystem::remove(path_);
  expect_refused(path_, with_mode(OpenMode::existing), Code::not_found, "No such file");
  auto fresh = test::open_store(path_);
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(get_from(*fresh, "k"), std::nullopt);
  put_in(*fresh, "k", "new");
  neighbour.go_on();
  ASSERT_TRUE(neighbour.paused());
  EXPECT_EQ(get_from(*here, "k"), "older");
  put_in(*here, "k", "oldest");
  EXPECT_EQ(fresh->statistics()->processes.value, 1U);
  neighbour.go_on();
  EXPECT_TRUE(neighbour.ended_well());
  close(std::move(here));
  EXPECT_EQ(get_from(*fresh, "k"), "new");
  close(std::move(fresh));
  EXPECT_EQ(get_from(path_, "k"), "new");
  EXPECT_EQ(walk_closed(path_).leaked_count, 0U);
}

TEST_F(Attach, KilledAllAndWithoutALockFileTheLastCheckpointIsThere) {
  std::uint64_t synced = 0;
  synced_then_killed(path_, &synced);
  std::filesystem::remove(lock_path_);
  const auto store = test::open_store(path_);
  EXPECT_EQ(newest(*store), synced);
  EXPECT_EQ(get_from(*store, "synced"), "1");
  EXPECT_EQ(get_from(*store, "unsynced"), std::nullopt);
  put_in(*store, "next", "3");
  test::walk(*store);
}

// --- Limits --------------------------------------------------------------------------------------------------------------

TEST_F(Attach, WithoutDescriptorsLeft) {
  put_in(path_, "k", "v");
  apart([this] {
    auto other = test::open_store(folder_.path("other"));
    put_in(*other, "k", "before");  // the first write of a session flushes the folder, which it opens for that
    std::vector<int> taken;
    limit(RLIMIT_NOFILE, 64);
    for (int one; (one = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken.push_back(one);
    ASSERT_FALSE(taken.empty());
    put_in(*other, "k", "v");
    EXPECT_EQ(get_from(*other, "k"), "v");
    // However many there are short of enough.
    for (int free = 0;; ++free) {
      const auto opened = Store::open(os::linux_system(), path_, {});
      if (opened.ok()) {
        EXPECT_GE(free, 2);
        break;
      }
      EXPECT_EQ(opened.code(), Code::io);
      EXPECT_NE(opened.error().message().find("ulimit -n"), std::string::npos) << opened.error().message();
      ASSERT_FALSE(taken.empty());
      ::close(taken.back());
      taken.pop_back();
    }
    EXPECT_EQ(get_from(path_, "k"), "v");
    close(std::move(other));
  });
  EXPECT_EQ(get_from(path_, "k"), "v");
  EXPECT_EQ(names_in(folder_.path("")), 4U);
}

TEST_F(Attach, WithFewAddresses) {
  UTAN_NEEDS_ADDRESSES();
  put_in(path_, "k", "v");
  int opened_count = 0;
  for (const std::uint64_t mebibytes : {64, 128, 256, 512, 1024, 4096}) {
    SCOPED_TRACE(std::to_string(mebibytes) + " MiB");
    TestChild child([&] {
      limit(RLIMIT_AS, mebibytes << 20);
      auto store = Store::open(os::linux_system(), path_, {});
      if (!store.ok()) {
        EXPECT_EQ(store.code(), Code::no_space) << store.error().message();
        EXPECT_NE(store.error().message().find("ulimit -v"), std::string::npos) << store.error().message();
        EXPECT_LT(mebibytes, 1024U);
      } else {
        EXPECT_EQ(get_from(**store, "k"), "v");
        put_in(**store, "k", "v");
        close(std::move(*store));
      }
      return !::testing::Test::HasFailure();
    });
    opened_count += child.join();
  }
  EXPECT_EQ(opened_count, 6) << "each opened, or said why not";
  EXPECT_EQ(get_from(path_, "k"), "v");
}

// Whoever makes a file longer than he may is sent a signal that ends him. It does not come.
TEST_F(Attach, WithFilesThatMayNotGrow) {
  for (const std::uint64_t kibibytes : {0, 64, 300, 700, 2000}) {
    SCOPED_TRACE(std::to_string(kibibytes) + " KiB");
    const std::string path = folder_.path(std::to_string(kibibytes));
    put_in(path, "k", "v");
    const std::string new_path = folder_.path("new" + std::to_string(kibibytes));
    apart([&] {
      limit(RLIMIT_FSIZE, kibibytes << 10);
      auto made = Store::open(os::linux_system(), new_path, {});
      if (made.ok()) {
        close(std::move(*made));
      } else {
        EXPECT_EQ(made.code(), Code::no_space);
        EXPECT_NE(made.error().message().find("ulimit -f"), std::string::npos) << made.error().message();
        EXPECT_NE(::access(new_path.c_str(), F_OK), 0) << "nothing is left of it";
      }
      auto opened = Store::open(os::linux_system(), path, {});
      if (!opened.ok()) {
        EXPECT_EQ(opened.code(), Code::no_space) << opened.error().message();
        return;
      }
      const auto table = test::open_table(**opened, "t");
      const std::string large(300'000, 'x');
      Result<bool> put(true);
      for (int i = 0; i < 100 && put.ok(); ++i)
        put = table->put(test::bytes(std::to_string(i)), test::bytes(large), object::Table::Put::always);
      ASSERT_EQ(put.code(), Code::no_space);
      EXPECT_NE(put.error().message().find("ulimit -f"), std::string::npos) << put.error().message();
      EXPECT_EQ(test::get(*table, "k"), "v");
    });
    EXPECT_EQ(get_from(path, "k"), "v");
    EXPECT_EQ(walk_closed(path).leaked_count, 0U);
  }
}

TEST_F(Attach, FiveHundredStoresInOneProcess) {
  UTAN_NEEDS_ADDRESSES();
  constexpr int count = 500;
  // In memory, where it can be: each store that is made and closed is flushed many times.
  std::string place = "/dev/shm/utan-test-XXXXXX";
  if (::mkdtemp(place.data()) == nullptr) place = folder_.path("");
  apart([&] {
    rlimit limits{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limits), 0);
    limits.rlim_cur = limits.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limits), 0);
    if (limits.rlim_cur < 2 * count + 50) GTEST_SKIP() << "this process may have " << limits.rlim_cur << " files open";
    std::vector<std::unique_ptr<Store>> all;
    for (int i = 0; i < count; ++i) {
      all.push_back(test::open_store(place + "/" + std::to_string(i), {.chunk_size = format::chunk_size_min}));
      ASSERT_NE(all.back(), nullptr);
    }
    for (int i = 0; i < count; ++i) put_in(*all[static_cast<std::size_t>(i)], "k", std::to_string(i));
    for (int i = 0; i < count; ++i) EXPECT_EQ(get_from(*all[static_cast<std::size_t>(i)], "k"), std::to_string(i));
    for (auto& store : all) close(std::move(store));
    EXPECT_EQ(get_from(place + "/499", "k"), "499");
  });
  std::filesystem::remove_all(place);
}

// What is mapped is not written into the file that the system makes of a process which fails.
TEST_F(Attach, AStoreIsNoPartOfACoreDump) {
  const auto store = test::open_store(path_);
  put_in(*store, "k", "v");
  std::ifstream maps("/proc/self/smaps");
  if (!maps.is_open()) GTEST_SKIP() << "no /proc/self/smaps";
  int found = 0;
  bool ours = false;
  for (std::string line; std::getline(maps, line);) {
    // The first line of a mapping begins with its addresses, and all others with a word.
    if (line.find('-') != std::string::npos && line.find(' ') > line.find('-'))
      ours = line.find(path_) != std::string::npos;
    if (!ours || !line.starts_with("VmFlags:")) continue;
    EXPECT_NE((line + " ").find(" dd "), std::string::npos) << line;
    ++found;
  }
  EXPECT_EQ(found, 2) << "the data and the lock file";
}

// --- Processes -----------------------------------------------------------------------------------------------------------

// Stopped wherever it is, while others make 10,000 commits, a process goes on as if nothing had been.
TEST_F(Attach, StoppedForTenThousandCommitsAProcessGoesOn) {
  auto store = test::open_store(path_);
  const auto table = test::open_table(*store, "t");
  for (std::uint64_t round = 0; round < test::scaled(4, 100); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    test::put(*table, "go on", "1");
    TestPipe begun;
    TestChild sleeper([&] {
      const auto theirs = test::open_store(path_);
      const auto all = test::open_table(*theirs, "t");
      std::uint64_t count = 0;
      while (test::get(*all, "go on") == "1" && !::testing::Test::HasFailure()) {
        ++count;
        const std::string text = std::to_string(count) + std::string(count * 37 % 900, 's');
        test::put(*all, "sleeper " + std::to_string(count % 50), text);
        EXPECT_EQ(test::get(*all, "sleeper " + std::to_string(count % 50)), text);
        test::put(*all, "count", std::to_string(count));
        if (count == 1) begun.signal();
      }
      test::put(*all, "ended", std::to_string(count));
      return !::testing::Test::HasFailure();
    });
    ASSERT_TRUE(begun.wait());
    const auto sleepers_count = [&] { return std::stoull(*test::get(*table, "count")); };
    // Somewhere in its work: elsewhere in each round.
    for (const auto from = sleepers_count(); sleepers_count() < from + 10 * round + 5;) {
    }
    ASSERT_EQ(::kill(sleeper.id(), SIGSTOP), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(sleeper.id(), &status, WUNTRACED), sleeper.id());
    ASSERT_TRUE(WIFSTOPPED(status));
    const std::uint64_t stopped_at = sleepers_count();
    const std::uint64_t from = newest(*store);
    for (int i = 0; newest(*store) < from + 10'000; ++i) test::put(*table, std::to_string(i % 200), std::to_string(i));
    EXPECT_EQ(sleepers_count(), stopped_at);
    ASSERT_EQ(::kill(sleeper.id(), SIGCONT), 0);
    while (sleepers_count() < stopped_at + 100) {
    }
    test::put(*table, "go on", "0");
    EXPECT_TRUE(sleeper.join());
    EXPECT_EQ(test::get(*table, "ended"), test::get(*table, "count"));
    test::walk(*store);
  }
}

// Two whose process ids are the same: it says nothing of who lives.
TEST_F(Attach, ProcessesOfOtherPidNamespaces) {
  TestChild may([] { return ::unshare(CLONE_NEWPID) == 0; });
  if (!may.join()) GTEST_SKIP() << "this machine does not let this process have a namespace of process ids";
  put_in(path_, "k", "v");
  const auto live_apart = [](const std::function<void()>& body) {
    ASSERT_EQ(::unshare(CLONE_NEWPID), 0);
    TestChild inner([&] {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      EXPECT_EQ(::getpid(), 1);
      body();
      return !::testing::Test::HasFailure();
    });
    EXPECT_TRUE(inner.join());
  };
  const auto life = [&](const char* key) {
    return [this, &live_apart, key](Neighbour& self) {
      live_apart([&] {
        auto store = test::open_store(path_);
        put_in(*store, key, "1");
        self.pause();
        EXPECT_EQ(store->statistics()->processes.value, 3U);
        put_in(*store, key, "2");
        self.pause();
        close(std::move(store));
      });
    };
  };
  auto store = test::open_store(path_);
  Neighbour first(life("first"));
  Neighbour second(life("second"));
  ASSERT_TRUE(first.paused() && second.paused());
  first.go_on();
  second.go_on();
  ASSERT_TRUE(first.paused() && second.paused());
  EXPECT_EQ(get_from(*store, "first"), "2");
  EXPECT_EQ(get_from(*store, "second"), "2");
  first.kill();
  // The system ends the one inside a moment after the one outside.
  const Nanoseconds until = os::linux_system().monotonic_now() + milliseconds(30'000);
  while (store->statistics()->processes.value != 2 && os::linux_system().monotonic_now() < until)
    store->attachment().session().value()->adopt_dead();
  EXPECT_EQ(store->statistics()->processes.value, 2U) << "the dead one's place is given back, the living one's not";
  second.go_on();
  EXPECT_TRUE(second.ended_well());
  test::walk(*store);
}

TEST_F(Attach, InAChrootWithoutProc) {
  UTAN_NEEDS_ROOT();
  put_in(path_, "k", "v");
  const auto enter = [this] {
    ASSERT_EQ(::chroot(folder_.path("").c_str()), 0);
    ASSERT_EQ(::chdir("/"), 0);
    ASSERT_NE(::access("/proc/self", F_OK), 0);
  };
  apart([&] {
    enter();
    EXPECT_EQ(get_from("/s.utan", "k"), "v");
    put_in("/s.utan", "k", "w");
    auto store = test::open_store("/s.utan");
    put_in(*store, "k", "x");
    Neighbour other([](Neighbour&) { expect_refused("/s.utan", {}, Code::in_use, "mount /proc"); });
    EXPECT_TRUE(other.ended_well());
    // Whether this coordination was made in this boot nobody can say.
    ASSERT_TRUE(store->sync().ok());
    put_in(*store, "k", "lost");
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  });
  EXPECT_EQ(get_from(path_, "k"), "x") << "as after a power cut";
  Neighbour outside([this](Neighbour& self) {
    auto store = test::open_store(path_);
    put_in(*store, "k", "y");
    self.pause();
    close(std::move(store));
  });
  ASSERT_TRUE(outside.paused());
  apart([&] {
    enter();
    expect_refused("/s.utan", {}, Code::in_use, "boot_id");
  });
  outside.go_on();
  EXPECT_TRUE(outside.ended_well());
  EXPECT_EQ(get_from(path_, "k"), "y");
}

// --- Clocks --------------------------------------------------------------------------------------------------------------

TEST(Clocks, TheOneOnTheWallMayJump) {
  os::sim::Machine machine{1};
  auto store = test::open_store("/s", {}, machine.start_process());
  auto other = test::open_store("/s", {}, machine.start_process());
  for (const std::uint64_t now : {std::uint64_t{1}, ~std::uint64_t{0} / 2, std::uint64_t{5}, ~std::uint64_t{0}}) {
    machine.set_wall(Nanoseconds{now});
    const std::string value = std::to_string(now);
    put_in(*store, "k", value);
    EXPECT_EQ(get_from(*other, "k"), value);
    ASSERT_TRUE(store->sync().ok());
    const auto image = machine.reboot_image();
    EXPECT_EQ(get_from(*test::open_store("/s", {}, image->start_process()), "k"), value)
        << "the newest checkpoint counts";
  }
  close(std::move(store));
  close(std::move(other));
}

// How long is waited does not depend on it.
TEST(Clocks, AWaitIsAsLongAsItIsWhateverTheOneOnTheWallSays) {
  os::sim::Machine machine{1};
  os::sim::Process& holder = machine.start_process();
  close(test::open_store("/s", {}, holder));
  const auto held = holder.open("/s", os::Access::read_only, os::Creation::existing, 0);
  ASSERT_TRUE(*(*held)->try_lock(os::LockMode::exclusive));
  std::uint64_t calls = 0;
  machine.on_call([&](const os::sim::Call&) -> Error {
    machine.set_wall(Nanoseconds{++calls % 2 == 0 ? 1 : ~std::uint64_t{0} / 2});
    return {};
  });
  os::sim::Process& waiter = machine.start_process();
  const Nanoseconds before = waiter.monotonic_now();
  const auto opened = Store::open(waiter, "/s", {.timeout = milliseconds(700)});
  const Nanoseconds waited = waiter.monotonic_now() - before;
  machine.on_call({});
  EXPECT_EQ(opened.code(), Code::timeout);
  EXPECT_GE(waited, milliseconds(700));
  EXPECT_LT(waited, milliseconds(800));
  EXPECT_GT(calls, 10U);
}

}  // namespace
}  // namespace utan::attaching
