// Shows of which coordination files it is certain that nobody uses them.
// Labels: small
#include "commit/new_coordination.h"

#include <gtest/gtest.h>

#include <cstring>

namespace utan::commit {
namespace {

TEST(NobodyUses, CoordinationOfThisFileOrAnotherBootOrNoneThatIsWhole) {
  const os::FileIdentity data{.device = 3, .inode = 5};
  os::BootId boot{};
  boot[0] = std::byte{1};
  const auto header_of = [&](auto&& change) {
    format::CoordinationHeader header{};
    std::memcpy(header.magic, format::coordination_magic, sizeof header.magic);
    header.version = format::coordination_version;
    header.boot_id_known = 1;
    std::memcpy(header.boot_id, boot.data(), boot.size());
    header.data_device = data.device;
    header.data_inode = data.inode + 1;  // it took that one's place
    change(header);
    header.checksum = format::coordination_checksum(header);
    return header;
  };
  const format::CoordinationHeader used = header_of([](auto&) {});
  EXPECT_FALSE(nobody_uses(used, data, boot));
  EXPECT_TRUE(nobody_uses(used, {.device = 3, .inode = 6}, boot)) << "it is of this file";
  EXPECT_TRUE(nobody_uses(header_of([](auto& header) { header.boot_id[0] = 2; }), data, boot));
  EXPECT_FALSE(nobody_uses(header_of([](auto& header) { header.boot_id[0] = 2; }), data, std::nullopt));
  EXPECT_FALSE(nobody_uses(header_of([](auto& header) { header.boot_id_known = 0; }), data, boot));
  // Its words mean nothing, whatever they say.
  EXPECT_FALSE(nobody_uses(header_of([](auto& header) { header.magic[0] ^= 1; }), {.device = 3, .inode = 6}, boot));
  EXPECT_FALSE(nobody_uses(header_of([](auto& header) { ++header.version; }), {.device = 3, .inode = 6}, boot));
  format::CoordinationHeader damaged = used;
  damaged.checksum ^= 1;
  EXPECT_FALSE(nobody_uses(damaged, {.device = 3, .inode = 6}, boot));
  // Whoever clears it begins with these.
  damaged.version = 0;
  damaged.checksum = 0;
  EXPECT_TRUE(nobody_uses(damaged, data, boot));
}

}  // namespace
}  // namespace utan::commit
