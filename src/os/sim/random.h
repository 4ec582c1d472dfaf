// The random numbers of a simulated world: the same for the same seed on every platform and library.
//
// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). Thread safety: a
// value; one thread at a time. A test prints the seed it starts from.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace utan::os::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  // Uniform in [0, limit), but for a bias below limit / 2^64.
  std::uint64_t below(std::uint64_t limit) {
    CHECK(limit > 0);
    return next() % limit;
  }

  // True once in `times`.
  bool one_in(std::uint64_t times) { return below(times) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace utan::os::sim
