// File descriptors that close themselves.
//
// Thread safety: one thread at a time changes an object. Ownership: each owns its descriptor; a Descriptor moves, an
// UnsharedDescriptor stays where it is.
//
// Which of the two: locks belong to an open file description, which a child made by fork shares with its parent; a lock
// taken before or after the fork lives until both have closed it. So whatever is ever locked is an UnsharedDescriptor,
// which no child keeps. A Descriptor is for what is never locked.
#pragma once

#include <sys/types.h>
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

// In a child made by fork it is closed, with number -1, before fork returns there, at whatever moment another thread of
// the parent forked: see fork.cc.
class UnsharedDescriptor {
 public:
  UnsharedDescriptor() = default;
  UnsharedDescriptor(const UnsharedDescriptor&) = delete;
  UnsharedDescriptor& operator=(const UnsharedDescriptor&) = delete;
  ~UnsharedDescriptor();

  // open(2), once for each object. 0, or its errno. No signal is handled by this thread, and no other forks, while it
  // lasts.
  int open(const char* path, int flags, mode_t mode);
  int number() const { return number_; }

 private:
  friend struct ForkGate;
  // All but the number of an open one: under the gate.
  int number_ = -1;
  UnsharedDescriptor* next_ = nullptr;
  UnsharedDescriptor** link_ = nullptr;  // what points to this one
};

// Registers what closes them in children; idempotent. Before any handler of others that uses files in a child.
void watch_forks();

}  // namespace utan::os::linux_os
