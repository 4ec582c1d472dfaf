// Children that measure: each is forked fresh, so that what one system did to memory is not there for the next one.
//
// A child reports named numbers, and at most one error, by a pipe; it ends with _exit, so that nothing of the parent is
// run twice. A child that hangs is ended by its alarm, one that crashes is an outcome with an error. The parent owns the
// Child and finishes it once. A Gate lies in memory shared by parent and children: they say that they are ready, wait
// until all may go, and work until they are told to stop.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace bench {

// What a child has to say.
class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}
  // For one of several threads: every number's name is put behind `prefix`.
  Reporter(const Reporter& other, std::string prefix) : fd_(other.fd_), prefix_(std::move(prefix)) {}
  void number(const std::string& name, double value);
  void error(const std::string& message);

 private:
  int fd_;
  std::string prefix_;
};

struct Outcome {
  std::vector<std::pair<std::string, double>> numbers;
  std::string error;  // empty: it did what it should
  [[nodiscard]] double number(const std::string& name) const;
};

class Gate {
 public:
  Gate();
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // In a child: ready, and wait for the word. Sleeps, so as to leave the cores to those who still prepare.
  void arrive_and_wait();
  // In a child: ready, or never going to be, and does not wait.
  void arrive();
  // In a child: has the parent called time? Relaxed: nothing else is read by it, and one step more or less is no harm.
  [[nodiscard]] bool is_over() const { return state_->is_over.load(std::memory_order_relaxed); }

  // In the parent.
  [[nodiscard]] int ready_count() const { return state_->ready_count.load(std::memory_order_acquire); }
  void open() { state_->is_open.store(true, std::memory_order_release); }
  void call_time() { state_->is_over.store(true, std::memory_order_relaxed); }

 private:
  struct State {
    std::atomic<int> ready_count{0};   // released by children in arrive_and_wait, acquired by ready_count
    std::atomic<bool> is_open{false};  // released by open, acquired in arrive_and_wait
    std::atomic<bool> is_over{false};  // see is_over
  };
  State* state_;
};

class Child {
 public:
  // Forks a child that runs `work`, pinned to the cores given (none: not pinned), for at most `seconds_max`.
  Child(const std::function<void(Reporter&)>& work, const std::vector<int>& cores, unsigned seconds_max = 900);
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), fd_(std::exchange(other.fd_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child();

  // Reads all that it reports and waits for its end.
  Outcome finish();
  // SIGKILL, and waits.
  void kill();
  // Has it ended? Does not wait.
  [[nodiscard]] bool is_ended() const;

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
};

// The cores this process may use, in order.
[[nodiscard]] std::vector<int> allowed_cores();

// Opens the gate when `children` are all ready, calls time after `seconds`, and returns what each reports. `arrival_count`:
// how many have to arrive, if it is not one for each child.
[[nodiscard]] std::vector<Outcome> run_together(Gate& gate, std::vector<Child>& children, double seconds,
                                                int arrival_count = 0);

}  // namespace bench
