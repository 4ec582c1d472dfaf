#include "os/linux/fault.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>

namespace utan::os::linux_os {

namespace {

// Who handled SIGBUS before one of our settings of it. Never freed: handlers of others may lead here for ever.
struct Earlier {
  struct sigaction action;
};

// A mutable global, since the handlers of a process are the process's. Never destroyed.
struct Faults {
  std::atomic<WatchedRange*> first{nullptr};
  std::atomic<const Earlier*> earlier{nullptr};
  std::mutex mutex;  // of setting the handler
  std::size_t page_size = 4096;

  static Faults& instance() {
    static auto* const faults = new Faults;
    return *faults;
  }
};
// The handler's own way to it, which runs no initialisation.
std::atomic<Faults*> known_faults{nullptr};

// This thread is in a handler that ours has called. If that leads back to ours, nobody wants the signal.
thread_local constinit bool is_passing_on __attribute__((tls_model("initial-exec"))) = false;

// Puts zeroes where `address` lies. False: it is in no range of ours.
bool replace_pages(const Faults& faults, std::uintptr_t address) {
  for (WatchedRange* range = faults.first.load(std::memory_order_acquire); range != nullptr; range = range->next) {
    const std::uintptr_t begin = range->begin.load(std::memory_order_acquire);
    const std::size_t size = range->size.load(std::memory_order_relaxed);
    if (begin == 0 || address - begin >= size) continue;
    const std::uint64_t fault = lose_range(*range);
    const std::uintptr_t page = address / faults.page_size * faults.page_size;
    const std::size_t wanted = faults.page_size << std::min<std::uint64_t>(fault, 40);
    const std::size_t length = std::min(wanted, begin + size - page);
    void* const made = ::mmap(reinterpret_cast<void*>(page), length, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    return made != MAP_FAILED;
  }
  return false;
}

// As if this handler were not there.
void pass_on(int number, siginfo_t* info, void* context) {
  const Earlier* const earlier = known_faults.load(std::memory_order_acquire)->earlier.load(std::memory_order_acquire);
  const struct sigaction& action = earlier->action;
  const bool is_function =
      (action.sa_flags & SA_SIGINFO) != 0 || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
  if (is_function && !is_passing_on) {
    is_passing_on = true;
    if ((action.sa_flags & SA_SIGINFO) != 0) {
      action.sa_sigaction(number, info, context);
    } else {
      action.sa_handler(number);
    }
    is_passing_on = false;
    return;
  }
  // One that was sent, and is ignored, is that. A fault cannot be: the access is made again and ends the process.
  if (!is_function && action.sa_handler == SIG_IGN && info->si_code <= 0) return;
  struct sigaction none = {};
  none.sa_handler = SIG_DFL;
  ::sigaction(number, &none, nullptr);
  if (info->si_code <= 0) ::raise(number);  // it comes when this handler has returned
}

void on_fault(int number, siginfo_t* info, void* context) {
  const int kept_errno = errno;
  const Faults* const faults = known_faults.load(std::memory_order_acquire);
  // Sent by a process, it has no address.
  const bool is_fault = info->si_code > 0;
  if (!is_fault || !replace_pages(*faults, reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    pass_on(number, info, context);
  }
  errno = kept_errno;
}

// Sets the handler, unless it is the one that is set. Somebody else may have set another since.
bool set_handler(Faults& faults) {
  const std::lock_guard lock(faults.mutex);
  struct sigaction now = {};
  if (::sigaction(SIGBUS, nullptr, &now) != 0) return false;
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &on_fault) return true;
  auto* const earlier = new (std::nothrow) Earlier{now};
  if (earlier == nullptr) return false;
  faults.page_size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  faults.earlier.store(earlier, std::memory_order_release);
  known_faults.store(&faults, std::memory_order_release);
  struct sigaction ours = {};
  ours.sa_sigaction = &on_fault;
  // On the stack that a runtime with small stacks has for signals.
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  ::sigemptyset(&ours.sa_mask);
  return ::sigaction(SIGBUS, &ours, nullptr) == 0;
}

WatchedRange* take_place(Faults& faults) {
  for (WatchedRange* place = faults.first.load(std::memory_order_acquire); place != nullptr; place = place->next) {
    bool taken = false;
    if (place->is_taken.compare_exchange_strong(taken, true, std::memory_order_acq_rel)) return place;
  }
  auto* const place = new (std::nothrow) WatchedRange;
  if (place == nullptr) return nullptr;
  place->is_taken.store(true, std::memory_order_relaxed);
  place->next = faults.first.load(std::memory_order_relaxed);
  while (
      !faults.first.compare_exchange_weak(place->next, place, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return place;
}

}  // namespace

WatchedRange* watch_range(void* begin, std::size_t size) {
  Faults& faults = Faults::instance();
  if (!set_handler(faults)) return nullptr;
  WatchedRange* const range = take_place(faults);
  if (range == nullptr) return nullptr;
  range->size.store(size, std::memory_order_relaxed);
  range->faults.store(0, std::memory_order_relaxed);
  range->word.store(nullptr, std::memory_order_relaxed);
  range->begin.store(reinterpret_cast<std::uintptr_t>(begin), std::memory_order_release);
  return range;
}

std::uint64_t lose_range(WatchedRange& range) {
  const std::uint64_t before = range.faults.fetch_add(1, std::memory_order_relaxed);
  if (auto* const word = range.word.load(std::memory_order_acquire); word != nullptr)
    word->store(0, std::memory_order_seq_cst);
  return before;
}

void forget_range(WatchedRange* range) {
  if (range == nullptr) return;
  range->begin.store(0, std::memory_order_release);
  range->word.store(nullptr, std::memory_order_release);
  range->is_taken.store(false, std::memory_order_release);
}

}  // namespace utan::os::linux_os
