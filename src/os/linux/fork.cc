// Noticing a fork, and keeping locked files from children.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <mutex>
#include <new>

#include "os/linux/descriptor.h"
#include "os/linux/error.h"
#include "os/linux/pages.h"
#include "os/linux/system.h"

namespace utan::os::linux_os {

namespace {

// The kernel zeroes its page in a child. Emulators of the system (QEMU's user mode, as containers of another processor run in)
// say that they will and do not: so the handler of a fork does it, too. Of a fork that calls no handlers they tell nothing.
class LinuxForkSentinel final : public ForkSentinel {
 public:
  explicit LinuxForkSentinel(Pages page);
  ~LinuxForkSentinel() override;

  void zero() const { word_->store(0, std::memory_order_relaxed); }
  LinuxForkSentinel* next() const { return next_; }

 private:
  const Pages page_;
  // Under the gate.
  LinuxForkSentinel* next_ = nullptr;
  LinuxForkSentinel** link_ = nullptr;  // what points to this one
};

}  // namespace

// What a fork must not fall into: the time between a descriptor's opening and its listing, or between its unlisting and
// its closing. The gate is shut over each of them, and from a fork's first handler to its last; so a fork finds exactly
// those listed that are open, and its child closes them. What happens under it is one system call, no more: a fork
// waits for no lock of a file and for no other process.
//
// Signals are held back meanwhile: a handler that forks would find its own thread in the gate.
//
// A mutable global, since the descriptors of a process, and the handlers that the C library calls without an argument,
// are the process's. Never destroyed: the last stores may be closed by destructors that run after its own would.
struct ForkGate {
  std::mutex mutex;
  sigset_t signals{};                   // those that the thread in the gate had blocked before
  UnsharedDescriptor* first = nullptr;  // all that are open
  LinuxForkSentinel* first_sentinel = nullptr;
  int register_error = 0;  // why there are no handlers

  static ForkGate& instance() {
    static auto* const gate = new ForkGate;
    return *gate;
  }
  ForkGate() : register_error(::pthread_atfork(&in_parent_before, &in_parent_after, &in_child)) {}

  void lock() {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    mutex.lock();
    signals = before;
  }
  void unlock() {
    const sigset_t before = signals;
    mutex.unlock();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  static void in_parent_before() { instance().lock(); }
  static void in_parent_after() { instance().unlock(); }
  // The thread that forked is the one that there is, and has shut the gate.
  static void in_child() {
    ForkGate& gate = instance();
    for (UnsharedDescriptor* one = gate.first; one != nullptr; one = one->next_) {
      ::close(one->number_);
      one->number_ = -1;
    }
    gate.first = nullptr;
    for (const LinuxForkSentinel* one = gate.first_sentinel; one != nullptr; one = one->next()) one->zero();
    gate.unlock();
  }
};

void watch_forks() { (void)ForkGate::instance(); }

int UnsharedDescriptor::open(const char* path, int flags, mode_t mode) {
  ForkGate& gate = ForkGate::instance();
  if (gate.register_error != 0) return gate.register_error;
  const std::lock_guard shut(gate);
  // Not interrupted: no signal comes.
  number_ = ::open(path, flags, mode);
  if (number_ < 0) return errno;
  next_ = gate.first;
  link_ = &gate.first;
  if (next_ != nullptr) next_->link_ = &next_;
  gate.first = this;
  return 0;
}

UnsharedDescriptor::~UnsharedDescriptor() {
  if (number_ < 0) return;  // never opened, or closed by the handler above
  const std::lock_guard shut(ForkGate::instance());
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  ::close(number_);
}

LinuxForkSentinel::LinuxForkSentinel(Pages page)
    : ForkSentinel(new (page.begin()) std::atomic<std::uint64_t>(1)), page_(std::move(page)) {
  ForkGate& gate = ForkGate::instance();
  const std::lock_guard shut(gate);
  next_ = gate.first_sentinel;
  link_ = &gate.first_sentinel;
  if (next_ != nullptr) next_->link_ = &next_;
  gate.first_sentinel = this;
}

LinuxForkSentinel::~LinuxForkSentinel() {
  const std::lock_guard shut(ForkGate::instance());
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
}

Result<std::unique_ptr<ForkSentinel>> LinuxSystem::fork_sentinel() {
  const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  Pages page(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), size);
  if (!page.mapped()) return failure(errno, "map", "a page of memory");
  if (::madvise(page.begin(), size, MADV_WIPEONFORK) != 0)
    return Error{Code::unsupported, errno, "cannot notice a fork: " + reason(errno)};
  return std::unique_ptr<ForkSentinel>(std::make_unique<LinuxForkSentinel>(std::move(page)));
}

Result<void> LinuxSystem::at_fork_in_child(void (*in_child)()) {
  // The list of handlers belongs to the C library and is for ever: a global that cannot be avoided. A shared library's
  // own handlers leave it when the library is unloaded.
  const int system_error = ::pthread_atfork(nullptr, nullptr, in_child);
  if (system_error != 0) return failure(system_error, "register", "a fork handler");
  return {};
}

}  // namespace utan::os::linux_os
