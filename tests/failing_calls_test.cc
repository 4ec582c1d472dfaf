// Shows what is said where a call of the system fails, where a limit is reached, and where a lock file in use is damaged: the
// code, which file, and what to do; that nothing committed is lost, and that the store goes on as soon as it can.
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "base/interruption.h"
#include "base/step.h"
#include "commit/thread.h"
#include "os/sim/machine.h"
#include "support/attach_fixture.h"

namespace utan::attaching {
namespace {

using os::sim::Call;
using os::sim::CallKind;
using os::sim::Machine;
using os::sim::Process;

constexpr const char* store_path = "/s";

std::unique_ptr<Store> open_in(Process& process, const commit::OpenOptions& options = {}) {
  return test::open_store(store_path, options, process);
}

commit::Session& session_of(const Store& store) { return *store.attachment().session().value(); }
format::CoordinationFixed& fixed_of(const Store& store) { return session_of(store).coordination().fixed(); }

template <class T>
void expect_error(const Result<T>& result, Code code, const std::vector<std::string>& said) {
  ASSERT_EQ(result.code(), code) << (result.ok() ? "no error" : result.error().message());
  for (const std::string& part : said)
    EXPECT_NE(result.error().message().find(part), std::string::npos) << result.error().message();
}
Result<bool> try_to_put(const Store& store, const std::string& value) {
  return test::open_table(store, "t")->put(test::bytes("k"), test::bytes(value), object::Table::Put::always);
}

class FailingCalls : public ::testing::Test {
 protected:
  // Lets calls fail of which `fails` says so.
  void fail(const std::function<bool(const Call&)>& fails) {
    machine_.on_call([fails](const Call& call) -> Error {
      if (!fails(call)) return {};
      return Error{Code::io, EIO, "cannot do it " + call.path + ": Input/output error"};
    });
  }
  void fail_once(CallKind kind) {
    fail([kind, done = false](const Call& call) mutable { return call.kind == kind && !std::exchange(done, true); });
  }
  void succeed() { machine_.on_call({}); }

  Machine machine_{1};
};

// --- Flushes -----------------------------------------------------------------------------------------------------------

const std::vector<std::string> read_only_since = {store_path, "read only since a flush failed (error 5)",
                                                  "close it everywhere and open it again"};

TEST_F(FailingCalls, AFailedFlushMakesTheStoreReadOnlyForAllUntilAllHaveClosedIt) {
  for (const CallKind kind : {CallKind::flush, CallKind::flush_end, CallKind::write_back}) {
    SCOPED_TRACE(os::sim::call_name(kind));
    auto store = open_in(machine_.start_process());
    auto other = open_in(machine_.start_process());
    put_in(*store, "k", "synced");
    ASSERT_TRUE(store->sync().ok());
    put_in(*store, "k", "committed");
    fail_once(kind);
    leave_question({[](void*) { return 0; }, nullptr});  // so that much is written in parts, before the flush
    expect_error(store->sync(), Code::io,
                 {store_path, "Since a flush failed the store is read only", "close it everywhere"});
    leave_question({});
    succeed();
    for (const auto* one : {&store, &other}) {
      EXPECT_EQ(get_from(**one, "k"), "committed") << "what was committed is read";
      expect_error(try_to_put(**one, "lost"), Code::read_only, read_only_since);
      expect_error((*one)->sync(), Code::read_only, read_only_since);
      EXPECT_EQ((*one)->snapshot().code(), Code::ok);
    }
    close(std::move(store));
    close(std::move(other));
    store = open_in(machine_.start_process());
    EXPECT_EQ(get_from(*store, "k"), "synced") << "it goes on from the last checkpoint";
    put_in(*store, "k", "again");
    EXPECT_TRUE(store->sync().ok());
    close(std::move(store));
  }
}

// A flush that succeeds after another process's has failed says nothing of what that one lost.
TEST_F(FailingCalls, AFlushAfterOneThatFailedIsAFailureToo) {
  const auto store = open_in(machine_.start_process());
  put_in(*store, "k", "synced");
  ASSERT_TRUE(store->sync().ok());
  put_in(*store, "k", "committed");
  // The other process's failure, as it becomes known in the middle of this one's flush.
  machine_.on_call([&](const Call& call) -> Error {
    if (call.kind == CallKind::flush_end) {
      fixed_of(*store).health_errno.store(EIO);
      fixed_of(*store).health.store(static_cast<std::uint64_t>(format::Health::flush_failed));
    }
    return {};
  });
  const std::uint64_t durable = fixed_of(*store).durable_number.load();
  expect_error(store->sync(), Code::read_only, read_only_since);
  succeed();
  EXPECT_EQ(fixed_of(*store).durable_number.load(), durable) << "nothing is called durable";
  EXPECT_EQ(get_from(*store, "k"), "committed");
}

TEST_F(FailingCalls, MoreCheckpointsAtOnceThanThereAreSlots) {
  const auto store = open_in(machine_.start_process());
  put_in(*store, "k", "v");
  const format::Coordination coordination = session_of(*store).coordination();
  // As many processes as there are slots have claimed them, and were stopped there.
  for (std::uint64_t i = 0; i < format::checkpoint_slot_count; ++i) {
    coordination.claim(i).claimant.store(session_of(*store).owner().word);
    coordination.claim(i).number.store(~std::uint64_t{0});
  }
  expect_error(store->sync(), Code::in_use,
               {store_path, "all checkpoint slots are being written by others", "try again"});
  put_in(*store, "k", "w");
  coordination.claim(3).number.store(0);
  coordination.claim(3).claimant.store(0);
  EXPECT_TRUE(store->sync().ok());
  const auto image = machine_.reboot_image();
  EXPECT_EQ(get_from(*open_in(image->start_process()), "k"), "w");
}

// --- Opening and closing -----------------------------------------------------------------------------------------------

// Whatever call of an opening fails: it says so and which store, leaves nobody behind, and the next opening works.
TEST_F(FailingCalls, AnOpeningThatFails) {
  {
    const auto store = open_in(machine_.start_process());
    put_in(*store, "k", "v");
    ASSERT_TRUE(store->sync().ok());
  }
  int failed = 0;
  for (std::uint64_t number = 0;; ++number) {
    Process& process = machine_.start_process();
    std::uint64_t calls = 0;
    bool met = false;
    // Whoever cannot read which boot this is opens the store, and keeps others out.
    fail([&](const Call& call) { return call.kind != CallKind::boot_id && calls++ == number && (met = true); });
    const auto opened = Store::open(process, store_path, {});
    succeed();
    if (!opened.ok()) {
      ++failed;
      expect_error(opened, Code::io, {store_path, "Input/output error"});
    } else {
      EXPECT_EQ(get_from(**opened, "k"), "v") << "call " << number;
    }
    const auto next = open_in(machine_.start_process());
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(get_from(*next, "k"), "v") << "call " << number;
    EXPECT_EQ(next->statistics()->processes.value, opened.ok() ? 2U : 1U) << "call " << number;
    if (!met) break;
  }
  EXPECT_GT(failed, 10);
}

// Where it cannot be told whether others have it open, the last one to close makes a checkpoint, and no clean close.
TEST_F(FailingCalls, ACloseThatCannotTellWhoIsThere) {
  auto store = open_in(machine_.start_process());
  put_in(*store, "k", "v");
  fail([](const Call& call) { return call.kind == CallKind::test_bytes; });
  const Result<void> closed = Store::close(std::move(store));
  succeed();
  EXPECT_TRUE(closed.ok()) << closed.error().message();
  const auto image = machine_.reboot_image();
  const auto after = open_in(image->start_process());
  EXPECT_EQ(get_from(*after, "k"), "v");
  put_in(*after, "k", "w");
  EXPECT_GT(newest(*after), recovery_jump) << "it was not closed cleanly";
}

// Whatever call of a closing fails: it says so where something was not done, nothing committed is lost unless a flush failed, and
// the next to open the store writes.
TEST_F(FailingCalls, ACloseWhoseCallsFail) {
  for (std::uint64_t number = 0;; ++number) {
    auto store = open_in(machine_.start_process());
    put_in(*store, "k", std::to_string(number));
    std::uint64_t calls = 0;
    bool met = false;
    bool is_flush = false;
    fail([&](const Call& call) {
      if (calls++ != number) return false;
      is_flush = call.kind == CallKind::flush || call.kind == CallKind::flush_end;
      return met = true;
    });
    const Result<void> closed = Store::close(std::move(store));
    succeed();
    SCOPED_TRACE("call " + std::to_string(number));
    if (is_flush) {
      expect_error(closed, Code::io, {store_path, "a flush failed", "close it everywhere and open it again"});
    } else if (!closed.ok()) {
      expect_error(closed, Code::io, {store_path, "Input/output error"});
    }
    const auto next = open_in(machine_.start_process());
    ASSERT_NE(next, nullptr);
    if (!is_flush) {
      EXPECT_EQ(get_from(*next, "k"), std::to_string(number));
    }
    put_in(*next, "k", "next");
    EXPECT_TRUE(next->sync().ok());
    if (!met) break;
  }
}

// --- Limits ------------------------------------------------------------------------------------------------------------

TEST_F(FailingCalls, MoreProcessesThanThereArePlacesFor) {
  const auto store = open_in(machine_.start_process());
  put_in(*store, "k", "v");
  // Each of the others is alive by the lock of its byte.
  Process& others = machine_.start_process();
  const auto file = others.open(store_path, os::Access::read_write, os::Creation::existing, 0);
  ASSERT_TRUE(file.ok());
  for (std::uint32_t i = 1; i < format::process_entry_count; ++i)
    ASSERT_TRUE(*(*file)->try_lock_byte(i, os::LockMode::exclusive)) << i;
  Process& late = machine_.start_process();
  expect_error(Store::open(late, store_path, {}), Code::no_space,
               {store_path, std::to_string(format::process_entry_count) + " processes have this store open",
                "close it in one of them"});
  (*file)->unlock_byte(77);
  EXPECT_EQ(get_from(*open_in(late), "k"), "v");
}

TEST_F(FailingCalls, MoreValuesAtOnceThanAThreadCanHold) {
  const auto store = open_in(machine_.start_process());
  const auto table = test::open_table(*store, "t");
  test::put(*table, "k", "v");
  std::vector<object::Value> held;
  for (;;) {
    object::Value value;
    const Result<bool> got = table->get(test::bytes("k"), value);
    if (!got.ok()) {
      expect_error(got, Code::invalid,
                   {std::to_string(held.size()) + " values or iterators at once", "let go of some"});
      break;
    }
    held.push_back(value);
    ASSERT_LT(held.size(), 100U);
  }
  for (const object::Value& value : held) EXPECT_EQ(test::text({value.data, value.size}), "v");
  held.back().release();
  held.pop_back();
  EXPECT_EQ(test::get(*table, "k"), "v");
  for (object::Value& value : held) value.release();
  EXPECT_EQ(store->statistics()->pins.value, 0U);
}

// Millions of crashes, or a hand that writes such a number.
TEST_F(FailingCalls, NoNumbersAreLeftForCommits) {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.utan");
  put_in(path, "k", "v");
  const std::string whole = content_of(path);
  std::filesystem::remove(path + "-lock");
  change_header(path, [](FileHeader& header) {
    header.clean = 0;
    header.number_floor = format::commit_number_max - 1;
  });
  expect_refused(path, {}, Code::corruption, "the numbers of commits are used up");
  overwrite(path, whole);
  EXPECT_EQ(get_from(path, "k"), "v");
}

TEST_F(FailingCalls, AHeaderThatSpeaksOfMoreThanThereIs) {
  const TemporaryFolder folder;
  const std::string path = folder.path("s.utan");
  put_in(path, "k", "v");
  const std::string whole = content_of(path);
  std::filesystem::remove(path + "-lock");
  change_header(path, [](FileHeader& header) { header.trusted_from = format::file_size_max / format::segment_size; });
  expect_refused(path, {}, Code::corruption, "speaks of more than the file has; go back to a copy");
  overwrite(path, whole);
  EXPECT_EQ(get_from(path, "k"), "v");
}

// --- A head that cannot be read ----------------------------------------------------------------------------------------

TEST_F(FailingCalls, ANewestCommitThatCannotBeReadIsSaid) {
  const ExpectDamage expected;
  const auto store = open_in(machine_.start_process());
  put_in(*store, "k", "v");
  auto& head = fixed_of(*store).head;
  const std::uint64_t right = head.load();
  const std::vector<std::string> said = {store_path, "the newest commit cannot be read"};
  // No offset in the file; and one at which there is another number.
  for (const std::uint64_t wrong : {~std::uint64_t{0}, right + 1, std::uint64_t{0}}) {
    head.store(wrong);
    const auto table = store->table("t", false);
    expect_error(table, Code::corruption, said);
    expect_error(store->snapshot(), Code::corruption, said);
    expect_error(store->sync(), Code::corruption, said);
    head.store(right);
    EXPECT_EQ(get_from(*store, "k"), "v");
    EXPECT_TRUE(store->sync().ok());
  }
  EXPECT_EQ(store->statistics()->pins.value, 0U) << "what failed holds nothing";
}

// --- Readers that are overtaken ----------------------------------------------------------------------------------------

#if defined(UTAN_STEPS) && UTAN_STEPS

// However often somebody else commits in the middle of it, a read ends, after a bounded number of tries.
TEST_F(FailingCalls, AReaderThatIsOvertakenEachTimeComesToItsEnd) {
  const auto store = open_in(machine_.start_process());
  const auto other = open_in(machine_.start_process());
  const auto table = test::open_table(*store, "t");
  const auto others_table = test::open_table(*other, "t");
  test::put(*table, "k", "0");
  struct Overtaker {
    object::Table& table;
    int commits = 0;
  } overtaker{*others_table};
  const StepHook hook{[](void* context, Step at) {
                        if (at != Step::pin_number_stored) return;
                        auto* const self = static_cast<Overtaker*>(context);
                        const StepHook kept = std::exchange(step_hook, StepHook{});
                        test::put(self->table, "k", std::to_string(++self->commits));
                        step_hook = kept;
                      },
                      &overtaker};
  step_hook = hook;
  const auto found = test::get(*table, "k");
  step_hook = {};
  EXPECT_GT(overtaker.commits, 30);
  EXPECT_LT(overtaker.commits, 100);
  EXPECT_EQ(found, std::to_string(overtaker.commits)) << "what is the newest when it ends";
  EXPECT_EQ(store->statistics()->pins.value, 0U);
  EXPECT_EQ(test::walk(*store).problem_count, 0U);
}

#endif

}  // namespace
}  // namespace utan::attaching
