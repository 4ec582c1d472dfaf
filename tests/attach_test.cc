// Shows that a store opens rightly after a clean close and while others have it open, in every mode, and that opening
// writes nothing.
// Timeout: 120 s
#include "support/attach_fixture.h"

namespace utan::attaching {
namespace {

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

// Who finds no place free takes that of somebody who has died.
TEST_F(Attach, WhereTheDeadHaveAllPlacesOneOfTheseIsTaken) {
  put_in(path_, "k", "v");
  Neighbour neighbour([this](Neighbour& self) {
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    // As if so many had come and been killed: an entry is claimed, and nobody has the lock of its byte.
    const format::Coordination coordination = store->attachment().session().value()->coordination();
    for (std::uint32_t i = 0; i < format::process_entry_count; ++i)
      coordination.entry(i).claim.fetch_or(1, std::memory_order_acq_rel);
    self.pause();
    EXPECT_EQ(get_from(*store, "k"), "w");
    close(std::move(store));
  });
  ASSERT_TRUE(neighbour.paused());
  put_in(path_, "k", "w");
  neighbour.go_on();
  EXPECT_TRUE(neighbour.ended_well());
  EXPECT_EQ(header_of(path_).clean, 1U);
  EXPECT_EQ(walk_closed(path_).leaked_count, 0U);
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
  auto store = test::open_store(path_);
  expect_refused(path_, {.chunk_size = 1}, Code::invalid, "chunk_size");
  auto second = test::open_store(path_, {.chunk_size = 128 * 1024});
  const auto& fixed = store->attachment().session().value()->coordination().fixed();
  EXPECT_EQ(fixed.chunk_size.load(), 128U * 1024) << "in force at once";
  close(std::move(second));
  close(std::move(store));
  EXPECT_EQ(header_of(path_).chunk_size, 128U * 1024);
}

// A header with a setting that cannot be is refused.
TEST_F(Attach, NoDamagedChunkSizeGetsIntoTheHeader) {
  auto store = test::open_store(path_);
  put_in(*store, "k", "v");
  store->attachment().session().value()->coordination().fixed().chunk_size.store(1);
  close(std::move(store));
  EXPECT_EQ(get_from(path_, "k"), "v");
}

}  // namespace
}  // namespace utan::attaching
