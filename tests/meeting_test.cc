// Shows that processes and threads that open, make, replace or leave a store at the same moment do each other no harm, and
// that whoever waits is answered in time.
// Timeout: 120 s
#include "base/step.h"
#include "support/attach_fixture.h"

namespace utan::attaching {
namespace {

// --- At one moment ---------------------------------------------------------------------------------------------------

TEST_F(Attach, ManyCreatorsMakeOneStore) {
  constexpr int creators = 8;
  constexpr int keys = 20;
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const std::string path = folder_.path("s" + std::to_string(round));
    std::vector<std::unique_ptr<Neighbour>> all;
    for (int i = 0; i < creators; ++i) {
      all.push_back(std::make_unique<Neighbour>([&, i](Neighbour& self) {
        self.pause();
        auto store = test::open_store(path);
        ASSERT_NE(store, nullptr);
        auto table = test::open_table(*store, "t");
        ASSERT_NE(table, nullptr);
        for (int k = 0; k < keys; ++k) test::put(*table, std::to_string(i * keys + k), std::to_string(i));
        table.reset();
        close(std::move(store));
      }));
    }
    for (auto& one : all) ASSERT_TRUE(one->paused());
    for (auto& one : all) one->go_on();
    for (auto& one : all) EXPECT_TRUE(one->ended_well());
    auto store = test::open_store(path);
    ASSERT_NE(store, nullptr);
    auto table = test::open_table(*store, "t");
    EXPECT_EQ((*table).count()->value, static_cast<std::uint64_t>(creators * keys));
    for (int k = 0; k < creators * keys; ++k) EXPECT_EQ(test::get(*table, std::to_string(k)), std::to_string(k / keys));
    EXPECT_EQ(test::walk(*store).leaked_count, 0U);
    table.reset();
    close(std::move(store));
    EXPECT_EQ(header_of(path).clean, 1U);
  }
  EXPECT_EQ(names_in(folder_.path("")), 10U) << "nothing temporary is left";
}

// The same with everything between a kill and its recovery: all recover, one does it, all find the checkpoint.
TEST_F(Attach, ManyRecoverersMakeOneRecovery) {
  for (int round = 0; round < 5; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    synced_then_killed(path_);
    ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
    std::vector<std::unique_ptr<Neighbour>> all;
    for (int i = 0; i < 8; ++i) {
      all.push_back(std::make_unique<Neighbour>([&, i](Neighbour& self) {
        self.pause();
        auto store = test::open_store(path_);
        ASSERT_NE(store, nullptr);
        EXPECT_EQ(get_from(*store, "synced"), "1");
        put_in(*store, "of " + std::to_string(i), std::to_string(round));
        close(std::move(store));
      }));
    }
    for (auto& one : all) ASSERT_TRUE(one->paused());
    for (auto& one : all) one->go_on();
    for (auto& one : all) EXPECT_TRUE(one->ended_well());
    auto store = test::open_store(path_);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(get_from(*store, "of " + std::to_string(i)), std::to_string(round));
    test::walk(*store);
  }
}

// How much of the mappings of this file the system counts as written to by this process, in KiB.
std::uint64_t written_kib_of(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  std::uint64_t sum = 0;
  bool ours = false;
  for (std::string line; std::getline(maps, line);) {
    // The first line of a mapping begins with its addresses and ends with its path, and all others begin with a word.
    if (line.find('-') != std::string::npos && line.find('-') < line.find(' ')) ours = line.ends_with(" " + path);
    if (ours && (line.starts_with("Shared_Dirty:") || line.starts_with("Private_Dirty:")))
      sum += std::stoull(line.substr(line.find(':') + 1));
  }
  return sum;
}

// Opening alone is no change, however many do it at once: not of a byte, not of a page in memory, not of the file's time.
TEST_F(Attach, ManyWhoOpenAndReadWriteNothing) {
  const std::uint64_t count = test::scaled(60, 200);
  put_in(path_, "k", std::string(100'000, 'v'));
  const std::string before = content_of(path_);
  const timespec past[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 5}, {.tv_sec = 1'000'000'000, .tv_nsec = 5}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), past, 0), 0);
  std::vector<std::unique_ptr<Neighbour>> all;
  for (std::uint64_t i = 0; i < count; ++i) {
    all.push_back(std::make_unique<Neighbour>([&, i](Neighbour& self) {
      constexpr OpenMode modes[] = {OpenMode::create, OpenMode::existing, OpenMode::read_only};
      self.pause();
      auto store = test::open_store(path_, with_mode(modes[i % 3]));
      ASSERT_NE(store, nullptr);
      EXPECT_EQ(get_from(*store, "k")->size(), 100'000U);
      self.pause();
      EXPECT_EQ(store->statistics()->processes.value, count);
      EXPECT_EQ(written_kib_of(path_), 0U);
      self.pause();
      close(std::move(store));
    }));
  }
  for (int stage = 0; stage < 3; ++stage) {
    for (auto& one : all) ASSERT_TRUE(one->paused());
    for (auto& one : all) one->go_on();
  }
  for (auto& one : all) EXPECT_TRUE(one->ended_well());
  EXPECT_EQ(changed_at(path_).tv_sec, past[1].tv_sec);
  EXPECT_EQ(changed_at(path_).tv_nsec, past[1].tv_nsec);
  EXPECT_TRUE(content_of(path_) == before);
}

// One always leaves while another comes: closing cleanly and opening meet at every point.
TEST_F(Attach, ComingAndGoingLosesNothing) {
  constexpr int actors = 3;
  constexpr int rounds = 60;
  std::vector<std::unique_ptr<Neighbour>> all;
  for (int i = 0; i < actors; ++i) {
    all.push_back(std::make_unique<Neighbour>([&, i](Neighbour& self) {
      self.pause();
      for (int round = 0; round < rounds; ++round) {
        auto store = test::open_store(path_);
        ASSERT_NE(store, nullptr);
        if (round > 0) {
          EXPECT_EQ(get_from(*store, std::to_string(i)), std::to_string(round - 1));
        }
        put_in(*store, std::to_string(i), std::to_string(round));
        close(std::move(store));
      }
    }));
  }
  for (auto& one : all) ASSERT_TRUE(one->paused());
  for (auto& one : all) one->go_on();
  for (auto& one : all) EXPECT_TRUE(one->ended_well());
  for (int i = 0; i < actors; ++i) EXPECT_EQ(get_from(path_, std::to_string(i)), std::to_string(rounds - 1));
  EXPECT_EQ(header_of(path_).clean, 1U);
  EXPECT_EQ(walk_closed(path_).leaked_count, 0U);
}

TEST_F(Attach, TheSameFileIsOneAttachment) {
  auto store = test::open_store(path_);
  put_in(*store, "k", "v");
  ASSERT_EQ(::symlink(path_.c_str(), folder_.path("symbolic").c_str()), 0);
  ASSERT_EQ(::link(path_.c_str(), folder_.path("hard").c_str()), 0);
  const std::string relative = std::filesystem::relative(path_).string();
  const std::size_t descriptors = open_descriptors();
  for (const std::string& name : {path_, folder_.path("symbolic"), folder_.path("hard"), relative}) {
    SCOPED_TRACE(name);
    auto second = test::open_store(name);
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(&second->attachment(), &store->attachment());
    EXPECT_EQ(second->attachment().session().value(), store->attachment().session().value());
    EXPECT_EQ(get_from(*second, "k"), "v");
    EXPECT_EQ(open_descriptors(), descriptors);
    close(std::move(second));
  }
  EXPECT_EQ(get_from(*store, "k"), "v") << "the first handle goes on";
}

TEST_F(Attach, ALinkToNoFileMakesOneWhereItPoints) {
  ASSERT_EQ(::symlink(path_.c_str(), folder_.path("symbolic").c_str()), 0);
  put_in(folder_.path("symbolic"), "k", "v");
  EXPECT_EQ(get_from(path_, "k"), "v");
  EXPECT_TRUE(std::filesystem::is_symlink(folder_.path("symbolic")));
}

TEST_F(Attach, WhatAKillLeftOfALockFileInTheMakingIsRemoved) {
  put_in(path_, "k", "v");
  ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
  std::ofstream(lock_path_ + ".new") << "half";
  EXPECT_EQ(get_from(path_, "k"), "v");
  EXPECT_EQ(::access((lock_path_ + ".new").c_str(), F_OK), -1);
}

// In the file that is there, as removing one takes long; and in a new one where it would not look the same.
TEST_F(Attach, TheLockFileIsReusedAfterACleanCloseIfItLooksAsANewOneWould) {
  put_in(path_, "k", "v");
  struct stat before {};
  struct stat after {};
  ASSERT_EQ(::stat(lock_path_.c_str(), &before), 0);
  put_in(path_, "k", "w");
  EXPECT_EQ(get_from(path_, "k"), "w");
  ASSERT_EQ(::stat(lock_path_.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  EXPECT_EQ(get_from(path_, "k"), "w");
  ASSERT_EQ(::stat(lock_path_.c_str(), &after), 0);
  EXPECT_EQ(after.st_mode & 07777U, 0600U);
}

// More threads than a new lock file has lines. All are cleared, also where the file says that fewer were used.
TEST_F(Attach, AReusedLockFileHoldsNothingOfTheLastSession) {
  {
    const auto store = test::open_store(path_);
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 2 * format::lines_per_growth; ++t) {
      threads.emplace_back([&] { put_in(*store, "k", "v"); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  constexpr std::uint64_t one = 1;
  patch(lock_path_, offsetof(format::CoordinationFixed, line_high), &one, sizeof one);
  const auto store = test::open_store(path_);
  const auto coordination = store->attachment().session().value()->coordination();
  EXPECT_EQ(coordination.fixed().line_count.load(), format::lines_per_growth);
  struct stat status {};
  ASSERT_EQ(::stat(lock_path_.c_str(), &status), 0);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  for (std::uint64_t i = 0; format::coordination_size(i + 1) <= size; ++i) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(&coordination.line(i));
    EXPECT_TRUE(std::all_of(words, words + sizeof(format::Line) / 8, [](std::uint64_t word) { return word == 0; }))
        << "line " << i;
  }
}

// The other name has another lock file: whoever comes by it is kept out, not let in beside the first.
TEST_F(Attach, AHardLinkDoesNotLetASecondProcessInBesideTheFirst) {
  put_in(path_, "k", "v");
  ASSERT_EQ(::link(path_.c_str(), folder_.path("hard").c_str()), 0);
  Neighbour neighbour([this](Neighbour& self) {
    const auto store = test::open_store(path_);
    put_in(*store, "k", "w");
    self.pause();
  });
  ASSERT_TRUE(neighbour.paused());
  expect_refused(folder_.path("hard"), {}, Code::in_use, "another of the file's 2 names");
  neighbour.go_on();
  EXPECT_TRUE(neighbour.ended_well());
  EXPECT_EQ(get_from(folder_.path("hard"), "k"), "w");
}

// --- Waiting ---------------------------------------------------------------------------------------------------------

// Somebody who holds the whole-file lock, as one who creates or recovers does.
class Holder {
 public:
  Holder(const std::string& path, int how) : descriptor_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    EXPECT_EQ(::flock(descriptor_, how | LOCK_NB), 0);
  }
  ~Holder() { let_go(); }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  void let_go() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_;
};

TEST_F(Attach, WaitingEndsInTime) {
  put_in(path_, "k", "v");
  Holder holder(path_, LOCK_EX);
  for (const std::uint64_t timeout_ms : {0, 1, 150}) {
    SCOPED_TRACE(std::to_string(timeout_ms) + " ms");
    const Nanoseconds before = os::linux_system().monotonic_now();
    expect_refused(path_, {.timeout = milliseconds(timeout_ms)}, Code::timeout, "gave up after");
    const Nanoseconds waited = os::linux_system().monotonic_now() - before;
    EXPECT_GE(waited, milliseconds(timeout_ms));
    EXPECT_LT(waited, milliseconds(timeout_ms + 5000));
  }
  const std::size_t descriptors = open_descriptors();
  expect_refused(path_, {.timeout = milliseconds(20)}, Code::timeout, "gave up after");
  EXPECT_EQ(open_descriptors(), descriptors);
  holder.let_go();
  EXPECT_EQ(get_from(path_, "k"), "v");
}

TEST_F(Attach, AForeignSharedLockKeepsNobodyFromAStoreInUse) {
  auto store = test::open_store(path_);
  put_in(*store, "k", "v");
  const Holder holder(path_, LOCK_SH);
  Neighbour neighbour([this](Neighbour&) {
    auto theirs = test::open_store(path_);
    ASSERT_NE(theirs, nullptr);
    EXPECT_EQ(get_from(*theirs, "k"), "v");
    close(std::move(theirs));
  });
  EXPECT_TRUE(neighbour.ended_well());
}

TEST_F(Attach, OneWhoWaitsGetsInWhenTheLockIsFree) {
  put_in(path_, "k", "v");
  Neighbour neighbour([this](Neighbour& self) {
    self.pause();
    EXPECT_EQ(get_from(path_, "k"), "v");
  });
  ASSERT_TRUE(neighbour.paused());
  Holder holder(path_, LOCK_EX);  // after the fork: a child would hold it, too
  neighbour.go_on();
  expect_refused(path_, {.timeout = milliseconds(50)}, Code::timeout, "gave up after");
  holder.let_go();
  EXPECT_TRUE(neighbour.ended_well());
}

// --- Between two system calls ----------------------------------------------------------------------------------------

// The real system, with something done on the way.
class Detour final : public os::System {
 public:
  std::function<void(const std::string&)> after_open;
  std::function<void(const std::string&)> before_status;
  std::function<void()> before_sleep;

  Result<std::unique_ptr<os::File>> open(const std::string& path, os::Access access, os::Creation creation,
                                         std::uint32_t mode) override {
    auto out = real_.open(path, access, creation, mode);
    once(after_open, path);
    return out;
  }
  Result<os::FileStatus> status(const std::string& path) override {
    once(before_status, path);
    return real_.status(path);
  }
  Result<std::string> resolve(const std::string& path) override { return real_.resolve(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return real_.rename(from, to); }
  Result<void> rename_new(const std::string& from, const std::string& to) override {
    return real_.rename_new(from, to);
  }
  Result<void> remove(const std::string& path) override { return real_.remove(path); }
  Result<void> flush_folder_of(const std::string& path) override { return real_.flush_folder_of(path); }
  void match_ownership(const std::string& path, const os::FileStatus& like) override {
    real_.match_ownership(path, like);
  }
  Nanoseconds monotonic_now() override { return real_.monotonic_now(); }
  Nanoseconds wall_now() override { return real_.wall_now(); }
  void sleep(Nanoseconds duration) override {
    if (before_sleep) before_sleep();
    real_.sleep(duration);
  }
  std::optional<os::BootId> boot_id() override { return real_.boot_id(); }
  std::uint32_t process_id() override { return real_.process_id(); }
  Result<void> random(std::span<std::byte> bytes) override { return real_.random(bytes); }
  Result<std::unique_ptr<os::Mapping>> private_memory(ByteCount size) override { return real_.private_memory(size); }
  std::optional<std::string> environment(const char* name) override { return real_.environment(name); }
  ByteCount address_space_max() override { return real_.address_space_max(); }
  void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, Nanoseconds time_max) override {
    real_.futex_wait(word, expected, time_max);
  }
  void futex_wake_all(std::atomic<std::uint32_t>& word) override { real_.futex_wake_all(word); }
  Result<std::unique_ptr<os::ForkSentinel>> fork_sentinel() override { return real_.fork_sentinel(); }
  Result<void> at_fork_in_child(void (*in_child)()) override { return real_.at_fork_in_child(in_child); }

  // The engine remembers systems for as long as the process lives.
  static Detour& instance() {
    static auto* const detour = new Detour;
    detour->after_open = nullptr;
    detour->before_status = nullptr;
    detour->before_sleep = nullptr;
    return *detour;
  }

 private:
  // What is done on the way may clear itself.
  static void once(const std::function<void(const std::string&)>& what, const std::string& path) {
    if (const auto now = what) now(path);
  }
  os::System& real_ = os::linux_system();
};

TEST_F(Attach, ALockFileDeletedWhileSomebodyComesIsAPowerCut) {
  for (const OpenMode mode : {OpenMode::create, OpenMode::read_only}) {
    synced_then_killed(path_);
    Detour& detour = Detour::instance();
    int deleted = 0;
    detour.before_status = [&](const std::string& path) {
      if (path == lock_path_ && deleted++ == 0) ::unlink(path.c_str());
    };
    auto store = test::open_store(path_, with_mode(mode), detour);
    ASSERT_NE(store, nullptr);
    EXPECT_GE(deleted, 1);
    EXPECT_EQ(get_from(*store, "synced"), "1");
    EXPECT_EQ(get_from(*store, "unsynced"), std::nullopt);
    EXPECT_EQ(store->statistics()->processes.value, 1U);
    test::walk(*store);
  }
}

// Two who want a new store: the slower one must not throw away the faster one's.
TEST_F(Attach, ANewStoreIsNotReplacedByOneWhoSawTheOldOne) {
  put_in(path_, "k", "old");
  std::unique_ptr<Neighbour> faster;
  Detour& detour = Detour::instance();
  detour.after_open = [&](const std::string& path) {
    if (path != path_ || faster != nullptr) return;
    faster = std::make_unique<Neighbour>([this](Neighbour& self) {
      auto store = test::open_store(path_, with_mode(OpenMode::fresh));
      ASSERT_NE(store, nullptr);
      put_in(*store, "k", "of the faster");
      self.pause();
      close(std::move(store));
    });
    ASSERT_TRUE(faster->paused());
  };
  // Either is right: it is refused, or it joins. What is wrong is a third store while the second is in use.
  auto opened = Store::open(detour, path_, with_mode(OpenMode::fresh));
  ASSERT_NE(faster, nullptr);
  if (opened.ok()) {
    EXPECT_EQ(get_from(**opened, "k"), "of the faster");
  } else {
    EXPECT_EQ(opened.code(), Code::in_use) << opened.error().message();
  }
  faster->go_on();
  EXPECT_TRUE(faster->ended_well());
  EXPECT_EQ(get_from(path_, "k"), "of the faster");
}

// What must be made before anybody can use the store is made by one who is alone. Somebody who looks slowly is waited for,
// and who comes meanwhile does not begin to look: else there might always be somebody.
TEST_F(Attach, WhoWantsToBeAloneHasToWaitForThoseAloneWhoCameBefore) {
  for (const OpenMode mode : {OpenMode::create, OpenMode::read_only}) {
    put_in(path_, "k", "v");
    Holder slow(path_, LOCK_SH);
    std::unique_ptr<Neighbour> later;
    Detour& detour = Detour::instance();
    detour.before_sleep = [&] {
      if (later != nullptr) return;
      later = std::make_unique<Neighbour>([&](Neighbour&) {
        Detour& own = Detour::instance();
        int looks = 0;
        own.after_open = [&](const std::string& path) { looks += path == lock_path_ ? 1 : 0; };
        const auto opened = Store::open(own, path_, {.timeout = milliseconds(50)});
        EXPECT_EQ(opened.code(), Code::timeout);
        EXPECT_EQ(looks, 0);
      });
      EXPECT_TRUE(later->ended_well());
      slow.let_go();
    };
    auto store = test::open_store(path_, with_mode(mode), detour);
    ASSERT_NE(store, nullptr);
    ASSERT_NE(later, nullptr) << "nobody was waited for";
    EXPECT_EQ(get_from(*store, "k"), "v");
    EXPECT_EQ(get_from(path_, "k"), "v") << "nobody is kept out any more";
    close(std::move(store));
  }
}

// Several who may only read can all want to be alone: each is, in turn.
TEST_F(Attach, ReadersWhoAllWantToBeAloneGetIn) {
  put_in(path_, "k", "v");
  std::vector<std::unique_ptr<Neighbour>> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(std::make_unique<Neighbour>([this](Neighbour& self) {
      Detour& detour = Detour::instance();
      bool waits = false;
      detour.before_sleep = [&] {
        if (!waits) self.pause();
        waits = true;
      };
      self.pause();
      const auto store = test::open_store(path_, with_mode(OpenMode::read_only), detour);
      ASSERT_NE(store, nullptr);
      EXPECT_EQ(get_from(*store, "k"), "v");
    }));
  }
  for (auto& one : readers) ASSERT_TRUE(one->paused());
  Holder slow(path_, LOCK_SH);  // after the forks: a child would hold it, too
  for (auto& one : readers) {
    one->go_on();
    ASSERT_TRUE(one->paused()) << "in front of its first sleep";
  }
  slow.let_go();
  for (auto& one : readers) one->go_on();
  for (auto& one : readers) EXPECT_TRUE(one->ended_well());
}

// Who waited to be alone with a store that is not there any more must not touch the lock file of the one that is.
TEST_F(Attach, AStoreReplacedWhileSomebodyWaitsToBeAloneIsTheOneHeOpens) {
  put_in(path_, "k", "old");
  Holder slow(path_, LOCK_SH);
  std::unique_ptr<Neighbour> other;
  Detour& detour = Detour::instance();
  detour.before_sleep = [&] {
    if (other != nullptr) return;
    other = std::make_unique<Neighbour>([&](Neighbour& self) {
      slow.let_go();  // its copy here
      ASSERT_EQ(::unlink(path_.c_str()), 0);
      const auto store = test::open_store(path_);
      ASSERT_NE(store, nullptr);
      put_in(*store, "k", "new");
      self.pause();
    });
    ASSERT_TRUE(other->paused());
    slow.let_go();
  };
  const auto store = test::open_store(path_, {}, detour);
  ASSERT_NE(other, nullptr);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "k"), "new");
  EXPECT_EQ(store->statistics()->processes.value, 2U);
  other->go_on();
  EXPECT_TRUE(other->ended_well());
}

TEST_F(Attach, WhoWaitsForOneStoreKeepsNobodyFromAnother) {
  const std::string busy = folder_.path("busy.utan");
  put_in(busy, "k", "v");
  auto store = test::open_store(path_);
  put_in(*store, "k", "v");
  const auto table = test::open_table(*store, "t");
  Holder holder(busy, LOCK_EX);
  Detour& detour = Detour::instance();
  std::atomic<bool> waits{false};
  std::atomic<Code> came_to{Code::ok};
  detour.before_sleep = [&] { waits = true; };
  std::thread waiter([&] {
    came_to = Store::open(detour, busy, {.timeout = milliseconds(3000)}).code();
    waits = true;
  });
  while (!waits) std::this_thread::yield();
  EXPECT_TRUE(object::Cursor::open(*table).ok());
  EXPECT_TRUE(store->snapshot().ok());
  EXPECT_NE(test::open_table(*store, "t"), nullptr);
  EXPECT_NE(test::open_store(path_), nullptr);
  holder.let_go();
  waiter.join();
  EXPECT_EQ(came_to, Code::ok) << "an iterator, a snapshot, a table or a store had to wait until it gave up";
}

#if defined(UTAN_STEPS) && UTAN_STEPS

// One is overtaken in the middle of it, and goes on while the next one is in the middle: both are killed.
TEST_F(Attach, ThoseWhoChangeChunkSizeLeaveAHeaderWhereverTheyAreKilled) {
  constexpr std::uint64_t size = 128 * 1024;
  const auto come = [this](std::uint64_t chunk_size, bool stops_in_the_middle) {
    auto process = std::make_unique<Neighbour>([=, this](Neighbour& self) {
      if (stops_in_the_middle) {
        step_hook = {[](void* one, Step at) {
                       if (at == Step::header_half_written) static_cast<Neighbour*>(one)->pause();
                     },
                     &self};
      }
      const auto store = test::open_store(path_, {.chunk_size = chunk_size});
      self.pause();
    });
    EXPECT_TRUE(process->paused());
    return process;
  };
  put_in(path_, "k", "v");
  {
    const auto first = come(size, false);
    const auto overtaken = come(2 * size, true);
    const auto faster = come(3 * size, false);
    const auto last = come(4 * size, true);
    overtaken->go_on();
    overtaken->paused();
  }
  auto store = test::open_store(path_, with_mode(OpenMode::existing));
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "k"), "v");
  close(std::move(store));
  EXPECT_EQ(header_of(path_).chunk_size, 4 * size);
}

#endif

}  // namespace
}  // namespace utan::attaching
