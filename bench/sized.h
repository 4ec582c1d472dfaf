// Values of any size, for section scale: pieces of one pool of random bytes, which are handed out where they lie, so that
// making a value of a mebibyte costs nothing. Which piece depends on the record; one record's is another's once in 16,384.
//
// Threads: may be read by any number once made.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "workload.h"

namespace bench {

class SizedValues {
 public:
  SizedValues(std::size_t size, std::uint64_t seed)
      : size_(size), pool_(kOffsetCount + size / sizeof(std::uint64_t) + 1) {
    for (std::size_t i = 0; i < pool_.size(); ++i) pool_[i] = mix(mix(seed) + i);
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view value(RecordNumber record) const {
    return {reinterpret_cast<const char*>(pool_.data() + below(mix(~record), kOffsetCount)), size_};
  }

 private:
  static constexpr std::uint64_t kOffsetCount = 1u << 14;
  std::size_t size_;
  std::vector<std::uint64_t> pool_;
};

// What a reader does with such a value: reads a byte of each cache line of it, and the last one.
[[nodiscard]] inline std::uint64_t touch_lines(std::string_view value) noexcept {
  std::uint64_t sum = value.size();
  for (std::size_t i = 0; i < value.size(); i += 64) sum += static_cast<unsigned char>(value[i]);
  return value.empty() ? sum : sum + static_cast<unsigned char>(value.back());
}

// The records that one of several workers inserts: every `worker_count`-th from `worker` on.
struct Share {
  unsigned worker = 0;
  unsigned worker_count = 1;
  std::uint64_t first = 0;         // those before it are there already
  std::uint64_t record_count = 0;  // of all together
};

}  // namespace bench
