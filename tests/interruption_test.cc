// Shows what becomes of long work that its caller breaks off: it ends soon and says so, nothing has changed, nothing leaks,
// and the same work may be begun again.
// Timeout: 120 s
#include "base/interruption.h"

#include <gtest/gtest.h>

#include <chrono>

#include "object/container.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

using format::ContainerType;
using format::Value;
using object::Container;
using object::Data;

constexpr std::int64_t entry_count = 150'000;

// Not in the order of its keys, and with every key twice.
Data much() {
  Data out;
  EXPECT_TRUE(out.begin(ContainerType::dict).ok());
  for (std::int64_t i = 0; i < 2 * entry_count; ++i) {
    EXPECT_TRUE(out.add(Value::string("key " + std::to_string(i * 7919 % entry_count))).ok());
    EXPECT_TRUE(out.add(Value::integer(i)).ok());
  }
  EXPECT_TRUE(out.end().ok());
  return out;
}

// Answers "stop" when asked for the `last`th time.
struct Answer {
  explicit Answer(std::uint64_t last_given) : last(last_given) {
    leave_question({[](void* context) {
                      auto* const answer = static_cast<Answer*>(context);
                      return ++answer->asked >= answer->last ? 1 : 0;
                    },
                    this});
  }
  ~Answer() { leave_question({}); }
  std::uint64_t last;
  std::uint64_t asked = 0;
};

class InterruptionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = test::open_store(folder_.path("store"));
    ASSERT_NE(store_, nullptr);
    root_ = store_->root();
  }
  std::uint64_t count() {
    const Result<Count> found = root_->count();
    EXPECT_TRUE(found.ok()) << found.error().message();
    return found.ok() ? found->value : 0;
  }

  // Does `work` again and again, each time broken off one question later, until it comes to its end. Answers how often it
  // did not.
  template <class Work, class Unchanged>
  std::uint64_t break_off(Work work, Unchanged unchanged) {
    for (std::uint64_t last = 1;; ++last) {
      Answer answer(last);
      const Error error = work();
      if (error.ok()) return last - 1;
      EXPECT_EQ(error.code(), Code::interrupted) << error.message();
      EXPECT_EQ(answer.asked, last) << "the work went on after the answer";
      unchanged();
      if (::testing::Test::HasFailure()) return last;
    }
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<object::Store> store_;
  std::unique_ptr<Container> root_;
};

template <class T>
Error error_of(Result<T> result) {
  return result.ok() ? Error{} : std::move(result).error();
}

TEST_F(InterruptionTest, WhatIsStoredIsStoredWholeOrNotAtAll) {
  const Data data = much();
  const std::uint64_t broken_off =
      break_off([&] { return error_of(root_->update(data)); }, [&] { EXPECT_EQ(count(), 0u); });
  EXPECT_GE(broken_off, 2u);
  EXPECT_EQ(count(), static_cast<std::uint64_t>(entry_count));
  object::Loan last;
  const Result<bool> found = root_->get(Value::string("key 7919"), last);
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ(last.value().as_integer(), entry_count + 1) << "the value that came last";
  const check::Report report = test::walk(*store_);
  EXPECT_EQ(report.leaked_count, 0u);
}

TEST_F(InterruptionTest, JsonAndSyncMayBeBegunAgain) {
  ASSERT_TRUE(root_->update(much()).ok());
  std::string text;
  const auto write = [&]() -> Error {
    Result<std::string> written = root_->to_json({});
    if (!written.ok()) return std::move(written).error();
    text = *std::move(written);
    return {};
  };
  break_off(write, [&] { EXPECT_TRUE(text.empty()); });
  EXPECT_EQ(text.substr(0, 10), "{\"key 0\":1");
  break_off([&] { return error_of(store_->sync()); },
            [&] { EXPECT_EQ(count(), static_cast<std::uint64_t>(entry_count)); });
  EXPECT_TRUE(error_of(store_->sync()).ok()) << "broken off is not failed";
}

}  // namespace
}  // namespace utan
