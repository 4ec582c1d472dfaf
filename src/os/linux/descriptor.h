// A file descriptor that closes itself.
//
// Thread safety: a value; one thread at a time changes it. Ownership: it owns the descriptor, and moves.
#pragma once

#include <unistd.h>

#include <utility>

namespace utan::os::linux_os {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  // Not repeated when interrupted: Linux has freed the number by then, and another thread may have it already.
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int number() const { return number_; }
  bool open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

}  // namespace utan::os::linux_os
