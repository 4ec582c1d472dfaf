// Shows that whoever opens a store finds its coordination file believable, whatever others are doing with it: a process that
// creates, opens, writes, syncs, makes the files longer, takes over what the dead left, reads, and closes is stopped at each of
// its system calls and labelled steps, and somebody comes; and all are killed there, and somebody comes. Beside one who works
// meanwhile it is the same.
// Labels: plain
// Timeout: 240 s
//
// The ordinary run looks at the first few times that an operation comes by each point, `make torture` at all.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "object/container.h"
#include "object/orphans.h"
#include "os/sim/machine.h"
#include "os/sim/points.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using commit::OpenMode;
using commit::OpenOptions;
using commit::Session;
using format::ContainerType;
using format::CoordinationFixed;
using format::FileHeader;
using object::Container;
using object::Store;
using os::sim::Machine;
using os::sim::Process;

const std::string store_path = "/data/db";
const std::string lock_path = store_path + "-lock";

template <class T>
T object_at(const std::vector<std::byte>& file, Offset at) {
  T out;
  std::memcpy(static_cast<void*>(&out), file.data() + at.value, sizeof out);
  return out;
}

FileHeader header_in(const Machine& machine) {
  const std::vector<std::byte> file = machine.content(store_path);
  const Result<FileHeader> header =
      format::choose_header(object_at<FileHeader>(file, format::header_copy_offset(0)),
                            object_at<FileHeader>(file, format::header_copy_offset(1)), ByteCount{file.size()});
  EXPECT_TRUE(header.ok());
  return header.ok() ? header.value() : FileHeader{};
}

std::string long_text(std::uint64_t size) { return std::string(size, 'l'); }

class Newcomer : public ::testing::TestWithParam<bool> {
 protected:
  Newcomer() { machine_.make_folder("/data"); }

  Process& process() { return machine_.start_process(); }
  std::unique_ptr<Store> opened(Process& by, OpenMode mode = OpenMode::create) {
    return test::open_store(store_path, {.mode = mode, .chunk_size = format::chunk_size_min}, by);
  }

  // Performs it, and at its points somebody comes. Who comes may be told to wait while somebody `is_alone`: who creates a
  // store, makes coordination anew, or closes for everybody.
  template <class Operation>
  void during(const char* doing, bool is_alone, Operation operation) {
    SCOPED_TRACE(doing);
    std::map<std::string, std::uint64_t> times;
    const os::sim::Points points(machine_, [&](std::uint64_t, const char* name) {
      seen_.insert(name);
      if (HasFailure() || ++times[name] > test::scaled(2, ~std::uint64_t{0})) return Error();
      SCOPED_TRACE(std::string(name) + ", time " + std::to_string(times[name]));
      come_after_killing_all();
      come_beside(is_alone);
      if (neighbour_ != nullptr) {
        work();
        come_beside(is_alone);
      }
      return Error();
    });
    operation();
  }
  // What has returned is there from now on.
  void acknowledge(const Store& store) { acknowledged_ = store.statistics()->newest; }

  // Somebody dies who has much that is not free yet.
  void die_at_work() {
    Process& victim = process();
    const auto store = opened(victim);
    const auto table = test::open_table(*store, "t");
    for (int i = 0; i < 10; ++i) test::put(*table, std::to_string(i), "of the dead");
    acknowledge(*store);
    victim.become_fork_child();  // its locks end, and it leaves nothing in order
  }

  // One who works beside the others, if the test is with one.
  void start_neighbour() {
    if (!GetParam()) return;
    neighbour_ = opened(process());
    work();
  }
  void end_neighbour() {
    if (neighbour_ == nullptr) return;
    ASSERT_TRUE(Store::close(std::move(neighbour_)).ok());
  }

  Machine machine_{1};
  std::set<std::string> seen_;
  std::uint64_t came_beside_ = 0;
  OpenMode newcomer_mode_ = OpenMode::existing;  // of those who come beside the others
  CommitNumber acknowledged_;

 private:
  // Of all that changes what a newcomer looks at, a little.
  void work() {
    const auto table = test::open_table(*neighbour_, "neighbour");
    test::put(*table, std::to_string(++worked_ % 7), long_text(20'000));
    ASSERT_TRUE(neighbour_->create_container(ContainerType::list, nullptr).ok());
    ASSERT_TRUE(neighbour_->sync().ok());
    test::put(*table, "n", std::to_string(worked_));
    acknowledge(*neighbour_);
  }

  void come_beside(bool may_have_to_wait) {
    const auto session =
        Session::open(machine_.start_process(), store_path, {.mode = newcomer_mode_, .timeout = milliseconds(100)});
    if (!session.ok()) {
      const Code expected = machine_.exists(store_path) ? Code::timeout : Code::not_found;
      EXPECT_TRUE(may_have_to_wait && session.code() == expected) << session.error().message();
      return;
    }
    ++came_beside_;
    EXPECT_GE((*session)->statistics().newest, acknowledged_);
    const Result<void> left = (*session)->leave();
    EXPECT_TRUE(left.ok()) << left.error().message();
  }

  void come_after_killing_all() {
    const std::unique_ptr<Machine> image = machine_.kill_image();
    if (!image->exists(store_path)) return;
    const FileHeader header = header_in(*image);
    const auto session = Session::open(image->start_process(), store_path, {.mode = OpenMode::existing});
    ASSERT_TRUE(session.ok()) << session.error().message();
    EXPECT_GE((*session)->statistics().newest, acknowledged_);
    // Who writes has named his coordination in the header; until it is closed cleanly it is that one.
    EXPECT_TRUE(header.clean != 0 || (*session)->statistics().incarnation == header.incarnation);
    const Result<void> left = (*session)->leave();
    EXPECT_TRUE(left.ok()) << left.error().message();
  }

  std::unique_ptr<Store> neighbour_;
  std::uint64_t worked_ = 0;
};

TEST_P(Newcomer, IsLetInWhateverOthersDo) {
  Process& first = process();
  std::unique_ptr<Store> store;
  during("creating", true, [&] { store = opened(first); });
  ASSERT_NE(store, nullptr);
  // Before there is any container.
  during("the root's first entry", false, [&] {
    object::Input number(format::Value::integer(1));
    ASSERT_TRUE(store->root()->set(format::Value::string("n"), number).ok());
  });
  acknowledge(*store);
  start_neighbour();
  std::unique_ptr<object::Table> table;
  during("a table", false, [&] { table = test::open_table(*store, "t"); });
  acknowledge(*store);
  during("small values", false, [&] {
    for (int i = 0; i < 50; ++i) test::put(*table, std::to_string(i % 10), long_text(static_cast<std::uint64_t>(i)));
  });
  acknowledge(*store);
  during("the file grows", false, [&] {
    for (int i = 0; i < 40; ++i) test::put(*table, "large " + std::to_string(i), long_text(40'000));
  });
  acknowledge(*store);
  for (int i = 0; i < 2; ++i) {
    during("a sync", false, [&] { ASSERT_TRUE(store->sync().ok()); });
    test::put(*table, "synced", std::to_string(i));
    acknowledge(*store);
  }
  during("a snapshot, and what it keeps", false, [&] {
    const auto snapshot = store->snapshot();
    ASSERT_TRUE(snapshot.ok());
    for (int i = 0; i < 300; ++i) test::put(*table, std::to_string(i % 10), long_text(50));
  });
  acknowledge(*store);
  during("containers that nothing names", false, [&] {
    {
      const auto held = store->create_container(ContainerType::list, nullptr);
      ASSERT_TRUE(held.ok());
    }
    object::work_off_orphans(**store->attachment().thread());
  });
  acknowledge(*store);
  Session& session = **store->attachment().session();
  during("more threads than there are lines", false, [&] {
    while (session.coordination().fixed().line_count.load() < 3 * format::lines_per_growth)
      ASSERT_TRUE(session.claim_thread().ok());
  });
  table.reset();
  during("closing", true, [&] { ASSERT_TRUE(Store::close(std::move(store)).ok()); });
  during("opening again", true, [&] { store = opened(process()); });
  during("reading", true, [&] {
    const auto reader = opened(process(), OpenMode::read_only);
    EXPECT_EQ(test::get(**reader->table("t", false), "synced"), "1");
  });
  // Who only reads takes nothing over.
  newcomer_mode_ = OpenMode::read_only;
  die_at_work();
  during("taking over", true, [&] { (*store->attachment().session())->adopt_dead(); });
  die_at_work();
  ASSERT_TRUE(Store::close(std::move(store)).ok());
  during("opening after a kill", true, [&] { store = opened(process()); });
  newcomer_mode_ = OpenMode::existing;
  end_neighbour();
  during("closing for all", true, [&] { ASSERT_TRUE(Store::close(std::move(store)).ok()); });
  acknowledged_ = CommitNumber{};
  during("replacing", true, [&] { store = opened(first, OpenMode::fresh); });
  EXPECT_GT(came_beside_, 200U);
}

std::string name_of(const ::testing::TestParamInfo<bool>& info) { return info.param ? "BesideOneWhoWorks" : "Alone"; }

INSTANTIATE_TEST_SUITE_P(Every, Newcomer, ::testing::Values(false, true), name_of);

// Each time that the size of the lock file has been looked at, others add lines to it.
TEST(NewcomerAmongThreads, IsLetInWhileLinesAreAdded) {
  Machine machine{1};
  machine.make_folder("/data");
  const auto session = Session::open(machine.start_process(), store_path, {});
  ASSERT_TRUE(session.ok());
  const auto& line_count = (*session)->coordination().fixed().line_count;
  const std::uint64_t before = line_count.load();
  machine.on_call([&](const os::sim::Call& call) {
    if (call.kind != os::sim::CallKind::map || call.path != lock_path) return Error();
    for (const std::uint64_t now = line_count.load(); line_count.load() == now;)
      EXPECT_TRUE((*session)->claim_thread().ok());
    return Error();
  });
  const auto newcomer = Session::open(machine.start_process(), store_path, {.mode = OpenMode::existing});
  machine.on_call({});
  EXPECT_TRUE(newcomer.ok()) << newcomer.error().message();
  EXPECT_GT(line_count.load(), before);
}

// Between the look at the size of the data file and that at what others believe it to be, they make it longer: so often.
void grow_at_each_look(Machine& machine, const Session& session, int times) {
  machine.on_call([&machine, &session, times, grown = 0](const os::sim::Call& call) mutable {
    if (call.kind != os::sim::CallKind::read || call.path != store_path || grown == times) return Error();
    ++grown;
    EXPECT_TRUE(session.heap().grow(1).ok());
    machine.advance(milliseconds(10));
    return Error();
  });
}

TEST(NewcomerAmongWriters, IsLetInHoweverOftenTheFileGrowsMeanwhile) {
  Machine machine{1};
  machine.make_folder("/data");
  const auto session = Session::open(machine.start_process(), store_path, {.chunk_size = format::chunk_size_min});
  ASSERT_TRUE(session.ok() && (*session)->prepare_writing().ok());
  grow_at_each_look(machine, **session, 600);
  const auto newcomer = Session::open(machine.start_process(), store_path, {.mode = OpenMode::existing});
  machine.on_call({});
  EXPECT_TRUE(newcomer.ok()) << newcomer.error().message();
}

TEST(NewcomerAmongWriters, GivesUpInTimeWhereItGrowsAtEveryLook) {
  Machine machine{1};
  machine.make_folder("/data");
  const auto session = Session::open(machine.start_process(), store_path, {.chunk_size = format::chunk_size_min});
  ASSERT_TRUE(session.ok() && (*session)->prepare_writing().ok());
  grow_at_each_look(machine, **session, 600);
  const auto newcomer =
      Session::open(machine.start_process(), store_path, {.mode = OpenMode::existing, .timeout = milliseconds(1500)});
  machine.on_call({});
  ASSERT_EQ(newcomer.code(), Code::timeout) << (newcomer.ok() ? "let in" : newcomer.error().message());
  EXPECT_NE(newcomer.error().message().find("1500 ms"), std::string::npos) << newcomer.error().message();
}

}  // namespace
}  // namespace utan
