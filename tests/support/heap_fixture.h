// A heap without commits, for tests of what lies on it: handing out and freeing, trees.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "format/coordination.h"
#include "heap/allocator.h"
#include "heap/build.h"
#include "heap/heap.h"
#include "heap/view.h"
#include "os/os.h"
#include "support/store_fixture.h"

namespace utan::test {

inline constexpr std::uint32_t incarnation = 77;

// A heap over a real file, with coordination in memory.
class HeapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto file = os::linux_system().open(folder_.path("heap"), os::Access::read_write, os::Creation::create_new, 0600);
    ASSERT_TRUE(file.ok()) << file.error().message();
    file_ = std::move(file).value();
    ASSERT_TRUE(file_->allocate(ByteCount{format::file_size_min}).ok());
    auto map = file_->map(ByteCount{std::uint64_t{2} << 30}, os::Access::read_write);
    ASSERT_TRUE(map.ok()) << map.error().message();
    map_ = std::move(map).value();
    memory_ =
        ::mmap(nullptr, format::coordination_size_min, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory_, MAP_FAILED);
    coordination_ = format::Coordination(static_cast<std::byte*>(memory_));
    auto& fixed = coordination_.fixed();
    fixed.header.incarnation = incarnation;
    fixed.file_size = format::file_size_min;
    fixed.line_count = format::lines_per_growth;
    fixed.chunk_size = format::chunk_size_default;
    heap_.open(map_->data(), map_->reserved(), coordination_, *file_);
  }
  void TearDown() override { ::munmap(memory_, format::coordination_size_min); }

  std::unique_ptr<heap::Allocator> claim(std::uint64_t index) {
    format::Line& line = coordination_.line(index);
    line.owner = 1;
    const std::uint64_t generation = line.generation.fetch_add(1) + 1;
    return std::make_unique<heap::Allocator>(heap_, line, index, generation);
  }
  void give_up(std::uint64_t index, std::unique_ptr<heap::Allocator>& allocator) {
    allocator->release_all();
    coordination_.line(index).generation.fetch_add(1);
    coordination_.line(index).owner = 0;
    allocator.reset();
  }

  TemporaryFolder folder_;
  std::unique_ptr<os::File> file_;
  std::unique_ptr<os::Mapping> map_;
  void* memory_ = nullptr;
  format::Coordination coordination_;
  heap::Heap heap_;
};

// The same with one writer, whose changes become commits without a commit block. What a change replaced is freed when
// `forget` is called: until then every older view can be read.
class TreeTest : public HeapTest {
 protected:
  void SetUp() override {
    HeapTest::SetUp();
    allocator_ = claim(0);
    build_ = std::make_unique<heap::Build>(*allocator_);
  }
  void TearDown() override {
    build_.reset();
    if (allocator_ != nullptr) give_up(0, allocator_);
    HeapTest::TearDown();
  }

  // What the newest commit sees.
  heap::View view() const { return {heap_.base(), heap_.file_size(), number_}; }

  // Runs `change(heap::Build&)`, which answers a Result, as the next commit. An error, or a change that throws, undoes
  // everything it made.
  template <class Change>
  auto commit(Change&& change) {
    build_->begin(view(), number_.next());
    auto done = change(*build_);
    if (!done.ok()) {
      build_->discard();
      return done;
    }
    for (std::size_t i = 0; i < build_->replaced().size(); ++i) replaced_.push_back(build_->replaced()[i]);
    build_->published();
    number_ = number_.next();
    return done;
  }

  // Frees everything that was replaced so far.
  void forget() {
    for (const format::ReplacedEntry entry : replaced_) {
      if (entry.how() == format::ReplacedEntry::How::list) {
        const auto* list = heap_.at<format::List>(entry.offset());
        for (std::uint64_t i = 0; i < list->count; ++i)
          ASSERT_TRUE(allocator_->free(format::ReplacedEntry{list->entries()[i]}.offset()));
      }
      ASSERT_TRUE(allocator_->free(entry.offset()));
    }
    replaced_.clear();
  }

  // Bytes in blocks that are handed out, once everything replaced is forgotten and the writer keeps nothing back.
  std::uint64_t used_size() {
    forget();
    build_.reset();
    give_up(0, allocator_);
    const std::uint64_t used = heap_.statistics().used.value;
    allocator_ = claim(0);
    build_ = std::make_unique<heap::Build>(*allocator_);
    return used;
  }

  std::unique_ptr<heap::Allocator> allocator_;
  std::unique_ptr<heap::Build> build_;
  CommitNumber number_{1};
  std::vector<format::ReplacedEntry> replaced_;
};

}  // namespace utan::test
