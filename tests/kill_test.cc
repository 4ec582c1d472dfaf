// Shows promise 3: a process may be killed or stopped at any instruction. A victim is killed, or stopped for a while,
// at every labelled step and at random moments, while neighbours go on; afterwards every structure of the store is
// sound, every acknowledged write is there, and no more has leaked than was counted.
//
// Timeout: 240 s
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <optional>

#include "base/step.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using test::TemporaryFolder;

constexpr int actor_max = 4;

// What the processes of one scenario share, besides the store.
struct Shared {
  std::atomic<std::uint64_t> acknowledged[actor_max];  // operations of this actor that have returned
  std::atomic<std::uint64_t> quit;
  std::atomic<std::uint64_t> pause;  // neighbours rest between operations while it is set
  std::atomic<std::uint64_t> resting[actor_max];
  std::atomic<std::uint64_t> reached;  // the label was reached
  std::atomic<std::uint64_t> failed;
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
    std::fprintf(stderr, "actor: %s\n", done.error().message().c_str());
    ::_exit(3);
  }
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

struct Life {
  int actor = 0;
  std::uint64_t operations_max = 1500;
  bool snapshots = false;
  bool syncs = false;
  bool closes = true;
};

// An actor's life: opens the store, works, closes it. Runs in a process of its own.
[[noreturn]] void live(const std::string& path, const Life& life, Shared* shared) {
  {
    auto opened = object::Store::open(os::linux_system(), path, {});
    if (!opened.ok()) {
      std::fprintf(stderr, "actor %d: %s\n", life.actor, opened.error().message().c_str());
      ::_exit(2);
    }
    std::unique_ptr<object::Store> store = std::move(opened).value();
    auto table = store->table("t", true);
    if (!table.ok()) ::_exit(2);
    std::unique_ptr<object::Store> snapshot;
    for (std::uint64_t n = 0; n < life.operations_max && shared->quit.load() == 0; ++n) {
      const std::uint64_t i = shared->acknowledged[life.actor].load();
      perform(**table, operation_of(life.actor, i));
      shared->acknowledged[life.actor].store(i + 1);
      if (life.snapshots && n % 700 == 50) snapshot = store->snapshot().value();
      if (life.snapshots && n % 700 == 640) snapshot.reset();
      if (life.syncs && n % 400 == 399 && !store->sync().ok()) ::_exit(4);
      while (shared->pause.load() != 0 && shared->quit.load() == 0) {
        shared->resting[life.actor].store(1);
        ::sched_yield();
      }
      shared->resting[life.actor].store(0);
    }
    snapshot.reset();
    table.value().reset();
    if (life.closes && !object::Store::close(std::move(store)).ok()) ::_exit(5);
  }
  ::_exit(0);
}

pid_t start(const std::string& path, const Life& life, Shared* shared, Trap* trap = nullptr) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (trap != nullptr) step_hook = {&sprung, trap};
  live(path, life, shared);
}

// --- Scenarios -------------------------------------------------------------------------------------------------------

struct Scenario {
  bool neighbours = true;
  bool corpse = false;        // somebody died before the victim came
  bool lock_deleted = false;  // the coordination file is gone, nobody is there
};

class Stage {
 public:
  Stage() : shared_(make_shared()), path_(folder_.path("s.utan")) {}
  ~Stage() { ::munmap(shared_, sizeof(Shared)); }

  Shared& shared() { return *shared_; }
  const std::string& path() const { return path_; }

  void prepare(const Scenario& scenario) {
    if (scenario.lock_deleted) {
      wait_for(start(path_, {.actor = 0, .operations_max = 100}, shared_));
      ::unlink((path_ + "-lock").c_str());
    }
    if (scenario.corpse) {
      Trap trap{Step::hand_out_mask_stored, 300, SIGKILL, shared_};
      wait_for(start(path_, {.actor = 3}, shared_, &trap));
      shared_->reached.store(0);
    }
    if (scenario.neighbours) {
      for (int actor = 1; actor <= 2; ++actor) {
        neighbours_.push_back(
            start(path_, {.actor = actor, .operations_max = 1'000'000, .syncs = actor == 1}, shared_));
      }
      for (int actor = 1; actor <= 2; ++actor) wait_until([&] { return shared_->acknowledged[actor].load() > 20; });
    }
  }

  // The neighbours get on with their work.
  void expect_progress() {
    for (int actor = 1; actor <= 2 && !neighbours_.empty(); ++actor) {
      const std::uint64_t before = shared_->acknowledged[actor].load();
      EXPECT_TRUE(wait_until([&] { return shared_->acknowledged[actor].load() > before + 50; }))
          << "actor " << actor << " waits";
    }
  }

  void rest() {
    shared_->pause.store(1);
    for (std::size_t i = 0; i < neighbours_.size(); ++i)
      wait_until([&] { return shared_->resting[i + 1].load() != 0; });
  }
  void resume() { shared_->pause.store(0); }

  // Everybody rests or is gone: the store is looked at from inside.
  void expect_sound(const char* when) {
    SCOPED_TRACE(when);
    auto store = test::open_store(path_);
    ASSERT_NE(store, nullptr);
    const check::Report report = test::walk(*store);
    EXPECT_LE(report.leaked_count, test::leaked_max(*store));
    auto table = test::open_table(*store, "t");
    for (int actor = 0; actor < actor_max; ++actor) {
      const std::uint64_t count = shared_->acknowledged[actor].load();
      Model& model = models_[actor];
      while (modelled_[actor] < count) perform(model, operation_of(actor, modelled_[actor]++));
      const Model now = stored(*table, actor);
      if (now == model) continue;
      // The next one may have been in when its actor was killed, unacknowledged.
      perform(model, operation_of(actor, modelled_[actor]++));
      EXPECT_EQ(now, model) << "actor " << actor << " after " << count << " operations";
      shared_->acknowledged[actor].store(count + 1);
    }
  }

  void finish() {
    shared_->quit.store(1);
    resume();
    for (const pid_t child : neighbours_) {
      const int status = wait_for(child);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "neighbour ended with " << status;
    }
    neighbours_.clear();
    expect_sound("at the end");
  }

  static int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
    }
    return status;
  }

  template <class Condition>
  static bool wait_until(Condition condition) {
    const Nanoseconds deadline = os::linux_system().monotonic_now() + milliseconds(30'000);
    while (!condition()) {
      if (os::linux_system().monotonic_now() > deadline) return false;
      ::sched_yield();
    }
    return true;
  }

 private:
  TemporaryFolder folder_;
  Shared* shared_;
  std::string path_;
  std::vector<pid_t> neighbours_;
  Model models_[actor_max];
  std::uint64_t modelled_[actor_max] = {};  // operations that the model has seen
};

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
  int status = 0;
  while (::waitpid(victim, &status, WUNTRACED) < 0) {
  }
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
    stage.prepare(scenario_for(step, round));
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
  stage.prepare(scenario_for(step, 0));
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
  const int status = Stage::wait_for(victim);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the victim ended with " << status;
  stage.finish();
  return true;
}

std::string name_of(const ::testing::TestParamInfo<unsigned>& info) { return step_name(static_cast<Step>(info.param)); }

#if defined(UTAN_STEPS) && UTAN_STEPS
INSTANTIATE_TEST_SUITE_P(Every, AtStep, ::testing::Range(0u, step_count), name_of);
#else
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AtStep);
#endif

TEST(Kills, AtRandomMoments) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  const std::uint64_t kills = test::scaled(200, 5000);
  Stage stage;
  stage.prepare({.neighbours = true});
  for (std::uint64_t i = 0; i < kills; ++i) {
    SCOPED_TRACE("kill " + std::to_string(i));
    const pid_t victim =
        start(stage.path(), {.actor = 0, .operations_max = 1'000'000, .snapshots = true, .syncs = random() % 4 == 0},
              &stage.shared());
    const Nanoseconds until = os::linux_system().monotonic_now() + Nanoseconds{random() % 6'000'000};
    while (os::linux_system().monotonic_now() < until) ::sched_yield();
    ::kill(victim, SIGKILL);
    Stage::wait_for(victim);
    stage.rest();
    stage.expect_sound("after the kill");
    stage.resume();
    if (HasFailure()) break;
  }
  stage.expect_progress();
  stage.finish();
}

// Everybody is killed at once, again and again; the boot goes on, so nothing is lost.
TEST(Kills, OfEverybody) {
  UTAN_SEEDED(seed);
  std::mt19937_64 random(seed);
  Stage stage;
  for (std::uint64_t i = 0; i < test::scaled(20, 500); ++i) {
    std::array<pid_t, 3> all{};
    for (int actor = 0; actor < 3; ++actor) {
      all[static_cast<std::size_t>(actor)] =
          start(stage.path(), {.actor = actor, .operations_max = 1'000'000}, &stage.shared());
    }
    const Nanoseconds until = os::linux_system().monotonic_now() + Nanoseconds{random() % 20'000'000};
    while (os::linux_system().monotonic_now() < until) ::sched_yield();
    for (const pid_t child : all) ::kill(child, SIGKILL);
    for (const pid_t child : all) Stage::wait_for(child);
    stage.expect_sound("after all were killed");
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace utan
