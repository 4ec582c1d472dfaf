// What a fuzzer hands over, taken apart from the front: numbers as they come, zeros behind the end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace utan::fuzz {

class FuzzBytes {
 public:
  FuzzBytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }
  std::uint64_t number(std::size_t size) {
    std::uint64_t out = 0;
    const std::size_t there = std::min(size, left_);
    if (there != 0) std::memcpy(&out, data_, there);
    data_ += there;
    left_ -= there;
    return out;
  }
  std::uint64_t below(std::uint64_t limit, std::size_t size) { return number(size) % limit; }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

}  // namespace utan::fuzz
