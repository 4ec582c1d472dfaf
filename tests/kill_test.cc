// Shows promise 3: a process may be killed or stopped at any instruction. A victim is killed, or stopped for a while,
// at every labelled step and at random moments, while neighbours go on; afterwards every structure of the store is
// sound, every acknowledged write is there, and no more has leaked than was counted. A release build has no steps:
// there only the random moments are left.
//
// Labels: small plain
// Timeout: 240 s
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/step.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

constexpr int actor_max = 4;
constexpr std::uint64_t until_told = std::numeric_limits<std::uint64_t>::max();  // operations
constexpr Nanoseconds patience = milliseconds(30'000);  // nothing here takes a tenth of it on a machine that is busy

// What the processes of one scenario share, besides the store.
struct Shared {
  std::atomic<std::uint64_t> acknowledged[actor_max];  // operations of this actor that have returned
  std::atomic<std::uint64_t> quit;
  std::atomic<std::uint32_t> pause;               // odd: neighbours rest between operations
  std::atomic<std::uint32_t> resting[actor_max];  // the pause that this actor has seen last
  std::atomic<std::uint64_t> reached;             // the label was reached
};

Shared* make_shared() {
  void* at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : new (at) Shared{};
}

// Operation `i` of an actor: which key, and what becomes of it. The same for the process and for the model.
struct Operation {
  std::string key;
  std::optional<std::string> value;  // none: erase
};
Operation operation_of(int actor, std::uint64_t i) {
  const std::uint64_t mixed = (i * 0x9e3779b97f4a7c15u) ^ (static_cast<std::uint64_t>(actor) << 60);
  Operation out{std::to_string(actor) + ":" + std::to_string((mixed >> 20) % 61), std::nullopt};
  if ((mixed >> 33) % 5 == 0) return out;
  std::size_t size = 8 + (mixed >> 40) % 150;
  if ((mixed >> 50) % 97 == 0) size = 20'000;  // a run of segments
  out.value = std::to_string(i) + std::string(size, static_cast<char>('a' + i % 26));
  return out;
}

void perform(object::Table& table, const Operation& operation) {
  const Result<bool> done =
      operation.value ? table.put(test::bytes(operation.key), test::bytes(*operation.value), object::Table::Put::always)
                      : table.erase(test::bytes(operation.key));
  if (!done.ok()) {
    std::fprintf(stderr, "an operation: %s\n", done.error().message().c_str());
    ::_exit(3);
  }
}

// Ends an actor that something has failed in.
template <class T>
T must(Result<T> result, const char* what, int exit_code) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s: %s\n", what, result.error().message().c_str());
    ::_exit(exit_code);
  }
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

using Model = std::map<std::string, std::string>;
void perform(Model& model, const Operation& operation) {
  if (operation.value) {
    model[operation.key] = *operation.value;
  } else {
    model.erase(operation.key);
  }
}

// What the actor's keys hold now.
Model stored(const object::Table& table, int actor) {
  Model out;
  auto cursor = object::Cursor::open(table);
  if (!cursor.ok()) {
    ADD_FAILURE() << cursor.error().message();
    return out;
  }
  object::Bytes key;
  object::Bytes value;
  for (;;) {
    const Result<bool> more = (*cursor)->next(key, value);
    if (!more.ok()) {
      ADD_FAILURE() << more.error().message();
      return out;
    }
    if (!more.value()) return out;
    const std::string name = test::text(key);
    if (name.starts_with(std::to_string(actor) + ":")) out[name] = test::text(value);
  }
}

// --- Actors: processes -----------------------------------------------------------------------------------------------

struct Life {
  int actor = 0;
  std::uint64_t operations_max = 1500;
  bool snapshots = false;
  bool syncs = false;
  bool closes = true;
};

// Rests between two operations, as long as it is told to.
void rest_if_told(const Life& life, Shared* shared) {
  for (;;) {
    const std::uint32_t pause = shared->pause.load();
    if (pause % 2 == 0 || shared->quit.load() != 0) return;
    shared->resting[life.actor].store(pause);
    os::linux_system().futex_wait(shared->pause, pause, patience);
  }
}

// An actor's life: opens the store, works, closes it. Runs in a process of its own.
[[noreturn]] void live(const std::string& path, const Life& life, Shared* shared) {
  {
    std::unique_ptr<object::Store> store = must(object::Store::open(os::linux_system(), path, {}), "open", 2);
    std::unique_ptr<object::Table> table = must(store->table("t", true), "open the table", 2);
    std::unique_ptr<object::Store> snapshot;
    for (std::uint64_t n = 0; n < life.operations_max && shared->quit.load() == 0; ++n) {
      const std::uint64_t i = shared->acknowledged[life.actor].load();
      perform(*table, operation_of(life.actor, i));
      shared->acknowledged[life.actor].store(i + 1);
      if (life.snapshots && n % 700 == 50) snapshot = must(store->snapshot(), "snapshot", 4);
      if (life.snapshots && n % 700 == 640) snapshot.reset();
      if (life.syncs && n % 400 == 399) must(store->sync(), "sync", 4);
      rest_if_told(life, shared);
    }
    snapshot.reset();
    table.reset();
    if (life.closes) must(object::Store::close(std::move(store)), "close", 5);
  }
  ::_exit(0);
}

// In the child: it ends with the test, however that ends.
void end_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(6);
}

pid_t start(const std::string& path, const Life& life, Shared* shared) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  end_with(parent);
  live(path, life, shared);
}

#if defined(UTAN_STEPS) && UTAN_STEPS

struct Trap {
  Step at = Step::count_;
  std::uint64_t hit = 1;  // which time it comes by
  int signal = SIGKILL;
  Shared* shared = nullptr;
};

void sprung(void* context, Step step) {
  auto& trap = *static_cast<Trap*>(context);
  if (step != trap.at || --trap.hit != 0) return;
  trap.shared->reached.store(1);
  ::kill(::getpid(), trap.signal);
}

pid_t start(const std::string& path, const Life& life, Shared* shared, Trap* trap) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  end_with(parent);
  step_hook = {&sprung, trap};
  live(path, life, shared);
}

#endif

// --- Scenarios -------------------------------------------------------------------------------------------------------

template <class Condition>
bool wait_until(Condition condition) {
  const Nanoseconds deadline = os::linux_system().monotonic_now() + patience;
  while (!condition()) {
    if (os::linux_system().monotonic_now() > deadline) return false;
    ::sched_yield();
  }
  return true;
}

void work_for(Nanoseconds duration) {
  const Nanoseconds until = os::linux_system().monotonic_now() + duration;
  while (os::linux_system().monotonic_now() < until) ::sched_yield();
}

// The status of a child that has ended (or has stopped, with WUNTRACED). One that does neither is a failure, and is
// killed.
int wait_for(pid_t child, int options = 0) {
  int status = 0;
  const bool changed = wait_until([&] {
    const pid_t got = ::waitpid(child, &status, options | WNOHANG);
    return got == child || (got < 0 && errno != EINTR);
  });
  if (changed) return status;
  ADD_FAILURE() << "process " << child << " hangs";
  ::kill(child, SIGKILL);
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string ending(int status) {
  return WIFEXITED(status)     ? "ended with " + std::to_string(WEXITSTATUS(status))
         : WIFSIGNALED(status) ? "died of signal " + std::to_string(WTERMSIG(status))
                               : "did not end";
}

class Stage {
 public:
  Stage() : shared_(make_shared()), path_(folder_.path("s.utan")) {}
  ~Stage() {
    for (const Neighbour& neighbour : neighbours_) {
      ::kill(neighbour.process, SIGKILL);
      wait_for(neighbour.process);
    }
    ::munmap(shared_, sizeof(Shared));
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Shared& shared() { return *shared_; }
  const std::string& path() const { return path_; }

  // Two who work until they are told to quit, one of them with syncs.
  void start_neighbours() {
    for (int actor = 1; actor <= 2; ++actor) {
      neighbours_.push_back(
          {actor, start(path_, {.actor = actor, .operations_max = until_told, .syncs = actor == 1}, shared_)});
    }
    for (const Neighbour& neighbour : neighbours_) {
      expect_of(neighbour, "begins to work", [&] { return shared_->acknowledged[neighbour.actor].load() > 20; });
    }
  }

  // The neighbours get on with their work.
  void expect_progress() {
    for (const Neighbour& neighbour : neighbours_) {
      const std::uint64_t before = shared_->acknowledged[neighbour.actor].load();
      expect_of(neighbour, "makes progress",
                [&] { return shared_->acknowledged[neighbour.actor].load() > before + 50; });
    }
  }

  // Returns when all neighbours rest.
  void rest() {
    const std::uint32_t pause = (shared_->pause.load() + 1) | 1;
    shared_->pause.store(pause);
    for (const Neighbour& neighbour : neighbours_) {
      expect_of(neighbour, "rests", [&] { return shared_->resting[neighbour.actor].load() == pause; });
    }
  }
  void resume() {
    if (shared_->pause.load() % 2 == 1) shared_->pause.fetch_add(1);
    os::linux_system().futex_wake_all(shared_->pause);
  }

  // Everybody rests or is gone: the store is looked at from inside.
  void expect_sound(const char* when) {
    SCOPED_TRACE(when);
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    const check::Report report = test::walk(*store);
    EXPECT_LE(report.leaked_count, test::leaked_max(*store));
    auto table = test::open_table(*store, "t");
    ASSERT_NE(table, nullptr);
    for (int actor = 0; actor < actor_max; ++actor) expect_model(*table, actor);
  }

  void finish() {
    shared_->quit.store(1);
    resume();
    for (const Neighbour& neighbour : std::exchange(neighbours_, {})) {
      const int status = wait_for(neighbour.process);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
          << "neighbour " << neighbour.actor << " " << ending(status);
    }
    expect_sound("at the end");
  }

 private:
  struct Neighbour {
    int actor;
    pid_t process;
  };

  // Waits until the condition holds; one who has ended can do nothing any more, which must not take until the deadline.
  template <class Condition>
  void expect_of(const Neighbour& neighbour, const char* what, Condition condition) {
    bool ended = false;
    const bool done = wait_until([&] {
      if (condition()) return true;
      siginfo_t info{};
      ended = ::waitid(P_PID, static_cast<id_t>(neighbour.process), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
              info.si_pid == neighbour.process;
      return ended;
    });
    EXPECT_TRUE(done && !ended) << "neighbour " << neighbour.actor << " never " << what
                                << (ended ? ": it has ended" : "");
  }

  bool works(int actor) const {
    return std::any_of(neighbours_.begin(), neighbours_.end(),
                       [actor](const Neighbour& neighbour) { return neighbour.actor == actor; });
  }

  void expect_model(const object::Table& table, int actor) {
    const std::uint64_t count = shared_->acknowledged[actor].load();
    Model& model = models_[actor];
    while (modelled_[actor] < count) perform(model, operation_of(actor, modelled_[actor]++));
    const Model now = stored(table, actor);
    if (now != model && !works(actor)) {
      // The next one may have been in when its actor was killed, unacknowledged.
      perform(model, operation_of(actor, modelled_[actor]++));
      shared_->acknowledged[actor].store(count + 1);
    }
    EXPECT_EQ(now, model) << "actor " << actor << " after " << count << " operations";
  }

  test::TemporaryFolder folder_;
  Shared* shared_;
  std::string path_;
  std::vector<Neighbour> neighbours_;
  Model models_[actor_max];
  std::uint64_t modelled_[actor_max] = {};  // operations that the model has seen
};

// --- At every step ---------------------------------------------------------------------------------------------------

#if defined(UTAN_STEPS) && UTAN_STEPS

struct Scenario {
  bool neighbours = true;
  bool corpse = false;        // somebody died before the victim came
  bool lock_deleted = false;  // the coordination file is gone, nobody is there
};

void prepare(Stage& stage, const Scenario& scenario) {
  if (scenario.lock_deleted) {
    wait_for(start(stage.path(), {.actor = 0, .operations_max = 100}, &stage.shared()));
    ::unlink((stage.path() + "-lock").c_str());
  }
  if (scenario.corpse) {
    Trap trap{Step::hand_out_mask_stored, 300, SIGKILL, &stage.shared()};
    wait_for(start(stage.path(), {.actor = 3}, &stage.shared(), &trap));
    stage.shared().reached.store(0);
  }
  if (scenario.neighbours) stage.start_neighbours();
}

bool only_alone(Step step) {
  switch (step) {
    case Step::close_exclusive:
    case Step::close_drained:
    case Step::close_flushed:
    case Step::close_flagged:
    case Step::recover_started:
    case Step::recover_slot_chosen:
    case Step::attach_coordination_made:
    case Step::attach_coordination_renamed:
    case Step::header_half_written:
    case Step::attach_marked:
      return true;
    default:
      return false;
  }
}
bool needs_corpse(Step step) { return step >= Step::adopt_byte_locked && step <= Step::adopt_entry_cleared; }

Scenario scenario_for(Step step, int round) {
  Scenario out;
  out.neighbours = !only_alone(step) && !needs_corpse(step);
  out.corpse = needs_corpse(step) || round == 1;
  out.lock_deleted = only_alone(step) && round == 1;
  return out;
}

// Runs a victim up to its `hit`th coming by the step. False: it never came by.
bool spring(Stage& stage, Step step, std::uint64_t hit, int signal, pid_t& victim) {
  Trap trap{step, hit, signal, &stage.shared()};
  victim = start(stage.path(), {.actor = 0, .snapshots = true, .syncs = true}, &stage.shared(), &trap);
  const int status = wait_for(victim, WUNTRACED);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) != 0) << "the victim failed with " << WEXITSTATUS(status);
  return stage.shared().reached.load() != 0;
}

class AtStep : public ::testing::TestWithParam<unsigned> {
 protected:
  bool stop_there(Step step);
};

TEST_P(AtStep, KilledThere) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  const auto step = static_cast<Step>(GetParam());
  bool reached = false;
  // A lost race needs luck; the other steps come by every time.
  for (int round = 0; round < 2 || (!reached && round < 30); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Stage stage;
    prepare(stage, scenario_for(step, round));
    pid_t victim = 0;
    const std::uint64_t hit = round != 1 ? 1 : 1 + random() % 40;
    reached |= spring(stage, step, hit, SIGKILL, victim);
    stage.expect_progress();
    stage.rest();
    stage.expect_sound("after the kill");
    stage.resume();
    stage.expect_progress();
    stage.finish();
    if (HasFailure()) return;
  }
  EXPECT_TRUE(reached) << "no victim came by this step";
}

TEST_P(AtStep, StoppedThere) {
  const auto step = static_cast<Step>(GetParam());
  for (int tries = 0; tries < 30; ++tries) {
    if (stop_there(step) || HasFailure()) return;
  }
  FAIL() << "no victim came by this step";
}

// False: the victim did not come by.
bool AtStep::stop_there(Step step) {
  Stage stage;
  prepare(stage, scenario_for(step, 0));
  pid_t victim = 0;
  if (!spring(stage, step, 1, SIGSTOP, victim)) {
    stage.finish();
    return false;
  }
  stage.expect_progress();
  stage.rest();
  if (!only_alone(step) && !needs_corpse(step)) {
    // Whoever comes now is not kept waiting either; what the stopped one holds is kept.
    auto store = test::open_store(stage.path());
    if (store != nullptr) test::walk(*store);
  }
  stage.resume();
  ::kill(victim, SIGCONT);
  const int status = wait_for(victim);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the victim " << ending(status);
  stage.finish();
  return true;
}

std::string name_of(const ::testing::TestParamInfo<unsigned>& info) { return step_name(static_cast<Step>(info.param)); }

// Those of containers are in container_step_test.cc.
INSTANTIATE_TEST_SUITE_P(Every, AtStep, ::testing::Range(0u, static_cast<unsigned>(container_step_first)), name_of);

#endif

// --- At random moments -----------------------------------------------------------------------------------------------

TEST(Kills, AtRandomMoments) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  const std::uint64_t kills = test::scaled(200, 5000);
  Stage stage;
  stage.start_neighbours();
  for (std::uint64_t i = 0; i < kills && !HasFailure(); ++i) {
    SCOPED_TRACE("kill " + std::to_string(i));
    const std::uint64_t before = stage.shared().acknowledged[0].load();
    const pid_t victim =
        start(stage.path(), {.actor = 0, .operations_max = until_told, .snapshots = true, .syncs = random() % 4 == 0},
              &stage.shared());
    // On a busy machine a few milliseconds may pass before it comes to anything: half of them are let begin to work.
    if (random() % 2 == 0) {
      EXPECT_TRUE(wait_until([&] { return stage.shared().acknowledged[0].load() > before; })) << "the victim waits";
    }
    work_for(Nanoseconds{random() % 6'000'000});
    ::kill(victim, SIGKILL);
    const int status = wait_for(victim);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the victim " << ending(status);
    stage.rest();
    stage.expect_sound("after the kill");
    stage.resume();
  }
  stage.expect_progress();
  stage.finish();
}

// Everybody is killed at once, again and again; the boot goes on, so nothing is lost.
TEST(Kills, OfEverybody) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  Stage stage;
  for (std::uint64_t i = 0; i < test::scaled(20, 500) && !HasFailure(); ++i) {
    std::array<pid_t, 3> all{};
    for (int actor = 0; actor < 3; ++actor) {
      all[static_cast<std::size_t>(actor)] =
          start(stage.path(), {.actor = actor, .operations_max = until_told}, &stage.shared());
    }
    work_for(Nanoseconds{random() % 20'000'000});
    for (const pid_t child : all) ::kill(child, SIGKILL);
    for (const pid_t child : all) {
      const int status = wait_for(child);
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the victim " << ending(status);
    }
    stage.expect_sound("after all were killed");
  }
}

}  // namespace
}  // namespace utan
