#include "commit/new_coordination.h"

#include <algorithm>
#include <cstring>

#include "format/coordination.h"
#include "format/layout.h"
#include "format/size_class.h"

namespace utan::commit {

std::uint64_t usable_size(ByteCount size) {
  std::uint64_t segments = format::segment_count(size);
  const std::uint64_t tail = segments % format::segments_per_region;
  // A region that is not even described whole is not there.
  if (tail <= format::region_metadata_segments) segments -= tail;
  return format::regions_offset + segments * format::segment_size;
}

std::uint64_t first_undescribed(const std::byte* data, std::uint64_t size) {
  const std::uint64_t count = format::segment_count(ByteCount{size});
  std::uint64_t out = count;
  for (std::uint64_t i = count; i % format::segments_per_region != 0; ++i) {
    const SegmentIndex segment{i};
    std::uint64_t any = 0;
    const auto add = [&](Offset at, std::uint64_t bytes) {
      for (std::uint64_t word = 0; word < bytes / 8; ++word) {
        std::uint64_t value;
        std::memcpy(&value, data + at.value + word * 8, 8);
        any |= value;
      }
    };
    add(format::descriptor_offset(segment), sizeof(format::SegmentDescriptor));
    add(format::bitmap_offset(segment), sizeof(format::Bitmap));
    if (any != 0) out = i + 1;
  }
  return out;
}

std::vector<std::uint64_t> region_hints(std::uint64_t size) {
  const std::uint64_t regions =
      (format::segment_count(ByteCount{size}) + format::segments_per_region - 1) / format::segments_per_region;
  const std::uint64_t words = std::min<std::uint64_t>((regions + 63) / 64, format::hinted_regions / 64);
  std::vector<std::uint64_t> out(format::size_class_count_max * format::hinted_regions / 64, 0);
  for (std::uint64_t c = 0; c < format::class_count; ++c) {
    for (std::uint64_t w = 0; w < words; ++w) {
      const std::uint64_t rest = regions - w * 64;
      out[c * (format::hinted_regions / 64) + w] = rest >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << rest) - 1;
    }
  }
  return out;
}

bool nobody_uses(const format::CoordinationHeader& header, os::FileIdentity data,
                 const std::optional<os::BootId>& boot) {
  if (std::memcmp(header.magic, format::coordination_magic, sizeof header.magic) != 0) return false;
  if (header.version == 0 && header.checksum == 0) return true;  // whoever cleared it was killed
  if (header.version != format::coordination_version || header.checksum != format::coordination_checksum(header)) {
    return false;
  }
  const bool of_this_file = header.data_device == data.device && header.data_inode == data.inode;
  const bool of_another_boot =
      header.boot_id_known != 0 && boot.has_value() && std::memcmp(header.boot_id, boot->data(), boot->size()) != 0;
  return of_this_file || of_another_boot;
}

}  // namespace utan::commit
