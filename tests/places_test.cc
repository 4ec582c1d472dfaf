// Shows that a store opens wherever it can without harm, and that elsewhere the error says what is in the way and what to do:
// file systems that other machines reach, media and folders that are only read, stores of other users.
// Timeout: 120 s
#include <utan/utan.h>

#include "os/sim/machine.h"
#include "support/fuse_fixture.h"
#include "support/users_fixture.h"

namespace utan::attaching {
namespace {

// Everything that a reader may do, on a store that has these keys with "v" and their name as values.
void read_everything(const Store& store, int keys) {
  EXPECT_TRUE(store.attachment().read_only());
  const auto snapshot = store.snapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.error().message();
  for (const Store* one : {&store, static_cast<const Store*>(snapshot->get())}) {
    const auto table = one->table("t", false);
    ASSERT_TRUE(table.ok()) << table.error().message();
    EXPECT_EQ((*table)->count()->value, static_cast<std::uint64_t>(keys));
    for (int i = 0; i < keys; ++i) EXPECT_EQ(test::get(**table, std::to_string(i)), "v" + std::to_string(i));
    auto cursor = object::Cursor::open(**table);
    object::Bytes key;
    object::Bytes value;
    int found = 0;
    while ((*cursor)->next(key, value).value()) {
      EXPECT_EQ("v" + test::text(key), test::text(value));
      ++found;
    }
    EXPECT_EQ(found, keys);
  }
  const auto table = store.table("t", false);
  EXPECT_EQ((*table)->put(test::bytes("new"), test::bytes("v"), object::Table::Put::always).code(), Code::read_only);
  EXPECT_EQ(store.statistics()->processes.value, 1U);
  test::walk(store);
}

void fill(Store& store, int keys) {
  const auto table = test::open_table(store, "t");
  for (int i = 0; i < keys; ++i) test::put(*table, std::to_string(i), "v" + std::to_string(i));
}

constexpr int keys = 300;

class Places : public Attach {
 protected:
  void SetUp() override {
    ASSERT_EQ(::chmod(folder_.path("").c_str(), 0755), 0);
    std::filesystem::create_directory(place_);
    auto store = test::open_store(path_);
    fill(*store, keys);
    close(std::move(store));
  }
  void TearDown() override { ::chmod(place_.c_str(), 0755); }

  // As if the machine had been booted since.
  void reboot() const {
    change_coordination(lock_path_, [](CoordinationHeader& header) { header.boot_id[0] ^= 1; });
  }
  // All belongs to Anna; her group may write the files, but not the folder.
  void give_all_to_anna() const {
    give_to(path_, anna, 0664);
    give_to(lock_path_, anna, 0664);
    give_to(place_, anna, 0755);
  }
  void expect_alone() const {
    const auto store = test::open_store(path_, with_mode(OpenMode::read_only));
    ASSERT_NE(store, nullptr);
    EXPECT_TRUE(store->attachment().session().value()->reads_alone());
    read_everything(*store, keys);
  }

  const std::string place_ = folder_.path("place");
  const std::string path_ = place_ + "/s.utan";
  const std::string lock_path_ = path_ + "-lock";
};

// --- File systems that others reach ------------------------------------------------------------------------------------

TEST(Medium, OneThatOthersReachIsRefusedUnlessItIsWanted) {
  for (const OpenMode mode : {OpenMode::create, OpenMode::existing, OpenMode::read_only, OpenMode::fresh}) {
    os::sim::Machine machine{1};
    machine.set_medium({.shared_with_others = true, .name = "nfs", .replaces_files = false});
    const auto open = [&](const commit::OpenOptions& options) {
      return Store::open(machine.start_process(), "/s", options);
    };
    if (mode == OpenMode::create) {
      EXPECT_EQ(open(with_mode(mode)).code(), Code::unsupported);
      EXPECT_TRUE(machine.file_names().empty()) << "nothing is left of what was not made";
    }
    close(test::open_store("/s", {.any_file_system = true}, machine.start_process()));
    const auto before = machine.content("/s");
    const auto refused = open(with_mode(mode));
    ASSERT_EQ(refused.code(), Code::unsupported);
    for (const char* said : {"/s", "nfs", "other machines", "any_file_system", "UTAN_ANY_FILE_SYSTEM=1"})
      EXPECT_NE(refused.error().message().find(said), std::string::npos) << refused.error().message();
    EXPECT_EQ(machine.content("/s"), before);
    EXPECT_TRUE(open({.mode = mode, .any_file_system = true}).ok());
    machine.set_environment("UTAN_ANY_FILE_SYSTEM", "0");
    EXPECT_EQ(open(with_mode(mode)).code(), Code::unsupported);
    machine.set_environment("UTAN_ANY_FILE_SYSTEM", "1");
    EXPECT_TRUE(open(with_mode(mode)).ok());
  }
}

TEST_F(Places, AFileSystemInUserSpaceIsRefused) {
  UTAN_NEEDS_MOUNTS();
  const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) GTEST_SKIP() << "cannot open /dev/fuse: " << std::strerror(errno);
  with_own_mounts([&] {
    const std::string options = "fd=" + std::to_string(device) + ",rootmode=40000,user_id=0,group_id=0";
    ASSERT_EQ(::mount("none", place_.c_str(), "fuse", 0, options.c_str()), 0) << std::strerror(errno);
    TestChild server([&] { return test::FuseServer::serve(device, "s.utan"); });
    ::close(device);
    for (const OpenMode mode : {OpenMode::create, OpenMode::existing, OpenMode::read_only, OpenMode::fresh}) {
      expect_refused(path_, with_mode(mode), Code::unsupported, "(fuse)");
      expect_refused(path_, with_mode(mode), Code::unsupported, "UTAN_ANY_FILE_SYSTEM=1");
    }
    // Forced, it goes on to look at what is in the file, which this file system cannot read.
    utan_open_options forced{};
    forced.struct_size = sizeof forced;
    utan_store* store = nullptr;
    EXPECT_EQ(utan_open(path_.c_str(), &forced, &store), UTAN_UNSUPPORTED);
    EXPECT_NE(std::string(utan_last_error()).find("(fuse)"), std::string::npos) << utan_last_error();
    forced.any_file_system = 1;
    EXPECT_EQ(utan_open(path_.c_str(), &forced, &store), UTAN_UNSUPPORTED);
    EXPECT_NE(std::string(utan_last_error()).find("Function not implemented"), std::string::npos) << utan_last_error();
    ::setenv("UTAN_ANY_FILE_SYSTEM", "1", 1);
    expect_refused(path_, {}, Code::unsupported, "Function not implemented");
    EXPECT_EQ(::umount2(place_.c_str(), MNT_DETACH), 0);
    server.kill();
  });
  ::close(device);
}

TEST_F(Places, FileSystemsOfThisMachineAreNot) {
  UTAN_NEEDS_MOUNTS();
  with_own_mounts([this] {
    const std::string upper = folder_.path("tmpfs");
    const std::string merged = folder_.path("merged");
    std::filesystem::create_directory(upper);
    std::filesystem::create_directory(merged);
    ASSERT_EQ(::mount("none", upper.c_str(), "tmpfs", 0, nullptr), 0);
    put_in(upper + "/s.utan", "k", "v");
    EXPECT_EQ(get_from(upper + "/s.utan", "k"), "v");
    std::filesystem::create_directory(upper + "/upper");
    std::filesystem::create_directory(upper + "/work");
    const std::string options = "lowerdir=" + place_ + ",upperdir=" + upper + "/upper,workdir=" + upper + "/work";
    if (::mount("none", merged.c_str(), "overlay", 0, options.c_str()) != 0) return;  // not every kernel has it
    // One who reads first sees what one who writes later puts into the upper layer.
    const std::string path = merged + "/s.utan";
    const auto reader = test::open_store(path, with_mode(OpenMode::read_only));
    ASSERT_NE(reader, nullptr);
    EXPECT_EQ(get_from(*reader, "7"), "v7");
    Neighbour writer([&](Neighbour&) { put_in(path, "7", "w"); });
    EXPECT_TRUE(writer.ended_well());
    EXPECT_EQ(get_from(*reader, "7"), "w");
    EXPECT_EQ(get_from(path_, "7"), "v7") << "the lower layer stays as it is";
  });
}

// --- Readers alone -----------------------------------------------------------------------------------------------------

TEST_F(Places, AReadOnlyMediumIsRead) {
  UTAN_NEEDS_MOUNTS();
  for (const bool with_lock_file : {true, false}) {
    if (!with_lock_file) {
      ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
    }
    const std::string before = content_of(path_);
    with_own_mounts([&] {
      make_read_only(place_);
      expect_alone();
      for (const OpenMode mode : {OpenMode::create, OpenMode::existing}) {
        expect_refused(path_, with_mode(mode), Code::permission, "Read-only file system");
        expect_refused(path_, with_mode(mode), Code::permission, "open it only to read it");
      }
      expect_refused(path_, with_mode(OpenMode::fresh), Code::permission, "Read-only file system");
      expect_refused(place_ + "/new", {}, Code::permission, "must be allowed to write to the folder");
    });
    EXPECT_TRUE(content_of(path_) == before);
    EXPECT_EQ(names_in(place_), with_lock_file ? 2U : 1U);
  }
}

TEST_F(Places, AReadOnlyMediumIsReadAlsoAfterAKill) {
  UTAN_NEEDS_MOUNTS();
  killed_after(path_, [](Store& store) {
    ASSERT_TRUE(store.sync().ok());
    put_in(store, "0", "not synced");
  });
  with_own_mounts([&] {
    make_read_only(place_);
    expect_alone();
  });
}

TEST_F(Places, AFolderThatIsOnlyReadIsRead) {
  UTAN_NEEDS_ROOT();
  for (const char* what : {"without rights", "of another boot", "without a lock file"}) {
    SCOPED_TRACE(what);
    give_to(path_, anna, 0644);
    if (::access(lock_path_.c_str(), F_OK) == 0) give_to(lock_path_, anna, 0644);
    give_to(place_, anna, 0555);
    if (what == std::string("of another boot")) reboot();
    if (what == std::string("without a lock file")) {
      ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
    }
    as_user(carla, [this] {
      expect_alone();
      expect_refused(path_, {}, Code::permission, "open it only to read it");
      expect_refused(path_, {}, Code::permission, "may not write");
    });
  }
  as_user(carla, [this] { EXPECT_EQ(::access(lock_path_.c_str(), F_OK), -1); });
  give_to(path_, anna, 0600);
  as_user(carla, [this] { expect_refused(path_, with_mode(OpenMode::read_only), Code::permission, "may not read"); });
}

TEST_F(Places, BesideAWriterAReaderMustHaveTheLockFile) {
  UTAN_NEEDS_ROOT();
  give_to(path_, anna, 0644);
  give_to(lock_path_, anna, 0644);
  give_to(place_, anna, 0755);
  for (const OpenMode mode : {OpenMode::existing, OpenMode::read_only}) {
    Neighbour neighbour([&](Neighbour& self) {
      ASSERT_TRUE(become(anna));
      auto store = test::open_store(path_, with_mode(mode));
      if (mode == OpenMode::existing) put_in(*store, "0", "v0");
      self.pause();
      close(std::move(store));
    });
    ASSERT_TRUE(neighbour.paused());
    as_user(carla, [&] {
      if (mode == OpenMode::read_only) {
        expect_alone();
      } else {
        expect_refused(path_, with_mode(OpenMode::read_only), Code::permission, "Other processes write to");
        expect_refused(path_, with_mode(OpenMode::read_only), Code::permission, "s.utan-lock");
      }
    });
    neighbour.go_on();
    EXPECT_TRUE(neighbour.ended_well());
  }
}

// Nobody sees the reader. He reads what was there until somebody has made a newer checkpoint, and is told so then.
TEST_F(Places, WhoComesToWriteLaterDoesNotDeceiveAReader) {
  UTAN_NEEDS_ROOT();
  give_to(path_, anna, 0644);
  give_to(lock_path_, anna, 0644);
  give_to(place_, anna, 0755);
  Neighbour writer([this](Neighbour& self) {
    ASSERT_TRUE(become(anna));
    self.pause();
    auto store = test::open_store(path_);
    for (int round = 0; round < 20; ++round) fill(*store, keys);
    put_in(*store, "0", "not synced");
    self.pause();
    ASSERT_TRUE(store->sync().ok());
    for (int round = 0; round < 20; ++round) fill(*store, keys);
    put_in(*store, "0", "new");
    close(std::move(store));
    self.pause();
  });
  ASSERT_TRUE(writer.paused());
  as_user(carla, [&] {
    auto store = test::open_store(path_, with_mode(OpenMode::read_only));
    ASSERT_NE(store, nullptr);
    auto table = store->table("t", false);
    auto snapshot = store->snapshot();
    auto cursor = object::Cursor::open(**table);
    object::Bytes key;
    object::Bytes value;
    EXPECT_TRUE((*cursor)->next(key, value).value());
    writer.go_on();
    ASSERT_TRUE(writer.paused());
    for (int i = 0; i < keys; ++i) {
      EXPECT_EQ(test::get(**table, std::to_string(i)), "v" + std::to_string(i));
      EXPECT_EQ(get_from(**snapshot, std::to_string(i)), "v" + std::to_string(i));
    }
    EXPECT_TRUE((*cursor)->next(key, value).value());
    writer.go_on();
    ASSERT_TRUE(writer.paused());
    object::Value got;
    const Result<bool> read = (*table)->get(test::bytes("7"), got);
    ASSERT_EQ(read.code(), Code::in_use);
    EXPECT_NE(read.error().message().find("open it again"), std::string::npos) << read.error().message();
    EXPECT_EQ((*cursor)->next(key, value).code(), Code::in_use);
    EXPECT_EQ((*snapshot)->table("t", false).code(), Code::in_use);
    EXPECT_EQ(store->table("t", false).code(), Code::in_use);
    EXPECT_EQ(store->snapshot().code(), Code::in_use);
    cursor->reset();
    close(std::move(*snapshot));
    table->reset();
    close(std::move(store));
    store = test::open_store(path_, with_mode(OpenMode::read_only));
    EXPECT_EQ(get_from(*store, "0"), "new");
  });
  writer.go_on();
  EXPECT_TRUE(writer.ended_well());
}

TEST_F(Places, AReaderAloneHasChildrenAndManyThreads) {
  UTAN_NEEDS_ROOT();
  give_to(path_, anna, 0644);
  give_to(lock_path_, anna, 0644);
  give_to(place_, anna, 0555);
  as_user(carla, [this] {
    const auto store = test::open_store(path_, with_mode(OpenMode::read_only));
    ASSERT_NE(store, nullptr);
    std::vector<std::thread> threads;
    std::atomic<int> ready{0};
    for (int i = 0; i < 80; ++i) {
      threads.emplace_back([&, i] {
        EXPECT_EQ(get_from(*store, std::to_string(i)), "v" + std::to_string(i));
        ++ready;
        while (ready.load() < 80) std::this_thread::yield();  // so that each has a line of its own
        EXPECT_EQ(get_from(*store, std::to_string(i)), "v" + std::to_string(i));
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(store->statistics()->threads.value, 80U);
    TestChild child([&] {
      EXPECT_EQ(get_from(*store, "7"), "v7");
      return !::testing::Test::HasFailure();
    });
    EXPECT_TRUE(child.join());
    EXPECT_EQ(get_from(*store, "8"), "v8");
  });
}

TEST_F(Places, TheCheckerLooksAtWhatItMayOnlyRead) {
  UTAN_NEEDS_MOUNTS();
  with_own_mounts([this] {
    make_read_only(place_);
    utan_check_report report{};
    report.struct_size = sizeof report;
    EXPECT_EQ(utan_check_file(path_.c_str(), nullptr, &report), UTAN_OK) << utan_last_error();
    EXPECT_EQ(report.problem_count, 0U);
    EXPECT_EQ(report.whole, 1);
    EXPECT_EQ(report.entry_count, static_cast<std::uint64_t>(keys) + 1);
    utan_open_options options{};
    options.struct_size = sizeof options;
    options.mode = UTAN_READ_ONLY_MODE;
    utan_store* store = nullptr;
    ASSERT_EQ(utan_open(path_.c_str(), &options, &store), UTAN_OK) << utan_last_error();
    EXPECT_EQ(utan_check(store, nullptr, &report), UTAN_OK) << utan_last_error();
    EXPECT_EQ(report.problem_count, 0U);
    utan_store_stats stats{};
    stats.struct_size = sizeof stats;
    EXPECT_EQ(utan_stats(store, &stats), UTAN_OK);
    EXPECT_EQ(stats.process_count, 1U);
    EXPECT_EQ(utan_close(store), UTAN_OK);
  });
}

// --- Folders that may not be written -----------------------------------------------------------------------------------

TEST_F(Places, ALockFileOfAnotherBootIsMadeAnewWhereItIs) {
  UTAN_NEEDS_ROOT();
  give_all_to_anna();
  reboot();
  // What an earlier life left, beyond what a new file would have.
  ASSERT_EQ(::truncate(lock_path_.c_str(), static_cast<off_t>(format::coordination_size(100))), 0);
  const std::string noise(1000, 'x');
  patch(lock_path_, format::coordination_size(90), noise.data(), noise.size());
  patch(lock_path_, format::entries_offset, noise.data(), noise.size());
  const ino_t inode = status_of(lock_path_).st_ino;
  as_user(bert, [this] {
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(get_from(*store, "7"), "v7");
    EXPECT_EQ(store->statistics()->processes.value, 1U);
    put_in(*store, "7", "Bert's");
    const auto reader = test::open_store(path_, with_mode(OpenMode::read_only));
    EXPECT_FALSE(reader->attachment().session().value()->reads_alone());
    close(std::move(store));
  });
  EXPECT_EQ(status_of(lock_path_).st_ino, inode);
  const std::string now = content_of(lock_path_);
  EXPECT_EQ(now.find("xxx"), std::string::npos) << "nothing is left of the earlier life";
  as_user(anna, [this] { EXPECT_EQ(get_from(path_, "7"), "Bert's"); });
  EXPECT_EQ(header_of(path_).clean, 1U);
  EXPECT_EQ(walk_closed(path_).leaked_count, 0U);
}

TEST_F(Places, AnEmptyLockFileIsMadeAnewWhereItIs) {
  UTAN_NEEDS_ROOT();
  give_all_to_anna();
  ASSERT_EQ(::truncate(lock_path_.c_str(), 0), 0);
  as_user(bert, [this] {
    put_in(path_, "7", "Bert's");
    EXPECT_EQ(get_from(path_, "7"), "Bert's");
  });
}

// As in /tmp: others may make files, but not replace those that are there.
TEST_F(Places, InAStickyFolderTheOthersLockFileIsMadeAnewWhereItIs) {
  UTAN_NEEDS_ROOT();
  give_all_to_anna();
  give_to(place_, anna, 01777);
  reboot();
  const ino_t inode = status_of(lock_path_).st_ino;
  as_user(bert, [this] { put_in(path_, "7", "Bert's"); });
  EXPECT_EQ(status_of(lock_path_).st_ino, inode);
  EXPECT_EQ(names_in(place_), 2U);
  EXPECT_EQ(get_from(path_, "7"), "Bert's");
}

TEST_F(Places, AMissingLockFileThereIsSaid) {
  UTAN_NEEDS_ROOT();
  give_all_to_anna();
  ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
  as_user(bert, [this] {
    for (const std::string& said :
         {std::string("s.utan-lock is missing or of no use"), "may not make one in the folder " + place_,
          std::string("somebody who may write to that folder must open the store once")})
      expect_refused(path_, {}, Code::permission, said.c_str());
    expect_alone();
  });
  as_user(anna, [this] { close(test::open_store(path_)); });
  as_user(bert, [this] { put_in(path_, "7", "Bert's"); });
  EXPECT_EQ(get_from(path_, "7"), "Bert's");
}

// Whoever can make links must not have others clear what is not this store's.
TEST_F(Places, ThroughALinkNothingIsCleared) {
  UTAN_NEEDS_ROOT();
  give_all_to_anna();
  const std::string other = folder_.path("other-lock");
  std::filesystem::rename(lock_path_, other);
  change_coordination(other, [](CoordinationHeader& header) { header.boot_id[0] ^= 1; });
  const std::string before = content_of(other);
  for (const bool symbolic : {true, false}) {
    ASSERT_EQ(symbolic ? ::symlink(other.c_str(), lock_path_.c_str()) : ::link(other.c_str(), lock_path_.c_str()), 0);
    as_user(bert, [this] { expect_refused(path_, {}, Code::permission, "is missing or of no use"); });
    EXPECT_TRUE(content_of(other) == before);
    ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
  }
  overwrite(lock_path_, "somebody's notes");
  give_to(lock_path_, anna, 0664);
  as_user(bert, [this] { expect_refused(path_, {}, Code::permission, "is missing or of no use"); });
  EXPECT_EQ(content_of(lock_path_), "somebody's notes");
}

// Who has the file open that was here before goes on with its lock file.
TEST_F(Places, ALockFileInUseByThoseWithTheReplacedFileIsNotCleared) {
  UTAN_NEEDS_ROOT();
  give_all_to_anna();
  Neighbour neighbour([this](Neighbour& self) {
    auto store = test::open_store(path_);
    self.pause();
    put_in(*store, "7", "with the old one");
    EXPECT_EQ(get_from(*store, "7"), "with the old one");
    close(std::move(store));
  });
  ASSERT_TRUE(neighbour.paused());
  const std::string other = folder_.path("other");
  put_in(other, "k", "new");
  std::filesystem::rename(other, path_);
  give_to(path_, anna, 0664);
  as_user(bert, [this] {
    expect_refused(path_, {}, Code::permission, "is missing or of no use");
    EXPECT_EQ(get_from(*test::open_store(path_, with_mode(OpenMode::read_only)), "k"), "new");
  });
  neighbour.go_on();
  EXPECT_TRUE(neighbour.ended_well());
  as_user(anna, [this] { EXPECT_EQ(get_from(path_, "k"), "new"); });
}

// Killed at every call while a lock file is made anew where it is: the next finds everything.
TEST(LockFileInPlace, AKillLeavesOneThatNobodyBelieves) {
  const auto may_make_none = [](const os::sim::Call& call) -> Error {
    const bool temporary = call.path.ends_with(".new");
    if (!temporary || call.kind == os::sim::CallKind::file_status) return {};
    return Error(Code::permission, "cannot create " + call.path + ": Permission denied");
  };
  os::sim::Machine before{1};
  {
    auto store = test::open_store("/s", {}, before.start_process());
    put_in(*store, "k", "v");
    ASSERT_TRUE(store->sync().ok());
    put_in(*store, "k", "w");
    close(std::move(store));
  }
  std::uint64_t killed = 0;
  for (std::uint64_t n = 0;; ++n) {
    SCOPED_TRACE("killed at call " + std::to_string(n));
    const auto machine = before.reboot_image();
    std::unique_ptr<os::sim::Machine> image;
    machine->on_call([&](const os::sim::Call& call) -> Error {
      if (call.number == n) image = machine->kill_image();
      return may_make_none(call);
    });
    close(test::open_store("/s", with_mode(OpenMode::existing), machine->start_process()));
    machine->on_call({});
    if (image == nullptr) break;
    ++killed;
    image->on_call(may_make_none);
    auto store = test::open_store("/s", with_mode(OpenMode::existing), image->start_process());
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(get_from(*store, "k"), "w");
    EXPECT_EQ(store->statistics()->processes.value, 1U);
    put_in(*store, "k", "x");
    EXPECT_EQ(get_from(*store, "k"), "x");
    test::walk(*store);
    close(std::move(store));
    image->on_call({});
    EXPECT_EQ(image->file_names().size(), 2U);
  }
  EXPECT_GT(killed, 40U) << "the clearing is in many pieces";
}

TEST_F(Places, TheLockFileIsForTheSameUsersAsTheData) {
  UTAN_NEEDS_ROOT();
  give_to(path_, anna, 0660);
  ASSERT_EQ(::chown(place_.c_str(), anna.id, anna.group), 0);
  ASSERT_EQ(::chmod(place_.c_str(), 0775), 0);
  ASSERT_EQ(::unlink(lock_path_.c_str()), 0);
  as_user(bert, [this] { put_in(path_, "7", "Bert's"); });
  EXPECT_EQ(status_of(lock_path_).st_uid, bert.id);
  EXPECT_EQ(status_of(lock_path_).st_gid, anna.group);
  EXPECT_EQ(status_of(lock_path_).st_mode & 07777, 0660U);
  as_user(anna, [this] {
    EXPECT_EQ(get_from(path_, "7"), "Bert's");
    put_in(path_, "7", "Anna's");
  });
  as_user(bert, [this] { EXPECT_EQ(get_from(path_, "7"), "Anna's"); });
  as_user(carla, [this] { expect_refused(path_, with_mode(OpenMode::read_only), Code::permission, "may not read"); });
  // Both at once.
  Neighbour neighbour([this](Neighbour& self) {
    ASSERT_TRUE(become(bert));
    auto store = test::open_store(path_);
    self.pause();
    put_in(*store, "8", "Bert's");
    close(std::move(store));
  });
  ASSERT_TRUE(neighbour.paused());
  as_user(anna, [&] {
    const auto store = test::open_store(path_);
    EXPECT_EQ(store->statistics()->processes.value, 2U);
    neighbour.go_on();
    put_in(*store, "9", "Anna's");
  });
  EXPECT_TRUE(neighbour.ended_well());
  EXPECT_EQ(get_from(path_, "8"), "Bert's");
  EXPECT_EQ(get_from(path_, "9"), "Anna's");
}

}  // namespace
}  // namespace utan::attaching
