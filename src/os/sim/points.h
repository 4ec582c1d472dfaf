// Every point of a run, system calls and labelled steps alike, reported to one callback.
//
//   sim::Points points{machine, [&](std::uint64_t index, const char* name) -> Error {
//     machine.capture();
//     if (index == n) image = machine.crash_image(random);
//     return {};
//   }};
//
// A run with a callback that does nothing counts the points; then one run for each n visits them all.
//
// Steps exist where the engine is built with UTAN_STEPS; they are those of the threads that joined. An error that the
// callback returns at a call becomes the result of the call, and means nothing at a step. What the callback itself
// does on its thread is not reported.
// Thread safety: the callback runs on the thread that reached the point, on several at once if there are several.
// Ownership: Points holds the machine's hook for its lifetime; it must outlive the threads that joined.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/step.h"
#include "os/sim/machine.h"

namespace utan::os::sim {

class Points {
 public:
  using Callback = std::function<Error(std::uint64_t index, const char* name)>;

  // Joins the calling thread.
  Points(Machine& machine, Callback callback) : machine_(machine), callback_(std::move(callback)) {
    machine_.on_call([this](const Call& call) { return reached(call_name(call.kind)); });
    join_thread();
  }
  Points(const Points&) = delete;
  Points& operator=(const Points&) = delete;
  // On the thread that made it.
  ~Points() {
    leave_thread();
    machine_.on_call({});
  }

  std::uint64_t count() const { return next_.load(std::memory_order_relaxed); }  // Exact once the threads have ended.

#if defined(UTAN_STEPS) && UTAN_STEPS
  // Reports the steps of the calling thread as well.
  void join_thread() {
    step_hook =
        StepHook{.call = [](void* self, Step step) { (void)static_cast<Points*>(self)->reached(step_name(step)); },
                 .context = this};
  }
  void leave_thread() { step_hook = StepHook{}; }
#else
  void join_thread() {}
  void leave_thread() {}
#endif

 private:
  // Enters the callback on this thread. False: it is in it already, and what it does itself is reached.
  bool enter() {
    const std::lock_guard lock(mutex_);
    return inside_.insert(std::this_thread::get_id()).second;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    inside_.erase(std::this_thread::get_id());
  }

  Error reached(const char* name) {
    if (!enter()) return {};
    struct Leaving {  // Also when the callback throws.
      Points& points;
      ~Leaving() { points.leave(); }
    };
    const Leaving leaving{*this};
    // Relaxed: the number alone is wanted; each is given once.
    return callback_(next_.fetch_add(1, std::memory_order_relaxed), name);
  }

  Machine& machine_;
  const Callback callback_;
  std::atomic<std::uint64_t> next_{0};
  std::mutex mutex_;
  std::set<std::thread::id> inside_;
};

}  // namespace utan::os::sim
