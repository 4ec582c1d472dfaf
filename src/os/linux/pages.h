// Mapped pages that unmap themselves.
//
// Thread safety: one thread at a time changes an object. Ownership: each owns its range of addresses; it moves.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

namespace utan::os::linux_os {

class Pages {
 public:
  // What mmap(2) gave for `size` bytes, also its failure.
  Pages(void* begin, std::size_t size) : begin_(begin), size_(size) {}
  Pages(Pages&& other) noexcept : begin_(std::exchange(other.begin_, MAP_FAILED)), size_(other.size_) {}
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() {
    if (mapped()) ::munmap(begin_, size_);
  }

  bool mapped() const { return begin_ != MAP_FAILED; }
  void* begin() const { return begin_; }
  std::size_t size() const { return size_; }

 private:
  void* begin_;
  std::size_t size_;
};

}  // namespace utan::os::linux_os
