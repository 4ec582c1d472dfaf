// Which pages of a range of memory have been written to, without looking at them.
//
// Pages that are watched cannot be written: the first write to one is a fault, whose handler marks the page and lets the
// write through. A process has one handler for all watches; faults anywhere else go to the handler that was there before.
// Thread safety: writes by any threads at once; the methods by one thread at a time.
#pragma once

#include <atomic>
#include <cstddef>

namespace utan::os::sim {

class WriteWatch {
 public:
  // Watches nothing yet of the `reserved` bytes from `begin`, both multiples of the system's page size.
  WriteWatch(std::byte* begin, std::size_t reserved);
  WriteWatch(const WriteWatch&) = delete;
  WriteWatch& operator=(const WriteWatch&) = delete;
  ~WriteWatch();

  // Makes the bytes up to `to` readable and writable, of which those below `from` are; the others count as written.
  // Multiples of the page size.
  void open(std::size_t from, std::size_t to);
  // Makes the bytes [from, to) at the end neither.
  void close(std::size_t from, std::size_t to);
  // Calls `use(from, to)` for each page below `end` that was written since the last time. A write during the call counts
  // as one after it.
  template <class Use>
  void take(std::size_t end, Use&& use) {
    for (std::size_t page = 0; page * page_size_ < end; ++page) {
      if (!written_[page].load(std::memory_order_relaxed)) continue;
      protect(page);
      use(page * page_size_, (page + 1) * page_size_);
    }
  }

 private:
  static void install_handler();
  static bool handle(std::byte* address);
  void protect(std::size_t page);

  std::byte* begin_;
  std::size_t reserved_;
  std::size_t page_size_;
  std::atomic<std::size_t> end_{0};  // bytes from it on are closed
  std::atomic<bool>* written_;       // by page, of the whole reservation
};

}  // namespace utan::os::sim
