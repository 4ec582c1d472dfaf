// Shows that no damage of a store's files makes a program crash, hang, or read or write outside: bytes and words that are
// changed, pages that are lost, exchanged or stale, files that end too early. What is done with each store, and what may
// come of it, is said in support/damage_exercise.h; how one case is repeated, in support/damage_run.h.
//
// The ordinary run draws a sample. `make torture` draws a larger one, and of every bit of some blocks of each kind and size, of
// the descriptions and of the coordination file as many as there is time for: all of them, about a million, would take a
// core for hours, the samples of one run a quarter of an hour, or three quarters under AddressSanitizer. Each run prints its
// seed and draws others.
//
// Labels: small
// Timeout: 180 s
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "support/damage_run.h"

namespace utan::damage {
namespace {

using Base = Damage::Base;
using How = Damage::How;
using Part = Damage::Part;

Images& images() {
  static Images all;
  return all;
}

bool is_torture() { return ::getenv("UTAN_TORTURE") != nullptr; }

std::uint64_t total(const std::vector<Span>& spans) {
  std::uint64_t out = 0;
  for (const Span& span : spans) out += span.size;
  return out;
}
// Byte `index` of all of them in a row.
std::uint64_t byte_of(const std::vector<Span>& spans, std::uint64_t index) {
  for (const Span& span : spans) {
    if (index < span.size) return span.from + index;
    index -= span.size;
  }
  return 0;
}

// A value that comes near what a word may be: a bound, an offset of another block, a count that is a little off.
std::uint64_t near_value(std::mt19937_64& random, std::uint64_t now, std::uint64_t other, std::uint64_t file_size) {
  static constexpr std::uint64_t bounds[] = {0,
                                             1,
                                             7,
                                             63,
                                             255,
                                             1023,
                                             65'535,
                                             std::uint64_t{1} << 31,
                                             std::uint64_t{1} << 32,
                                             std::uint64_t{1} << 45,
                                             std::uint64_t{1} << 48,
                                             std::uint64_t{1} << 60,
                                             std::uint64_t{1} << 63,
                                             ~std::uint64_t{0},
                                             ~std::uint64_t{7}};
  switch (random() % 8) {
    case 0:
      return bounds[random() % std::size(bounds)];
    case 1:
      return other;
    case 2:
      return now + random() % 16 - 8;
    case 3:
      return file_size - random() % 64 * 8;
    case 4:
      return now ^ (random() & random() & random());
    case 5:
      return (now & ~std::uint64_t{0xffff'ffff}) | (random() & 0xffff'ffff);
    case 6:
      return format::regions_offset + random() % file_size / 8 * 8;
    default:
      return std::rotl(now, static_cast<int>(random() % 64));
  }
}

// Damages at random places of these spans: half of them bits, half words.
std::vector<Damage> sample(Base base, Part part, const std::vector<Span>& spans, std::uint64_t count,
                           std::mt19937_64& random) {
  const Files& files = base == Base::closed ? images().closed() : images().killed();
  const Bytes& file = part == Part::data ? files.data : files.coordination;
  const std::uint64_t size = total(spans);
  std::printf("%llu bytes\n", static_cast<unsigned long long>(size));
  const auto word_at = [&](std::uint64_t at) {
    std::uint64_t out;
    std::memcpy(&out, file.data() + at, sizeof out);
    return out;
  };
  std::vector<Damage> out;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t at = byte_of(spans, random() % size);
    if (i % 2 == 0) {
      out.push_back({base, part, at, How::flip, 1 + random() % 255});
      continue;
    }
    const std::uint64_t other = word_at(byte_of(spans, random() % size) / 8 * 8);
    out.push_back({base, part, at / 8 * 8, How::word,
                   near_value(random, word_at(at / 8 * 8), other, images().killed().data.size())});
  }
  return out;
}

// Of blocks that are of one kind and size some, and of long ones the beginning: with all of them, hundreds of records and the
// whole of a long text would be gone through bit by bit.
std::vector<Span> representative(const Bytes& file, const std::vector<Span>& blocks) {
  constexpr std::size_t alike_max = 6;
  constexpr std::uint64_t long_size = 8192;
  constexpr std::uint64_t beginning = 512;
  std::map<std::uint64_t, std::vector<Span>> alike;
  for (Span block : blocks) {
    // Kind and class.
    std::uint16_t what;
    std::memcpy(&what, file.data() + block.from + offsetof(format::BlockHeader, kind), sizeof what);
    if (block.size > long_size) block.size = beginning;
    alike[what].push_back(block);
  }
  std::vector<Span> out;
  for (const auto& [what, all] : alike) {
    const std::size_t stride = std::max<std::size_t>(1, all.size() / alike_max);
    for (std::size_t i = 0; i < all.size(); i += stride) out.push_back(all[i]);
  }
  return out;
}

// Bits of these spans: every one, or as many as there is time for.
std::vector<Damage> bits(Base base, Part part, const std::vector<Span>& spans, std::mt19937_64& random) {
  constexpr std::uint64_t count_max = 20'000;
  const std::uint64_t bit_count = total(spans) * 8;
  const std::uint64_t count = std::min(bit_count, count_max);
  std::printf("%llu of %llu bits\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(bit_count));
  std::vector<Damage> out;
  for (std::uint64_t i = 0; i < count; ++i) {
    // One of each part of them, so that no block is left out.
    const std::uint64_t first = i * bit_count / count;
    const std::uint64_t end = (i + 1) * bit_count / count;
    const std::uint64_t bit = first + random() % (end - first);
    out.push_back({base, part, byte_of(spans, bit / 8), How::flip, std::uint64_t{1} << (bit % 8)});
  }
  return out;
}

// Where damage lies: in what everyone reads, or in what helps those who write or is left over, which few notice.
enum class Harm : std::uint8_t { to_readers, to_writers };

void run(const std::vector<Damage>& damages, Harm harm = Harm::to_readers) {
  Batch batch(images());
  batch.run(damages);
  // It was not all for nothing: stores are used, and some of what is wrong is noticed.
  EXPECT_GT(batch.opened_count(), 0U);
  if (harm == Harm::to_readers) {
    EXPECT_GT(batch.failed_count(), 0U);
  }
}

// A sample of damages in `spans`; in a long run also bits in `every`.
void run_bytes(Base base, Part part, const std::vector<Span>& spans, std::uint64_t count,
               const std::vector<Span>& every, Harm harm = Harm::to_readers) {
  UTAN_SEEDED(seed);
  std::printf("UTAN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  run(sample(base, part, spans, test::scaled(count, 40 * count), random), harm);
  if (every.empty() || !is_torture()) return;
  run(bits(base, part, every, random), harm);
}

// Used as it is, a store gives no error: then the errors of damaged ones mean something.
TEST(DamagedBytes, WithoutDamageEverythingWorks) {
  for (const Base base : {Base::closed, Base::killed}) {
    const Outcome outcome = use_damaged(images(), {base, Part::data, 0, How::none, 0});
    ASSERT_EQ(outcome.opened, Code::ok);
    EXPECT_EQ(outcome.tally.first_failure, "");
    EXPECT_EQ(outcome.tally.problem_count, 0U);
    EXPECT_GT(outcome.tally.entry_count, 3000U);
    EXPECT_GT(outcome.tally.call_count, 4000U);
  }
}

// Only if UTAN_DAMAGE says so: that damage, in this process, where a debugger sees it.
TEST(DamagedBytes, AgainAsItWasReported) {
  const char* const given = ::getenv("UTAN_DAMAGE");
  if (given == nullptr) GTEST_SKIP() << "UTAN_DAMAGE names no damage";
  Damage damage;
  ASSERT_TRUE(Damage::parse(given, damage)) << given;
  EXPECT_EQ(damage.text(), given);
  const Outcome outcome = use_damaged(images(), damage);
  std::printf("opening: %d; %llu failures, the first one: %s\n", static_cast<int>(outcome.opened),
              static_cast<unsigned long long>(outcome.tally.failure_count), outcome.tally.first_failure.c_str());
}

TEST(DamagedBytes, Descriptions) {
  const std::vector<Span> all = described(images().closed().data);
  run_bytes(Base::closed, Part::data, all, 100, all, Harm::to_writers);
}
TEST(DamagedBytes, Blocks) {
  const Bytes& data = images().closed().data;
  run_bytes(Base::closed, Part::data, used_blocks(data), 250, representative(data, used_blocks(data)));
}
// Many of these blocks have been replaced, and nobody reads them any more: a small sample may miss all others.
TEST(DamagedBytes, BlocksOfAKilledProcess) {
  run_bytes(Base::killed, Part::data, used_blocks(images().killed().data), 150, {}, Harm::to_writers);
}
TEST(DamagedBytes, Coordination) {
  const std::vector<Span> all = coordinated(images().killed().coordination);
  // The fixed part alone, and one line: the others are like it.
  const std::vector<Span> some = {all.front(), all.back()};
  run_bytes(Base::killed, Part::coordination, all, 150, some, Harm::to_writers);
}

// Pages that were never written, that were written to another's place, or not any more.
TEST(DamagedBytes, Pages) {
  UTAN_SEEDED(seed);
  std::printf("UTAN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  std::vector<Damage> damages;
  const auto add = [&](Base base, Part part, std::uint64_t file_size, bool all) {
    const std::uint64_t page_count = file_size / format::page_size;
    const std::uint64_t stride = all ? 1 : 41;
    for (std::uint64_t i = random() % stride; i < page_count; i += stride) {
      const std::uint64_t at = i * format::page_size;
      damages.push_back({base, part, at, How::zero, 0});
      damages.push_back({base, part, at, How::swap, random() % page_count * format::page_size});
      damages.push_back({base, part, at, How::older, 0});
    }
  };
  const bool all = is_torture();
  add(Base::closed, Part::data, images().closed().data.size(), all);
  add(Base::killed, Part::data, images().killed().data.size(), all);
  add(Base::killed, Part::coordination, images().killed().coordination.size(), all);
  // A small sample may miss all that is in use.
  const std::vector<Span> blocks = used_blocks(images().closed().data);
  constexpr std::size_t used_count = 10;
  for (std::size_t i = random() % used_count; i < blocks.size();
       i += std::max<std::size_t>(1, blocks.size() / used_count))
    damages.push_back({Base::closed, Part::data, blocks[i].from / format::page_size * format::page_size, How::zero, 0});
  run(damages);
}

TEST(DamagedBytes, FilesThatEndTooEarly) {
  std::vector<Damage> damages;
  const auto add = [&](Base base, Part part, std::uint64_t file_size, std::uint64_t stride) {
    for (std::uint64_t at = 0; at < file_size; at += stride) damages.push_back({base, part, at, How::shorten, 0});
  };
  constexpr std::uint64_t sector = 512;
  const std::uint64_t stride = is_torture() ? sector : 29 * sector;
  add(Base::closed, Part::data, images().closed().data.size(), stride);
  add(Base::killed, Part::data, images().killed().data.size(), stride);
  add(Base::killed, Part::coordination, images().killed().coordination.size(), stride);
  run(damages);
}

}  // namespace
}  // namespace utan::damage
