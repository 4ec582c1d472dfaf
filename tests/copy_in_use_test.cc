// Shows that a copy of a store that is made while others write is a whole commit or is found to be damaged, never something
// that nobody wrote.
// Labels: plain
// Timeout: 180 s
#include "check/file.h"
#include "support/attach_fixture.h"

namespace utan::attaching {
namespace {

constexpr int pairs = 20;

std::string text_of(std::uint64_t number) {
  // Of a length that changes, and the same number all over.
  std::string out;
  for (std::uint64_t i = 0; i < 1 + number % 60; ++i) out += std::to_string(number) + " ";
  return out;
}

// Writes each number first under one key and then under another, for ever, with a checkpoint now and then.
void write_pairs(const Store& store, int writer) {
  const auto table = test::open_table(store, "t");
  for (std::uint64_t number = 1; !::testing::Test::HasFailure(); ++number) {
    for (int pair = 0; pair < pairs; ++pair) {
      const std::string name = std::to_string(writer) + " " + std::to_string(pair);
      test::put(*table, "first " + name, text_of(number));
      test::put(*table, "second " + name, text_of(number));
    }
    if (number % 8 == 0) {
      ASSERT_TRUE(store.sync().ok());
    }
  }
}

// What holds in every commit: the second of a pair is what the first is or was last.
bool is_whole(const Store& store) {
  const auto table = store.table("t", false);
  if (!table.ok()) return false;
  for (int writer = 0; writer < 2; ++writer) {
    for (int pair = 0; pair < pairs; ++pair) {
      const std::string name = std::to_string(writer) + " " + std::to_string(pair);
      const auto first = test::get(**table, "first " + name);
      const auto second = test::get(**table, "second " + name);
      if (!first || !second) return false;
      const std::uint64_t number = std::stoull(*first);
      if (*first != text_of(number) || (*second != *first && *second != text_of(number - 1))) return false;
    }
  }
  return true;
}

TEST_F(Attach, ACopyOfAStoreInUseIsWholeOrKnownToBeDamaged) {
  {
    const auto store = test::open_store(path_, {.chunk_size = format::chunk_size_min});
    const auto table = test::open_table(*store, "t");
    for (int writer = 0; writer < 2; ++writer) {
      for (int pair = 0; pair < pairs; ++pair) {
        for (const char* which : {"first ", "second "})
          test::put(*table, which + std::to_string(writer) + " " + std::to_string(pair), text_of(1));
      }
    }
  }
  std::vector<std::unique_ptr<Neighbour>> writers;
  for (int i = 0; i < 2; ++i) {
    writers.push_back(std::make_unique<Neighbour>([this, i](Neighbour& self) {
      const auto store = test::open_store(path_);
      self.pause();
      write_pairs(*store, i);
    }));
  }
  for (auto& writer : writers) ASSERT_TRUE(writer->paused());
  for (auto& writer : writers) writer->go_on();
  int whole = 0;
  int damaged = 0;
  for (std::uint64_t i = 0; i < test::scaled(150, 5000); ++i) {
    SCOPED_TRACE("copy " + std::to_string(i));
    const std::string path = folder_.path("copy");
    std::filesystem::remove(path + "-lock");
    ASSERT_EQ(std::system(("cp '" + path_ + "' '" + path + "'").c_str()), 0);
    const check::FileReport report = check::check_file(os::linux_system(), path, {});
    if (!report.report.sound()) {
      ++damaged;
      // What it has that is not whole is an error when it is met, and opening it is no danger.
      const auto opened = Store::open(os::linux_system(), path, with_mode(OpenMode::read_only));
      if (!opened.ok()) {
        EXPECT_TRUE(opened.code() == Code::corruption || opened.code() == Code::format) << opened.error().message();
      }
      continue;
    }
    const auto opened = Store::open(os::linux_system(), path, with_mode(OpenMode::read_only));
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    EXPECT_TRUE(is_whole(**opened));
    ++whole;
  }
  EXPECT_GT(whole, 0);
  std::printf("%d copies whole, %d damaged\n", whole, damaged);
  for (auto& writer : writers) writer->kill();
  const auto store = test::open_store(path_);
  EXPECT_TRUE(is_whole(*store));
  test::walk(*store);
}

}  // namespace
}  // namespace utan::attaching
