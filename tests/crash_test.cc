// Shows that a power cut or a kill at any system call, or at any labelled step between, leaves a store that opens to
// exactly what it held at its last completed sync or close, or at a checkpoint that had begun since; that a kill loses
// nothing at all; that both hold again for crashes inside the recovery and in the work that follows it; that every
// system call may fail once anywhere, and that a disk may be full for a while, without a crash or a loss.
// Timeout: 240 s
//
// A run is a random sequence of operations of one or two simulated processes on one store. At every point a hook may
// record what the disk may hold and draw images of what a crash would leave there. An image cannot be looked at while
// the engine is in the middle of a call, so it is kept until the call is over. Nothing is ever killed: the run goes on
// and closes its stores, and all that has crashed are the images, in which nobody runs.
//
// The seed of a run decides everything in it, and run number i has the seed of the whole plus i: a failure names the
// value of UTAN_SEED that makes it the first run of all.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/step.h"
#include "commit/session.h"
#include "format/header.h"
#include "format/layout.h"
#include "os/sim/machine.h"
#include "os/sim/random.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using os::sim::Call;
using os::sim::CallKind;
using os::sim::Machine;
using os::sim::Random;

#if defined(UTAN_STEPS) && UTAN_STEPS
#define UTAN_CRASH_TEST_STEPS 1
#else
#define UTAN_CRASH_TEST_STEPS 0
#endif
// Without steps nobody can say at which moment an operation is in.
constexpr bool has_steps = UTAN_CRASH_TEST_STEPS != 0;
constexpr unsigned depth_max = 3;
constexpr std::uint64_t key_count = 40;
constexpr ByteCount reservation{std::uint64_t{256} << 20};  // of addresses: as much as the coordination file may need
const std::string store_path = "/data/db";
const std::string lock_path = store_path + "-lock";

// --- What a store holds ----------------------------------------------------------------------------------------------

// The content after some operation. Never changed once it is shared.
struct State {
  std::uint64_t version = 0;  // grows from operation to operation
  bool store = false;         // there is a file
  bool table = false;         // there is the table in it
  std::map<std::string, std::string> content;

  bool same_content(const State& other) const {
    return store == other.store && table == other.table && content == other.content;
  }
};
using StatePtr = std::shared_ptr<const State>;
using States = std::vector<StatePtr>;

void drop_older_than(States& states, std::uint64_t version) {
  std::erase_if(states, [version](const StatePtr& state) { return state->version < version; });
}
void add(States& states, const StatePtr& state) {
  if (std::find(states.begin(), states.end(), state) == states.end()) states.push_back(state);
}

std::string key_of(std::uint64_t index) {
  std::string out = "k";  // not as one expression: GCC 12 warns of that where it optimizes
  return out += std::to_string(index);
}

std::string versions_of(const States& states) {
  std::string out;
  for (const StatePtr& state : states) {
    out += (out.empty() ? "" : ", ") + std::to_string(state->version) + " (" +
           (!state->store   ? "no store"
            : !state->table ? "no table"
                            : std::to_string(state->content.size()) + " keys") +
           ")";
  }
  return "{" + out + "}";
}

// Keys whose values differ, for messages.
std::string difference(const State& found, const State& expected) {
  std::string out;
  const auto of = [](const State& state, const std::string& key) -> std::string {
    const auto at = state.content.find(key);
    if (at == state.content.end()) return "absent";
    return std::to_string(at->second.size()) + " bytes (hash " +
           std::to_string(std::hash<std::string>{}(at->second) % 10'000) + ")";
  };
  for (std::uint64_t i = 0; i < key_count; ++i) {
    const std::string key = key_of(i);
    if (of(found, key) != of(expected, key))
      out += " " + key + ": " + of(found, key) + ", expected " + of(expected, key) + ";";
  }
  return out;
}

// --- Images ----------------------------------------------------------------------------------------------------------

enum class Crash {
  power,       // one of the possible disks
  power_torn,  // the same, and sectors of the header and of the checkpoints that were being written are half written
  power_old_lock,  // the same, and the coordination file is there as it was some time ago
  power_no_lock,   // the same, and there is none
  reboot,          // everything reached the disk
  kill,            // all processes are gone, the boot goes on
  kill_no_lock,    // the same, and the coordination file was deleted
};
const char* crash_name(Crash crash) {
  constexpr const char* names[] = {"power",  "power_torn", "power_old_lock", "power_no_lock",
                                   "reboot", "kill",       "kill_no_lock"};
  return names[static_cast<int>(crash)];
}

struct Image {
  std::unique_ptr<Machine> machine;
  Crash crash;
  std::string where;  // the points at which the crashes were, outermost first
  States heads;       // what the processes may have seen last
  States possible;    // what the disk may hold
  bool in_checkpoint;
  std::vector<std::byte> flushed;  // the prefix as of the last complete flush; empty: as it is
};

// What all runs of a test share.
struct Tally {
  std::uint64_t images = 0;
  std::map<std::string, std::uint64_t> at_point;
  std::map<std::string, std::uint64_t> of_crash;
  std::uint64_t of_depth[depth_max + 1] = {};
  std::uint64_t calls_failed = 0;

  void print(const char* title) const {
    std::printf("%s: %llu images", title, static_cast<unsigned long long>(images));
    for (const auto& [name, count] : of_crash)
      std::printf(", %s %llu", name.c_str(), static_cast<unsigned long long>(count));
    std::printf("\n  by depth:");
    for (unsigned i = 1; i <= depth_max; ++i) std::printf(" %llu", static_cast<unsigned long long>(of_depth[i]));
    std::printf("; calls that failed: %llu\n  by point:", static_cast<unsigned long long>(calls_failed));
    for (const auto& [name, count] : at_point)
      std::printf(" %s %llu", name.c_str(), static_cast<unsigned long long>(count));
    std::printf("\n");
  }
};

// How often a point is looked at: those that come by with every operation seldom, the others nearly always.
struct Odds {
  std::uint64_t image;     // an image once in so many times
  std::uint64_t capture;   // what the disk may get is recorded once in so many times
  std::uint64_t overtake;  // another process works meanwhile once in so many times
};
Odds odds_of(Step step) {
  if (step >= Step::checkpoint_pinned && step <= Step::checkpoint_published) return {1, 1, 3};
  if (step >= Step::close_checkpointed && step <= Step::close_flagged) return {1, 1, 5};
  if (step == Step::recover_started || step == Step::recover_slot_chosen) return {12, 12, 5};
  if (step == Step::grow_allocated || step == Step::grow_published) return {2, 2, 5};
  if (step == Step::attach_marked) return {1, 1, 5};
  if (step >= Step::attach_byte_locked && step <= Step::attach_coordination_renamed) return {8, 8, 5};
  if (step >= Step::adopt_byte_locked && step <= Step::adopt_entry_cleared) return {8, 8, 5};
  if (step >= Step::wait_counted && step <= Step::wait_taken) return {60, 30, 60};
  if (step >= Step::drain_counted && step <= Step::drain_block_freed) return {400, 200, 500};
  return {200, 70, 150};
}
Odds odds_of(CallKind kind) {
  switch (kind) {
    case CallKind::flush:
    case CallKind::flush_end:
    case CallKind::flush_folder:
      return {1, 1, 0};
    case CallKind::rename_new:
    case CallKind::remove:
      return {2, 1, 0};
    case CallKind::allocate:
    case CallKind::write:
    case CallKind::rename:
      return {6, 3, 0};
    default:
      return {30, 15, 0};
  }
}

bool can_fail(CallKind kind) {
  switch (kind) {
    case CallKind::unlock:
    case CallKind::unlock_byte:
    case CallKind::close:
    case CallKind::match_ownership:
    case CallKind::sleep:
    case CallKind::futex_wait:
    case CallKind::futex_wake:
      return false;
    default:
      return true;
  }
}
Error failure_of(const Call& call) {
  const std::string what =
      std::string("this ") + os::sim::call_name(call.kind) + " of " + call.path + " fails in this test";
  if (call.kind == CallKind::allocate) return {Code::no_space, ENOSPC, what};
  if (call.kind == CallKind::map) return {Code::no_space, ENOMEM, what};
  return {Code::io, EIO, what};
}

// What happens in a run.
struct Plan {
  std::uint64_t operations = 150;
  std::uint64_t sync_one_in = 20;
  std::uint64_t images_max = 40;                // 0: no hooks
  std::uint64_t image_factor = 1;               // images are so many times rarer
  std::uint64_t fail_call = ~std::uint64_t{0};  // number of the call that fails, of those that can
  bool full_disks = false;                      // now and then the disk is full
  bool two_processes = false;
  std::uint64_t chunk_size = 64 * 1024;
};

// --- A run -----------------------------------------------------------------------------------------------------------

class Sequence {
 public:
  // A store that is not there yet.
  Sequence(Machine& machine, std::uint64_t seed, const Plan& plan, Tally& tally)
      : machine_(machine), random_(seed), plan_(plan), tally_(tally) {
    machine_.make_folder("/data");
    const auto nothing = std::make_shared<State>();
    heads_ = possible_ = {nothing};
    start();
  }
  // In what a crash left.
  Sequence(const Image& image, unsigned depth, std::uint64_t seed, const Plan& plan, Tally& tally)
      : machine_(*image.machine),
        random_(seed),
        plan_(plan),
        tally_(tally),
        depth_(depth),
        where_(image.where),
        heads_(image.heads),
        possible_(image.possible) {
    for (const StatePtr& state : heads_) version_ = std::max(version_, state->version);
    for (const StatePtr& state : possible_) version_ = std::max(version_, state->version);
    flushed_ = image.flushed.empty() ? prefix() : image.flushed;
    start();
  }
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;
  ~Sequence() {
    plan_.images_max = 0;
    for (Actor& actor : actors_) drop(actor);
    machine_.on_call({});
#if UTAN_CRASH_TEST_STEPS
    step_hook = before_;
#endif
  }

  std::uint64_t call_count() const { return calls_; }  // of those that can fail
  bool failure_met() const { return calls_ > plan_.fail_call; }

  // The whole sequence: opens, works, closes, opens again.
  void go() {
    if (!reopen(0, commit::OpenMode::create)) return;
    if (plan_.two_processes) reopen(1, commit::OpenMode::existing);
    for (std::uint64_t i = 0; i < plan_.operations && !over(); ++i) operate();
    full_until_ = 0;
    if (!over()) finish();
  }

  // Opens what a crash left, compares; works on in it if `on`.
  void go_on(Crash crash, bool on) {
    if (!recover(crash)) return;
    if (over()) return;
    // What was recovered may have been in the page cache alone.
    if ((crash == Crash::kill_no_lock || random_.one_in(4)) && actors_[0].store != nullptr) sync(0);
    if (!on || over()) return;
    for (std::uint64_t i = 0; i < plan_.operations && !over(); ++i) operate();
    full_until_ = 0;
    if (!over()) finish();
  }

 private:
  struct Held {
    std::unique_ptr<object::Store> snapshot;
    StatePtr state;
  };
  struct Actor {
    os::sim::Process* process = nullptr;
    std::unique_ptr<object::Store> store;
    std::unique_ptr<object::Table> table;
    std::vector<Held> held;
    std::function<void(State&)> change;  // what the operation under way changes, until it is in
    States coming;                       // what it may lead to, where nobody can say at which moment it is in
    StatePtr pinned;                     // what was newest when it last pinned a commit
    StatePtr attempted;                  // what the checkpoint under way stands for
  };

  static bool over() { return ::testing::Test::HasFailure(); }

  void start() {
    actors_.resize(2);
    for (Actor& actor : actors_) actor.process = &machine_.start_process();
    machine_.on_call([this](const Call& call) { return called(call); });
#if UTAN_CRASH_TEST_STEPS
    before_ = step_hook;
    step_hook =
        StepHook{.call = [](void* self, Step step) { static_cast<Sequence*>(self)->stepped(step); }, .context = this};
#endif
  }

  const StatePtr& now() const { return heads_.back(); }

  // --- Points

  Error called(const Call& call) {
    // Whether a process registers its fork handler depends on where it lies in the memory of this one: not counted.
    if (quiet_ || call.kind == CallKind::at_fork) return {};
    if (failure_wanted(call)) {
      failed_ = true;
      ++tally_.calls_failed;
      failed_call_ = std::string(os::sim::call_name(call.kind)) + " of " + call.path;
      // A flush of the store that fails ends its incarnation.
      if (call.path == store_path && (call.kind == CallKind::flush || call.kind == CallKind::flush_end))
        flush_failed_ = true;
      look({3, 1, 0}, os::sim::call_name(call.kind));
      return failure_of(call);
    }
    if (call.kind == CallKind::allocate && full_until_ != 0) {
      refused_ = true;
      return failure_of(call);
    }
    if (call.path == store_path && call.kind == CallKind::flush) flushing_ = prefix();
    if (call.path == store_path && call.kind == CallKind::flush_end) flushed_ = flushing_;
    look(odds_of(call.kind), os::sim::call_name(call.kind));
    return {};
  }

  bool failure_wanted(const Call& call) { return can_fail(call.kind) && calls_++ == plan_.fail_call; }

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
      add_possible(actor.attempted);
    }
    in_checkpoint_ = step == Step::checkpoint_slot_written || step == Step::checkpoint_slot_flushed;
    const Odds odds = odds_of(step);
    look(odds, step_name(step));
    if (plan_.two_processes && !overtaking_ && !undisturbed_ && odds.overtake != 0 && random_.one_in(odds.overtake))
      overtake();
  }

  void add_possible(const StatePtr& state) {
    // A newer one may have become durable meanwhile: the newest counts.
    if (state->version >= floor_) add(possible_, state);
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

  // Header and checkpoint slots: what is written in place.
  std::vector<std::byte> prefix() const {
    if (plan_.images_max == 0 || !machine_.exists(store_path)) return {};
    std::vector<std::byte> bytes = machine_.content(store_path);
    bytes.resize(std::min<std::size_t>(bytes.size(), format::regions_offset));
    return bytes;
  }

  // The simulated disk writes sectors whole. A real one may leave a mixture of what was there and what was written.
  void tear(Machine& image) {
    const std::vector<std::byte> now = prefix();
    if (now.empty() || now.size() != flushed_.size() || !image.exists(store_path)) return;
    std::vector<std::byte> bytes = image.content(store_path);
    constexpr std::size_t sector = 512;
    for (std::size_t at = 0; at + sector <= now.size(); at += sector) {
      if (std::memcmp(&now[at], &flushed_[at], sector) == 0 || random_.one_in(3)) continue;
      for (std::size_t i = at; i < at + sector; i += 8)
        std::memcpy(&bytes[i], random_.one_in(2) ? &now[i] : &flushed_[i], 8);
    }
    image.restore_in_place(store_path, bytes);
  }

  void keep_old_lock() {
    if (machine_.exists(lock_path)) old_lock_ = machine_.content(lock_path);
  }

  void take_image(const char* name) {
    Crash crash = Crash::power;
    // A checkpoint that is not finished is of interest to those that come after a kill.
    const std::uint64_t chosen = random_.below(in_checkpoint_ ? 30 : 16);
    switch (chosen < 16 ? chosen : chosen < 24 ? 1 : 4) {
      case 0:
        crash = Crash::reboot;
        break;
      case 1:
      case 2:
      case 3:
        crash = Crash::kill;
        break;
      case 4:
        crash = Crash::kill_no_lock;
        break;
      case 5:
        crash = old_lock_.empty() ? Crash::power : Crash::power_old_lock;
        break;
      case 6:
        crash = Crash::power_no_lock;
        break;
      case 7:
      case 8:
        crash = Crash::power_torn;
        break;
      default:
        break;
    }
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
    if (crash == Crash::power_torn) tear(*image.machine);
    if (crash == Crash::power_old_lock) image.machine->put_file(lock_path, old_lock_);
    image.in_checkpoint = in_checkpoint_;
    if (killed) image.flushed = flushed_;
    image.heads = heads_;
    image.possible = possible_;
    for (const Actor& actor : actors_) {
      for (const StatePtr& state : actor.coming) {
        add(image.heads, state);
        if (!state->table) add(image.possible, state);  // it is being created or replaced
      }
    }
    if (crash == Crash::kill_no_lock) image.heads = image.possible;
    if (crash == Crash::kill && flush_failed_) {
      for (const StatePtr& state : image.possible) add(image.heads, state);
    }
    image.where = where_ + (where_.empty() ? "" : ", then ") + crash_name(crash) + " at " + name + " (call " +
                  std::to_string(calls_) + (failed_call_.empty() ? "" : ", after a failed " + failed_call_) + ")";
    pending_.push_back(std::move(image));
    ++taken_;
    ++tally_.images;
    ++tally_.at_point[name];
    ++tally_.of_crash[crash_name(crash)];
    ++tally_.of_depth[std::min(depth_ + 1, depth_max)];
  }

  // Looks at what was drawn. The hooks of this run rest meanwhile.
  void examine_images() {
    while (!pending_.empty() && !over()) {
      const Image image = std::move(pending_.back());
      pending_.pop_back();
      const bool last = depth_ + 1 == depth_max;
      // What a checkpoint that was not finished holds on to shows only after much work without another one.
      const bool long_work = !last && image.in_checkpoint && image.crash == Crash::kill;
      const bool on = long_work || random_.one_in(depth_ == 0 ? 2 : 3);
      Plan plan;
      plan.operations = long_work ? 150 : on ? 1 + random_.below(random_.one_in(3) ? 100 : 12) : 0;
      plan.sync_one_in = long_work ? 200 : 2 + random_.below(30);
      const std::uint64_t nested_one_in = image.crash == Crash::kill_no_lock ? 2 : depth_ == 0 ? 4 : 3;
      plan.images_max = long_work || (!last && random_.one_in(nested_one_in)) ? 3 : 0;
      if (long_work) plan.image_factor = 4;
      plan.two_processes = on && random_.one_in(8);
      SCOPED_TRACE(image.where);
      Sequence run(image, depth_ + 1, random_.next(), plan, tally_);
      run.go_on(image.crash, on);
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

  StatePtr changed(const std::function<void(State&)>& change) {
    auto state = std::make_shared<State>(*now());
    state->version = ++version_;
    change(*state);
    return state;
  }
  void commit_change(Actor& actor) {
    heads_ = {changed(actor.change)};
    written_ = true;
    actor.change = nullptr;
    actor.coming.clear();
  }
  // An operation that commits once, if it succeeds; `in` says whether it had anything to change.
  template <class Function>
  bool commits(std::size_t index, std::function<void(State&)> change, Function&& function) {
    Actor& actor = actors_[index];
    actor.change = std::move(change);
    if (!has_steps) actor.coming = {changed(actor.change)};
    auto result = act(index, std::forward<Function>(function));
    if (result.ok()) {
      if (actor.change && !has_steps) commit_change(actor);
      EXPECT_FALSE(actor.change && result.value()) << where_ << ": it says that it is in, and there was no commit";
    } else if (!has_steps || actor.change) {
      EXPECT_TRUE(expected_error(result.code())) << where_ << ": " << result.error().message();
    } else {
      ADD_FAILURE() << "an operation is in, and reports: " << result.error().message();
    }
    actor.change = nullptr;
    actor.coming.clear();
    return result.ok();
  }

  std::string random_value() {
    std::uint64_t size = random_.below(200);
    const std::uint64_t kind = random_.below(100);
    if (kind < 20) size = random_.below(1500);
    if (kind < 6) size = random_.below(8000);
    if (kind < 2) size = 8 * 1024 + random_.below(40 * 1024);
    std::string value(size, '\0');
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < size; ++i, word >>= 8) {
      if (i % 8 == 0) word = random_.next();
      value[i] = static_cast<char>(word);
    }
    return value;
  }

  void write_something(std::size_t index) {
    const object::Table& table = *actors_[index].table;
    const std::string key = key_of(random_.below(key_count));
    if (random_.one_in(4)) {
      commits(
          index, [key](State& state) { state.content.erase(key); },
          [&] { return const_cast<object::Table&>(table).erase(test::bytes(key)); });
    } else {
      const std::string value = random_value();
      commits(
          index, [key, value](State& state) { state.content[key] = value; },
          [&] {
            return const_cast<object::Table&>(table).put(test::bytes(key), test::bytes(value),
                                                         object::Table::Put::always);
          });
    }
  }

  void sync(std::size_t index) {
    const std::uint64_t wanted = now()->version;
    if (!has_steps) add(possible_, now());
    const Result<void> done = act(index, [&] { return actors_[index].store->sync(); });
    actors_[index].attempted = nullptr;
    if (!done.ok()) {
      EXPECT_TRUE(expected_error(done.code())) << where_ << ": " << done.error().message();
      return;
    }
    const std::uint64_t floor_before = floor_;
    made_durable(wanted);
    if (!overtaking_ && (floor_before < floor_ || !written_) && random_.one_in(2)) look({1, 1, 0}, "synced");
  }

  // From here on a power cut leaves nothing older than `version`.
  void made_durable(std::uint64_t version) {
    floor_ = std::max(floor_, version);
    drop_older_than(possible_, floor_);
    if (possible_.empty()) {
      ADD_FAILURE() << where_ << ": after a failed " << failed_call_ << ": version " << version
                    << " was reported durable, and no checkpoint of it was ever begun";
      possible_ = {now()};
    }
  }

  // Another process does something while this one stands at a step.
  void overtake() {
    const std::size_t other = 1 - acting_;
    if (actors_[other].table == nullptr || flush_failed_) return;
    overtaking_ = true;
    const bool failed_before = failed_;
    const bool refused_before = refused_;
    const std::uint64_t count = random_.one_in(4) ? 100 : 1 + random_.below(5);
    for (std::uint64_t i = 0; i < count && !over(); ++i) write_something(other);
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
    if (actors_[index].table == nullptr && !make_table(index)) return;
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
        for (std::uint64_t i = 0; i < 70 && !over() && !flush_failed_; ++i) write_something(index);
        return;
      default:
        write_something(index);
        return;
    }
  }

  bool make_table(std::size_t index) {
    if (actors_[index].store == nullptr) return false;
    Result<std::unique_ptr<object::Table>> table = Error(Code::internal, "not opened");
    const auto open = [&] {
      table = actors_[index].store->table("t", true);
      return table.ok() ? Result<bool>(false) : Result<bool>(table.error().copy());
    };
    if (now()->table) {
      const Result<bool> done = act(index, open);
      if (!done.ok()) {
        EXPECT_TRUE(expected_error(done.code())) << where_ << ": " << done.error().message();
      }
    } else {
      commits(
          index, [](State& state) { state.table = true; }, open);
    }
    if (!table.ok()) return false;
    actors_[index].table = std::move(table).value();
    return true;
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

  // --- Opening and closing

  void drop(Actor& actor) {
    actor.table.reset();
    actor.held.clear();
    actor.store.reset();
  }

  bool others_have_it(std::size_t index) const { return actors_[1 - index].store != nullptr; }

  void close(std::size_t index) {
    Actor& actor = actors_[index];
    const std::uint64_t wanted = now()->version;
    if (!has_steps) add(possible_, now());
    const bool last = !others_have_it(index);
    const Result<void> closed = act(index, [&] {
      actor.table.reset();
      actor.held.clear();
      return object::Store::close(std::move(actor.store));
    });
    actor.attempted = nullptr;
    if (!closed.ok()) {
      EXPECT_TRUE(expected_error(closed.code())) << where_ << ": " << closed.error().message();
    } else if (last && !flush_failed_ && written_) {
      made_durable(wanted);
    }
  }

  // Opens without comparing. False: it could not be opened, for a reason that the test has made.
  bool open(std::size_t index, commit::OpenMode mode) {
    Actor& actor = actors_[index];
    const bool creates = mode == commit::OpenMode::fresh || (mode == commit::OpenMode::create && !now()->store);
    StatePtr created;
    if (creates) {
      auto gone = std::make_shared<State>();
      gone->version = ++version_;
      created = changed([](State& state) {
        state.store = true;
        state.table = false;
        state.content.clear();
      });
      actor.coming = {gone, created};
      flushing_.clear();  // of another file
      flushed_.clear();
    }
    commit::OpenOptions options;
    options.mode = mode;
    if (creates || random_.one_in(16)) options.chunk_size = plan_.chunk_size;
    Result<std::unique_ptr<object::Store>> opened =
        act(index, [&] { return object::Store::open(*actor.process, store_path, options); });
    const States coming = std::exchange(actor.coming, {});
    if (!opened.ok()) {
      EXPECT_TRUE(expected_error(opened.code())) << where_ << ": " << opened.error().message();
      for (const StatePtr& state : coming) {
        add(heads_, state);
        add(possible_, state);
      }
      return false;
    }
    actor.store = std::move(opened).value();
    if (creates) {
      heads_ = {created};
      add(possible_, created);
      made_durable(created->version);
      flushed_ = prefix();
    }
    return true;
  }

  // Closes it if it is open, opens it again; expects what was there. What fails once is tried again.
  bool reopen(std::size_t index, commit::OpenMode mode) {
    if (actors_[index].store != nullptr) close(index);
    if (flush_failed_ && !others_have_it(index)) {
      recover_after_failure();
      return false;
    }
    for (int tries = 0; tries < 2 && !over(); ++tries) {
      if (!open(index, mode)) {
        if (flush_failed_) {
          if (!others_have_it(index)) recover_after_failure();
          return false;
        }
        // It may have been created or replaced all the same.
        if (heads_.size() > 1) return recover(Crash::kill);
        continue;
      }
      if (now()->table && !make_table(index)) continue;
      if (!flush_failed_) expect_content(index, *now());
      return !over();
    }
    if (!over() && full_until_ == 0) ADD_FAILURE() << where_ << ": it cannot be opened";
    return false;
  }

  // Opens what a crash or a failed flush left, finds out which of the states it could be it is.
  bool recover(Crash crash) {
    full_until_ = 0;
    const bool killed = crash == Crash::kill || crash == Crash::kill_no_lock;
    const States& candidates = killed ? heads_ : possible_;
    if (!killed) heads_ = possible_;
    const bool may_be_missing =
        std::any_of(candidates.begin(), candidates.end(), [](const StatePtr& state) { return !state->store; });
    if (!machine_.exists(store_path)) {
      EXPECT_TRUE(may_be_missing) << "the store is gone; expected " << versions_of(candidates);
      if (!may_be_missing) return false;
      const StatePtr nothing =
          *std::find_if(candidates.begin(), candidates.end(), [](const StatePtr& state) { return !state->store; });
      heads_ = {nothing};
      if (!killed) possible_ = {nothing};
      return reopen(0, commit::OpenMode::create) && make_table(0);
    }
    commit::OpenOptions options;
    options.mode = commit::OpenMode::existing;
    Actor& actor = actors_[0];
    Result<std::unique_ptr<object::Store>> opened =
        act(0, [&] { return object::Store::open(*actor.process, store_path, options); });
    if (!opened.ok() && expected_error(opened.code())) {
      opened = act(0, [&] { return object::Store::open(*actor.process, store_path, options); });
    }
    if (!opened.ok()) {
      ADD_FAILURE() << opened.error().message() << "; expected one of " << versions_of(candidates);
      return false;
    }
    actor.store = std::move(opened).value();
    if (!match(crash)) return false;
    expect_sound(0);
    return !over() && make_table(0);
  }

  bool match(Crash crash) {
    State found;
    quiet_ = true;
    const bool whole = read(*actors_[0].store, found);
    quiet_ = false;
    if (!whole) return false;
    States& candidates = heads_;
    const auto newest =
        std::max_element(candidates.begin(), candidates.end(), [&](const StatePtr& a, const StatePtr& b) {
          return std::pair(a->same_content(found), a->version) < std::pair(b->same_content(found), b->version);
        });
    if (!(*newest)->same_content(found)) {
      ADD_FAILURE() << "it holds " << found.content.size() << " keys and is none of " << versions_of(candidates) << ";"
                    << difference(found, **newest);
      return false;
    }
    const StatePtr state = *newest;
    heads_ = {state};
    written_ = false;
    if (crash == Crash::kill || crash == Crash::kill_no_lock) {
      // Nothing newer than what it was opened at was ever written where a checkpoint is.
      std::erase_if(possible_, [&](const StatePtr& one) { return one->version > state->version; });
    } else {
      possible_ = {state};
      floor_ = state->version;
    }
    return true;
  }

  void finish() {
    const bool was_read_only = flush_failed_;
    for (std::size_t i = 0; i < actors_.size(); ++i) {
      if (actors_[i].store != nullptr) close(i);
    }
    if (was_read_only || flush_failed_) {
      recover_after_failure();
      if (over()) return;
      for (int i = 0; i < 5; ++i) write_something(0);
      sync(0);
      close(0);
    }
    if (over() || !reopen(0, commit::OpenMode::existing)) return;
    if (actors_[0].store != nullptr) close(0);
    // The run may have ended with a call that failed: then there was one more chance.
    if (over()) return;
    take_last_images();
  }

  // A machine that loses power after everything was closed loses nothing.
  void take_last_images() {
    if (plan_.images_max == 0) return;
    take_image("end");
    examine_images();
  }

  // After a failed flush and after everybody has closed it, the store opens at a checkpoint.
  void recover_after_failure() {
    flush_failed_ = false;
    heads_ = possible_;
    if (!recover(Crash::kill_no_lock)) ADD_FAILURE() << "after a failed " << failed_call_;
  }

  void expect_read_only() {
    for (std::size_t i = 0; i < actors_.size(); ++i) {
      Actor& actor = actors_[i];
      if (actor.store == nullptr) continue;
      if (actor.table != nullptr) {
        expect_content(i, *now());
        const Result<bool> refused = actor.table->put(test::bytes("k0"), test::bytes("x"), object::Table::Put::always);
        EXPECT_EQ(refused.code(), Code::read_only) << where_ << ", after a failed " << failed_call_;
        if (!refused.ok()) {
          EXPECT_NE(refused.error().message().find("a flush failed"), std::string::npos) << refused.error().message();
        }
      }
      const std::uint64_t version = now()->version;
      if (actor.store->sync().ok()) made_durable(version);
    }
    for (std::size_t i = 0; i < actors_.size(); ++i) {
      if (actors_[i].store != nullptr) close(i);
    }
    recover_after_failure();
  }

  // --- Comparing

  static bool read(const object::Store& store, State& out) {
    out.store = true;
    Result<std::unique_ptr<object::Table>> table = store.table("t", false);
    if (!table.ok()) {
      EXPECT_EQ(table.code(), Code::not_found) << table.error().message();
      return table.code() == Code::not_found;
    }
    out.table = true;
    Result<std::unique_ptr<object::Cursor>> cursor = object::Cursor::open(**table);
    if (!cursor.ok()) {
      ADD_FAILURE() << cursor.error().message();
      return false;
    }
    object::Bytes key;
    object::Bytes value;
    for (;;) {
      const Result<bool> more = (*cursor)->next(key, value);
      if (!more.ok()) {
        ADD_FAILURE() << more.error().message();
        return false;
      }
      if (!more.value()) return true;
      out.content[test::text(key)] = test::text(value);
    }
  }

  void expect_equal(const object::Store& store, const State& expected, const char* what) {
    State found;
    quiet_ = true;  // nothing is written here
    if (!read(store, found)) ADD_FAILURE() << what << ": it cannot be read";
    quiet_ = false;
    EXPECT_TRUE(found.same_content(expected)) << where_ << ": " << what << ":" << difference(found, expected);
  }

  void expect_content(std::size_t index, const State& expected) {
    expect_equal(*actors_[index].store, expected, "content");
  }

  // Everything is reachable or free, never both; and after a clean close nothing is leaked.
  void expect_sound(std::size_t index) {
    const object::Store& store = *actors_[index].store;
    const check::Report report = test::walk(store);
    const auto& header = store.attachment().session().value()->coordination().fixed().header;
    if (header.trusted_from == 0) {
      EXPECT_LE(report.leaked_count, test::leaked_max(store)) << "its bitmaps are trusted";
    }
  }

  Machine& machine_;
  Random random_;
  Plan plan_;
  Tally& tally_;
  const unsigned depth_ = 0;
  const std::string where_;
  std::vector<Actor> actors_;
  std::size_t acting_ = 0;
  bool overtaking_ = false;
  bool undisturbed_ = false;
  bool in_checkpoint_ = false;  // a slot is written, and not known to be durable
  bool quiet_ = false;
  std::uint64_t version_ = 0;
  States heads_;     // what readers see; several only before it is known which
  States possible_;  // what the disk may hold
  std::uint64_t floor_ = 0;
  bool written_ = false;  // something was committed since it was known what the store holds
  std::vector<Image> pending_;
  std::uint64_t taken_ = 0;
  std::vector<std::byte> old_lock_;
  std::vector<std::byte> flushing_;  // the prefix when the flush under way began
  std::vector<std::byte> flushed_;   // when the last complete one did
  std::uint64_t calls_ = 0;
  bool failed_ = false;        // a call of the operation under way failed
  bool refused_ = false;       // the disk was full in it
  bool flush_failed_ = false;  // the store is read only
  std::string failed_call_;
  std::uint64_t full_until_ = 0;
#if UTAN_CRASH_TEST_STEPS
  StepHook before_;
#endif
};

// Says how to replay a run also where a failed check ends the whole program.
class Announced {
 public:
  explicit Announced(std::uint64_t seed) {
    length_ = std::snprintf(text_, sizeof text_, "the run that died: UTAN_SEED=%llu\n",
                            static_cast<unsigned long long>(seed));
    std::signal(SIGABRT, [](int) {
      if (::write(STDERR_FILENO, text_, static_cast<std::size_t>(length_)) < 0) return;
    });
  }
  Announced(const Announced&) = delete;
  Announced& operator=(const Announced&) = delete;
  ~Announced() { std::signal(SIGABRT, SIG_DFL); }

 private:
  static inline char text_[64] = "";
  static inline int length_ = 0;
};

// --- The tests -------------------------------------------------------------------------------------------------------

Plan random_plan(Random& random) {
  Plan plan;
  plan.operations = 20 + random.below(200);
  plan.sync_one_in = 4 + random.below(60);
  plan.images_max = 20 + random.below(40);
  plan.image_factor = 1 + random.below(8);
  plan.two_processes = random.one_in(3);
  plan.full_disks = random.one_in(8);
  if (random.one_in(3)) plan.fail_call = random.below(200);
  return plan;
}

TEST(Crash, AtAnyPoint) {
  const std::uint64_t seed = test::seed_of_run();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  const std::uint64_t wanted = test::scaled(5000, 500'000);
  Tally tally;
  for (std::uint64_t i = 0; tally.images < wanted && !HasFailure(); ++i) {
    SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed + i));
    const Announced announced(seed + i);
    Random random(seed + i);
    const Plan plan = random_plan(random);
    Machine machine(random.next(), reservation);
    Sequence(machine, random.next(), plan, tally).go();
  }
  tally.print("crashes");
}

// One sequence again and again: each time another of its calls fails.
TEST(Crash, EveryCallFailsOnce) {
  const std::uint64_t seed = test::seed_of_run();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  Tally tally;
  const std::uint64_t sequences = test::scaled(2, 300);
  for (std::uint64_t i = 0; i < sequences && !HasFailure(); ++i) {
    Plan plan;
    plan.operations = 50;
    plan.sync_one_in = 12;
    plan.images_max = 2;
    plan.image_factor = 40;
    plan.two_processes = (seed + i) % 3 == 1;
    const std::uint64_t images_before = tally.images;
    bool more = true;
    for (plan.fail_call = 0; more && !HasFailure(); ++plan.fail_call) {
      SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed + i) + ", call " + std::to_string(plan.fail_call));
      if (tally.images - images_before > 1000) plan.images_max = 0;  // the last calls that fail do without
      const Announced announced(seed + i);
      Machine machine(seed + i, reservation);
      Sequence run(machine, seed + i, plan, tally);
      run.go();
      more = run.failure_met();
    }
  }
  tally.print("failing calls");
}

TEST(Crash, DisksThatAreFullForAWhile) {
  const std::uint64_t seed = test::seed_of_run();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  Tally tally;
  for (std::uint64_t i = 0; i < test::scaled(15, 2000) && !HasFailure(); ++i) {
    SCOPED_TRACE("replay with UTAN_SEED=" + std::to_string(seed + i));
    const Announced announced(seed + i);
    Random random(seed + i);
    Plan plan = random_plan(random);
    plan.fail_call = ~std::uint64_t{0};
    plan.full_disks = true;
    plan.images_max = 10;
    Machine machine(random.next(), reservation);
    Sequence(machine, random.next(), plan, tally).go();
  }
  tally.print("full disks");
}

}  // namespace
}  // namespace utan
