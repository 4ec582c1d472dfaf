// Shows that a store opens rightly in whatever state its files were left: by processes that were killed, by a power cut,
// copied, restored, replaced; and that damaged and foreign files are refused.
// Timeout: 120 s
#include "support/attach_fixture.h"

namespace utan::attaching {
namespace {

// --- Killed ----------------------------------------------------------------------------------------------------------

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

// Older ones are whole, but what they need has been freed.
TEST_F(Damaged, TheNewestSlotAfterACleanClose) {
  put_in(path_, "k", "w");
  put_in(path_, "k", "v");
  whole_ = content_of(path_);
  const std::uint64_t newest = checkpoint_of(path_).number;
  EXPECT_EQ(header_of(path_).clean_number, newest);
  std::uint64_t slot_count = 0;
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    const std::uint64_t at = format::slot_offset(i).value;
    const std::uint64_t number = read_at<format::CheckpointSlot>(path_, at).number;
    slot_count += number != 0 ? 1 : 0;
    if (number == newest) spoil(at + offsetof(format::CheckpointSlot, time_ns));
  }
  EXPECT_GT(slot_count, 1U);
  expect_damage(Code::corruption, "closed at");
}

// The other copy is of the clean close before: what it says of bitmaps is not believed.
TEST_F(Damaged, TheNewestHeaderAfterAKill) {
  killed_after(path_, [](Store& store) {
    auto table = test::open_table(store, "t");
    test::put(*table, "synced", "yes");
    ASSERT_TRUE(store.sync().ok());
  });
  const std::uint64_t sequence = header_of(path_).sequence;
  spoil(format::header_copy_offset(sequence).value + offsetof(FileHeader, chunk_size));
  ASSERT_EQ(header_of(path_).clean, 1U);
  ::unlink(lock_path_.c_str());
  EXPECT_EQ(get_from(path_, "synced"), "yes");
  put_in(path_, "k", "w");
  EXPECT_GT(header_of(path_).trusted_from, 0U);
}

TEST_F(Damaged, TheCommitOfTheCheckpoint) {
  spoil(checkpoint_of(path_).offset + offsetof(format::CommitBlock, object_table_root));
  expect_damage(Code::corruption, "checkpoint");
}

}  // namespace
}  // namespace utan::attaching
