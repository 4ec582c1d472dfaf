// A run of a crash test: a random sequence of operations of one or two simulated processes on one store, looked at after
// crashes at any system call and at any labelled step between.
//
// At every point a hook may record what the disk may hold and draw images of what a crash would leave there. An image
// cannot be looked at while the engine is in the middle of a call, so it is kept until the call is over. Nothing is ever
// killed: the run goes on and closes its stores, and all that has crashed are the images, in which nobody runs. Runs in
// images have images of their own.
//
// What the store holds and what is done to it is said by a `Subject`, which has
//
//   struct Content   see crash_state.h
//   struct Handles   what one process has open in the store; as made by default, nothing
//   bool is_open(const Handles&)           is there what operations work on?
//   bool is_made(const Content&)           is there what `open` makes?
//   bool open(CrashRun<Subject>&, std::size_t process)     makes the handles, and what they are of if it is missing
//   void write(CrashRun<Subject>&, std::size_t process)    a random operation, by `commits`
//   bool read(const object::Store&, Content&)              all that the store holds; false: a failure was added
//   Result<void> try_to_write(Handles&)                    an operation that commits, where the store refuses it
//   std::string difference(const Content& found, const Content& expected)   for messages
//
// as static members. Thread safety: none; a run is in one thread, its two processes take turns.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/step.h"
#include "check/walk.h"
#include "commit/session.h"
#include "object/store.h"
#include "os/sim/machine.h"
#include "os/sim/random.h"
#include "support/crash_plan.h"
#include "support/crash_state.h"
#include "support/store_fixture.h"

namespace utan::test {

#if !defined(UTAN_STEPS) || !UTAN_STEPS
#error "without labelled steps nobody can say at which moment an operation is in, or what a checkpoint stands for"
#endif

template <class Subject>
class CrashRun {
 public:
  using Content = typename Subject::Content;
  using Handles = typename Subject::Handles;

  // What a crash left, and what is known of it.
  struct Image {
    std::unique_ptr<os::sim::Machine> machine;
    Crash crash = Crash::power;
    std::string where;               // the points at which the crashes were, outermost first
    CrashStates<Content> heads;      // what the processes may have seen last
    CrashStates<Content> possible;   // what the disk may hold
    bool in_checkpoint = false;      // a slot was written, and not known to be durable
    std::vector<std::byte> flushed;  // the prefix as of the last complete flush; empty: as it is
  };

  // A store that is not there yet.
  CrashRun(os::sim::Machine& machine, std::uint64_t seed, const CrashPlan& plan, CrashTally& tally)
      : machine_(machine), random_(seed), plan_(plan), tally_(tally) {
    machine_.make_folder("/data");
    known_.heads = known_.possible = States(std::make_shared<State>());
    start();
  }
  // In what a crash left.
  CrashRun(const Image& image, unsigned depth, std::uint64_t seed, const CrashPlan& plan, CrashTally& tally)
      : machine_(*image.machine), random_(seed), plan_(plan), tally_(tally), depth_(depth), where_(image.where) {
    known_.heads = image.heads;
    known_.possible = image.possible;
    version_ = std::max(known_.heads.newest_version(), known_.possible.newest_version());
    prefix_.set_flushed(image.flushed.empty() ? prefix() : image.flushed);
    start();
  }
  CrashRun(const CrashRun&) = delete;
  CrashRun& operator=(const CrashRun&) = delete;
  ~CrashRun() {
    plan_.images_max = 0;
    for (Actor& actor : actors_) drop(actor);
    machine_.on_call({});
    step_hook = before_;
  }

  bool failure_met() const { return calls_ > plan_.fail_call; }

  // The whole sequence: opens, works, closes, opens again.
  void go() {
    if (!reopen(0, commit::OpenMode::create)) return;
    if (plan_.two_processes) reopen(1, commit::OpenMode::existing);
    for (std::uint64_t i = 0; i < plan_.operations && !over(); ++i) operate();
    full_until_ = 0;
    if (!over()) finish();
  }

  // Opens what a crash left, compares; works on in it if that is planned.
  void go_on(Crash crash) {
    if (!recover(crash)) return;
    if (over()) return;
    // What was recovered may have been in the page cache alone.
    if ((crash == Crash::kill_no_lock || random_.one_in(4)) && actors_[0].store != nullptr) sync(0);
    if (plan_.operations == 0 || over()) return;
    for (std::uint64_t i = 0; i < plan_.operations && !over(); ++i) operate();
    full_until_ = 0;
    if (!over()) finish();
  }

  // --- For the subject

  os::sim::Random& random() { return random_; }
  const Content& content() const { return now()->content; }
  bool has_store(std::size_t process) const { return actors_[process].store != nullptr; }
  const object::Store& store(std::size_t process) const { return *actors_[process].store; }
  Handles& handles(std::size_t process) { return actors_[process].handles; }

  // An operation that commits once, if it succeeds: `function` returns a Result<bool>, which says whether there was
  // anything to change. True: no error.
  template <class Function>
  bool commits(std::size_t process, std::function<void(Content&)> change, Function&& function) {
    Actor& actor = actors_[process];
    actor.change = std::move(change);
    auto result = act(process, std::forward<Function>(function));
    if (result.ok()) {
      EXPECT_FALSE(actor.change && result.value()) << where_ << ": it says that it is in, and there was no commit";
    } else if (actor.change) {
      EXPECT_TRUE(expected_error(result.code())) << where_ << ": " << result.error().message();
    } else {
      ADD_FAILURE() << "an operation is in, and reports: " << result.error().message();
    }
    actor.change = nullptr;
    return result.ok();
  }

  // An operation that commits nothing. True: no error.
  template <class Function>
  bool commits_nothing(std::size_t process, Function&& function) {
    const auto result = act(process, std::forward<Function>(function));
    if (!result.ok()) {
      EXPECT_TRUE(expected_error(result.code())) << where_ << ": " << result.error().message();
    }
    return result.ok();
  }

 private:
  using State = CrashState<Content>;
  using States = CrashStates<Content>;
  using StatePointer = typename States::Pointer;

  static inline const std::string store_path = "/data/db";
  static inline const std::string lock_path = store_path + "-lock";

  struct Held {
    std::unique_ptr<object::Store> snapshot;
    StatePointer state;
  };
  struct Actor {
    os::sim::Process* process = nullptr;
    std::unique_ptr<object::Store> store;
    Handles handles;
    std::vector<Held> held;
    std::function<void(Content&)> change;  // what the operation under way changes, until it is in
    States coming;                         // while it makes the file or replaces it: what that may lead to
    StatePointer pinned;                   // what was newest when it last pinned a commit
    StatePointer attempted;                // what the checkpoint under way stands for
  };

  static bool over() { return ::testing::Test::HasFailure(); }

  void start() {
    actors_.resize(2);
    for (Actor& actor : actors_) actor.process = &machine_.start_process();
    machine_.on_call([this](const os::sim::Call& call) { return called(call); });
    before_ = step_hook;
    step_hook =
        StepHook{.call = [](void* self, Step step) { static_cast<CrashRun*>(self)->stepped(step); }, .context = this};
  }

  const StatePointer& now() const { return known_.heads.back(); }

  // --- Points

  Error called(const os::sim::Call& call) {
    // Whether a process registers its fork handler depends on where it lies in the memory of this one: not counted.
    if (quiet_ || call.kind == os::sim::CallKind::at_fork) return {};
    if (failure_wanted(call)) {
      failed_ = true;
      ++tally_.calls_failed;
      failed_call_ = std::string(os::sim::call_name(call.kind)) + " of " + call.path;
      // A flush of the store that fails ends its incarnation.
      if (call.path == store_path &&
          (call.kind == os::sim::CallKind::flush || call.kind == os::sim::CallKind::flush_end))
        flush_failed_ = true;
      look({3, 1, 0}, os::sim::call_name(call.kind));
      return failure_of(call);
    }
    if (call.kind == os::sim::CallKind::allocate && full_until_ != 0) {
      refused_ = true;
      return failure_of(call);
    }
    if (call.path == store_path && call.kind == os::sim::CallKind::flush) prefix_.flush_began(prefix());
    if (call.path == store_path && call.kind == os::sim::CallKind::flush_end) prefix_.flush_ended();
    look(odds_of(call.kind), os::sim::call_name(call.kind));
    return {};
  }

  bool failure_wanted(const os::sim::Call& call) { return can_fail(call.kind) && calls_++ == plan_.fail_call; }

  void stepped(Step step) {
    if (quiet_) return;
    Actor& actor = actors_[acting_];
    if (step == Step::cas_won && actor.change) {
      commit_change(actor);
    } else if (step == Step::pin_validated) {
      actor.pinned = now();
    } else if (step == Step::checkpoint_pinned) {
      actor.attempted = actor.pinned;
    } else if (step == Step::checkpoint_slot_claimed && actor.attempted != nullptr) {
      known_.add_possible(actor.attempted);
    }
    in_checkpoint_ = step == Step::checkpoint_slot_written || step == Step::checkpoint_slot_flushed;
    const Odds odds = odds_of(step);
    look(odds, step_name(step));
    if (plan_.two_processes && !overtaking_ && !undisturbed_ && odds.overtake != 0 && random_.one_in(odds.overtake))
      overtake();
  }

  void look(const Odds& odds, const char* name) {
    if (plan_.images_max == 0) return;
    if (pending_.size() >= 4 || taken_ >= plan_.images_max || !random_.one_in(odds.image * plan_.image_factor)) {
      if (random_.one_in(odds.capture * (depth_ + 1))) machine_.capture();
      if (random_.one_in(200)) keep_old_lock();
      return;
    }
    const std::uint64_t draws = 1 + random_.below(2);
    for (std::uint64_t i = 0; i < draws; ++i) take_image(name);
  }

  // Header and checkpoint slots.
  std::vector<std::byte> prefix() const {
    return plan_.images_max == 0 ? std::vector<std::byte>() : CrashPrefix::of(machine_, store_path);
  }

  void keep_old_lock() {
    if (machine_.exists(lock_path)) old_lock_ = machine_.content(lock_path);
  }

  void take_image(const char* name) {
    const Crash crash = random_crash(random_, in_checkpoint_, !old_lock_.empty());
    Image image;
    image.crash = crash;
    const bool killed = crash == Crash::kill || crash == Crash::kill_no_lock;
    image.machine = killed                   ? machine_.kill_image()
                    : crash == Crash::reboot ? machine_.reboot_image()
                                             : machine_.crash_image(random_);
    if ((crash == Crash::kill_no_lock || crash == Crash::power_no_lock || crash == Crash::power_old_lock) &&
        image.machine->exists(lock_path)) {
      image.machine->remove_file(lock_path);
    }
    if (crash == Crash::power_torn) prefix_.tear(*image.machine, store_path, prefix(), random_);
    if (crash == Crash::power_old_lock) image.machine->put_file(lock_path, old_lock_);
    image.in_checkpoint = in_checkpoint_;
    if (killed) image.flushed = prefix_.flushed();
    image.heads = known_.heads;
    image.possible = known_.possible;
    for (const Actor& actor : actors_) {
      image.heads.add(actor.coming);
      image.possible.add(actor.coming);
    }
    if (crash == Crash::kill_no_lock) image.heads = image.possible;
    if (crash == Crash::kill && flush_failed_) image.heads.add(image.possible);
    image.where = where_ + (where_.empty() ? "" : ", then ") + crash_name(crash) + " at " + name + " (call " +
                  std::to_string(calls_) + (failed_call_.empty() ? "" : ", after a failed " + failed_call_) + ")";
    pending_.push_back(std::move(image));
    ++taken_;
    ++tally_.images;
    ++tally_.at_point[name];
    ++tally_.of_crash[crash_name(crash)];
    ++tally_.of_depth[std::min(depth_ + 1, crash_depth_max)];
  }

  // Looks at what was drawn. The hooks of this run rest meanwhile.
  void examine_images() {
    while (!pending_.empty() && !over()) {
      const Image image = std::move(pending_.back());
      pending_.pop_back();
      const CrashPlan plan = plan_after_crash(random_, depth_ + 1, image.crash, image.in_checkpoint);
      SCOPED_TRACE(image.where);
      CrashRun run(image, depth_ + 1, random_.next(), plan, tally_);
      run.go_on(image.crash);
    }
    pending_.clear();
  }

  // --- Operations

  // Runs one call of the engine as `actor`.
  template <class Function>
  auto act(std::size_t actor, Function&& function) {
    const std::size_t before = std::exchange(acting_, actor);
    failed_ = false;
    refused_ = false;
    auto result = function();
    acting_ = before;
    if (!overtaking_) examine_images();
    return result;
  }

  // Is this error one that the test itself has made?
  bool expected_error(Code code) const {
    // Of a flush that failed in one process, the others are told at their next one.
    return failed_ || (refused_ && code == Code::no_space) ||
           (flush_failed_ && (code == Code::read_only || code == Code::io));
  }

  void commit_change(Actor& actor) {
    auto state = std::make_shared<State>(*now());
    state->version = ++version_;
    actor.change(state->content);
    known_.heads = StatePointer(std::move(state));
    written_ = true;
    actor.change = nullptr;
  }

  void sync(std::size_t index) {
    const std::uint64_t wanted = now()->version;
    const Result<void> done = act(index, [&] { return actors_[index].store->sync(); });
    actors_[index].attempted = nullptr;
    if (!done.ok()) {
      EXPECT_TRUE(expected_error(done.code())) << where_ << ": " << done.error().message();
      return;
    }
    const std::uint64_t floor_before = known_.floor;
    made_durable(wanted);
    if (!overtaking_ && (floor_before < known_.floor || !written_) && random_.one_in(2)) look({1, 1, 0}, "synced");
  }

  // From here on a power cut leaves nothing older than `version`.
  void made_durable(std::uint64_t version) {
    known_.made_durable(version);
    if (known_.possible.empty()) {
      ADD_FAILURE() << where_ << ": after a failed " << failed_call_ << ": version " << version
                    << " was reported durable, and no checkpoint of it was ever begun";
      known_.possible = now();
    }
  }

  // Another process does something while this one stands at a step.
  void overtake() {
    const std::size_t other = 1 - acting_;
    if (!Subject::is_open(actors_[other].handles) || flush_failed_) return;
    overtaking_ = true;
    const bool failed_before = failed_;
    const bool refused_before = refused_;
    const std::uint64_t count = random_.one_in(4) ? 100 : 1 + random_.below(5);
    for (std::uint64_t i = 0; i < count && !over(); ++i) Subject::write(*this, other);
    if (random_.one_in(4)) sync(other);
    failed_ = failed_before;
    refused_ = refused_before;
    overtaking_ = false;
  }

  void operate() {
    if (full_until_ != 0 && --full_until_ == 0) refused_ = false;
    if (plan_.full_disks && full_until_ == 0 && random_.one_in(20)) full_until_ = 1 + random_.below(30);
    if (flush_failed_) {
      expect_read_only();
      return;
    }
    const std::size_t index = plan_.two_processes ? random_.below(2) : 0;
    if (actors_[index].store == nullptr) {
      reopen(index, commit::OpenMode::existing);
      return;
    }
    if (!Subject::is_open(actors_[index].handles) && !Subject::open(*this, index)) return;
    Actor& actor = actors_[index];
    if (random_.one_in(plan_.sync_one_in)) return sync(index);
    switch (random_.below(60)) {
      case 0:
        // A new store in place of the old one only where nobody else has that open.
        reopen(index, index == 0 && !others_have_it(0) && random_.one_in(4) ? commit::OpenMode::fresh
                                                                            : commit::OpenMode::create);
        return;
      case 1:
        if (actor.held.size() < 3) take_snapshot(index);
        return;
      case 2:
        if (!actor.held.empty()) let_go(index);
        return;
      case 3:
        expect_content(index, *now());
        return;
      case 4:
        for (std::uint64_t i = 0; i < 70 && !over() && !flush_failed_; ++i) Subject::write(*this, index);
        return;
      default:
        Subject::write(*this, index);
        return;
    }
  }

  void take_snapshot(std::size_t index) {
    undisturbed_ = true;  // else nobody could say what it holds
    Result<std::unique_ptr<object::Store>> snapshot = act(index, [&] { return actors_[index].store->snapshot(); });
    undisturbed_ = false;
    if (snapshot.ok()) {
      actors_[index].held.push_back({std::move(snapshot).value(), now()});
    } else {
      EXPECT_TRUE(expected_error(snapshot.code())) << snapshot.error().message();
    }
  }

  void let_go(std::size_t index) {
    auto& held = actors_[index].held;
    const auto at = held.begin() + static_cast<std::ptrdiff_t>(random_.below(held.size()));
    expect_equal(*at->snapshot, *at->state, "in a snapshot");
    held.erase(at);
  }

  // --- Opening and closing: crash_opening.h

  bool others_have_it(std::size_t index) const { return actors_[1 - index].store != nullptr; }
  void drop(Actor& actor);
  void close(std::size_t index);
  // Opens without comparing. False: it could not be opened, for a reason that the test has made.
  bool open(std::size_t index, commit::OpenMode mode);
  // Closes it if it is open, opens it again; expects what was there. What fails once is tried again.
  bool reopen(std::size_t index, commit::OpenMode mode);
  // Opens what a crash or a failed flush left, finds out which of the states it could be it is.
  bool recover(Crash crash);
  bool match(Crash crash);
  void finish();
  // A machine that loses power after everything was closed loses nothing.
  void take_last_images();
  // After a failed flush and after everybody has closed it, the store opens at a checkpoint.
  void recover_after_failure();
  void expect_read_only();

  // --- Comparing

  void expect_equal(const object::Store& store, const State& expected, const char* what) {
    State found;
    found.store = true;
    quiet_ = true;  // nothing is written here
    if (!Subject::read(store, found.content)) ADD_FAILURE() << what << ": it cannot be read";
    quiet_ = false;
    EXPECT_TRUE(found.same_content(expected))
        << where_ << ": " << what << ":" << Subject::difference(found.content, expected.content);
  }

  void expect_content(std::size_t index, const State& expected) {
    expect_equal(*actors_[index].store, expected, "content");
  }

  // Everything is reachable or free, never both; and after a clean close nothing is leaked.
  void expect_sound(std::size_t index) {
    const object::Store& store = *actors_[index].store;
    const check::Report report = walk(store);
    const auto& header = store.attachment().session().value()->coordination().fixed().header;
    if (header.trusted_from == 0) {
      EXPECT_LE(report.leaked_count, leaked_max(store)) << "its bitmaps are trusted";
    }
  }

  os::sim::Machine& machine_;
  os::sim::Random random_;
  CrashPlan plan_;
  CrashTally& tally_;
  const unsigned depth_ = 0;
  const std::string where_;
  std::vector<Actor> actors_;
  std::size_t acting_ = 0;
  bool overtaking_ = false;
  bool undisturbed_ = false;
  bool in_checkpoint_ = false;  // a slot is written, and not known to be durable
  bool quiet_ = false;
  std::uint64_t version_ = 0;
  CrashKnowledge<Content> known_;
  bool written_ = false;  // something was committed since it was known what the store holds
  std::vector<Image> pending_;
  std::uint64_t taken_ = 0;
  std::vector<std::byte> old_lock_;
  CrashPrefix prefix_;
  std::uint64_t calls_ = 0;
  bool failed_ = false;        // a call of the operation under way failed
  bool refused_ = false;       // the disk was full in it
  bool flush_failed_ = false;  // the store is read only
  std::string failed_call_;
  std::uint64_t full_until_ = 0;
  StepHook before_;
};

}  // namespace utan::test
