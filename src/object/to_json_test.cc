// Shows that a container that is named in several places is written as JSON at each of them; that a few containers which
// would make a text without end that way are refused in time; and that writing can be broken off.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/interruption.h"
#include "object/json.h"
#include "support/check_fixture.h"
#include "support/store_fixture.h"

namespace utan::object {
namespace {

using format::ContainerType;
using format::Value;

class ToJson : public testing::Test {
 protected:
  static void append(Container& list, const Container& element) {
    Input input(Value::container(element.id()));
    const Result<void> done = list.append(input);
    ASSERT_TRUE(done.ok()) << done.error().message();
  }
  std::unique_ptr<Container> new_list() {
    Result<std::unique_ptr<Container>> made = store_->create_container(ContainerType::list, nullptr);
    EXPECT_TRUE(made.ok()) << made.error().message();
    return std::move(made).value();
  }
  // Lists of which each names the one before it `width` times; the first is empty.
  std::unique_ptr<Container> tower(int height, int width) {
    std::unique_ptr<Container> top = new_list();
    for (int i = 0; i < height; ++i) {
      std::unique_ptr<Container> above = new_list();
      for (int j = 0; j < width; ++j) append(*above, *top);
      top = std::move(above);
    }
    return top;
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Store> store_ = test::open_store(folder_.path("s"));
};

TEST_F(ToJson, WhatIsSharedIsWrittenAtEachPlace) {
  const Result<std::string> text = tower(3, 2)->to_json({});
  ASSERT_TRUE(text.ok()) << text.error().message();
  EXPECT_EQ(*text, "[[[[],[]],[[],[]]],[[[],[]],[[],[]]]]");
  // A million values, of a store of a few hundred.
  const Result<std::string> wide = tower(2, 1'000)->to_json({});
  ASSERT_TRUE(wide.ok()) << wide.error().message();
  EXPECT_EQ(wide->size(), 3'002'001U);
}

TEST_F(ToJson, WhatWouldNotEndIsRefused) {
  const std::unique_ptr<Container> top = tower(40, 2);
  for (const unsigned indent : {0U, 2U}) {
    const Result<std::string> text = top->to_json({.indent = indent});
    ASSERT_EQ(text.code(), Code::too_large);
    EXPECT_NE(text.error().message().find("containers that are named in several places"), std::string::npos)
        << text.error().message();
  }
}

TEST_F(ToJson, CanBeBrokenOff) {
  const std::unique_ptr<Container> top = tower(40, 2);
  leave_question({.stop = [](void*) { return 1; }});
  const Result<std::string> text = top->to_json({});
  leave_question({});
  EXPECT_EQ(text.code(), Code::interrupted);
}

}  // namespace
}  // namespace utan::object
