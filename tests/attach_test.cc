// Shows that a store opens rightly in whatever state its files are: closed, killed, after a power cut, copied,
// restored, replaced, damaged, in use by others or made by several at one moment; and that opening writes nothing.
// Timeout: 120 s
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "format/coordination.h"
#include "format/header.h"
#include "os/linux/testing.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using commit::OpenMode;
using format::CoordinationHeader;
using format::FileHeader;
using object::Store;
using os::testing::TestChild;
using os::testing::TestPipe;
using test::TemporaryFolder;

constexpr std::uint64_t recovery_jump = std::uint64_t{1} << 40;

// --- Files, from outside ---------------------------------------------------------------------------------------------

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}
// As cp does it: the same inode if the file is there.
void overwrite(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  ASSERT_TRUE(file.good()) << path;
}
void copy(const std::string& from, const std::string& to) { overwrite(to, content_of(from)); }

void patch(const std::string& path, std::uint64_t at, const void* bytes, std::size_t size) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::pwrite(file, bytes, size, static_cast<off_t>(at)), static_cast<ssize_t>(size)) << path;
  ::close(file);
}

template <class T>
T read_at(const std::string& path, std::uint64_t at) {
  T out{};
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  file.read(reinterpret_cast<char*>(&out), sizeof out);
  EXPECT_TRUE(file.good()) << path;
  return out;
}

FileHeader header_of(const std::string& path) {
  const auto first = read_at<FileHeader>(path, format::header_copy_offset(0).value);
  const auto second = read_at<FileHeader>(path, format::header_copy_offset(1).value);
  const Result<FileHeader> chosen = format::choose_header(first, second, ByteCount{std::filesystem::file_size(path)});
  EXPECT_TRUE(chosen.ok()) << chosen.error().message();
  return chosen.ok() ? chosen.value() : first;
}

// Changes both copies of the header.
void change_header(const std::string& path, const std::function<void(FileHeader&)>& change) {
  for (std::uint64_t i = 0; i < 2; ++i) {
    const std::uint64_t at = format::header_copy_offset(i).value;
    auto header = read_at<FileHeader>(path, at);
    change(header);
    header.checksum = format::header_checksum(header);
    patch(path, at, &header, sizeof header);
  }
}

// Changes the header of a coordination file.
void change_coordination(const std::string& path, const std::function<void(CoordinationHeader&)>& change) {
  auto header = read_at<CoordinationHeader>(path, 0);
  change(header);
  header.checksum = format::coordination_checksum(header);
  patch(path, 0, &header, sizeof header);
}

// The newest checkpoint in a data file.
format::CheckpointSlot checkpoint_of(const std::string& path) {
  format::CheckpointSlot best{};
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    const auto slot = read_at<format::CheckpointSlot>(path, format::slot_offset(i).value);
    if (slot.checksum == format::slot_checksum(slot) && slot.number > best.number) best = slot;
  }
  EXPECT_NE(best.number, 0U) << path;
  return best;
}

// The walk over a data file that nobody has open: from its checkpoint, with nobody who holds or waits for anything.
check::Report walk_closed(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const std::uint64_t size = std::filesystem::file_size(path);
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  ::close(file);
  EXPECT_NE(at, MAP_FAILED);
  const check::Report report =
      check::Walk(static_cast<std::byte*>(at), ByteCount{size}, format::Coordination{}, header_of(path).hash_seed)
          .run();
  ::munmap(at, size);
  for (const std::string& problem : report.problems) ADD_FAILURE() << problem;
  return report;
}

timespec changed_at(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mtim;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

std::size_t names_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

// --- Stores ----------------------------------------------------------------------------------------------------------

constexpr commit::OpenOptions with_mode(OpenMode mode) { return {.mode = mode}; }

void close(std::unique_ptr<Store> store) {
  const Result<void> closed = Store::close(std::move(store));
  ASSERT_TRUE(closed.ok()) << closed.error().message();
}

void put_in(const Store& store, const std::string& key, const std::string& value) {
  const auto table = test::open_table(store, "t");
  if (table != nullptr) test::put(*table, key, value);
}
// Nothing too if there is no table.
std::optional<std::string> get_from(const Store& store, const std::string& key) {
  const auto table = store.table("t", false);
  if (!table.ok()) {
    EXPECT_EQ(table.code(), Code::not_found) << table.error().message();
    return std::nullopt;
  }
  return test::get(*table.value(), key);
}
void put_in(const std::string& path, const std::string& key, const std::string& value) {
  auto store = test::open_store(path);
  ASSERT_NE(store, nullptr);
  put_in(*store, key, value);
  close(std::move(store));
}
std::optional<std::string> get_from(const std::string& path, const std::string& key) {
  const auto store = test::open_store(path, with_mode(OpenMode::existing));
  return store == nullptr ? std::nullopt : get_from(*store, key);
}
std::uint64_t newest(const Store& store) { return store.statistics()->newest.value; }

void expect_refused(const std::string& path, const commit::OpenOptions& options, Code code, const char* said) {
  const auto opened = Store::open(os::linux_system(), path, options);
  ASSERT_EQ(opened.code(), code) << (opened.ok() ? "it opened" : opened.error().message());
  EXPECT_NE(opened.error().message().find(said), std::string::npos) << opened.error().message();
  EXPECT_NE(opened.error().message().find(std::filesystem::path(path).filename().string()), std::string::npos)
      << opened.error().message();
}

// Another process, which takes turns with this one. It ends when its life returns, or when this one lets go of it.
class Neighbour {
 public:
  explicit Neighbour(const std::function<void(Neighbour&)>& life)
      : child_([this, &life] {
          go_.close_writer();
          life(*this);
          return !::testing::Test::HasFailure();
        }) {
    told_.close_writer();
  }

  // In the other process: tells that it has come so far, and waits for its turn.
  void pause() {
    told_.signal();
    go_.wait();
  }
  // Here.
  bool paused() { return told_.wait(); }
  void go_on() { go_.signal(); }
  bool ended_well() { return child_.join(); }
  void kill() { child_.kill(); }

 private:
  TestPipe told_;
  TestPipe go_;
  TestChild child_;
};

// Works on a store in a process that is killed right after it, with the store open.
void killed_after(const std::string& path, const std::function<void(Store&)>& work) {
  Neighbour victim([&](Neighbour& self) {
    const auto store = test::open_store(path);
    if (store == nullptr) return;
    work(*store);
    if (!::testing::Test::HasFailure()) self.pause();
  });
  ASSERT_TRUE(victim.paused());
  victim.kill();
}

class Attach : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string path_ = folder_.path("s.utan");
  const std::string lock_path_ = path_ + "-lock";
};

// --- Closed cleanly --------------------------------------------------------------------------------------------------

TEST_F(Attach, ACleanCloseLeavesExactBitmaps) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  for (int i = 0; i < 2000; ++i)
    test::put(*table, std::to_string(i % 700), std::string(static_cast<std::size_t>(i), 'x'));
  for (int i = 0; i < 300; ++i) test::erase(*table, std::to_string(i));
  EXPECT_EQ(header_of(path_).clean, 0U) << "in use";
  const std::uint64_t number = newest(*store);
  table.reset();
  close(std::move(store));

  EXPECT_EQ(header_of(path_).clean, 1U);
  const check::Report report = walk_closed(path_);
  EXPECT_EQ(report.leaked_count, 0U);
  EXPECT_EQ(report.waiting_count, 0U);
  EXPECT_EQ(report.held_count, 0U);
  EXPECT_EQ(report.record_count, 400U + 1U) << "400 keys and the table's name";

  store = test::open_store(path_);
  EXPECT_EQ(newest(*store), number);
  EXPECT_EQ(get_from(*store, "699"), std::string(1399, 'x'));
  put_in(*store, "one", "more");
  EXPECT_EQ(newest(*store), number + 1) << "no jump after a clean close";
}

TEST_F(Attach, OpeningAndReadingWriteNothing) {
  put_in(path_, "k", std::string(100'000, 'v'));
  const std::string before = content_of(path_);
  // A point of time in the past, so that any write shows, however coarse the clock is.
  const timespec past[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 5}, {.tv_sec = 1'000'000'000, .tv_nsec = 5}};
  for (const bool without_lock_file : {false, true}) {
    for (const OpenMode mode : {OpenMode::create, OpenMode::existing, OpenMode::read_only}) {
      ASSERT_EQ(::utimensat(AT_FDCWD, path_.c_str(), past, 0), 0);
      if (without_lock_file) {
        ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
      }
      auto store = test::open_store(path_, with_mode(mode));
      EXPECT_EQ(get_from(*store, "k")->size(), 100'000U);
      auto snapshot = store->snapshot();
      ASSERT_TRUE(snapshot.ok());
      EXPECT_EQ(get_from(**snapshot, "k")->size(), 100'000U);
      {
        auto table = store->table("t", false);
        auto cursor = object::Cursor::open(**table);
        object::Bytes key;
        object::Bytes value;
        EXPECT_TRUE((*cursor)->next(key, value).value());
      }
      if (mode != OpenMode::read_only) {
        EXPECT_TRUE(store->sync().ok()) << "nothing to do";
      }
      close(std::move(*snapshot));
      EXPECT_EQ(store->statistics()->processes.value, 1U);
      close(std::move(store));
      EXPECT_EQ(changed_at(path_).tv_sec, past[1].tv_sec);
      EXPECT_EQ(changed_at(path_).tv_nsec, past[1].tv_nsec);
    }
  }
  EXPECT_TRUE(content_of(path_) == before);
}

TEST_F(Attach, AWriteThatChangesNothingLeavesACleanStore) {
  put_in(path_, "k", "v");
  const auto before = newest(*test::open_store(path_));
  {
    auto store = test::open_store(path_);
    auto table = test::open_table(*store, "t");
    EXPECT_FALSE(test::erase(*table, "missing"));
  }
  EXPECT_EQ(header_of(path_).clean, 1U);
  EXPECT_EQ(newest(*test::open_store(path_)), before);
}

TEST_F(Attach, OpeningAndClosingOftenLeavesNothingBehind) {
  put_in(path_, "k", "0");
  const std::size_t descriptors = open_descriptors();
  const std::uint64_t size = std::filesystem::file_size(path_);
  for (int i = 1; i <= 200; ++i) {
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    ASSERT_EQ(get_from(*store, "k"), std::to_string(i - 1));
    put_in(*store, "k", std::to_string(i));
    close(std::move(store));
  }
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_EQ(std::filesystem::file_size(path_), size);
  EXPECT_EQ(walk_closed(path_).leaked_count, 0U);
  EXPECT_EQ(names_in(folder_.path("")), 2U) << "data and coordination, nothing temporary";
}

// --- Killed ----------------------------------------------------------------------------------------------------------

// One synced commit, one that is not; then everybody dies.
void synced_then_killed(const std::string& path, std::uint64_t* synced = nullptr) {
  killed_after(path, [](Store& store) {
    put_in(store, "synced", "1");
    ASSERT_TRUE(store.sync().ok());
    put_in(store, "unsynced", "2");
  });
  if (synced != nullptr) *synced = checkpoint_of(path).number;
}

TEST_F(Attach, AfterAllWereKilledNothingIsLost) {
  std::uint64_t synced = 0;
  synced_then_killed(path_, &synced);
  const auto incarnation = header_of(path_).incarnation;
  auto store = test::open_store(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "synced"), "1");
  EXPECT_EQ(get_from(*store, "unsynced"), "2");
  EXPECT_EQ(newest(*store), synced + 1) << "no jump: the boot goes on";
  EXPECT_EQ(store->statistics()->incarnation, incarnation);
  EXPECT_EQ(store->statistics()->processes.value, 1U) << "the dead one was adopted";
  EXPECT_EQ(store->statistics()->threads.value, 1U) << "this one";
  const check::Report report = test::walk(*store);
  EXPECT_LE(report.leaked_count, test::leaked_max(*store));
  close(std::move(store));
  EXPECT_EQ(header_of(path_).clean, 1U);
}

TEST_F(Attach, AReadOnlyOpenAfterAllWereKilledSeesEverything) {
  synced_then_killed(path_);
  const auto store = test::open_store(path_, with_mode(OpenMode::read_only));
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "unsynced"), "2");
}

// What makes a coordination file one that is not believed.
struct Disbelief {
  const char* name;
  void (*spoil)(const std::string& lock_path);
};
void PrintTo(const Disbelief& disbelief, std::ostream* out) { *out << disbelief.name; }

const Disbelief disbeliefs[] = {
    {"AnotherBoot",
     [](const std::string& at) { change_coordination(at, [](auto& header) { header.boot_id[3] ^= 1; }); }},
    {"UnknownBoot",
     [](const std::string& at) { change_coordination(at, [](auto& header) { header.boot_id_known = 0; }); }},
    {"AnotherStore", [](const std::string& at) { change_coordination(at, [](auto& h) { h.store_id.words[1] ^= 1; }); }},
    {"AnotherDevice", [](const std::string& at) { change_coordination(at, [](auto& h) { h.data_device ^= 1; }); }},
    {"AnotherDataInode", [](const std::string& at) { change_coordination(at, [](auto& h) { h.data_inode ^= 1; }); }},
    {"AnotherIncarnation", [](const std::string& at) { change_coordination(at, [](auto& h) { h.incarnation ^= 1; }); }},
    {"NewerVersion", [](const std::string& at) { change_coordination(at, [](auto& header) { ++header.version; }); }},
    {"WrongChecksum",
     [](const std::string& at) {
       change_coordination(at, [](auto&) {});
       const char bad = 'x';
       patch(at, offsetof(CoordinationHeader, checksum), &bad, 1);
     }},
    {"WrongHead",
     [](const std::string& at) {
       const std::uint64_t head = format::regions_offset / 16;
       patch(at, offsetof(format::CoordinationFixed, head), &head, sizeof head);
     }},
    {"Deleted", [](const std::string& at) { ASSERT_EQ(::unlink(at.c_str()), 0); }},
    {"Emptied", [](const std::string& at) { ASSERT_EQ(::truncate(at.c_str(), 0), 0); }},
    {"CutShort", [](const std::string& at) { ASSERT_EQ(::truncate(at.c_str(), 5000), 0); }},
    {"OfZeroes", [](const std::string& at) { overwrite(at, std::string(std::filesystem::file_size(at), '\0')); }},
    {"ReplacedByItsCopy",
     [](const std::string& at) {
       copy(at, at + "-copy");
       std::filesystem::rename(at + "-copy", at);
     }},
};

class WithoutCoordination : public Attach, public ::testing::WithParamInterface<Disbelief> {};

TEST_P(WithoutCoordination, OnlyTheLastCheckpointRemains) {
  std::uint64_t synced = 0;
  synced_then_killed(path_, &synced);
  const auto incarnation = header_of(path_).incarnation;
  GetParam().spoil(lock_path_);

  auto store = test::open_store(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "synced"), "1");
  EXPECT_EQ(get_from(*store, "unsynced"), std::nullopt);
  EXPECT_EQ(newest(*store), synced);
  EXPECT_NE(store->statistics()->incarnation, incarnation);
  // Numbers jump, so that what the lost commits wrote never looks like the present.
  put_in(*store, "later", "3");
  EXPECT_EQ(newest(*store), synced + recovery_jump);
  put_in(*store, "unsynced", "4");
  EXPECT_EQ(newest(*store), synced + recovery_jump + 1);
  test::walk(*store);
  close(std::move(store));
  EXPECT_EQ(header_of(path_).clean, 1U);

  store = test::open_store(path_);
  EXPECT_EQ(get_from(*store, "synced"), "1");
  EXPECT_EQ(get_from(*store, "later"), "3");
  EXPECT_EQ(get_from(*store, "unsynced"), "4");
}

INSTANTIATE_TEST_SUITE_P(Every, WithoutCoordination, ::testing::ValuesIn(disbeliefs),
                         [](const ::testing::TestParamInfo<Disbelief>& test) { return test.param.name; });

TEST_F(Attach, AStoreNeverSyncedIsEmptyAfterAPowerCut) {
  killed_after(path_, [](Store& store) { put_in(store, "k", "v"); });
  ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
  const auto store = test::open_store(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "k"), std::nullopt);
  EXPECT_EQ(newest(*store), 1U);
}

TEST_F(Attach, PowerCutsOneAfterAnotherLoseOneLifeEach) {
  std::uint64_t number = 0;
  for (int i = 0; i < 5; ++i) {
    killed_after(path_, [i](Store& store) {
      put_in(store, "kept" + std::to_string(i), "v");
      ASSERT_TRUE(store.sync().ok());
      put_in(store, "lost" + std::to_string(i), "v");
    });
    ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    if (i > 0) {
      EXPECT_GE(newest(*store), number + recovery_jump);
    }
    number = newest(*store);
    for (int j = 0; j <= i; ++j) {
      EXPECT_EQ(get_from(*store, "kept" + std::to_string(j)), "v");
      EXPECT_EQ(get_from(*store, "lost" + std::to_string(j)), std::nullopt);
    }
    test::walk(*store);
  }
}

// --- The lock file under open processes ------------------------------------------------------------------------------

TEST_F(Attach, ALockFileDeletedInUseKeepsNewcomersOut) {
  Neighbour neighbour([this](Neighbour& self) {
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    put_in(*store, "before", "1");
    self.pause();
    put_in(*store, "after", "2");
    EXPECT_EQ(get_from(*store, "before"), "1");
    self.pause();
    close(std::move(store));
  });
  ASSERT_TRUE(neighbour.paused());
  ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
  for (const OpenMode mode : {OpenMode::create, OpenMode::read_only}) {
    expect_refused(path_, with_mode(mode), Code::in_use, "its lock file was deleted");
  }
  EXPECT_NE(::access(lock_path_.c_str(), F_OK), 0) << "a refused opening leaves no lock file";
  neighbour.go_on();
  ASSERT_TRUE(neighbour.paused());
  expect_refused(path_, {}, Code::in_use, "its lock file was deleted");
  neighbour.go_on();
  EXPECT_TRUE(neighbour.ended_well());
  EXPECT_EQ(header_of(path_).clean, 1U);
  EXPECT_EQ(get_from(path_, "before"), "1");
  EXPECT_EQ(get_from(path_, "after"), "2");
}

TEST_F(Attach, ALockFileThatIsNoFileIsRefused) {
  put_in(path_, "k", "v");
  ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
  ASSERT_EQ(::mkdir(lock_path_.c_str(), 0700), 0);
  expect_refused(path_, {}, Code::invalid, "-lock");
  ASSERT_EQ(::rmdir(lock_path_.c_str()), 0);
  ASSERT_EQ(::mkfifo(lock_path_.c_str(), 0600), 0);
  expect_refused(path_, {}, Code::invalid, "-lock");
}

TEST_F(Attach, TheLockFileHasTheModeOfTheData) {
  const mode_t mask = ::umask(0);
  close(test::open_store(path_, {.permissions = 0640}));
  ::umask(mask);
  for (const std::string& path : {path_, lock_path_}) {
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640U) << path;
  }
}

// --- Copied, restored, replaced --------------------------------------------------------------------------------------

TEST_F(Attach, ACopyIsAStoreOfItsOwn) {
  const std::string other = folder_.path("copy.utan");
  put_in(path_, "k", "original");
  copy(path_, other);
  auto store = test::open_store(path_);
  auto twin = test::open_store(other);
  ASSERT_NE(twin, nullptr);
  EXPECT_NE(&store->attachment(), &twin->attachment());
  EXPECT_EQ(get_from(*twin, "k"), "original");
  put_in(*twin, "k", "copy");
  EXPECT_EQ(get_from(*store, "k"), "original");
  EXPECT_EQ(get_from(*twin, "k"), "copy");
  EXPECT_EQ(::access((other + "-lock").c_str(), F_OK), 0);
}

TEST_F(Attach, ACopiedLockFileIsNotBelieved) {
  const std::string other = folder_.path("copy.utan");
  synced_then_killed(path_);
  copy(path_, other);
  copy(lock_path_, other + "-lock");
  // The copy has its checkpoint, and the original everything.
  EXPECT_EQ(get_from(other, "synced"), "1");
  EXPECT_EQ(get_from(other, "unsynced"), std::nullopt);
  EXPECT_EQ(get_from(path_, "unsynced"), "2");
}

struct Restore {
  bool killed;     // the last user was killed, or closed
  bool lock_left;  // the coordination file stays, or is removed
};
class Restored : public Attach, public ::testing::WithParamInterface<Restore> {};

TEST_P(Restored, InPlaceTheEarlierContentIsThere) {
  put_in(path_, "k", "early");
  const std::string early = content_of(path_);
  const auto work = [](Store& store) {
    auto table = test::open_table(store, "t");
    for (int i = 0; i < 500; ++i) test::put(*table, std::to_string(i), std::string(1000, 'x'));
    test::put(*table, "k", "late");
  };
  if (GetParam().killed) {
    killed_after(path_, work);
  } else {
    work(*test::open_store(path_));
  }
  overwrite(path_, early);
  if (!GetParam().lock_left) {
    ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
  }

  auto store = test::open_store(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "k"), "early");
  EXPECT_EQ(get_from(*store, "7"), std::nullopt);
  EXPECT_EQ(test::walk(*store).leaked_count, 0U);
  put_in(*store, "k", "anew");
  close(std::move(store));
  EXPECT_EQ(get_from(path_, "k"), "anew");
  EXPECT_EQ(walk_closed(path_).leaked_count, 0U);
}

INSTANTIATE_TEST_SUITE_P(Every, Restored,
                         ::testing::Values(Restore{false, true}, Restore{false, false}, Restore{true, true},
                                           Restore{true, false}),
                         [](const ::testing::TestParamInfo<Restore>& test) {
                           return std::string(test.param.killed ? "Killed" : "Closed") +
                                  (test.param.lock_left ? "LockLeft" : "LockRemoved");
                         });

// The earlier copy was taken between two lives of one incarnation, so that all names in it are those of the present.
TEST_F(Attach, RestoredWithinOneIncarnationTheCheckpointCounts) {
  synced_then_killed(path_);
  const std::string early = content_of(path_);
  killed_after(path_, [](Store& store) {
    auto table = test::open_table(store, "t");
    for (int i = 0; i < 300; ++i) test::put(*table, "later", std::to_string(i));
  });
  ASSERT_EQ(header_of(path_).incarnation, read_at<FileHeader>(path_, 0).incarnation);
  overwrite(path_, early);
  auto store = test::open_store(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "synced"), "1");
  EXPECT_EQ(get_from(*store, "later"), std::nullopt);
  test::walk(*store);
}

TEST_F(Attach, ReplacedWhileClosedTheNewFileCounts) {
  const std::string other = folder_.path("other.utan");
  put_in(path_, "k", "old");
  put_in(other, "k", "new");
  std::filesystem::rename(other, path_);
  EXPECT_EQ(get_from(path_, "k"), "new");
}

TEST_F(Attach, ReplacedAfterAKillTheNewFileCounts) {
  const std::string other = folder_.path("other.utan");
  killed_after(path_, [](Store& store) { put_in(store, "k", "old"); });
  put_in(other, "k", "new");
  std::filesystem::rename(other, path_);
  EXPECT_EQ(get_from(path_, "k"), "new");
  EXPECT_EQ(walk_closed(path_).leaked_count, 0U);
}

TEST_F(Attach, ReplacedInUseEverybodyGoesOnWithHisOwn) {
  const std::string other = folder_.path("other.utan");
  put_in(other, "k", "new");
  Neighbour neighbour([this](Neighbour& self) {
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    put_in(*store, "k", "old");
    self.pause();
    EXPECT_EQ(get_from(*store, "k"), "old");
    put_in(*store, "k", "older");
    self.pause();
    EXPECT_EQ(get_from(*store, "k"), "older");
    close(std::move(store));
  });
  ASSERT_TRUE(neighbour.paused());
  auto here = test::open_store(path_);
  ASSERT_NE(here, nullptr);
  std::filesystem::rename(other, path_);
  auto store = test::open_store(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_NE(&store->attachment(), &here->attachment());
  EXPECT_EQ(get_from(*store, "k"), "new");
  put_in(*store, "k", "newer");
  neighbour.go_on();
  ASSERT_TRUE(neighbour.paused());
  EXPECT_EQ(get_from(*here, "k"), "older") << "the two with the old file still share it";
  EXPECT_EQ(get_from(*store, "k"), "newer");
  neighbour.go_on();
  EXPECT_TRUE(neighbour.ended_well());
  close(std::move(here));
  put_in(*store, "k", "newest");
  close(std::move(store));
  EXPECT_EQ(get_from(path_, "k"), "newest");
  EXPECT_EQ(walk_closed(path_).leaked_count, 0U);
}

// --- Files that are refused ------------------------------------------------------------------------------------------

TEST_F(Attach, WhatIsNoStoreIsRefused) {
  overwrite(folder_.path("text"),
            "once upon a time there was a file that was no store, and it was longer than a header; " +
                std::string(600'000, '.'));
  expect_refused(folder_.path("text"), {}, Code::format, "not a Utan store");
  overwrite(folder_.path("short"), "short");
  expect_refused(folder_.path("short"), {}, Code::format, "not a Utan store");
  overwrite(folder_.path("empty"), "");
  expect_refused(folder_.path("empty"), {}, Code::format, "empty file");
  ASSERT_EQ(::mkdir(folder_.path("folder").c_str(), 0700), 0);
  expect_refused(folder_.path("folder"), {}, Code::invalid, "a directory");
  ASSERT_EQ(::mkfifo(folder_.path("fifo").c_str(), 0600), 0);
  expect_refused(folder_.path("fifo"), {}, Code::invalid, "a FIFO");
  expect_refused(folder_.path("missing/s.utan"), {}, Code::not_found, "");
  expect_refused(folder_.path("missing.utan"), with_mode(OpenMode::existing), Code::not_found, "");
  expect_refused(folder_.path("missing.utan"), with_mode(OpenMode::read_only), Code::not_found, "");
  // Nothing was made or changed on the way.
  EXPECT_EQ(names_in(folder_.path("")), 5U);
  EXPECT_EQ(content_of(folder_.path("short")), "short");
  EXPECT_EQ(content_of(folder_.path("empty")), "");
}

TEST_F(Attach, WhatIsNoStoreIsNotReplacedByANewOne) {
  overwrite(folder_.path("letter"), "dear reader");
  expect_refused(folder_.path("letter"), with_mode(OpenMode::fresh), Code::format, "not a Utan store");
  overwrite(folder_.path("book"), std::string(100'000, 'b'));
  expect_refused(folder_.path("book"), with_mode(OpenMode::fresh), Code::format, "not a Utan store");
  ASSERT_EQ(::mkdir(folder_.path("folder").c_str(), 0700), 0);
  expect_refused(folder_.path("folder"), with_mode(OpenMode::fresh), Code::invalid, "a directory");
  EXPECT_EQ(content_of(folder_.path("letter")), "dear reader");
  EXPECT_EQ(content_of(folder_.path("book")), std::string(100'000, 'b'));
}

// Damages a store and expects it to be refused, with every byte as it was.
class Damaged : public Attach {
 protected:
  void SetUp() override {
    put_in(path_, "k", "v");
    whole_ = content_of(path_);
  }
  void expect_damage(Code code, const char* said) {
    const std::string before = content_of(path_);
    for (const bool lock_left : {true, false}) {
      if (!lock_left) ::unlink(lock_path_.c_str());
      expect_refused(path_, {}, code, said);
      expect_refused(path_, with_mode(OpenMode::read_only), code, said);
    }
    EXPECT_TRUE(content_of(path_) == before);
    overwrite(path_, whole_);
    EXPECT_EQ(get_from(path_, "k"), "v") << "repaired";
  }
  void spoil(std::uint64_t at) {
    const char byte = static_cast<char>(~read_at<char>(path_, at));
    patch(path_, at, &byte, 1);
  }
  std::string whole_;
};

TEST_F(Damaged, ANewerVersionIsSaid) {
  change_header(path_, [](FileHeader& header) { header.version = format::format_version + 1; });
  expect_damage(Code::version, "newer Utan");
}

TEST_F(Damaged, OneCopyOfTheHeaderIsEnough) {
  for (std::uint64_t i = 0; i < 2; ++i) {
    SCOPED_TRACE("copy " + std::to_string(i));
    const std::string other = folder_.path("copy" + std::to_string(i));
    copy(path_, other);
    patch(other, format::header_copy_offset(i).value, std::string(sizeof(FileHeader), '\xff').data(),
          sizeof(FileHeader));
    EXPECT_EQ(get_from(other, "k"), "v");
    put_in(other, "k", "w");
    EXPECT_EQ(get_from(other, "k"), "w");
    EXPECT_EQ(header_of(other).clean, 1U);
    EXPECT_EQ(walk_closed(other).leaked_count, 0U);
  }
}

TEST_F(Damaged, BothCopiesOfTheHeader) {
  for (std::uint64_t i = 0; i < 2; ++i) spoil(format::header_copy_offset(i).value + offsetof(FileHeader, chunk_size));
  expect_damage(Code::corruption, "header");
}

TEST_F(Damaged, ImpossibleSettings) {
  change_header(path_, [](FileHeader& header) { header.chunk_size = 1; });
  expect_damage(Code::corruption, "settings");
}

TEST_F(Damaged, Truncated) {
  // In the header's second copy, within the smallest store, and by a single byte.
  for (const std::uint64_t size : {std::uint64_t{4096}, format::file_size_min - 1, std::uint64_t{whole_.size()} - 1}) {
    SCOPED_TRACE("to " + std::to_string(size));
    ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(size)), 0);
    expect_damage(Code::corruption, "truncated");
  }
  ASSERT_EQ(::truncate(path_.c_str(), 100), 0);
  expect_damage(Code::format, "not a Utan store");
}

TEST_F(Damaged, TruncatedAfterAKill) {
  killed_after(path_, [](Store& store) {
    auto table = test::open_table(store, "t");
    for (int i = 0; i < 1000; ++i) test::put(*table, std::to_string(i), std::string(1000, 'x'));
    ASSERT_TRUE(store.sync().ok());
  });
  ASSERT_EQ(::truncate(path_.c_str(), static_cast<off_t>(whole_.size())), 0);
  expect_damage(Code::corruption, "truncated");
}

TEST_F(Damaged, NoWholeCheckpoint) {
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    spoil(format::slot_offset(i).value + offsetof(format::CheckpointSlot, time_ns));
  }
  expect_damage(Code::corruption, "no checkpoint");
}

TEST_F(Damaged, TheCommitOfTheCheckpoint) {
  spoil(checkpoint_of(path_).offset + offsetof(format::CommitBlock, object_table_root));
  expect_damage(Code::corruption, "checkpoint");
}

// --- Modes -----------------------------------------------------------------------------------------------------------

TEST_F(Attach, AReadOnlyStoreIsReadAndNotWritten) {
  put_in(path_, "k", "v");
  const auto reader = test::open_store(path_, with_mode(OpenMode::read_only));
  ASSERT_NE(reader, nullptr);
  auto table = reader->table("t", false);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ((*table)->put(test::bytes("k"), test::bytes("w"), object::Table::Put::always).code(), Code::read_only);
  EXPECT_EQ((*table)->put(test::bytes("k"), test::bytes("w"), object::Table::Put::if_absent).code(), Code::read_only);
  EXPECT_EQ((*table)->replace(test::bytes("k"), test::bytes("v"), test::bytes("w")).code(), Code::read_only);
  EXPECT_EQ((*table)->erase(test::bytes("k")).code(), Code::read_only);
  EXPECT_EQ(reader->table("new", true).code(), Code::read_only);
  EXPECT_TRUE(reader->table("t", true).ok()) << "it is there";
  EXPECT_EQ(test::get(**table, "k"), "v");

  // What others commit is seen at once, by an old handle and by snapshots.
  auto early = reader->snapshot();
  Neighbour neighbour([this](Neighbour& self) {
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    put_in(*store, "k", "theirs");
    self.pause();
    put_in(*store, "k", "theirs again");
    close(std::move(store));
  });
  ASSERT_TRUE(neighbour.paused());
  EXPECT_EQ(test::get(**table, "k"), "theirs");
  EXPECT_EQ((*table)->erase(test::bytes("k")).code(), Code::read_only) << "also while others have marked the store";
  EXPECT_EQ(reader->statistics()->processes.value, 2U);
  neighbour.go_on();
  EXPECT_TRUE(neighbour.ended_well());
  EXPECT_EQ(test::get(**table, "k"), "theirs again");
  EXPECT_EQ(get_from(**early, "k"), "v");
}

TEST_F(Attach, AReaderAndAWriterInOneProcess) {
  auto writer = test::open_store(path_);
  put_in(*writer, "k", "v");
  auto reader = test::open_store(path_, with_mode(OpenMode::read_only));
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(get_from(*reader, "k"), "v");
  put_in(*writer, "k", "w");
  EXPECT_EQ(get_from(*reader, "k"), "w");
  EXPECT_EQ(reader->table("new", true).code(), Code::read_only);
  close(std::move(writer));
  EXPECT_EQ(get_from(*reader, "k"), "w");
}

TEST_F(Attach, ADeadReaderIsNoObstacle) {
  put_in(path_, "k", "v");
  Neighbour reader([this](Neighbour& self) {
    const auto store = test::open_store(path_, with_mode(OpenMode::read_only));
    const auto snapshot = store->snapshot();
    self.pause();
  });
  ASSERT_TRUE(reader.paused());
  auto store = test::open_store(path_);
  EXPECT_EQ(store->statistics()->processes.value, 2U);
  EXPECT_EQ(store->statistics()->pins.value, 1U);
  reader.kill();
  store->attachment().session().value()->adopt_dead();
  EXPECT_EQ(store->statistics()->processes.value, 1U);
  EXPECT_EQ(store->statistics()->pins.value, 0U);
  put_in(*store, "k", "w");
  close(std::move(store));
  EXPECT_EQ(header_of(path_).clean, 1U);
}

TEST_F(Attach, ANewStoreTakesTheOldOnesPlace) {
  put_in(path_, "k", "old");
  const auto id = header_of(path_).store_id;
  auto store = test::open_store(path_, with_mode(OpenMode::fresh));
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(get_from(*store, "k"), std::nullopt);
  EXPECT_FALSE(header_of(path_).store_id == id);
  put_in(*store, "k", "new");
  close(std::move(store));
  EXPECT_EQ(get_from(path_, "k"), "new");
  close(test::open_store(folder_.path("missing.utan"), with_mode(OpenMode::fresh)));
}

TEST_F(Attach, AStoreInUseIsNotReplacedByANewOne) {
  put_in(path_, "k", "v");
  auto store = test::open_store(path_);
  expect_refused(path_, with_mode(OpenMode::fresh), Code::in_use, "this process has it open");
  close(std::move(store));
  for (const OpenMode mode : {OpenMode::existing, OpenMode::read_only}) {
    Neighbour neighbour([&](Neighbour& self) {
      auto theirs = test::open_store(path_, with_mode(mode));
      ASSERT_NE(theirs, nullptr);
      self.pause();
      EXPECT_EQ(get_from(*theirs, "k"), "v");
      close(std::move(theirs));
    });
    ASSERT_TRUE(neighbour.paused());
    expect_refused(path_, with_mode(OpenMode::fresh), Code::in_use, "other processes have it open");
    neighbour.go_on();
    EXPECT_TRUE(neighbour.ended_well());
  }
  EXPECT_EQ(get_from(path_, "k"), "v");
}

TEST_F(Attach, AReaderInThisProcessKeepsItsStoreFromBeingReplaced) {
  put_in(path_, "k", "v");
  const auto reader = test::open_store(path_, with_mode(OpenMode::read_only));
  expect_refused(path_, with_mode(OpenMode::fresh), Code::in_use, "have it open");
  EXPECT_EQ(get_from(*reader, "k"), "v");
}

TEST_F(Attach, ChunkSizeHasLimits) {
  for (const std::uint64_t size : {std::uint64_t{1}, format::chunk_size_min - 1, format::chunk_size_max + 1}) {
    expect_refused(path_, {.chunk_size = size}, Code::invalid, "chunk_size");
  }
  EXPECT_NE(::access(path_.c_str(), F_OK), 0) << "nothing was made";
  for (const std::uint64_t size : {format::chunk_size_min, format::chunk_size_max}) {
    const std::string path = folder_.path(std::to_string(size));
    close(test::open_store(path, {.chunk_size = size}));
    EXPECT_EQ(header_of(path).chunk_size, size);
  }
}

TEST_F(Attach, ChunkSizeIsKeptUntilItIsChanged) {
  put_in(path_, "k", "v");
  EXPECT_EQ(header_of(path_).chunk_size, format::chunk_size_default);
  close(test::open_store(path_, {.chunk_size = 128 * 1024}));
  EXPECT_EQ(header_of(path_).chunk_size, 128U * 1024);
  EXPECT_EQ(header_of(path_).clean, 1U);
  put_in(path_, "k", "w");
  EXPECT_EQ(header_of(path_).chunk_size, 128U * 1024);
  close(test::open_store(path_, {.mode = OpenMode::read_only, .chunk_size = 256 * 1024}));
  EXPECT_EQ(header_of(path_).chunk_size, 128U * 1024) << "a reader changes nothing";
}

TEST_F(Attach, TheFileGrowsByNoMoreThanChunkSize) {
  auto store = test::open_store(path_, {.chunk_size = format::chunk_size_min});
  auto table = test::open_table(*store, "t");
  std::uint64_t size = store->statistics()->file_size.value;
  int grown = 0;
  for (int i = 0; i < 3000; ++i) {
    test::put(*table, std::to_string(i), std::string(900, 'x'));
    const std::uint64_t now = store->statistics()->file_size.value;
    // Only where a new region begins is its description added.
    EXPECT_LE(now - size, format::chunk_size_min + format::region_metadata_segments * format::segment_size);
    grown += now != size;
    size = now;
  }
  EXPECT_GT(grown, 10);
  EXPECT_EQ(std::filesystem::file_size(path_), size);
}

TEST_F(Attach, ASecondOpeningMayChangeChunkSizeToo) {
  const auto store = test::open_store(path_);
  expect_refused(path_, {.chunk_size = 1}, Code::invalid, "chunk_size");
  const auto second = test::open_store(path_, {.chunk_size = 128 * 1024});
  EXPECT_EQ(header_of(path_).chunk_size, 128U * 1024);
}

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

// More threads than a new lock file has lines: those that are cleared are all that were used.
TEST_F(Attach, AReusedLockFileHoldsNothingOfTheLastSession) {
  {
    const auto store = test::open_store(path_);
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 2 * format::lines_per_growth; ++t) {
      threads.emplace_back([&] { put_in(*store, "k", "v"); });
    }
    for (std::thread& thread : threads) thread.join();
  }
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

}  // namespace
}  // namespace utan
