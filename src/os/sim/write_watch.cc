#include "os/sim/write_watch.h"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <mutex>

#include "base/check.h"

namespace utan::os::sim {
namespace {

// All watches, for the handler, which may take no lock: places are added, and given up with their watch, never removed.
struct Place {
  std::atomic<const WriteWatch*> watch;
  Place* next;
};
std::atomic<Place*> first_place{nullptr};
struct sigaction handler_before;

static_assert(std::atomic<bool>::is_always_lock_free && sizeof(std::atomic<bool>) == 1);

}  // namespace

void WriteWatch::install_handler() {
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    if (handle(static_cast<std::byte*>(info->si_addr))) return;
    // Not ours: the write is tried again, and whoever was there before us is told.
    ::sigaction(SIGSEGV, &handler_before, nullptr);
  };
  ::sigemptyset(&action.sa_mask);
  CHECK(::sigaction(SIGSEGV, &action, &handler_before) == 0);
}

bool WriteWatch::handle(std::byte* address) {
  for (const Place* place = first_place.load(std::memory_order_acquire); place != nullptr; place = place->next) {
    const WriteWatch* const watch = place->watch.load(std::memory_order_acquire);
    if (watch == nullptr || address < watch->begin_ || address >= watch->begin_ + watch->reserved_) continue;
    const auto at = static_cast<std::size_t>(address - watch->begin_);
    if (at >= watch->end_.load(std::memory_order_acquire)) return false;
    const std::size_t page = at / watch->page_size_;
    // Until it is both: somebody may unmark and protect it in between.
    do {
      watch->written_[page].store(true, std::memory_order_seq_cst);
      CHECK(::mprotect(watch->begin_ + page * watch->page_size_, watch->page_size_, PROT_READ | PROT_WRITE) == 0);
    } while (!watch->written_[page].load(std::memory_order_seq_cst));
    return true;
  }
  return false;
}

WriteWatch::WriteWatch(std::byte* begin, std::size_t reserved)
    : begin_(begin), reserved_(reserved), page_size_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {
  static std::once_flag installed;
  std::call_once(installed, install_handler);
  void* const flags = ::mmap(nullptr, reserved / page_size_ + 1, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(flags != MAP_FAILED);
  written_ = static_cast<std::atomic<bool>*>(flags);  // zeros: nothing was written
  for (Place* place = first_place.load(std::memory_order_acquire); place != nullptr; place = place->next) {
    const WriteWatch* nobody = nullptr;
    if (place->watch.compare_exchange_strong(nobody, this, std::memory_order_acq_rel)) return;
  }
  auto* const place = new Place{{this}, first_place.load(std::memory_order_relaxed)};
  while (!first_place.compare_exchange_weak(place->next, place, std::memory_order_acq_rel)) {
  }
}

WriteWatch::~WriteWatch() {
  for (Place* place = first_place.load(std::memory_order_acquire); place != nullptr; place = place->next) {
    const WriteWatch* self = this;
    if (place->watch.compare_exchange_strong(self, nullptr, std::memory_order_acq_rel)) break;
  }
  ::munmap(written_, reserved_ / page_size_ + 1);
}

void WriteWatch::open(std::size_t from, std::size_t to) {
  CHECK(::mprotect(begin_ + from, to - from, PROT_READ | PROT_WRITE) == 0);
  for (std::size_t page = from / page_size_; page < to / page_size_; ++page) {
    written_[page].store(true, std::memory_order_relaxed);
  }
  end_.store(to, std::memory_order_release);
}

void WriteWatch::close(std::size_t from, std::size_t to) {
  end_.store(from, std::memory_order_release);
  CHECK(::mprotect(begin_ + from, to - from, PROT_NONE) == 0);
}

// Unmarked before it is protected: a write in between is one before `use`; a fault in between marks it again.
void WriteWatch::protect(std::size_t page) {
  written_[page].store(false, std::memory_order_seq_cst);
  CHECK(::mprotect(begin_ + page * page_size_, page_size_, PROT_READ) == 0);
}

}  // namespace utan::os::sim
