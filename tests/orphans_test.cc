// Shows what becomes of containers that nothing names any more: they go, with all that is below them, and their space comes
// back; but not while somebody holds a handle on them, in whatever process, or reads a commit that names them. Deleting and
// overwriting documents for ever does not make the store grow.
// Labels: small
// Timeout: 120 s
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/step.h"
#include "commit/holds.h"
#include "object/container.h"
#include "object/orphans.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;
using object::Input;
using object::Loan;

// A document of eight fields, a list among them.
Data document(std::uint64_t number) {
  Data out;
  const std::string name = "document " + std::to_string(number);
  EXPECT_TRUE(out.begin(ContainerType::dict).ok());
  for (int i = 0; i < 7; ++i) {
    EXPECT_TRUE(out.add(Value::string("field " + std::to_string(i))).ok());
    EXPECT_TRUE(out.add(i % 2 == 0 ? Value::integer(static_cast<std::int64_t>(number) + i) : Value::string(name)).ok());
  }
  EXPECT_TRUE(out.add(Value::string("list")).ok());
  EXPECT_TRUE(out.begin(ContainerType::list).ok());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(out.add(Value::integer(i)).ok());
  EXPECT_TRUE(out.end().ok());
  EXPECT_TRUE(out.end().ok());
  return out;
}

class OrphansTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = test::open_store(folder_.path("store"));
    ASSERT_NE(store_, nullptr);
    root_ = store_->root();
  }
  void put_document(Container& container, std::int64_t key, std::uint64_t number) {
    const Data data = document(number);
    Input input(data);
    const Result<void> done = container.set(Value::integer(key), input);
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  void erase(Container& container, std::int64_t key) {
    const Result<bool> done = container.erase(Value::integer(key));
    ASSERT_TRUE(done.ok()) << done.error().message();
    ASSERT_TRUE(done.value());
  }
  std::unique_ptr<Container> open(Container& container, std::int64_t key) {
    Loan loan;
    const Result<bool> got = container.get(Value::integer(key), loan);
    EXPECT_TRUE(got.ok() && got.value());
    return Container::of(store_->attachment(), container.snapshot(), std::move(loan));
  }
  commit::Thread& thread() { return **store_->attachment().thread(); }
  bool work_off() { return object::work_off_orphans(thread()); }
  // A mapping of the first numbers to themselves.
  static void fill(Data& data, ContainerType type, std::int64_t count) {
    ASSERT_TRUE(data.begin(type).ok());
    for (std::int64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(data.add(Value::integer(i)).ok());
      ASSERT_TRUE(data.add(Value::integer(i)).ok());
    }
    ASSERT_TRUE(data.end().ok());
  }
  std::optional<std::int64_t> field_of(const Container& document) {
    Loan loan;
    const Result<bool> got = document.get(Value::string("field 0"), loan);
    if (!got.ok() || !got.value()) return std::nullopt;
    return loan.value().as_integer();
  }
  // How many containers there are besides the root, and how many of them nothing names.
  void expect_containers(std::uint64_t count, std::uint64_t orphans) {
    const check::Report report = test::walk(*store_);
    EXPECT_EQ(report.container_count, count + 1);
    EXPECT_EQ(report.orphan_count, orphans);
    EXPECT_EQ(report.unreachable_count, 0U);
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<object::Store> store_;
  std::unique_ptr<Container> root_;
};

TEST_F(OrphansTest, AnErasedDocumentGoesWithWhatIsBelowIt) {
  put_document(*root_, 1, 10);
  put_document(*root_, 2, 20);
  expect_containers(4, 0);
  erase(*root_, 1);
  expect_containers(4, 1);
  EXPECT_TRUE(work_off());
  expect_containers(2, 0);
}

TEST_F(OrphansTest, SteadyWorkDoesNotMakeTheStoreGrow) {
  const auto round = [this](std::uint64_t number) {
    for (std::int64_t key = 0; key < 50; ++key) put_document(*root_, key, number);
    for (std::int64_t key = 0; key < 25; ++key) erase(*root_, key);
  };
  for (std::uint64_t i = 0; i < 10; ++i) round(i);
  const std::uint64_t file_size = store_->statistics()->file_size.value;
  const std::uint64_t used = store_->statistics()->heap.used.value;
  for (std::uint64_t i = 0; i < test::scaled(100, 10'000); ++i) round(i);
  EXPECT_EQ(store_->statistics()->file_size.value, file_size);
  EXPECT_LE(store_->statistics()->heap.used.value, used + used / 4);
  EXPECT_TRUE(work_off());
  expect_containers(50, 0);
}

// Few containers, but large ones: what a write removes of them must be as much as comes in.
TEST_F(OrphansTest, FillingAndClearingForEverDoesNotMakeTheStoreGrow) {
  Data data;
  fill(data, ContainerType::collection, 20'000);
  for (const ContainerType type : {ContainerType::collection, ContainerType::table}) {
    const Result<std::unique_ptr<Container>> made = store_->container("big", type, true);
    ASSERT_TRUE(made.ok()) << made.error().message();
    const auto rounds = [&](int count) {
      for (int i = 0; i < count; ++i) {
        EXPECT_TRUE((*made)->update(data).ok());
        EXPECT_TRUE((*made)->clear().ok());
      }
    };
    rounds(20);
    const std::uint64_t file_size = store_->statistics()->file_size.value;
    rounds(static_cast<int>(test::scaled(40, 1'000)));
    EXPECT_LE(store_->statistics()->file_size.value, file_size + file_size / 4);
    ASSERT_TRUE(root_->erase(Value::string("big")).ok());
  }
}

TEST_F(OrphansTest, AFewLargeOnesAreRemovedByTheWritesThatFollow) {
  const Result<std::unique_ptr<Container>> made = store_->container("big", ContainerType::list, true);
  ASSERT_TRUE(made.ok()) << made.error().message();
  const Result<std::unique_ptr<object::Table>> table = store_->table("table", true);
  ASSERT_TRUE(table.ok()) << table.error().message();
  Data data;
  ASSERT_TRUE(data.begin(ContainerType::list).ok());
  for (std::int64_t i = 0; i < 20'000; ++i) ASSERT_TRUE(data.add(Value::integer(i)).ok());
  ASSERT_TRUE(data.end().ok());
  Loan sum;
  for (const bool of_bytes : {false, true}) {
    ASSERT_TRUE((*made)->assign(data).ok());
    ASSERT_TRUE((*made)->clear().ok());
    EXPECT_EQ(test::walk(*store_).element_count, 20'000U);
    for (int i = 0; i < 1'100; ++i) {
      ASSERT_TRUE(of_bytes ? (*table)->put(test::bytes("n"), test::bytes("x"), object::Table::Put::always).ok()
                           : root_->increase(Value::string("n"), Value::integer(1), sum).ok());
    }
    EXPECT_EQ(test::walk(*store_).element_count, 0U);
  }
}

TEST_F(OrphansTest, AHandleKeepsItsContainer) {
  put_document(*root_, 1, 10);
  std::unique_ptr<Container> held = open(*root_, 1);
  erase(*root_, 1);
  EXPECT_FALSE(work_off());
  expect_containers(2, 1);
  EXPECT_EQ(field_of(*held), 10);
  // It can still be changed, and be named again.
  Input changed(Value::integer(11));
  EXPECT_TRUE(held->set(Value::string("field 0"), changed).ok());
  Input again(Value::container(held->id()));
  ASSERT_TRUE(root_->set(Value::integer(2), again).ok());
  work_off();
  expect_containers(2, 0);
  EXPECT_EQ(field_of(*open(*root_, 2)), 11);
  erase(*root_, 2);
  held.reset();
  EXPECT_TRUE(work_off());
  expect_containers(0, 0);
}

TEST_F(OrphansTest, ANewContainerEndsWithItsHandle) {
  Result<std::unique_ptr<Container>> made = store_->create_container(ContainerType::list, nullptr);
  ASSERT_TRUE(made.ok()) << made.error().message();
  Input one(Value::integer(1));
  ASSERT_TRUE((*made)->append(one).ok());
  EXPECT_FALSE(work_off());
  expect_containers(1, 1);
  made->reset();
  EXPECT_TRUE(work_off());
  expect_containers(0, 0);
}

TEST_F(OrphansTest, ASnapshotStillReadsWhatWasErased) {
  put_document(*root_, 1, 10);
  auto snapshot = store_->snapshot();
  ASSERT_TRUE(snapshot.ok());
  erase(*root_, 1);
  EXPECT_FALSE(work_off());
  const std::unique_ptr<Container> old_root = (*snapshot)->root();
  {
    const std::unique_ptr<Container> old = open(*old_root, 1);
    EXPECT_EQ(field_of(*old), 10);
    // The store has it no longer.
    EXPECT_EQ(store_->open_container(old->id()).code(), Code::gone);
  }
  expect_containers(2, 1);
}

TEST_F(OrphansTest, WhatIsGoneSaysSo) {
  put_document(*root_, 1, 10);
  const format::ObjectId id = open(*root_, 1)->id();
  EXPECT_TRUE(store_->open_container(id).ok());
  erase(*root_, 1);
  const Result<std::unique_ptr<Container>> orphan = store_->open_container(id);
  EXPECT_EQ(orphan.code(), Code::gone);
  EXPECT_TRUE(work_off());
  const Result<std::unique_ptr<Container>> gone = store_->open_container(id);
  EXPECT_EQ(gone.code(), Code::gone);
  EXPECT_NE(gone.error().message().find(folder_.path("store")), std::string::npos);
  // Its place is taken by another one of another generation.
  put_document(*root_, 2, 20);
  put_document(*root_, 3, 30);
  EXPECT_EQ(store_->open_container(id).code(), Code::gone);
}

TEST_F(OrphansTest, ClearingAndCuttingTakeOneCommitAndGiveTheSpaceBack) {
  Data data;
  ASSERT_TRUE(data.begin(ContainerType::collection).ok());
  for (std::int64_t i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(data.add(Value::integer(i)).ok());
    ASSERT_TRUE(data.add(Value::string("value " + std::to_string(i))).ok());
  }
  ASSERT_TRUE(data.end().ok());
  for (const ContainerType type : {ContainerType::collection, ContainerType::table}) {
    const Result<std::unique_ptr<Container>> made = store_->container("big", type, true);
    ASSERT_TRUE(made.ok()) << made.error().message();
    ASSERT_TRUE((*made)->update(data).ok());
    const std::uint64_t number = store_->statistics()->newest.value;
    ASSERT_TRUE((*made)->clear().ok());
    EXPECT_EQ((*made)->count()->value, 0U);
    EXPECT_EQ(store_->statistics()->newest.value, number + 1);
    EXPECT_TRUE(work_off());
    thread().reclaim();
    const check::Report report = test::walk(*store_);
    EXPECT_LT(report.reachable_count + report.waiting_count, 100U);
    ASSERT_TRUE(root_->erase(Value::string("big")).ok());
  }
  EXPECT_TRUE(work_off());
  expect_containers(0, 0);
}

// Runs `body` in a process of its own, up to where it says so, and further when it is told to.
class Neighbour {
 public:
  template <class Body>
  explicit Neighbour(Body&& body) {
    // Telling one that has failed is an error of the call, not the end of the test.
    ::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(::pipe(said_.data()), 0);
    EXPECT_EQ(::pipe(told_.data()), 0);
    process_ = ::fork();
    // Each end is one process's alone: who waits for one that has failed is told so.
    ::close(process_ != 0 ? said_[1] : said_[0]);
    ::close(process_ != 0 ? told_[0] : told_[1]);
    if (process_ != 0) return;
    body(*this);
    ::_exit(0);
  }
  ~Neighbour() {
    if (process_ > 0) kill();
    ::close(said_[0]);
    ::close(told_[1]);
  }
  // In the neighbour.
  void say_and_wait() {
    char c = 0;
    if (::write(said_[1], &c, 1) != 1 || ::read(told_[0], &c, 1) != 1) ::_exit(4);
  }
  // In the test.
  void wait_for_it() {
    char c;
    ASSERT_EQ(::read(said_[0], &c, 1), 1);
  }
  void tell() {
    const char c = 0;
    ASSERT_EQ(::write(told_[1], &c, 1), 1);
  }
  int end() {
    int status = 0;
    ::waitpid(std::exchange(process_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void kill() {
    ::kill(process_, SIGKILL);
    end();
  }

 private:
  std::array<int, 2> said_{};
  std::array<int, 2> told_{};
  pid_t process_ = -1;
};

TEST_F(OrphansTest, AnotherProcessHolds) {
  put_document(*root_, 1, 10);
  const std::string path = folder_.path("store");
  Neighbour neighbour([&](Neighbour& me) {
    std::unique_ptr<object::Store> store = test::open_store(path);
    Loan loan;
    if (!store->root()->get(Value::integer(1), loan).ok()) ::_exit(5);
    std::unique_ptr<Container> document = Container::of(store->attachment(), nullptr, std::move(loan));
    me.say_and_wait();
    // The parent has erased it by now.
    Loan field;
    const Result<bool> got = document->get(Value::string("field 0"), field);
    if (!got.ok() || !got.value() || field.value().as_integer() != 10) ::_exit(6);
    document.reset();
    me.say_and_wait();
    ::_exit(0);
  });
  neighbour.wait_for_it();
  erase(*root_, 1);
  EXPECT_FALSE(work_off());
  expect_containers(2, 1);
  neighbour.tell();
  neighbour.wait_for_it();
  EXPECT_TRUE(work_off());
  expect_containers(0, 0);
  neighbour.tell();
  EXPECT_EQ(neighbour.end(), 0);
}

TEST_F(OrphansTest, TheDeadHoldNothing) {
  put_document(*root_, 1, 10);
  const std::string path = folder_.path("store");
  Neighbour neighbour([&](Neighbour& me) {
    std::unique_ptr<object::Store> store = test::open_store(path);
    Loan loan;
    if (!store->root()->get(Value::integer(1), loan).ok()) ::_exit(5);
    me.say_and_wait();
  });
  neighbour.wait_for_it();
  erase(*root_, 1);
  EXPECT_FALSE(work_off());
  neighbour.kill();
  // Whoever works them off looks for the dead, if something keeps him from it.
  EXPECT_TRUE(work_off());
  expect_containers(0, 0);
}

TEST_F(OrphansTest, AChildHoldsWhatItsParentHeld) {
  put_document(*root_, 1, 10);
  std::unique_ptr<Container> held = open(*root_, 1);
  Neighbour child([&](Neighbour& me) {
    // Its own hold is published when it first uses the store.
    if (!held->contains(Value::string("field 0")).ok()) ::_exit(5);
    me.say_and_wait();
    if (field_of(*held) != 10) ::_exit(6);
    held.reset();
    me.say_and_wait();
    ::_exit(0);
  });
  child.wait_for_it();
  held.reset();
  erase(*root_, 1);
  EXPECT_FALSE(work_off());
  expect_containers(2, 1);
  child.tell();
  child.wait_for_it();
  EXPECT_TRUE(work_off());
  child.tell();
  EXPECT_EQ(child.end(), 0);
}

#if defined(UTAN_STEPS) && UTAN_STEPS

// While a child publishes what it has of its parent, another of its threads lets go of it: nothing of it stays held.
TEST_F(OrphansTest, AChildLetsGoWhileItPublishes) {
  put_document(*root_, 1, 10);
  std::unique_ptr<Container> held = open(*root_, 1);
  const format::ObjectId id = held->id();
  Neighbour child([&](Neighbour& me) {
    const auto let_go = [](void* at, Step step) {
      if (step == Step::hold_published) static_cast<std::unique_ptr<Container>*>(at)->reset();
    };
    step_hook = {let_go, &held};
    if (!root_->contains(Value::integer(1)).ok()) ::_exit(5);
    step_hook = {};
    if (held != nullptr) ::_exit(6);
    me.say_and_wait();
  });
  child.wait_for_it();
  const auto is_held = [&] { return commit::Holds::All((*store_->attachment().session())->coordination()).has(id); };
  EXPECT_TRUE(is_held());
  held.reset();
  EXPECT_FALSE(is_held());
  child.tell();
  EXPECT_EQ(child.end(), 0);
}

#endif

// A child that has not used the store yet holds nothing. What its parent lets go of then, and begins to empty, is gone for
// it: it is neither read as the half that is left nor named again.
TEST_F(OrphansTest, WhatIsHalfEmptiedIsGone) {
  Data big;
  fill(big, ContainerType::dict, 20'000);
  Input input(big);
  ASSERT_TRUE(root_->set(Value::integer(0), input).ok());
  for (std::int64_t key = 1; key <= 40; ++key) put_document(*root_, key, 1);
  std::unique_ptr<Container> held = open(*root_, 0);
  const format::ObjectId id = held->id();
  Neighbour child([&](Neighbour& me) {
    me.say_and_wait();
    if (held->get(Value::integer(19'999), *std::make_unique<Loan>()).code() != Code::gone) ::_exit(5);
    if (held->count().code() != Code::gone) ::_exit(6);
    Input one(Value::integer(1));
    if (held->set(Value::integer(1), one).code() != Code::gone) ::_exit(7);
    Input again(Value::container(id));
    if (root_->set(Value::string("again"), again).code() != Code::gone) ::_exit(8);
    if (store_->open_container(id).code() != Code::gone) ::_exit(9);
    me.say_and_wait();
  });
  child.wait_for_it();
  held.reset();
  // With so many the parent begins to work them off, but not so far as to come to the end of the large one.
  for (std::int64_t key = 0; key < 16; ++key) erase(*root_, key);
  const check::Report half = test::walk(*store_);
  EXPECT_GT(half.record_count, 1'000U);
  EXPECT_LT(half.record_count, 20'000U);
  child.tell();
  child.wait_for_it();
  child.tell();
  EXPECT_EQ(child.end(), 0);
  EXPECT_TRUE(work_off());
  expect_containers(50, 0);
}

// The same of a container that the child has of its parent's snapshot: it may not be read there, and be named as long as it
// is whole.
TEST_F(OrphansTest, AChildNamesWhatIsWholeOfItsParentsSnapshot) {
  put_document(*root_, 1, 10);
  Result<std::unique_ptr<object::Store>> snapshot = store_->snapshot();
  ASSERT_TRUE(snapshot.ok());
  std::unique_ptr<Container> old_root = (*snapshot)->root();
  std::unique_ptr<Container> old = open(*old_root, 1);
  const format::ObjectId id = old->id();
  const auto child_names = [&](Code expected) {
    return [&, expected](Neighbour& me) {
      me.say_and_wait();
      if (old->contains(Value::string("field 0")).code() != Code::closed) ::_exit(5);
      Input again(Value::container(id));
      const Result<void> done = root_->set(Value::string("again"), again);
      if ((done.ok() ? Code::ok : done.code()) != expected) ::_exit(6);
      me.say_and_wait();
    };
  };
  Neighbour first(child_names(Code::ok));
  Neighbour second(child_names(Code::gone));
  first.wait_for_it();
  second.wait_for_it();
  erase(*root_, 1);
  EXPECT_FALSE(work_off());
  first.tell();
  first.wait_for_it();
  old.reset();
  old_root.reset();
  snapshot->reset();
  EXPECT_TRUE(work_off());
  expect_containers(2, 0);
  const Value again = Value::string("again");
  ASSERT_TRUE(*root_->erase(again));
  EXPECT_TRUE(work_off());
  expect_containers(0, 0);
  second.tell();
  second.wait_for_it();
  first.tell();
  second.tell();
  EXPECT_EQ(first.end(), 0);
  EXPECT_EQ(second.end(), 0);
}

TEST_F(OrphansTest, ClosingTheStoreLeavesNoOrphans) {
  for (std::int64_t i = 0; i < 5; ++i) put_document(*root_, i, 1);
  for (std::int64_t i = 0; i < 5; ++i) erase(*root_, i);
  root_.reset();
  ASSERT_TRUE(object::Store::close(std::move(store_)).ok());
  store_ = test::open_store(folder_.path("store"));
  expect_containers(0, 0);
}

}  // namespace
}  // namespace utan
