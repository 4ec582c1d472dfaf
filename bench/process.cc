#include "process.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>

namespace bench {
namespace {

[[noreturn]] void fail_errno(const char* call) {
  throw std::runtime_error(std::string(call) + ": " + std::strerror(errno));
}

void write_all(int fd, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = write(fd, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // the parent is gone; nobody is left to tell
    written += static_cast<std::size_t>(n);
  }
}

void pin(const std::vector<int>& cores) {
  if (cores.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(static_cast<std::size_t>(core), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail_errno("sched_setaffinity");
}

void sleep_ms(unsigned ms) { usleep(ms * 1000); }

}  // namespace

void Reporter::number(const std::string& name, double value) {
  char text[64];
  std::snprintf(text, sizeof text, "\t%.17g\n", value);
  write_all(fd_, prefix_ + name + text);
}

void Reporter::error(const std::string& message) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  write_all(fd_, "error\t" + line + "\n");
}

double Outcome::number(const std::string& name) const {
  for (const auto& [n, value] : numbers) {
    if (n == name) return value;
  }
  throw std::runtime_error("a child did not report " + name);
}

Gate::Gate() {
  void* memory = mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail_errno("mmap");
  state_ = new (memory) State;
}

Gate::~Gate() { munmap(state_, sizeof(State)); }

void Gate::arrive() { state_->ready_count.fetch_add(1, std::memory_order_release); }

void Gate::arrive_and_wait() {
  arrive();
  while (!state_->is_open.load(std::memory_order_acquire)) sleep_ms(1);
}

Child::Child(const std::function<void(Reporter&)>& work, const std::vector<int>& cores, unsigned seconds_max) {
  int ends[2];
  if (pipe(ends) != 0) fail_errno("pipe");
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ < 0) fail_errno("fork");
  if (pid_ == 0) {
    close(ends[0]);
    alarm(seconds_max);
    Reporter reporter(ends[1]);
    int status = 0;
    try {
      pin(cores);
      work(reporter);
    } catch (const std::exception& e) {
      reporter.error(e.what());
      status = 1;
    }
    _exit(status);
  }
  close(ends[1]);
  fd_ = ends[0];
}

Child::~Child() {
  if (pid_ > 0) kill();
}

Outcome Child::finish() {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  close(std::exchange(fd_, -1));
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;

  Outcome outcome;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) break;
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    const std::string name = line.substr(0, tab);
    if (name == "error") {
      outcome.error = line.substr(tab + 1);
    } else {
      outcome.numbers.emplace_back(name, std::strtod(line.c_str() + tab + 1, nullptr));
    }
  }
  if (outcome.error.empty() && WIFSIGNALED(status)) {
    outcome.error = std::string("ended by signal ") + strsignal(WTERMSIG(status));
  } else if (outcome.error.empty() && WEXITSTATUS(status) != 0) {
    outcome.error = "ended with status " + std::to_string(WEXITSTATUS(status));
  }
  return outcome;
}

void Child::kill() {
  ::kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

bool Child::is_ended() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
}

std::vector<int> allowed_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) fail_errno("sched_getaffinity");
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(static_cast<std::size_t>(core), &set)) cores.push_back(core);
  }
  return cores;
}

std::vector<Outcome> run_together(Gate& gate, std::vector<Child>& children, double seconds, int arrival_count) {
  bool is_any_ended = false;
  if (arrival_count == 0) arrival_count = static_cast<int>(children.size());
  while (gate.ready_count() < arrival_count && !is_any_ended) {
    sleep_ms(1);
    for (const Child& child : children) is_any_ended = is_any_ended || child.is_ended();
  }
  gate.open();
  if (!is_any_ended) usleep(static_cast<useconds_t>(seconds * 1e6));
  gate.call_time();
  std::vector<Outcome> outcomes;
  for (Child& child : children) outcomes.push_back(child.finish());
  return outcomes;
}

}  // namespace bench
