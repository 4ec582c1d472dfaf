// Shows that a power cut or a kill at any system call, or at any labelled step between, leaves a store that opens to
// exactly what it held at its last completed sync or close, or at a checkpoint that had begun since; that a kill loses
// nothing at all; that both hold again for crashes inside the recovery and in the work that follows it; that every
// system call may fail once anywhere, and that a disk may be full for a while, without a crash or a loss.
// Labels: plain
// Timeout: 300 s
//
// The runs are those of support/crash_run.h, here of one table of bytes. The seed of a run decides everything in it, and
// run number i has the seed of the whole plus i: a failure names the value of UTAN_SEED that makes it the first run of all.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#if defined(UTAN_STEPS) && UTAN_STEPS

#include "support/crash_fixture.h"
#include "support/store_fixture.h"

namespace utan {
namespace {

constexpr std::uint64_t key_count = 40;

std::string key_of(std::uint64_t index) {
  std::string out = "k";  // not as one expression: GCC 12 warns of that where it optimizes
  return out += std::to_string(index);
}

// A store with one table, whose keys are put and erased.
struct TableSubject {
  using Run = test::CrashRun<TableSubject>;

  struct Content {
    bool made = false;  // there is the table
    std::map<std::string, std::string> entries;

    bool operator==(const Content&) const = default;
    std::string summary() const { return made ? std::to_string(entries.size()) + " keys" : "no table"; }
  };
  using Handles = std::unique_ptr<object::Table>;

  static bool is_open(const Handles& table) { return table != nullptr; }
  static bool is_made(const Content& content) { return content.made; }
  static bool open(Run& run, std::size_t process);
  static void write(Run& run, std::size_t process);
  static bool read(const object::Store& store, Content& out);
  static Result<void> try_to_write(Handles& table);
  static std::string difference(const Content& found, const Content& expected);
};

bool TableSubject::open(Run& run, std::size_t process) {
  if (!run.has_store(process)) return false;
  Result<Handles> table = Error(Code::internal, "not opened");
  const auto open = [&] {
    table = run.store(process).table("t", true);
    return table.ok() ? Result<bool>(false) : Result<bool>(table.error().copy());
  };
  if (run.content().made) {
    run.commits_nothing(process, open);
  } else {
    run.commits(
        process, [](Content& content) { content.made = true; }, open);
  }
  if (!table.ok()) return false;
  run.handles(process) = std::move(table).value();
  return true;
}

std::string random_value(os::sim::Random& random) {
  std::uint64_t size = random.below(200);
  const std::uint64_t kind = random.below(100);
  if (kind < 20) size = random.below(1500);
  if (kind < 6) size = random.below(8000);
  if (kind < 2) size = 8 * 1024 + random.below(40 * 1024);
  std::string value(size, '\0');
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i, word >>= 8) {
    if (i % 8 == 0) word = random.next();
    value[i] = static_cast<char>(word);
  }
  return value;
}

void TableSubject::write(Run& run, std::size_t process) {
  object::Table& table = *run.handles(process);
  const std::string key = key_of(run.random().below(key_count));
  if (run.random().one_in(4)) {
    run.commits(
        process, [key](Content& content) { content.entries.erase(key); },
        [&] { return table.erase(test::bytes(key)); });
  } else {
    const std::string value = random_value(run.random());
    run.commits(
        process, [key, value](Content& content) { content.entries[key] = value; },
        [&] { return table.put(test::bytes(key), test::bytes(value), object::Table::Put::always); });
  }
}

bool TableSubject::read(const object::Store& store, Content& out) {
  Result<Handles> table = store.table("t", false);
  if (!table.ok()) {
    EXPECT_EQ(table.code(), Code::not_found) << table.error().message();
    return table.code() == Code::not_found;
  }
  out.made = true;
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
    out.entries[test::text(key)] = test::text(value);
  }
}

Result<void> TableSubject::try_to_write(Handles& table) {
  const Result<bool> done = table->put(test::bytes("k0"), test::bytes("x"), object::Table::Put::always);
  if (!done.ok()) return done.error().copy();
  return {};
}

std::string TableSubject::difference(const Content& found, const Content& expected) {
  std::string out;
  const auto of = [](const Content& content, const std::string& key) -> std::string {
    const auto at = content.entries.find(key);
    if (at == content.entries.end()) return "absent";
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

TEST(Crash, AtAnyPoint) { test::crash_at_any_point<TableSubject>(test::scaled(5000, 500'000)); }

TEST(Crash, EveryCallFailsOnce) { test::fail_every_call<TableSubject>(test::scaled(2, 300)); }

TEST(Crash, DisksThatAreFullForAWhile) { test::fill_disks<TableSubject>(test::scaled(15, 2000)); }

}  // namespace
}  // namespace utan

#endif
