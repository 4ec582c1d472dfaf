// Shows that a program may fork while an operation of its own, or of another of its threads, stands at any labelled step:
// the child goes on with the store, and inherits nothing of what was under way.
// Timeout: 120 s
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "base/step.h"
#include "os/linux/testing.h"
#include "support/fork_fixture.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using object::Store;
using object::Table;
using os::testing::TestChild;
using os::testing::TestPipe;
using test::close;
using test::count_up;
using test::Family;
using test::Fork;

#if defined(UTAN_STEPS) && UTAN_STEPS

// Forks when a thread comes by a step for the first time: that is what a fork by another thread at that moment finds.
struct Forker {
  std::function<bool(Step)> child;  // what each child does; true: it went well
  std::array<bool, step_count> seen{};
  int forks = 0;
};
void fork_there(void* context, Step at) {
  auto& forker = *static_cast<Forker*>(context);
  if (forker.seen[static_cast<unsigned>(at)]) return;
  forker.seen[static_cast<unsigned>(at)] = true;
  ++forker.forks;
  TestChild child([&] {
    step_hook = {};
    return forker.child(at);
  });
  EXPECT_TRUE(child.join()) << "forked at " << step_name(at);
}

TEST_F(Fork, AtEachStepOfOperations) {
  auto store = test::open_store(path_);
  auto table = test::open_table(*store, "t");
  test::put(*table, "n", "0");
  int forks = 0;
  Forker forker{[&](Step) {
                  EXPECT_EQ(test::get(*table, "n"), std::to_string(forks));
                  count_up(*table, "n");
                  test::erase(*table, "1");
                  auto snapshot = store->snapshot();
                  EXPECT_TRUE(snapshot.ok());
                  snapshot.value().reset();
                  EXPECT_TRUE(store->sync().ok());
                  return !::testing::Test::HasFailure();
                },
                {},
                0};
  const auto work = [&] {
    object::Value held;
    ASSERT_TRUE(table->get(test::bytes("n"), held).ok());
    for (int i = 0; i < 400; ++i) {
      test::put(*table, std::to_string(i % 40), std::string(static_cast<std::size_t>(i), 'x'));
      if (i % 50 == 10) {
        auto snapshot = store->snapshot();
        for (int j = 0; j < 40; ++j) test::put(*table, std::to_string(j), "y");
      }
      test::put(*table, "large", std::string(20'000 + static_cast<std::size_t>(i) * 100, 'z'));
    }
    held.release();
    EXPECT_TRUE(store->sync().ok());
  };
  step_hook = {[](void* context, Step at) {
                 auto& all = *static_cast<std::pair<Forker*, int*>*>(context);
                 fork_there(all.first, at);
                 *all.second = all.first->forks;
               },
               nullptr};
  std::pair<Forker*, int*> context{&forker, &forks};
  step_hook.context = &context;
  work();
  step_hook = {};
  EXPECT_GT(forks, 25);
  EXPECT_EQ(test::get(*table, "n"), std::to_string(forks));
  store->attachment().session().value()->adopt_dead();
  EXPECT_LE(test::walk(*store).leaked_count, test::leaked_max(*store));
}

// A fork while another thread opens or closes: the child lives on, and the parent dies at once or, with `later`, when
// it has come through. The child must not keep the parent's entry, or its lock of the file, alive.
struct Moment {
  Step step;
  bool later;
};
class AtMoment : public Fork, public ::testing::WithParamInterface<Moment> {};

TEST_P(AtMoment, OfAnotherThreadTheChildInheritsNothing) {
  const auto [step, later] = GetParam();
  Family family([this, step = step, later = later](Family& self) {
    struct There {
      Step step;
      Family* family;
      bool later;
      bool done;
    } there{step, &self, later, false};
    auto store = test::open_store(path_);
    test::put(*test::open_table(*store, "t"), "k", "v");
    step_hook = {[](void* context, Step at) {
                   auto& wanted = *static_cast<There*>(context);
                   if (at != wanted.step || wanted.done) return;
                   wanted.done = true;
                   if (::fork() == 0) {
                     wanted.family->tell();  // fork has returned here, so its handlers have run
                     wanted.family->wait();  // for the end
                     ::_exit(0);
                   }
                   if (!wanted.later) TestPipe().wait();  // killed here
                 },
                 &there};
    close(std::move(store));
    store = test::open_store(path_);
    EXPECT_TRUE(there.done);
    self.tell();
    TestPipe().wait();  // killed here
  });
  ASSERT_TRUE(family.told()) << "the child";
  if (later) {
    ASSERT_TRUE(family.told()) << "the parent";
  }
  family.kill_parent();
  auto store = test::open_store(path_, {.timeout = milliseconds(500)});
  if (store != nullptr) {
    EXPECT_EQ(store->statistics()->processes.value, 1U) << "the parent's entry looks alive";
    EXPECT_EQ(test::get(*test::open_table(*store, "t"), "k"), "v");
    close(std::move(store));
    const auto fresh = Store::open(os::linux_system(), path_, {.mode = commit::OpenMode::fresh});
    EXPECT_TRUE(fresh.ok()) << fresh.error().message();
  }
  EXPECT_TRUE(family.all_ended());
}

std::vector<Moment> moments() {
  std::vector<Moment> out;
  for (const Step step : {Step::recover_started, Step::attach_coordination_made, Step::attach_entry_claimed,
                          Step::close_checkpointed, Step::close_exclusive, Step::close_flagged}) {
    for (const bool later : {false, true}) out.push_back({step, later});
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(Every, AtMoment, ::testing::ValuesIn(moments()),
                         [](const ::testing::TestParamInfo<Moment>& test) {
                           return step_name(test.param.step) + std::string(test.param.later ? "_later" : "_at_once");
                         });

#endif

}  // namespace
}  // namespace utan
