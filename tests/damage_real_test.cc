// Shows on real files, with the real mapping, what damage_bytes_test.cc shows on the simulated ones: that damage gives errors,
// and that nothing outside of the file is touched. A real mapping has addresses behind the file's end; an access there is
// no crash, but a file that is lost to the process (os/linux/fault.h), and is reported as a fault of the library.
//
// Timeout: 120 s
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <random>
#include <string>
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

void write_file(const std::string& path, const Bytes& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  EXPECT_TRUE(file.good()) << path;
}

// What is in the lock file is of the machine and of the files that it was made for: here it is made for the real ones.
Bytes for_real_files(Bytes coordination, const std::string& path) {
  os::System& system = os::linux_system();
  const auto data = system.status(path);
  const auto own = system.status(path + "-lock");
  const auto boot = system.boot_id();
  EXPECT_TRUE(data.ok() && own.ok() && boot.has_value());
  if (coordination.size() < sizeof(format::CoordinationHeader)) return coordination;
  format::CoordinationHeader header;
  std::memcpy(&header, coordination.data(), sizeof header);
  const bool was_sound = header.checksum == format::coordination_checksum(header);
  header.data_device = data->identity.device;
  header.data_inode = data->identity.inode;
  header.own_inode = own->identity.inode;
  header.boot_id_known = 1;
  std::memcpy(header.boot_id, boot->data(), boot->size());
  if (was_sound) header.checksum = format::coordination_checksum(header);
  std::memcpy(coordination.data(), &header, sizeof header);
  return coordination;
}

class DamagedRealFiles : public testing::Test {
 protected:
  Outcome use_damaged_files(const Damage& damage) {
    const ExpectDamage expected;
    Files files = damage.base == Base::closed ? images().closed() : images().killed();
    damage.apply(files, images().older());
    write_file(path_, files.data);
    write_file(path_ + "-lock", {});
    if (!files.coordination.empty()) write_file(path_ + "-lock", for_real_files(std::move(files.coordination), path_));
    return use(os::linux_system(), path_, Use::everything);
  }

  test::TemporaryFolder folder_;
  const std::string path_ = folder_.path("store.utan");
};

// Without damage, so that the lock file that is copied here is believed: what was committed after the checkpoint is there.
TEST_F(DamagedRealFiles, WithoutDamageEverythingWorks) {
  for (const Base base : {Base::closed, Base::killed}) {
    const Outcome outcome = use_damaged_files({base, Part::data, 0, How::none, 0});
    ASSERT_EQ(outcome.opened, Code::ok);
    EXPECT_EQ(outcome.tally.first_failure, "");
    EXPECT_EQ(outcome.tally.problem_count, 0U);
  }
}

TEST_F(DamagedRealFiles, GiveErrors) {
  UTAN_SEEDED(seed);
  std::printf("UTAN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  std::vector<Damage> damages;
  const auto add = [&](Base base, Part part, const Bytes& file, const std::vector<Span>& spans, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const Span& span = spans[random() % spans.size()];
      const std::uint64_t at = span.from + random() % span.size;
      // Offsets of which most lie outside of the file, some of them far behind it; and bits.
      const std::uint64_t near = file.size() + random() % (1 << 20) / 8 * 8;
      const std::uint64_t word = i % 4 == 0 ? near : i % 4 == 1 ? random() >> random() % 64 : near / 8 << 4;
      damages.push_back({base, part, at / 8 * 8, How::word, word});
      damages.push_back({base, part, at, How::flip, 1 + random() % 255});
    }
  };
  const Files& killed = images().killed();
  // With fewer all of them may come to lie where nothing notices.
  const std::uint64_t count = std::max<std::uint64_t>(5, test::scaled(5, 200));
  add(Base::closed, Part::data, images().closed().data, used_blocks(images().closed().data), count);
  add(Base::killed, Part::data, killed.data, used_blocks(killed.data), count);
  add(Base::killed, Part::coordination, killed.data, coordinated(killed.coordination), count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool is_data = i % 2 == 0;
    const std::uint64_t size = is_data ? killed.data.size() : killed.coordination.size();
    damages.push_back({Base::killed, is_data ? Part::data : Part::coordination, random() % size, How::shorten, 0});
  }
  Batch batch(images());
  batch.run(
      damages.size(), [&](std::uint64_t i) { return use_damaged_files(damages[i]); },
      [&](std::uint64_t i) { return damages[i].text() + " on real files"; });
  EXPECT_GT(batch.opened_count(), 0U);
  EXPECT_GT(batch.failed_count(), 0U);
}

// Whatever leads there: reading and writing behind the file's end loses the file to this process, and to nobody else.
TEST_F(DamagedRealFiles, AStrayAccessIsAnErrorOfThisProcessAlone) {
  write_file(path_, images().closed().data);
  for (const bool writes : {false, true}) {
    auto opened = object::Store::open(os::linux_system(), path_, Images::options());
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    const heap::Heap& heap = (*opened)->attachment().session().value()->heap();
    const std::uint64_t size = heap.file_size().value;
    volatile std::byte* const stray = heap.base() + size + (1 << 20);
    if (writes) *stray = std::byte{1};
    const std::byte there = *stray;
    EXPECT_EQ(there, writes ? std::byte{1} : std::byte{0});
    EXPECT_EQ((*opened)->root()->count().code(), Code::corruption);
    EXPECT_EQ((*opened)->sync().code(), Code::corruption);
    EXPECT_EQ(object::Store::close(std::move(opened).value()).code(), Code::corruption);
    EXPECT_EQ(os::linux_system().status(path_)->size.value, size);
    const Outcome after = use(os::linux_system(), path_, Use::reading);
    EXPECT_EQ(after.opened, Code::ok);
    EXPECT_EQ(after.tally.first_failure, "");
  }
}

}  // namespace
}  // namespace utan::damage
