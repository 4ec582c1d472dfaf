// Shows what becomes of a wrong number in the coordination file that is as plausible as it can be: each field in turn becomes
// 0, 1, all ones, its neighbours' values, a little more or less, twice as much, and two large powers of two. The store is
// then used in full, and the next to open it finds it usable as well. What could do harm is not believed: the store opens at
// its newest checkpoint, as without the file. What is damaged while it is in use does none.
//
// The ordinary run draws a part of all cases; `make torture` takes all of them.
// Timeout: 120 s
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/damage_run.h"

namespace utan::damage {
namespace {

using Base = Damage::Base;
using How = Damage::How;
using Part = Damage::Part;
using format::CoordinationFixed;
using format::CoordinationHeader;
using format::Line;

Images& images() {
  static Images all;
  return all;
}

// --- Field by field ----------------------------------------------------------------------------------------------------

std::uint64_t word_at(const Bytes& file, std::uint64_t at) {
  std::uint64_t out = 0;
  std::memcpy(&out, file.data() + at, sizeof out);
  return out;
}

// Every word of a line but its stash, of which the first few of each kind are like the others.
void add_line(std::uint64_t line, std::vector<std::uint64_t>& words) {
  const auto add = [&](std::uint64_t from, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) words.push_back(line + from + i * 8);
  };
  add(offsetof(Line, pins), 6);
  add(offsetof(Line, owner), 4);
  add(offsetof(Line, pending), 8);
  add(offsetof(Line, build_count), 4);
  add(offsetof(Line, allocator), 4 * 3);
  add(offsetof(Line, extra_pins), 6);
  add(offsetof(Line, stash), 4);
}

// Words behind the header, which have no checksum.
std::vector<std::uint64_t> words_of(const Bytes& coordination) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t at = sizeof(CoordinationHeader) / 64 * 64 + 64; at < sizeof(CoordinationFixed); at += 8)
    out.push_back(at);
  for (std::uint64_t i = 0; i < 6; ++i) {
    out.push_back(format::claims_offset + i * 8);
    out.push_back(format::waiting_lists_offset + i * 8);
    out.push_back(format::waiting_hints_offset + i * 8);
    out.push_back(format::entries_offset + i * 8);
    out.push_back(format::region_hints_offset + i * 8);
  }
  for (const Span& span : coordinated(coordination)) {
    if (span.size == sizeof(Line)) add_line(span.from, out);
  }
  return out;
}

std::vector<std::uint64_t> plausible_values(const Bytes& file, std::uint64_t at) {
  const std::uint64_t now = word_at(file, at);
  return {0,       1,       ~std::uint64_t{0}, word_at(file, at - 8),  word_at(file, at + 8),
          now + 1, now - 1, now * 2,           std::uint64_t{1} << 31, std::uint64_t{1} << 60};
}

std::vector<Damage> all_fields() {
  const Bytes& file = images().killed().coordination;
  std::vector<Damage> out;
  for (const std::uint64_t at : words_of(file)) {
    for (const std::uint64_t value : plausible_values(file, at))
      out.push_back({Base::killed, Part::coordination, at, How::word, value});
  }
  // Below a checksum: as a hostile hand would write them.
  for (std::uint64_t at = offsetof(CoordinationHeader, store_id); at < offsetof(CoordinationHeader, checksum);
       at += 8) {
    for (const std::uint64_t value : plausible_values(file, at))
      out.push_back({Base::killed, Part::coordination, at, How::agreed, value});
  }
  return out;
}

// The store is used in full, and then opened once more.
Outcome use_in_full(const Damage& damage) {
  const ExpectDamage expected;
  plant(images(), damage);
  Outcome out = use(images().machine(), Use::growing);
  // Nobody is there any more: whatever it was, it does not keep the next one out.
  const Outcome next = use(images().machine(), Use::reading);
  if (out.opened == Code::ok && next.opened != Code::ok) {
    std::fprintf(stderr, "the second opening failed with code %d\n", static_cast<int>(next.opened));
    std::abort();
  }
  return out;
}

TEST(DamagedCoordination, FieldByField) {
  UTAN_SEEDED(seed);
  std::printf("UTAN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::vector<Damage> damages = all_fields();
  std::mt19937_64 random(seed);
  std::ranges::shuffle(damages, random);
  damages.resize(test::scaled(60, damages.size()));
  Batch batch(images());
  batch.run(
      damages.size(), [&](std::uint64_t i) { return use_in_full(damages[i]); },
      [&](std::uint64_t i) { return "UTAN_DAMAGE='" + damages[i].text() + "'"; });
  EXPECT_EQ(batch.opened_count(), damages.size()) << "a store that nobody has open opens, whatever its lock file says";
}

// Only if UTAN_DAMAGE says so: that damage, in this process, where a debugger sees it.
TEST(DamagedCoordination, AgainAsItWasReported) {
  const char* const given = ::getenv("UTAN_DAMAGE");
  if (given == nullptr) GTEST_SKIP() << "UTAN_DAMAGE names no damage";
  Damage damage;
  ASSERT_TRUE(Damage::parse(given, damage)) << given;
  const Outcome outcome = use_in_full(damage);
  std::printf("opening: %d; %llu failures, the first one: %s\n", static_cast<int>(outcome.opened),
              static_cast<unsigned long long>(outcome.tally.failure_count), outcome.tally.first_failure.c_str());
}

// --- What is believed --------------------------------------------------------------------------------------------------

std::string state_of(const object::Store& store) {
  const auto dict = checking::make(store, "dict", format::ContainerType::dict);
  object::Loan found;
  const Result<bool> got = dict->get(format::Value::string("state"), found);
  if (!got.ok()) return got.error().message();
  return got.value() ? std::string(found.value().as_text()) : "no state";
}

// A store in which one commit is durable and a later one is not, as a kill leaves it.
class Belief : public testing::Test {
 protected:
  void SetUp() override {
    os::sim::Process& process = machine_.start_process();
    {
      const auto store = test::open_store(store_path, Images::options(), process);
      const auto dict = checking::make(*store, "dict", format::ContainerType::dict);
      first_head_ = store->attachment().session().value()->coordination().fixed().head.load();
      for (int i = 0; i < 4; ++i) checking::make(*store, "dict " + std::to_string(i), format::ContainerType::dict);
      checking::set(*dict, "state", format::Value::string("durable"));
      checking::set(*dict, "large", format::Value::string(std::string(400'000, 'l')));
      checking::expect_done(store->sync());
      checking::set(*dict, "state", format::Value::string("committed"));
      killed_ = {machine_.content(store_path), machine_.content(lock_path)};
      process.kill();
    }
  }

  std::uint64_t now(std::uint64_t at) const { return word_at(killed_.coordination, at); }

  // What the store says after `value` was written to `at`.
  std::string state_with(std::uint64_t at, std::uint64_t value) {
    Files files = killed_;
    const bool is_in_header = at < offsetof(CoordinationHeader, checksum);
    Damage{Base::killed, Part::coordination, at, is_in_header ? How::agreed : How::word, value}.apply(files, files);
    machine_.restore_in_place(store_path, files.data);
    machine_.restore_in_place(lock_path, files.coordination);
    const ExpectDamage expected;
    os::sim::Process& process = machine_.start_process();
    std::string out;
    {
      auto opened = object::Store::open(process, store_path, Images::options());
      out = opened.ok() ? state_of(**opened) : opened.error().message();
    }
    process.kill();
    return out;
  }
  os::sim::Machine machine_{1, reservation};
  Files killed_;
  std::uint64_t first_head_ = 0;
};

// A field, and the value that it gets, of what it is.
struct Change {
  const char* name;
  std::uint64_t at;
  std::function<std::uint64_t(std::uint64_t now)> value;
};
auto always(std::uint64_t value) {
  return [value](std::uint64_t) { return value; };
}
auto more(std::uint64_t by) {
  return [by](std::uint64_t now) { return now + by; };
}

TEST_F(Belief, WhatCannotBeIsNotBelieved) {
  constexpr std::uint64_t segment = format::segment_size;
  const std::uint64_t one_less = ~std::uint64_t{0};
  const std::uint64_t line = format::lines_offset;
  ASSERT_EQ(state_with(offsetof(CoordinationFixed, reserved1), 1), "committed");
  const Change changes[] = {
      {"an older head", offsetof(CoordinationFixed, head), always(first_head_)},
      {"an index that is taken", offsetof(CoordinationFixed, object_index_next), more(one_less)},
      {"the root's index", offsetof(CoordinationFixed, object_index_next), always(0)},
      {"an index beyond all", offsetof(CoordinationFixed, object_index_next), always(std::uint64_t{1} << 60)},
      {"the last number", offsetof(CoordinationFixed, object_index_next), always(one_less)},
      {"a size within a segment", offsetof(CoordinationFixed, file_size), more(0 - format::page_size)},
      {"a size below the checkpoint's", offsetof(CoordinationFixed, file_size), more(0 - segment)},
      {"a size beyond the file", offsetof(CoordinationFixed, file_size), more(segment)},
      {"closed in a way that there is not", offsetof(CoordinationFixed, marked), always(3)},
      {"fewer lines in use", offsetof(CoordinationFixed, line_high), more(one_less)},
      {"no line in use", offsetof(CoordinationFixed, line_high), always(0)},
      {"more lines than the file has", offsetof(CoordinationFixed, line_count), more(1)},
      {"fewer lines than are in use", offsetof(CoordinationFixed, line_count), always(0)},
      {"durable, what is not", offsetof(CoordinationFixed, durable_number), more(1)},
      {"durable, what never was", offsetof(CoordinationFixed, durable_number), always(std::uint64_t{1} << 60)},
      {"nothing is durable", offsetof(CoordinationFixed, durable_number), always(0)},
      {"the checkpoint is not durable", offsetof(CoordinationFixed, durable_number), more(one_less)},
      {"commits beyond all", offsetof(CoordinationHeader, number_floor), always(format::commit_number_max)},
      {"newer commits alone", offsetof(CoordinationHeader, number_floor), more(std::uint64_t{1} << 40)},
      {"opened later", offsetof(CoordinationHeader, opening_number), more(1)},
      {"no segment is trusted", offsetof(CoordinationHeader, trusted_from), always(std::uint64_t{1} << 31)},
  };
  for (const Change& change : changes) {
    EXPECT_EQ(state_with(change.at, change.value(now(change.at))), "durable") << change.name;
  }
  // What does no harm: the commits that are not durable yet stay.
  const Change harmless[] = {
      {"an index is left out", offsetof(CoordinationFixed, object_index_next), more(1)},
      {"another chunk size", offsetof(CoordinationFixed, chunk_size), always(one_less)},
      {"more has leaked", offsetof(CoordinationFixed, leaked_count_max), always(one_less)},
      {"more were adopted", offsetof(CoordinationFixed, adopted_count), always(one_less)},
      {"a claim of nobody's", format::claims_offset + 8, always(one_less)},
      {"another generation", line + offsetof(Line, generation), more(one_less)},
      {"everything is pinned", line + offsetof(Line, pins), always(format::pin_open)},
      {"a line is nobody's", line + offsetof(Line, owner), always(0)},
  };
  for (const Change& change : harmless) {
    EXPECT_EQ(state_with(change.at, change.value(now(change.at))), "committed") << change.name;
  }
}

// --- What is damaged while it is in use --------------------------------------------------------------------------------

class DamagedInUse : public testing::Test {
 protected:
  void SetUp() override {
    store_ = test::open_store(store_path, Images::options(), machine_.start_process());
    dict_ = checking::make(*store_, "dict", format::ContainerType::dict);
    checking::expect_done(store_->sync());
  }
  CoordinationFixed& fixed() const { return coordination().fixed(); }
  format::Coordination coordination() const { return store_->attachment().session().value()->coordination(); }

  // Replaces the same value again and again: of a file in which nothing holds it back, what was replaced is used again. The
  // file then grows by what is under way, and not by 6 MB.
  void expect_steady() const {
    const auto replace = [&](int count) {
      for (int i = 0; i < count; ++i)
        checking::set(*dict_, "state", format::Value::string(std::string(3'000, static_cast<char>('a' + i % 26))));
    };
    replace(200);
    const std::uint64_t size = fixed().file_size.load();
    replace(2'000);
    EXPECT_LT(fixed().file_size.load(), size + (1 << 20));
  }

  const ExpectDamage expected_;
  os::sim::Machine machine_{1, reservation};
  std::unique_ptr<object::Store> store_;
  std::unique_ptr<object::Container> dict_;
};

// Without a slot that says so, nothing is durable: what sync() answers holds after a power cut.
TEST_F(DamagedInUse, SyncBelievesTheSlots) {
  UTAN_SEEDED(seed);
  for (const std::uint64_t by : {std::uint64_t{1}, std::uint64_t{1'000}, std::uint64_t{1} << 60}) {
    const std::string state = "synced " + std::to_string(by);
    checking::set(*dict_, "state", format::Value::string(state));
    fixed().durable_number.fetch_add(by);
    const Result<void> synced = store_->sync();
    ASSERT_TRUE(synced.ok()) << synced.error().message();
    for (std::uint64_t i = 0; i < 20; ++i) {
      os::sim::Random random(seed + i);
      const auto machine = machine_.crash_image(random);
      const auto after = test::open_store(store_path, Images::options(), machine->start_process());
      ASSERT_NE(after, nullptr);
      EXPECT_EQ(state_of(*after), state);
    }
  }
}

// A container that is there is not overwritten by a new one, whatever index that gets.
TEST_F(DamagedInUse, NoContainerTakesAnothersPlace) {
  checking::set(*dict_, "state", format::Value::string("there"));
  const std::uint64_t next = fixed().object_index_next.load();
  for (std::uint64_t index = 0; index < next; ++index) {
    fixed().object_index_next.store(index);
    const Result<std::unique_ptr<object::Container>> made =
        store_->create_container(format::ContainerType::list, nullptr);
    EXPECT_EQ(made.code(), Code::corruption) << index;
    EXPECT_EQ(state_of(*store_), "there") << index;
  }
  EXPECT_EQ(test::walk(*store_).problem_count, 0U);
}

TEST_F(DamagedInUse, AClaimOfNobodysHoldsNothingBack) {
  for (std::uint64_t slot = 8; slot < 16; ++slot) coordination().claim(slot).number.store(~std::uint64_t{0});
  expect_steady();
}

TEST_F(DamagedInUse, APinOfNobodysEndsWithTheNextOwnerOfItsLine) {
  const std::uint64_t line = fixed().line_high.load();
  coordination().line(line).pins[1].number.store(format::pin_open);
  coordination().line(line).extra_pins[0].pins[0].number.store(1);
  coordination().line(line).extra_pins_high.store(format::extra_pin_count);
  // Another process comes, and takes the line.
  const auto other = test::open_store(store_path, Images::options(), machine_.start_process());
  checking::set(*checking::make(*other, "dict", format::ContainerType::dict), "other", format::Value::null());
  ASSERT_GT(fixed().line_high.load(), line);
  expect_steady();
}

}  // namespace
}  // namespace utan::damage
