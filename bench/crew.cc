#include "crew.h"

#include <pthread.h>
#include <sched.h>

namespace bench {
namespace {

void pin_thread(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(static_cast<std::size_t>(core), &set);
  if (!cores.empty() && pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) fail("a thread was not pinned");
}

}  // namespace

std::vector<Outcome> split_by_thread(const Outcome& all, std::size_t thread_count) {
  std::vector<Outcome> outcomes(thread_count);
  for (std::size_t i = 0; i < thread_count; ++i) {
    outcomes[i].error = all.error;
    const std::string prefix = std::to_string(i) + ".";
    for (const auto& [name, number] : all.numbers) {
      if (name.starts_with(prefix)) outcomes[i].numbers.emplace_back(name.substr(prefix.size()), number);
    }
  }
  return outcomes;
}

void run_threads(Gate& gate, const std::vector<std::vector<int>>& cores, const std::function<void(std::size_t)>& work) {
  std::mutex mutex;
  std::exception_ptr first_failure;  // under the mutex
  const auto run = [&](std::size_t index) {
    try {
      pin_thread(cores[index]);
      work(index);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!first_failure) first_failure = std::current_exception();
      gate.arrive();
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t index = 0; index < cores.size(); ++index) threads.emplace_back(run, index);
  for (std::thread& thread : threads) thread.join();
  if (first_failure) std::rethrow_exception(first_failure);
}

}  // namespace bench
