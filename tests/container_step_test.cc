// Shows promise 3 inside operations on containers: a process is killed, or stopped for a while, at labelled steps while it
// makes documents, holds and names them again, cuts and clears, and removes what nothing names, and while a neighbour does
// the same. The neighbour is not kept waiting; afterwards the store is sound, everything that had returned is there and
// nothing else but the operation under way, whole or not at all, and no more has leaked than was counted.
// Labels: plain
// Timeout: 240 s
//
// What an actor does is decided by its number and that of the operation. Done once more in a store of its own, it says what
// must be there. Steps that need luck, or that only those come by who open or close a store, are left to kill_test.cc.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/step.h"
#include "object/container.h"
#include "object/orphans.h"
#include "support/store_fixture.h"

#if defined(UTAN_STEPS) && UTAN_STEPS

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;
using object::Input;
using object::Loan;

constexpr int actor_count = 2;  // the victim and its neighbour
constexpr std::uint64_t victim_operations = 66;
constexpr Nanoseconds patience = milliseconds(30'000);  // nothing here takes a tenth of it on a machine that is busy

// What the processes of one scenario share, besides the store.
struct Shared {
  std::atomic<std::uint64_t> acknowledged[actor_count];  // operations that have returned
  std::atomic<std::uint64_t> quit;
  std::atomic<std::uint64_t> reached;  // the label was reached
};

// In a process that plays an actor an error ends it; in the test it is one.
void must(bool ok, const std::string& message) {
  if (!ok) throw std::runtime_error(message);
}
template <class T>
T must(Result<T> result) {
  must(result.ok(), result.ok() ? "" : result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

// An actor's part of a store, and what it does there.
class Actor {
 public:
  Actor(const std::string& path, int number) : store_(must(object::Store::open(os::linux_system(), path, {}))) {
    name_ = "actor " + std::to_string(number);
    mine_ = must(store_->container(name_, ContainerType::collection, true));
  }
  // Closes the store.
  void leave() {
    held_.clear();
    mine_.reset();
    must(object::Store::close(std::move(store_)));
  }

  void perform(std::uint64_t i) {
    i_ = i;
    const Value document = key("document " + std::to_string(i / 13 % 5));
    switch (i % 13) {
      case 0:
        return set(document, document_of(12));
      case 1:
        return set(key("list"), list_of(40));
      case 2: {
        const Value path[] = {document, Value::string("list")};
        Loan list;
        must(must(mine_->get_at(path, list)), "the document's list is not there");
        const Data data = list_of(8);
        must(opened(std::move(list))->splice(2, 3, data));
        return;
      }
      case 3:
        // Large enough to be emptied in several commits, and for what that replaces to stand on lists.
        return set(key("large"), i % 2 == 0 ? list_of(1'500) : document_of(1'500));
      case 4: {
        Loan loan;
        must(must(mine_->pop(document, loan)), "the document is not there");
        held_.push_back(opened(std::move(loan)));
        return;
      }
      case 5: {
        Loan sum;
        must(mine_->increase(key("n"), Value::integer(1), sum));
        return;
      }
      case 6:
        return set(key("again"), data_of(held_.back()->id()));
      case 7: {
        // The data is made before it shows that something is there already.
        const Value path[] = {key("list")};
        const Data data = document_of(3);
        Input input(data);
        must(mine_->set_at(path, input, false).code() == Code::exists, "there should have been a list already");
        return;
      }
      case 8:
        must(must(mine_->erase(key("again"))), "what was named again is not there");
        return;
      case 9: {
        const Data data = document_of(4);
        const std::unique_ptr<Container> made = must(store_->create_container(ContainerType::dict, &data));
        Input input(Value::container(made->id()));
        must(mine_->set(key("made"), input));
        return;
      }
      case 10:
        held_.clear();
        return;
      case 11:
        must(must(mine_->erase(key("large"))), "what is large is not there");
        return;
      default:
        object::work_off_orphans(*must(store_->attachment().thread()));
    }
  }

  std::string content() const { return must(mine_->to_json({})); }
  const object::Store& store() const { return *store_; }

 private:
  Value key(const std::string& text) {
    key_ = text;
    return Value::string(key_);
  }
  void set(const Value& at, const Data& data) {
    Input input(data);
    must(mine_->set(at, input));
  }
  std::unique_ptr<Container> opened(Loan loan) { return Container::of(store_->attachment(), nullptr, std::move(loan)); }

  Data document_of(std::uint64_t fields) {
    Data out;
    must(out.begin(ContainerType::dict));
    for (std::uint64_t f = 0; f < fields; ++f) {
      const std::string field = "field " + std::to_string(f);
      must(out.add(Value::string(field)));
      must(out.add(Value::integer(static_cast<std::int64_t>(i_ * 10'000 + f))));
    }
    must(out.add(Value::string("list")));
    add_list(out, 5);
    must(out.end());
    return out;
  }
  Data list_of(std::uint64_t size) {
    Data out;
    add_list(out, size);
    return out;
  }
  void add_list(Data& out, std::uint64_t size) {
    must(out.begin(ContainerType::list));
    for (std::uint64_t e = 0; e < size; ++e) {
      const std::string text = "element " + std::to_string(i_) + "." + std::to_string(e);
      must(out.add(Value::string(text)));
    }
    must(out.end());
  }
  static Data data_of(format::ObjectId id) {
    Data out;
    must(out.begin(ContainerType::list));
    must(out.add(Value::container(id)));
    must(out.add(Value::container(id)));
    must(out.end());
    return out;
  }

  std::uint64_t i_ = 0;
  std::string name_;
  std::string key_;  // the one in use
  std::unique_ptr<object::Store> store_;
  std::unique_ptr<Container> mine_;
  std::vector<std::unique_ptr<Container>> held_;
};

struct Trap {
  Step at;
  std::uint64_t hit;  // which time it comes by
  int signal;
  Shared* shared;
};

void sprung(void* context, Step step) {
  auto& trap = *static_cast<Trap*>(context);
  if (step != trap.at || --trap.hit != 0) return;
  trap.shared->reached.store(1);
  ::kill(::getpid(), trap.signal);
}

// Starts an actor in a process of its own.
pid_t start(const std::string& path, int number, Shared* shared, Trap* trap) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(6);
  try {
    if (trap != nullptr) step_hook = {&sprung, trap};
    Actor actor(path, number);
    const std::uint64_t most = trap != nullptr ? victim_operations : std::numeric_limits<std::uint64_t>::max();
    for (std::uint64_t i = 0; i < most && shared->quit.load() == 0; ++i) {
      actor.perform(i);
      shared->acknowledged[number].store(i + 1);
    }
    actor.leave();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "actor %d: %s\n", number, error.what());
    ::_exit(3);
  }
  ::_exit(0);
}

template <class Condition>
bool wait_until(Condition condition) {
  const Nanoseconds deadline = os::linux_system().monotonic_now() + patience;
  while (!condition()) {
    if (os::linux_system().monotonic_now() > deadline) return false;
    ::sched_yield();
  }
  return true;
}

// The status of a child that has ended (or stopped, with WUNTRACED). One that does neither is a failure, and is killed.
int wait_for(pid_t child, int options) {
  int status = 0;
  if (wait_until([&] { return ::waitpid(child, &status, options | WNOHANG) == child; })) return status;
  ADD_FAILURE() << "process " << child << " hangs";
  ::kill(child, SIGKILL);
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

class Scenario {
 public:
  Scenario() : path_(folder_.path("store")) {
    void* const at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    shared_ = new (at) Shared{};
    neighbour_ = start(path_, 1, shared_, nullptr);
    expect_progress();
  }
  ~Scenario() {
    if (neighbour_ > 0) {
      ::kill(neighbour_, SIGKILL);
      wait_for(neighbour_, 0);
    }
    ::munmap(shared_, sizeof(Shared));
  }
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;

  // Runs a victim up to its `hit`th coming by the step. False: it did not come by so often, and has ended.
  bool spring(Step step, std::uint64_t hit, int signal) {
    Trap trap{step, hit, signal, shared_};
    victim_ = start(path_, 0, shared_, &trap);
    const int status = wait_for(victim_, WUNTRACED);
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) != 0) << "the victim failed";
    return shared_->reached.load() != 0;
  }
  void let_go_on() {
    ::kill(victim_, SIGCONT);
    const int status = wait_for(victim_, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the victim did not end well";
  }
  // The neighbour gets on with its work: through all that there is to do, and with orphans.
  void expect_progress() {
    const std::uint64_t before = shared_->acknowledged[1].load();
    EXPECT_TRUE(wait_until([&] { return shared_->acknowledged[1].load() > before + 15 || ended(neighbour_); }));
    EXPECT_FALSE(ended(neighbour_)) << "the neighbour has ended";
  }

  void finish() {
    shared_->quit.store(1);
    const int status = wait_for(std::exchange(neighbour_, -1), 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the neighbour did not end well";
    for (int number = 0; number < actor_count; ++number) expect_done(number);
    Actor observer(path_, 0);
    const check::Report report = test::walk(observer.store());
    EXPECT_LE(report.leaked_count, test::leaked_max(observer.store()));
    EXPECT_EQ(report.unreachable_count, 0U);
  }

 private:
  static bool ended(pid_t process) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == process;
  }

  // What the actor's part holds is what its operations lead to, without or with the one that had not returned.
  void expect_done(int number) {
    const std::uint64_t count = shared_->acknowledged[number].load();
    const std::string found = Actor(path_, number).content();
    const test::TemporaryFolder folder;
    Actor model(folder.path("model"), number);
    for (std::uint64_t i = 0; i < count; ++i) model.perform(i);
    if (model.content() == found) return;
    model.perform(count);
    EXPECT_EQ(model.content(), found) << "actor " << number << " after " << count << " operations";
  }

  test::TemporaryFolder folder_;
  std::string path_;
  Shared* shared_ = nullptr;
  pid_t neighbour_ = -1;
  pid_t victim_ = -1;
};

// --- Tests -----------------------------------------------------------------------------------------------------------

bool is_tested(Step step) {
  if (step >= container_step_first) return true;
  switch (step) {
    case Step::hand_out_recorded:
    case Step::build_started:
    case Step::build_path_copied:
    case Step::cas_pending_stored:
    case Step::cas_won:
    case Step::queue_linked:
    case Step::queue_pending_cleared:
    case Step::drain_counted:
    case Step::drain_block_unlinked:
      return true;
    default:
      return false;
  }
}

class AtContainerStep : public ::testing::TestWithParam<Step> {};

TEST_P(AtContainerStep, KilledThere) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  bool reached = false;
  for (std::uint64_t round = 0; round < test::scaled(2, 30) || !reached; ++round) {
    ASSERT_LT(round, 30U) << "no victim came by this step";
    SCOPED_TRACE("round " + std::to_string(round));
    Scenario scenario;
    reached |= scenario.spring(GetParam(), round == 0 ? 1 : 1 + random() % 20, SIGKILL);
    scenario.expect_progress();
    scenario.finish();
    if (HasFailure()) return;
  }
}

TEST_P(AtContainerStep, StoppedThere) {
  bool reached = false;
  // Whether a victim comes by some of the steps depends on what its neighbour pins meanwhile.
  for (int round = 0; !reached; ++round) {
    ASSERT_LT(round, 30) << "no victim came by this step";
    Scenario scenario;
    reached = scenario.spring(GetParam(), 1, SIGSTOP);
    scenario.expect_progress();
    if (reached) scenario.let_go_on();
    scenario.finish();
    if (HasFailure()) return;
  }
}

std::vector<Step> tested_steps() {
  std::vector<Step> out;
  for (unsigned i = 0; i < step_count; ++i) {
    if (is_tested(static_cast<Step>(i))) out.push_back(static_cast<Step>(i));
  }
  return out;
}

std::string name_of(const ::testing::TestParamInfo<Step>& info) { return step_name(info.param); }

INSTANTIATE_TEST_SUITE_P(Every, AtContainerStep, ::testing::ValuesIn(tested_steps()), name_of);

}  // namespace
}  // namespace utan

#endif
