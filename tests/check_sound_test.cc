// Shows that the checker finds nothing in stores that are sound: after random operations on all containers, at rest and
// closed, and of a commit that is pinned while others write.
//
// Labels: tsan small
// Timeout: 120 s
#include <gtest/gtest.h>
#include <utan/utan.h>

#include <atomic>
#include <random>
#include <thread>

#include "check/file.h"
#include "os/os.h"
#include "support/check_fixture.h"

namespace utan {
namespace {

using checking::Image;
using checking::make;
using format::ContainerType;
using format::Value;
using object::Container;
using object::Store;

// --- Random operations -------------------------------------------------------------------------------------------------

// A few containers of each type, and values that name them.
class Wilderness {
 public:
  Wilderness(const Store& store, std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < 12; ++i) {
      std::string name = "container ";
      name += std::to_string(i);
      containers_.push_back(make(store, name, static_cast<ContainerType>(1 + i % 4)));
    }
  }

  void step() {
    Container& container = *containers_[random_() % containers_.size()];
    const bool is_list = container.type() == ContainerType::list;
    Data data;
    const Value value = random_value();
    object::Input input(value);
    Result<void> done;
    switch (random_() % 16) {
      case 0:
        if (random_() % 8 == 0) done = container.clear();
        break;
      case 1:
      case 2:
      case 3:
        if (is_list) {
          const std::uint64_t count = container.count().value().value;
          if (count != 0) done = ignore(container.erase(Value::integer(static_cast<std::int64_t>(random_() % count))));
        } else {
          done = ignore(container.erase(random_key()));
        }
        break;
      case 4:  // a new container
        done = put_new(container, is_list);
        break;
      case 5:
        if (container.type() == ContainerType::dict || container.type() == ContainerType::collection)
          done = delete_some(container);
        break;
      default:
        if (is_list) {
          done = container.insert(static_cast<std::int64_t>(random_() % 1000), input);
        } else {
          done = container.set(random_key(), input);
        }
    }
    ASSERT_TRUE(done.ok()) << done.error().message();
  }

 private:
  using Data = object::Data;

  template <class T>
  static Result<void> ignore(Result<T> result) {
    if (!result.ok()) return std::move(result).error();
    return {};
  }
  Result<void> put_new(Container& container, bool is_list) {
    Data data;
    UTAN_TRY(data.begin(ContainerType::dict));
    UTAN_TRY(data.add(Value::string("inner")));
    UTAN_TRY(data.begin(ContainerType::list));
    UTAN_TRY(data.add(Value::integer(1)));
    UTAN_TRY(data.add(random_value()));
    UTAN_TRY(data.end());
    UTAN_TRY(data.end());
    object::Input input(data);
    return is_list ? container.append(input) : container.set(random_key(), input);
  }
  Result<void> delete_some(Container& container) {
    const Value low = Value::integer(static_cast<std::int64_t>(random_() % 2000));
    const Value high = Value::integer(low.as_integer() + static_cast<std::int64_t>(random_() % 60));
    object::Range range;
    range.low = low;
    range.high = high;
    return ignore(container.delete_range(range));
  }
  Value random_key() {
    switch (random_() % 6) {
      case 0:
        text_.assign(random_() % 3 == 0 ? 270 : 5, 'k');
        text_ += std::to_string(random_() % 800);
        return Value::string(text_);
      case 1:
        return Value::real(static_cast<double>(random_() % 500) / 4);
      case 2:
        parts_ = {Value::integer(static_cast<std::int64_t>(random_() % 30)), Value::string("part")};
        return Value::tuple(parts_);
      default:
        return Value::integer(static_cast<std::int64_t>(random_() % 2000));
    }
  }
  Value random_value() {
    switch (random_() % 6) {
      case 0:
        value_.assign(random_() % (random_() % 3 == 0 ? 3000 : 20), 'v');
        return Value::string(value_);
      case 1:
        return Value::real(0.1 * static_cast<double>(random_() % 100));
      case 2:
        return Value::container(containers_[random_() % containers_.size()]->id());
      default:
        return Value::integer(static_cast<std::int64_t>(random_()));
    }
  }

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Container>> containers_;
  std::string text_;
  std::string value_;
  std::vector<Value> parts_;
};

TEST(CheckSound, RandomOperationsOnAllContainers) {
  UTAN_SEEDED(seed);
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  {
    Wilderness wilderness(*store, seed);
    for (int round = 0; round < 10; ++round) {
      for (std::uint64_t i = 0; i < test::scaled(2000, 100'000); ++i) ASSERT_NO_FATAL_FAILURE(wilderness.step());
      EXPECT_EQ(test::walk(*store).leaked_count, 0U);
    }
  }
  ASSERT_TRUE(Store::close(std::move(store)).ok());
  Image image(Image::read(folder.path("s")));
  const check::Report report = image.walk();
  for (const std::string& problem : report.problems) ADD_FAILURE() << problem;
  EXPECT_EQ(report.leaked_count, 0U);
}

TEST(CheckSound, APinnedCommitWhileOthersWrite) {
  UTAN_SEEDED(seed);
  const test::TemporaryFolder folder;
  auto store = test::open_store(folder.path("s"));
  // How many steps the writer may have done by now: without a limit the store would grow for as long as the checks take, and
  // they would take longer the more it grew.
  constexpr std::uint64_t steps_per_check = 500;
  constexpr std::uint64_t end = ~std::uint64_t{0};
  std::atomic<std::uint64_t> allowed{0};
  std::thread writer([&] {
    Wilderness wilderness(*store, seed);
    for (std::uint64_t done = 0;; ++done) {
      std::uint64_t limit = allowed.load();
      for (; limit <= done; limit = allowed.load()) allowed.wait(limit);
      if (limit == end) return;
      wilderness.step();
    }
  });
  utan_store* handle = nullptr;
  ASSERT_EQ(utan_open(folder.path("s").c_str(), nullptr, &handle), UTAN_OK);
  utan_check_options options{};
  options.struct_size = sizeof options;
  options.problem = [](void*, const char* text) { ADD_FAILURE() << text; };
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < test::scaled(40, 1000); ++i) {
    allowed.store((i + 1) * steps_per_check);
    allowed.notify_one();
    utan_check_report report{};
    report.struct_size = sizeof report;
    ASSERT_EQ(utan_check(handle, &options, &report), UTAN_OK) << utan_last_error();
    EXPECT_EQ(report.problem_count, 0U);
    EXPECT_EQ(report.whole, 0U);
    EXPECT_GE(report.commit_number, last);
    last = report.commit_number;
    // The store is in this process: it is not alone.
    ASSERT_EQ(utan_check_file(folder.path("s").c_str(), &options, &report), UTAN_OK) << utan_last_error();
    EXPECT_EQ(report.whole, 0U);
    const check::FileReport file = check::check_file(os::linux_system(), folder.path("s"), {});
    EXPECT_TRUE(file.report.sound()) << file.report.problems.front();
  }
  allowed.store(end);
  allowed.notify_one();
  writer.join();
  EXPECT_EQ(utan_close(handle), UTAN_OK);
}

}  // namespace
}  // namespace utan
