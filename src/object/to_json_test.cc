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

// The words of a damaged list may all name one value.
TEST_F(ToJson, AListOfMoreThanTheFileHoldsIsDamage) {
  const std::unique_ptr<Container> list = new_list();
  const std::string text(1'000'000, 'v');
  for (int i = 0; i < 100; ++i) {
    Input input(i == 0 ? format::Value::string(text) : format::Value::integer(i));
    ASSERT_TRUE(list->append(input).ok());
  }
  const heap::Heap& heap = store_->attachment().session().value()->heap();
  ASSERT_LT(heap.file_size().value, 100 * text.size());
  const format::HeadWord head{heap.coordination().fixed().head.load()};
  const auto* const leaf =
      heap.at<format::ObjectLeaf>(Offset{heap.at<format::CommitBlock>(head.block())->object_table_root});
  auto* const words = heap.at<format::ListLeaf>(Offset{leaf->entries()[list->id().index()].root})->words();
  for (int i = 1; i < 100; ++i) words[i] = words[0];
  const ExpectDamage damage_expected;
  const Result<std::string> json = list->to_json({});
  EXPECT_EQ(json.code(), Code::corruption);
  EXPECT_NE(json.error().message().find("more bytes than the file"), std::string::npos) << json.error().message();
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
