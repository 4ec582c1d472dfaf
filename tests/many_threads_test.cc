// Shows that thousands of threads of many processes may have one store open at once, each with a snapshot of its own: nothing
// that any of them commits is lost, each snapshot stays as it was, what is replaced is reused afterwards, and when they end, or
// are killed, their places are free again. And what is said when there is no place left: everybody who has one goes on.
// Labels: plain
// Timeout: 120 s
//
// In a torture run they are 10,000 threads of 20 processes.
#include <pthread.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "commit/thread.h"
#include "object/container.h"
#include "support/attach_fixture.h"

namespace utan::attaching {
namespace {

using object::Container;

constexpr int rounds = 4;

std::uint64_t process_count() { return test::scaled(4, 20); }
std::uint64_t threads_per_process() { return test::scaled(50, 500); }

// In memory, where it can be: the lock file alone has up to 210 MiB.
class Place {
 public:
  Place() {
    std::string place = "/dev/shm/utan-test-XXXXXX";
    folder_ = ::mkdtemp(place.data()) != nullptr ? place : other_.path("");
  }
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  std::string store() const { return folder_ + "/store"; }

 private:
  TemporaryFolder other_;
  std::string folder_;
};

// Where threads wait until they are let go, and somebody until all of them wait.
class Meeting {
 public:
  explicit Meeting(std::uint64_t count) : missing_(count) {}
  void arrive_and_wait() {
    std::unique_lock lock(mutex_);
    if (--missing_ == 0) all_here_.notify_one();
    let_go_.wait(lock, [this] { return is_open_; });
  }
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    all_here_.wait(lock, [this] { return missing_ == 0; });
  }
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      is_open_ = true;
    }
    let_go_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::condition_variable let_go_;
  std::uint64_t missing_;
  bool is_open_ = false;
};

// A thread with little memory of its own, of which a process may have many.
class SmallThread {
 public:
  explicit SmallThread(std::function<void()> body) : body_(std::move(body)) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    started_ = pthread_create(
                   &thread_, &attributes,
                   [](void* self) -> void* {
                     static_cast<SmallThread*>(self)->body_();
                     return nullptr;
                   },
                   this) == 0;
    pthread_attr_destroy(&attributes);
    EXPECT_TRUE(started_) << "this machine does not let a process have so many threads";
  }
  SmallThread(const SmallThread&) = delete;
  SmallThread& operator=(const SmallThread&) = delete;
  ~SmallThread() {
    if (started_) pthread_join(thread_, nullptr);
  }

 private:
  std::function<void()> body_;
  pthread_t thread_{};
  bool started_ = false;
};

std::string key_of(std::uint64_t process, std::uint64_t thread) {
  return std::to_string(process) + "." + std::to_string(thread);
}

// Adds to the number that all of them share.
void count_one(const Store& store) {
  object::Loan sum;
  const Result<void> done = store.root()->increase(format::Value::string("count"), format::Value::integer(1), sum);
  EXPECT_TRUE(done.ok()) << done.error().message();
}
std::int64_t count_of(const Store& store) {
  object::Loan loan;
  const Result<bool> found = store.root()->get(format::Value::string("count"), loan);
  EXPECT_TRUE(found.ok() && *found);
  return loan.value().as_integer();
}

void one_of_many(const Store& store, const std::string& key, Meeting& attached, Meeting& done) {
  const auto table = test::open_table(store, "t");
  ASSERT_NE(table, nullptr);
  test::put(*table, key, "0");
  count_one(store);
  {
    const auto before = store.snapshot();
    ASSERT_TRUE(before.ok()) << before.error().message();
    const std::int64_t counted = count_of(**before);
    attached.arrive_and_wait();
    for (int i = 1; i <= rounds; ++i) {
      test::put(*table, key, std::to_string(i));
      count_one(store);
    }
    EXPECT_EQ(get_from(**before, key), "0");
    EXPECT_EQ(count_of(**before), counted);
  }
  done.arrive_and_wait();
}

void process_of_many(const std::string& path, std::uint64_t process, Neighbour& self) {
  const std::uint64_t count = threads_per_process();
  auto store = test::open_store(path);
  ASSERT_NE(store, nullptr);
  Meeting attached(count);
  Meeting done(count);
  {
    std::vector<std::unique_ptr<SmallThread>> threads;
    for (std::uint64_t i = 0; i < count; ++i)
      threads.push_back(
          std::make_unique<SmallThread>([&, i] { one_of_many(*store, key_of(process, i), attached, done); }));
    attached.wait_for_all();
    self.pause();
    attached.let_go();
    done.wait_for_all();
    self.pause();
    done.let_go();
  }
  close(std::move(store));
}

TEST(ManyThreads, EachWithASnapshotAndCommits) {
  const Place place;
  const std::string path = place.store();
  auto store = test::open_store(path);
  ASSERT_NE(store, nullptr);
  std::vector<std::unique_ptr<Neighbour>> processes;
  for (std::uint64_t i = 0; i < process_count(); ++i)
    processes.push_back(std::make_unique<Neighbour>([&path, i](Neighbour& self) { process_of_many(path, i, self); }));
  for (auto& process : processes) ASSERT_TRUE(process->paused());
  const std::uint64_t all = process_count() * threads_per_process();
  {
    const commit::SessionStatistics statistics = *store->statistics();
    EXPECT_GE(statistics.threads.value, all);
    EXPECT_GE(statistics.pins.value, all);
    EXPECT_EQ(statistics.processes.value, process_count() + 1);
  }
  for (auto& process : processes) process->go_on();
  for (auto& process : processes) ASSERT_TRUE(process->paused());
  EXPECT_EQ(count_of(*store), static_cast<std::int64_t>(all * (rounds + 1)));
  // One is killed, the others end.
  processes.back()->kill();
  for (std::size_t i = 0; i + 1 < processes.size(); ++i) processes[i]->go_on();
  for (std::size_t i = 0; i + 1 < processes.size(); ++i) EXPECT_TRUE(processes[i]->ended_well());
  store->attachment().session().value()->adopt_dead();
  {
    const commit::SessionStatistics statistics = *store->statistics();
    EXPECT_LE(statistics.threads.value, 1U);
    EXPECT_EQ(statistics.pins.value, 0U);
    EXPECT_EQ(statistics.processes.value, 1U);
  }
  for (std::uint64_t process = 0; process < process_count(); ++process) {
    for (std::uint64_t thread = 0; thread < threads_per_process(); ++thread)
      ASSERT_EQ(get_from(*store, key_of(process, thread)), std::to_string(rounds));
  }
  EXPECT_EQ(test::walk(*store).problem_count, 0U);
  close(std::move(store));
  EXPECT_EQ(get_from(path, key_of(0, 0)), std::to_string(rounds));
}

// Whoever has a store open and wants a place gets one of those that the dead have left.
TEST(ManyThreads, PlacesOfTheDeadAreForOthers) {
  const Place place;
  const std::string path = place.store();
  put_in(path, "k", "v");
  const auto opened = test::open_store(path);
  Neighbour crowd([&path](Neighbour& self) {
    const auto store = test::open_store(path);
    ASSERT_NE(store, nullptr);
    commit::Session& session = **store->attachment().session();
    while (session.claim_thread().ok()) continue;
    self.pause();
  });
  ASSERT_TRUE(crowd.paused());
  crowd.kill();
  EXPECT_EQ(get_from(*opened, "k"), "v");
}

TEST(ManyThreads, WhereThereIsNoPlaceForOneMore) {
  const Place place;
  const std::string path = place.store();
  put_in(path, "k", "v");
  Neighbour crowd([&path](Neighbour& self) {
    auto store = test::open_store(path);
    ASSERT_NE(store, nullptr);
    put_in(*store, "crowd", "1");
    commit::Session& session = **store->attachment().session();
    // Places of threads that do nothing: all but those that have one in the end.
    std::vector<commit::Thread*> threads;
    Error refused;
    while (refused.ok()) {
      Result<commit::Thread*> thread = session.claim_thread();
      if (thread.ok()) {
        threads.push_back(*thread);
      } else {
        refused = std::move(thread).error();
      }
    }
    EXPECT_EQ(refused.code(), Code::no_space);
    EXPECT_NE(refused.message().find(std::to_string(format::line_count_max)), std::string::npos) << refused.message();
    EXPECT_NE(refused.message().find(path), std::string::npos) << refused.message();
    EXPECT_GT(threads.size(), format::line_count_max - 10);
    self.pause();
    for (commit::Thread* thread : threads) session.release_thread(thread);
    self.pause();
    put_in(*store, "k", "w");
    close(std::move(store));
  });
  const auto opened = test::open_store(path);
  put_in(*opened, "here", "1");
  ASSERT_TRUE(crowd.paused());
  put_in(*opened, "here", "2");
  EXPECT_EQ(get_from(*opened, "k"), "v");
  const auto snapshot = opened->snapshot();
  EXPECT_TRUE(snapshot.ok());
  EXPECT_TRUE(opened->sync().ok());
  // Somebody new finds no place until the others have left, also where they have ended.
  Neighbour late([&path](Neighbour& self) {
    expect_refused(path, {}, Code::no_space, "end some");
    self.pause();
    expect_refused(path, {}, Code::no_space, "until it closes the store");
    self.pause();
    EXPECT_EQ(get_from(path, "k"), "w");
  });
  ASSERT_TRUE(late.paused());
  crowd.go_on();
  ASSERT_TRUE(crowd.paused());
  late.go_on();
  ASSERT_TRUE(late.paused());
  crowd.go_on();
  EXPECT_TRUE(crowd.ended_well());
  late.go_on();
  EXPECT_TRUE(late.ended_well());
  EXPECT_LE(opened->statistics()->threads.value, 2U);
  EXPECT_EQ(test::walk(*opened).problem_count, 0U);
}

}  // namespace
}  // namespace utan::attaching
