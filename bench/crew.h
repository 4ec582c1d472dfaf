// Workers who use one store at once: processes of their own where the store is for several processes, and threads of one
// process where it is not. Each has a core; all begin together when every one is ready.
//
// Owner: the caller owns all that the work refers to. What the workers report comes back as one outcome for each; if one
// of several threads fails, it is the outcome of all.
#pragma once

#include <algorithm>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "sections.h"

namespace bench {

enum class Sharing { none, processes, threads };

// How several may read a store at once, or also write it.
template <class RunnerType>
[[nodiscard]] Sharing sharing_of(const SystemOf<RunnerType>& system, bool is_written) {
  if (is_written ? system.shares_writer : system.shares_readers) return Sharing::processes;
  return system.shares_threads ? Sharing::threads : Sharing::none;
}
[[nodiscard]] inline const char* name_of(Sharing sharing) {
  const char* const names[] = {"none", "processes", "threads"};
  return names[static_cast<int>(sharing)];
}

template <class RunnerType>
struct Worker {
  Access access = Access::write;  // where it has a process of its own
  std::vector<int> cores;
  // Prepares, waits at the gate, works, and reports.
  std::function<void(RunnerType&, Gate&, Reporter&)> work;
};

// What each of several threads of one child reported, apart.
[[nodiscard]] std::vector<Outcome> split_by_thread(const Outcome& all, std::size_t thread_count);

// Runs work(i) in a thread of its own for each of `cores`, pinned to them, and throws what the first one threw that failed.
// One that fails counts as arrived at the gate, so that nobody waits for it.
void run_threads(Gate& gate, const std::vector<std::vector<int>>& cores, const std::function<void(std::size_t)>& work);

// Work of several on the store in `place`, until `seconds` are over; 0: until they are done.
template <class RunnerType>
std::vector<Outcome> run_crew(const SystemOf<RunnerType>& system, const Workload& workload, const Place& place,
                              Sharing sharing, const std::vector<Worker<RunnerType>>& workers, double seconds) {
  Gate gate;
  std::vector<Child> children;
  if (sharing == Sharing::processes || workers.size() == 1) {
    for (const Worker<RunnerType>& worker : workers) {
      children.emplace_back(
          [&](Reporter& reporter) {
            const std::unique_ptr<RunnerType> runner = system.make(workload);
            runner->open(place, worker.access);
            worker.work(*runner, gate, reporter);
            runner->close();
          },
          worker.cores);
    }
    return run_together(gate, children, seconds);
  }
  std::vector<std::vector<int>> cores;
  for (const Worker<RunnerType>& worker : workers) cores.push_back(worker.cores);
  children.emplace_back(
      [&](Reporter& reporter) {
        const std::unique_ptr<RunnerType> runner = system.make(workload);
        // One opens for all: to write, if anybody does.
        const bool is_written = std::any_of(workers.begin(), workers.end(),
                                            [](const auto& worker) { return worker.access != Access::read; });
        runner->open(place, is_written ? Access::write : Access::read);
        run_threads(gate, cores, [&](std::size_t index) {
          Reporter mine(reporter, std::to_string(index) + ".");
          if (index == 0) return workers[index].work(*runner, gate, mine);
          const auto sibling = runner->sibling();
          workers[index].work(static_cast<RunnerType&>(*sibling), gate, mine);
        });
        runner->close();
      },
      std::vector<int>{});
  return split_by_thread(run_together(gate, children, seconds, static_cast<int>(workers.size())).front(),
                         workers.size());
}

}  // namespace bench
