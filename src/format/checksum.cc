#define XXH_INLINE_ALL
#include <xxhash.h>

#include "format/block.h"
#include "format/coordination.h"
#include "format/header.h"

namespace utan::format {

std::uint32_t checksum_payload(const void* data, std::uint64_t size) {
  const std::uint64_t hash = XXH3_64bits(data, size);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

std::uint64_t hash_key(const void* key, std::uint64_t size, std::uint64_t seed) {
  return XXH3_64bits_withSeed(key, size, seed);
}

std::uint64_t header_checksum(const FileHeader& header) { return XXH3_64bits(&header, offsetof(FileHeader, checksum)); }

std::uint64_t slot_checksum(const CheckpointSlot& slot) {
  return XXH3_64bits(&slot, offsetof(CheckpointSlot, checksum));
}

std::uint64_t coordination_checksum(const CoordinationHeader& header) {
  return XXH3_64bits(&header, offsetof(CoordinationHeader, checksum));
}

}  // namespace utan::format
