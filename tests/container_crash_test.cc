// Shows that a power cut or a kill at any system call, or at any labelled step between, leaves containers whole: documents,
// lists, collections and tables, nested, moved, cut and cleared, with some of them held or only in a snapshot. The store
// opens to what it held after one operation, no older than its last completed sync or close, and after a kill to the newest;
// the checker finds it sound, and one can work on in it, through further crashes. What nothing names is gone when its last
// holder has let go of it and the store is closed.
// Labels: plain
// Timeout: 240 s
//
// A run is a random sequence of operations of one simulated process; each of them changes what can be read in one commit, so
// that what a crash leaves must be the content after one of them, as JSON. At every point a hook may record what the disk may
// get, and draw images of what a crash would leave. They are looked at when the operation under way is over. Nothing is ever
// killed: all that has crashed are the images. Run number i has the seed of the whole plus i.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/step.h"
#include "object/container.h"
#include "object/orphans.h"
#include "os/sim/machine.h"
#include "os/sim/random.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;
using object::Input;
using object::Loan;
using os::sim::Call;
using os::sim::CallKind;
using os::sim::Machine;
using os::sim::Random;

#if defined(UTAN_STEPS) && UTAN_STEPS
#define UTAN_CRASH_TEST_STEPS 1
#else
#define UTAN_CRASH_TEST_STEPS 0
#endif
constexpr unsigned depth_max = 3;
const std::string store_path = "/data/db";

enum class Crash { power, reboot, kill };
const char* crash_name(Crash crash) {
  constexpr const char* names[] = {"power", "reboot", "kill"};
  return names[static_cast<int>(crash)];
}

// What the store held after the operations, one by one. Shared, since images have the same.
using Content = std::shared_ptr<const std::string>;

struct Image {
  std::unique_ptr<Machine> machine;
  Crash crash;
  std::string where;              // the points at which the crashes were, outermost first
  std::vector<Content> contents;  // from what was durable on
  std::size_t newest_before;      // of these: that before the operation in which it was taken
};

struct Tally {
  std::uint64_t images = 0;
  std::uint64_t of_crash[3] = {};
  std::uint64_t of_depth[depth_max + 1] = {};
  std::uint64_t older = 0;        // opened to what was not the newest
  std::uint64_t orphans = 0;      // that crashes left
  std::uint64_t in_work_off = 0;  // images taken while orphans were worked off
};

struct Plan {
  std::uint64_t operations = 120;
  std::uint64_t images_max = 30;
};

class Sequence {
 public:
  Sequence(Machine& machine, std::uint64_t seed, const Plan& plan, Tally& tally)
      : machine_(machine), random_(seed), plan_(plan), tally_(tally) {
    machine_.make_folder("/data");
    start();
  }
  // In what a crash left.
  Sequence(const Image& image, unsigned depth, std::uint64_t seed, const Plan& plan, Tally& tally)
      : machine_(*image.machine), random_(seed), plan_(plan), tally_(tally), depth_(depth), where_(image.where) {
    start();
  }
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;
  ~Sequence() {
    plan_.images_max = 0;
    let_go();
    store_.reset();
    machine_.on_call({});
#if UTAN_CRASH_TEST_STEPS
    step_hook = before_;
#endif
  }

  // The whole sequence: opens, works, closes, opens again.
  void go() {
    commit::OpenOptions options;
    options.chunk_size = 64 * 1024;
    open(options);
    // From here on there is a durable store.
    contents_ = {content()};
    work();
    if (over()) return;
    close();
    open({});
    expect_newest();
    const check::Report report = test::walk(*store_);
    EXPECT_EQ(report.orphan_count, 0U) << "nobody held anything when it was closed";
    close();
  }

  // Opens what a crash left, compares; works on in it if the plan says so.
  void go_on(const Image& image) {
    open({});
    if (over()) return;
    match(image);
    expect_sound();
    if (over() || plan_.operations == 0) return;
    work();
    if (over()) return;
    close();
    open({});
    expect_newest();
    expect_sound();
  }

 private:
  static bool over() { return ::testing::Test::HasFailure(); }

  void start() {
    process_ = &machine_.start_process();
    machine_.on_call([this](const Call& call) {
      called(call);
      return Error();
    });
#if UTAN_CRASH_TEST_STEPS
    before_ = step_hook;
    step_hook =
        StepHook{.call = [](void* self, Step step) { static_cast<Sequence*>(self)->stepped(step); }, .context = this};
#endif
  }

  // --- Points

  // An image once in `image` times, a record of what the disk may get once in `capture` times.
  void look(std::uint64_t image, std::uint64_t capture, const char* name) {
    if (quiet_ || plan_.images_max == 0 || contents_.empty()) return;
    if (pending_.size() < 4 && taken_ < plan_.images_max && random_.one_in(image)) {
      take_image(name);
    } else if (random_.one_in(capture * (depth_ + 1))) {
      machine_.capture();
    }
  }

  void called(const Call& call) {
    switch (call.kind) {
      case CallKind::flush:
      case CallKind::flush_end:
        look(6, 1, os::sim::call_name(call.kind));
        break;
      case CallKind::allocate:
      case CallKind::write:
        look(30, 3, os::sim::call_name(call.kind));
        break;
      default:
        look(200, 30, os::sim::call_name(call.kind));
    }
  }

  void stepped(Step step) {
    if (step >= Step::checkpoint_pinned && step <= Step::close_flagged) {
      look(20, 2, step_name(step));
    } else {
      // So rare that they are spread over the whole run.
      look(in_work_off_ ? 300 : 6'000, 150, step_name(step));
    }
  }

  void take_image(const char* name) {
    Image image;
    const std::uint64_t chosen = random_.below(8);
    image.crash = chosen == 0 ? Crash::reboot : chosen < 4 ? Crash::kill : Crash::power;
    image.machine = image.crash == Crash::kill     ? machine_.kill_image()
                    : image.crash == Crash::reboot ? machine_.reboot_image()
                                                   : machine_.crash_image(random_);
    image.where = where_ + (where_.empty() ? "" : ", then ") + crash_name(image.crash) + " at " + name +
                  " in operation " + std::to_string(operation_) + " (" + doing_ + ")";
    image.contents = contents_;
    image.newest_before = contents_.size() - 1;
    pending_.push_back(std::move(image));
    ++taken_;
    ++tally_.images;
    ++tally_.of_crash[static_cast<int>(image.crash)];
    ++tally_.of_depth[depth_ + 1];
    if (in_work_off_) ++tally_.in_work_off;
  }

  // Looks at what was drawn during the operation that is over now.
  void examine_images() {
    while (!pending_.empty() && !over()) {
      Image image = std::move(pending_.back());
      pending_.pop_back();
      image.contents.push_back(contents_.back());
      const bool last = depth_ + 1 == depth_max;
      Plan plan;
      plan.operations = random_.one_in(2) ? 1 + random_.below(30) : 0;
      plan.images_max = !last && random_.one_in(3) ? 3 : 0;
      SCOPED_TRACE(image.where);
      Sequence run(image, depth_ + 1, random_.next(), plan, tally_);
      run.go_on(image);
    }
  }

  // --- Content

  Content content() {
    quiet_ = true;
    Result<std::string> text = store_->root()->to_json({});
    quiet_ = false;
    EXPECT_TRUE(text.ok()) << where_ << ": " << text.error().message();
    return std::make_shared<const std::string>(text.ok() ? *std::move(text) : "");
  }

  void expect_newest() {
    if (over()) return;
    EXPECT_EQ(*content(), *contents_.back()) << where_;
  }

  // Finds out after which operation this is what the store held.
  void match(const Image& image) {
    const Content found = content();
    const std::size_t first = image.crash == Crash::kill ? image.newest_before : 0;
    std::size_t at = image.contents.size();
    while (at > first && *image.contents[at - 1] != *found) --at;
    if (at == first) {
      ADD_FAILURE() << "it holds what it did after none of the last " << image.contents.size() - first
                    << " operations: " << found->substr(0, 200);
      return;
    }
    if (at < image.contents.size() - 1) ++tally_.older;
    if (image.crash == Crash::kill) {
      // The disk may still have what was durable before.
      contents_.assign(image.contents.begin(), image.contents.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      contents_ = {found};
    }
  }

  void expect_sound() {
    const check::Report report = test::walk(*store_);
    EXPECT_EQ(report.unreachable_count, 0U) << where_;
    tally_.orphans += report.orphan_count;
    if (store_->attachment().session().value()->coordination().fixed().header.trusted_from == 0) {
      EXPECT_LE(report.leaked_count, test::leaked_max(*store_)) << where_ << ": its bitmaps are trusted";
    }
  }

  // --- Opening and closing

  void open(const commit::OpenOptions& options) {
    doing_ = "open";
    store_ = test::open_store(store_path, options, *process_);
    ASSERT_NE(store_, nullptr) << where_;
    root_ = store_->root();
  }
  void let_go() {
    held_.clear();
    snapshots_.clear();
    root_.reset();
  }
  void close() {
    doing_ = "close";
    let_go();
    const Result<void> closed = object::Store::close(std::move(store_));
    EXPECT_TRUE(closed.ok()) << where_ << ": " << closed.error().message();
    if (closed.ok()) made_durable();
    contents_.push_back(contents_.back());
    examine_images();
  }
  // From here on a power cut leaves nothing older.
  void made_durable() { contents_.erase(contents_.begin(), contents_.end() - 1); }

  // --- Operations

  template <class T>
  bool done(const Result<T>& result) {
    EXPECT_TRUE(result.ok()) << where_ << ", " << doing_ << ": " << result.error().message();
    return result.ok();
  }

  void work() {
    for (std::uint64_t i = 0; i < plan_.operations && !over(); ++i) {
      operation_ = i;
      const std::uint64_t number = store_->statistics()->newest.value;
      operate();
      if (over()) return;
      // Nothing was written: no image of the operation shows anything else.
      contents_.push_back(store_ != nullptr && store_->statistics()->newest.value != number ? content()
                                                                                            : contents_.back());
      examine_images();
    }
  }

  Value key() {
    text_ = "k" + std::to_string(random_.below(12));
    return Value::string(text_);
  }
  std::string text_of(std::uint64_t size) { return std::string(size, static_cast<char>('a' + random_.below(26))); }

  // Adds one value to the data: now and then a container, or a value in many parts.
  void add_value(Data& data, unsigned depth) {
    if (depth > 0 && random_.one_in(3)) return add_container(data, depth - 1, random_.below(12));
    const std::uint64_t kind = random_.below(40);
    if (kind == 0) {
      ASSERT_TRUE(done(data.add(Value::string(text_of(20'000)))));
    } else if (kind < 12) {
      ASSERT_TRUE(done(data.add(Value::string(text_of(random_.below(300))))));
    } else {
      ASSERT_TRUE(done(data.add(Value::integer(static_cast<std::int64_t>(random_.next())))));
    }
  }
  void add_container(Data& data, unsigned depth, std::uint64_t count) {
    constexpr ContainerType types[] = {ContainerType::dict, ContainerType::list, ContainerType::collection,
                                       ContainerType::table};
    const ContainerType type = types[random_.below(4)];
    ASSERT_TRUE(data.begin(type).ok());
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string key = "f" + std::to_string(i);
      if (type != ContainerType::list && !done(data.add(Value::string(key)))) return;
      add_value(data, depth);
    }
    ASSERT_TRUE(data.end().ok());
  }

  std::unique_ptr<Container> named(const char* name, ContainerType type) {
    Result<std::unique_ptr<Container>> out = store_->container(name, type, true);
    EXPECT_TRUE(out.ok()) << where_ << ": " << out.error().message();
    return out.ok() ? std::move(*out) : nullptr;
  }

  void operate() {
    // The containers of the first level are made one by one, each by an operation of its own.
    static constexpr std::pair<const char*, ContainerType> names[] = {{"documents", ContainerType::collection},
                                                                      {"log", ContainerType::list},
                                                                      {"counters", ContainerType::table},
                                                                      {"moved", ContainerType::dict}};
    for (const auto& [name, type] : names) {
      const Result<bool> there = root_->contains(Value::string(name));
      if (!done(there) || there.value()) continue;
      doing_ = "making containers";
      named(name, type);
      return;
    }
    switch (random_.below(24)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return set_document();
      case 4:
      case 5:
        return set_at();
      case 6:
      case 7:
      case 8:
        return change_list();
      case 9: {
        doing_ = "increase";
        Loan sum;
        done(named("counters", ContainerType::table)->increase(key(), Value::integer(1), sum));
        return;
      }
      case 10:
      case 11: {
        doing_ = "erase";
        done(named("documents", ContainerType::collection)->erase(key()));
        return;
      }
      case 12:
        return set_large();
      case 13:
      case 14:
        return hold_one();
      case 15:
        return name_again();
      case 16:
        doing_ = "letting go";
        if (!held_.empty()) held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(random_.below(held_.size())));
        return;
      case 17:
        return snapshot();
      case 18:
      case 19:
        return work_off();
      case 20: {
        doing_ = "delete_range";
        object::Range range;
        range.low = key();
        done(named("documents", ContainerType::collection)->delete_range(range));
        return;
      }
      case 21: {
        doing_ = "clear";
        const bool list = random_.one_in(2);
        done(named(list ? "log" : "moved", list ? ContainerType::list : ContainerType::dict)->clear());
        return;
      }
      default:
        if (random_.one_in(4)) {
          close();
          if (!over()) open({});
        } else {
          sync();
        }
    }
  }

  void set_document() {
    doing_ = "set";
    Data data;
    add_container(data, 2, random_.below(12));
    Input input(data);
    done(named("documents", ContainerType::collection)->set(key(), input));
  }

  // A path of which dicts are missing.
  void set_at() {
    doing_ = "set_at";
    const Value path[] = {Value::string("moved"), Value::string(random_.one_in(2) ? "x" : "y"), Value::string("z"),
                          key()};
    Data data;
    add_value(data, 1);
    Input input(data);
    done(root_->set_at(path, input, true));
  }

  void change_list() {
    const std::unique_ptr<Container> list = named("log", ContainerType::list);
    if (random_.one_in(3)) {
      doing_ = "splice";
      Data data;
      ASSERT_TRUE(data.begin(ContainerType::list).ok());
      for (std::uint64_t i = random_.below(random_.one_in(4) ? 600 : 10); i > 0; --i) add_value(data, 1);
      ASSERT_TRUE(data.end().ok());
      done(list->splice(random_.below(40), random_.below(random_.one_in(3) ? 1'000 : 10), data));
      return;
    }
    doing_ = "insert";
    Data data;
    add_value(data, 1);
    Input input(data);
    done(list->insert(static_cast<std::int64_t>(random_.below(60)) - 30, input));
  }

  // So much that it is emptied in several commits, and that what a commit replaces stands on lists; or it goes again.
  void set_large() {
    doing_ = "set, large";
    if (!random_.one_in(3)) {
      done(root_->erase(Value::string("large")));
      return;
    }
    Data data;
    constexpr ContainerType types[] = {ContainerType::dict, ContainerType::list, ContainerType::table};
    const ContainerType type = types[random_.below(3)];
    ASSERT_TRUE(data.begin(type).ok());
    for (std::int64_t i = 0; i < 1'500; ++i) {
      if (type != ContainerType::list && !done(data.add(Value::integer(i)))) return;
      if (i % 100 == 7) {
        add_container(data, 0, 3);
      } else {
        ASSERT_TRUE(done(data.add(Value::string("value " + std::to_string(i)))));
      }
    }
    ASSERT_TRUE(data.end().ok());
    Input input(data);
    done(root_->set(Value::string("large"), input));
  }

  // Takes a document out and holds it.
  void hold_one() {
    doing_ = "pop";
    Loan loan;
    const Result<bool> popped = named("documents", ContainerType::collection)->pop(key(), loan);
    if (!done(popped) || !popped.value() || loan.value().tag != format::Tag::container) return;
    if (held_.size() == 3) held_.erase(held_.begin());
    held_.push_back(Container::of(store_->attachment(), nullptr, std::move(loan)));
  }

  // What is held is named again, at one place or two.
  void name_again() {
    doing_ = "naming again";
    if (held_.empty()) return;
    const Container& one = *held_[random_.below(held_.size())];
    Data data;
    ASSERT_TRUE(data.begin(ContainerType::list).ok());
    for (std::uint64_t i = random_.below(2); i < 2; ++i) ASSERT_TRUE(done(data.add(Value::container(one.id()))));
    ASSERT_TRUE(data.end().ok());
    Input input(data);
    done(named("moved", ContainerType::dict)->set(key(), input));
  }

  void snapshot() {
    doing_ = "snapshot";
    if (snapshots_.size() == 2 || (!snapshots_.empty() && random_.one_in(2))) {
      const auto& [old, expected] = snapshots_.front();
      const Result<std::string> text = old->root()->to_json({});
      EXPECT_TRUE(done(text) && *text == *expected) << where_ << ": a snapshot has changed";
      snapshots_.erase(snapshots_.begin());
      return;
    }
    Result<std::unique_ptr<object::Store>> taken = store_->snapshot();
    if (done(taken)) snapshots_.emplace_back(std::move(*taken), contents_.back());
  }

  void work_off() {
    doing_ = "working off orphans";
    in_work_off_ = true;
    object::work_off_orphans(**store_->attachment().thread());
    in_work_off_ = false;
  }

  void sync() {
    doing_ = "sync";
    if (done(store_->sync())) made_durable();
  }

  Machine& machine_;
  Random random_;
  Plan plan_;
  Tally& tally_;
  const unsigned depth_ = 0;
  const std::string where_;
  os::sim::Process* process_ = nullptr;
  std::unique_ptr<object::Store> store_;
  std::unique_ptr<Container> root_;
  std::vector<std::unique_ptr<Container>> held_;
  std::vector<std::pair<std::unique_ptr<object::Store>, Content>> snapshots_;
  std::vector<Content> contents_;  // from what is durable on
  std::string text_;               // of the key in use
  std::uint64_t operation_ = 0;
  const char* doing_ = "opening";
  bool in_work_off_ = false;
  bool quiet_ = false;
  std::vector<Image> pending_;
  std::uint64_t taken_ = 0;
#if UTAN_CRASH_TEST_STEPS
  StepHook before_;
#endif
};

TEST(ContainerCrashes, AtAnyPoint) {
  UTAN_SEEDED(seed);
  Tally tally;
  for (std::uint64_t i = 0; i < test::scaled(30, 3'000); ++i) {
    SCOPED_TRACE("run " + std::to_string(i) + ": replay with UTAN_SEED=" + std::to_string(seed + i));
    Machine machine(seed + i);
    Sequence(machine, seed + i, Plan{}, tally).go();
    if (HasFailure()) return;
  }
  const auto number = [](std::uint64_t count) { return static_cast<unsigned long long>(count); };
  std::printf(
      "%llu images: power %llu, reboot %llu, kill %llu; by depth %llu %llu %llu; %llu while orphans were worked off; "
      "%llu were older than the newest; they had %llu orphans\n",
      number(tally.images), number(tally.of_crash[0]), number(tally.of_crash[1]), number(tally.of_crash[2]),
      number(tally.of_depth[1]), number(tally.of_depth[2]), number(tally.of_depth[3]), number(tally.in_work_off),
      number(tally.older), number(tally.orphans));
  EXPECT_GT(tally.images, 0U);
  EXPECT_GT(tally.orphans, 0U);
#if UTAN_CRASH_TEST_STEPS
  EXPECT_GT(tally.in_work_off, 0U);
#endif
}

}  // namespace
}  // namespace utan
