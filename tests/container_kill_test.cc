// Shows promises 2 and 3 of containers: processes that change the same documents, counters and lists at once are killed at
// random moments, again and again; every document is whole, no increase and no append that returned is lost or counted
// twice, and the store is sound.
// Labels: small
// Timeout: 240 s
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <vector>

#include "object/container.h"
#include "object/iterator.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;
using object::Input;
using object::Loan;

constexpr int worker_count = 3;
constexpr std::int64_t document_count = 40;

// What the processes share besides the store: what has returned.
struct Shared {
  std::atomic<std::uint64_t> increased;
  std::atomic<std::uint64_t> appended;
  std::atomic<std::uint64_t> operations;
  std::atomic<bool> quit;
};

// A document says its number in every field, so that a mixture of two would show.
Data document(std::int64_t number) {
  Data out;
  static_cast<void>(out.begin(ContainerType::dict));
  const std::string text = std::to_string(number);
  for (const char* field : {"a", "b", "c"}) {
    static_cast<void>(out.add(Value::string(field)));
    static_cast<void>(out.add(Value::integer(number)));
  }
  static_cast<void>(out.add(Value::string("list")));
  static_cast<void>(out.begin(ContainerType::list));
  for (int i = 0; i < 5; ++i) static_cast<void>(out.add(Value::string(text)));
  static_cast<void>(out.end());
  static_cast<void>(out.end());
  return out;
}

template <class T>
void must(const Result<T>& result, int line) {
  if (result.ok()) return;
  std::fprintf(stderr, "a worker, line %d: %s\n", line, result.error().message().c_str());
  ::_exit(3);
}
#define MUST(expression) must(expression, __LINE__)

struct Places {
  std::unique_ptr<object::Store> store;
  std::unique_ptr<Container> documents;
  std::unique_ptr<Container> counters;
  std::unique_ptr<Container> log;

  explicit Places(const std::string& path) : store(test::open_store(path)) {
    documents = store->container("documents", ContainerType::collection, true).value();
    counters = store->container("counters", ContainerType::table, true).value();
    log = store->container("log", ContainerType::list, true).value();
  }
};

[[noreturn]] void work(const std::string& path, Shared& shared, std::uint64_t seed) {
  Places at(path);
  std::mt19937_64 random(seed);
  while (!shared.quit) {
    const auto number = static_cast<std::int64_t>(random() >> 2);
    const Value key = Value::integer(static_cast<std::int64_t>(random() % document_count));
    switch (random() % 8) {
      case 0:
      case 1:
      case 2: {
        const Data data = document(number);
        Input input(data);
        MUST(at.documents->set(key, input));
        break;
      }
      case 3:
        MUST(at.documents->erase(key));
        break;
      case 4: {
        Loan sum;
        MUST(at.counters->increase(Value::string("n"), Value::integer(1), sum));
        ++shared.increased;
        break;
      }
      case 5: {
        Input input(Value::integer(number));
        MUST(at.log->append(input));
        ++shared.appended;
        break;
      }
      case 6: {
        // A handle outlives what it was got from.
        Loan loan;
        const Result<bool> got = at.documents->get(key, loan);
        MUST(got);
        if (!got.value()) break;
        const std::unique_ptr<Container> held = Container::of(at.store->attachment(), nullptr, std::move(loan));
        MUST(at.documents->erase(key));
        Loan field;
        MUST(held->get(Value::string("a"), field));
        break;
      }
      default: {
        object::Range range;
        range.low = key;
        range.high = Value::integer(key.as_integer() + 3);
        MUST(at.documents->delete_range(range));
      }
    }
    ++shared.operations;
  }
  ::_exit(0);
}

void expect_whole(Container& documents) {
  object::Iterator iterator(documents);
  const Result<void> opened = iterator.open({});
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  for (;;) {
    Value key;
    Value value;
    const Result<bool> more = iterator.next(key, value);
    ASSERT_TRUE(more.ok()) << more.error().message();
    if (!more.value()) break;
    Result<Loan> lent = iterator.lend(value.as_container());
    ASSERT_TRUE(lent.ok()) << lent.error().message();
    const std::unique_ptr<Container> document = Container::of(documents.attachment(), nullptr, std::move(*lent));
    std::set<std::string> numbers;
    for (const char* field : {"a", "b", "c"}) {
      Loan loan;
      ASSERT_TRUE(*document->get(Value::string(field), loan));
      numbers.insert(std::to_string(loan.value().as_integer()));
    }
    for (std::int64_t i = 0; i < 5; ++i) {
      const Value path[] = {Value::string("list"), Value::integer(i)};
      Loan loan;
      ASSERT_TRUE(*document->get_at(path, loan));
      numbers.insert(std::string(loan.value().as_text()));
    }
    ASSERT_EQ(numbers.size(), 1U) << "a mixed document";
  }
}

TEST(ContainerKills, AtRandomMoments) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  const test::TemporaryFolder folder;
  const std::string path = folder.path("store");
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto& shared = *new (memory) Shared{};
  { const Places made(path); }
  const auto start = [&] {
    const std::uint64_t worker_seed = random();
    const pid_t process = ::fork();
    if (process == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      work(path, shared, worker_seed);
    }
    return process;
  };
  std::vector<pid_t> workers;
  for (int i = 0; i < worker_count; ++i) workers.push_back(start());
  std::uint64_t kills = 0;
  for (std::uint64_t round = 0; round < test::scaled(60, 3000); ++round) {
    // Some operations later, or so: the moment is as random as the machine.
    const std::uint64_t from = shared.operations;
    const std::uint64_t many = random() % 400;
    while (shared.operations < from + many) {
      for (const pid_t worker : workers) {
        int status = 0;
        ASSERT_EQ(::waitpid(worker, &status, WNOHANG), 0) << "a worker ended by itself";
      }
      ::usleep(200);
    }
    pid_t& victim = workers[random() % workers.size()];
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    ::waitpid(victim, nullptr, 0);
    ++kills;
    victim = start();
    if (round % 20 == 19) {
      const Places here(path);
      expect_whole(*here.documents);
      if (HasFatalFailure()) break;
    }
  }
  shared.quit = true;
  for (const pid_t worker : workers) {
    int status = 0;
    ::waitpid(worker, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  Places after(path);
  expect_whole(*after.documents);
  Loan counter;
  ASSERT_TRUE(*after.counters->get(Value::string("n"), counter));
  const auto counted = static_cast<std::uint64_t>(counter.value().as_integer());
  EXPECT_GE(counted, shared.increased);
  EXPECT_LE(counted, shared.increased + kills);
  const std::uint64_t logged = after.log->count()->value;
  EXPECT_GE(logged, shared.appended);
  EXPECT_LE(logged, shared.appended + kills);
  const check::Report report = test::walk(*after.store);
  // What the dead had noted is left to a collection of the whole store.
  EXPECT_EQ(report.unreachable_count, 0U);
  std::printf("%llu operations, %llu kills, %llu orphans of the dead\n",
              static_cast<unsigned long long>(shared.operations.load()), static_cast<unsigned long long>(kills),
              static_cast<unsigned long long>(report.orphan_count));
  ::munmap(memory, sizeof(Shared));
}

}  // namespace
}  // namespace utan
