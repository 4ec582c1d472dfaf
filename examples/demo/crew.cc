#include "crew.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "display.h"
#include "text.h"

extern char** environ;

namespace demo {

namespace {

volatile std::sig_atomic_t signal_noted = 0;

struct Worker {
  WorkerId id = nobody;
  pid_t process = 0;
  bool running = true;
  std::string end;  // how it ended, if not by finishing
};

// The worker processes. Those still running when it goes are killed.
class Crew {
 public:
  Crew(Index& index, const CrewOptions& options) : index_(index) {
    const auto first = static_cast<WorkerId>(index.worker_count() + 1);
    for (WorkerId earlier = 1; earlier < first; ++earlier) index.set_worker(earlier, {.process = 0, .gone = 1});
    for (WorkerId i = 0; i < options.worker_count; ++i) start(options, first + i, first);
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    for (const Worker& worker : workers_) {
      if (!worker.running) continue;
      ::kill(worker.process, SIGKILL);
      ::waitpid(worker.process, nullptr, 0);
    }
  }

  const std::vector<Worker>& workers() const { return workers_; }
  bool any_running() const {
    return std::any_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.running; });
  }

  // Notes who has ended, so that the others take over; waits for all to end if `to_the_end`.
  void reap(bool to_the_end) {
    for (Worker& worker : workers_) {
      int status = 0;
      if (worker.running && wait_for(worker.process, &status, to_the_end ? 0 : WNOHANG)) note_end(worker, status);
    }
  }

  // Kills a worker that has a file in hand, and returns it; null if there was none to be had just now. It is stopped
  // before it is looked at: a stopped process keeps its claim, and keeps nobody waiting.
  const Worker* kill_one_at_work() {
    const std::vector<Work> work = index_.all_work();
    const auto claimed =
        std::find_if(work.begin(), work.end(), [&](const Work& w) { return find_running(w) != nullptr; });
    if (claimed == work.end()) return nullptr;
    Worker& worker = *find_running(*claimed);
    ::kill(worker.process, SIGSTOP);
    int status = 0;
    wait_for(worker.process, &status, WUNTRACED);
    if (!WIFSTOPPED(status)) {
      note_end(worker, status);
      return nullptr;
    }
    if (!has_claim(worker.id)) {
      ::kill(worker.process, SIGCONT);
      return nullptr;
    }
    ::kill(worker.process, SIGKILL);
    wait_for(worker.process, &status, 0);
    note_end(worker, status);
    return &worker;
  }

 private:
  void start(const CrewOptions& options, WorkerId id, WorkerId first) {
    std::vector<std::string> words{options.program,       "--worker",
                                   options.store_path,    std::to_string(id),
                                   std::to_string(first), std::to_string(options.worker_count)};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    Worker worker{.id = id, .process = 0, .running = true, .end = {}};
    const int error =
        ::posix_spawnp(&worker.process, options.program.c_str(), nullptr, nullptr, arguments.data(), environ);
    if (error != 0) throw Failure(5, "cannot start a worker: " + std::string(std::strerror(error)));
    workers_.push_back(std::move(worker));
  }

  static bool wait_for(pid_t process, int* status, int flags) {
    pid_t result = 0;
    do {
      result = ::waitpid(process, status, flags);
    } while (result < 0 && errno == EINTR);
    return result == process;
  }

  void note_end(Worker& worker, int status) {
    worker.running = false;
    if (WIFSIGNALED(status)) {
      worker.end = WTERMSIG(status) == SIGKILL ? "killed" : formatted("ended by signal %d", WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
      worker.end = formatted("failed with exit code %d", WEXITSTATUS(status));
    }
    // Its process is reaped, so it writes nothing any more: whoever reads this may take its claims.
    index_.set_worker(worker.id, {.process = static_cast<std::uint32_t>(worker.process), .gone = 1});
  }

  // The running worker that has claimed `work`, or null.
  Worker* find_running(const Work& work) {
    if (work.state != WorkState::claimed) return nullptr;
    const auto found = std::find_if(workers_.begin(), workers_.end(),
                                    [&](const Worker& worker) { return worker.running && worker.id == work.worker; });
    return found == workers_.end() ? nullptr : &*found;
  }
  bool has_claim(WorkerId id) const {
    const std::vector<Work> work = index_.all_work();
    return std::any_of(work.begin(), work.end(),
                       [&](const Work& w) { return w.state == WorkState::claimed && w.worker == id; });
  }

  Index& index_;
  std::vector<Worker> workers_;
};

Progress measure(const Index& index, const std::vector<Work>& all_work, const Crew& crew) {
  Progress progress;
  progress.file_count = index.file_count();
  for (const Worker& worker : crew.workers()) {
    WorkerProgress& p = progress.workers.emplace_back();
    p.id = worker.id;
    p.end = worker.end;
  }
  const WorkerId first = crew.workers().front().id;
  for (FileId file = 0; file < all_work.size(); ++file) {
    const Work& work = all_work[file];
    if (work.finished()) ++progress.finished;
    if (work.worker < first || work.worker - first >= progress.workers.size()) continue;
    WorkerProgress& p = progress.workers[work.worker - first];
    if (work.finished()) {
      ++p.file_count;
      p.occurrences += work.occurrences;
    } else {
      p.in_hand = index.file_name(file);
    }
  }
  return progress;
}

// Files whose worker was killed, until another has them.
class Orphans {
 public:
  void add(const std::vector<Work>& all_work, WorkerId dead) {
    for (FileId file = 0; file < all_work.size(); ++file) {
      if (all_work[file].state == WorkState::claimed && all_work[file].worker == dead) files_.push_back({file, dead});
    }
  }
  void say_taken(const Index& index, const std::vector<Work>& all_work, Display& display) {
    std::erase_if(files_, [&](const auto& orphan) {
      const Work& now = all_work[orphan.first];
      if (now.worker == orphan.second) return false;
      display.say(formatted("  worker %u has taken over ", now.worker) + printable(index.file_name(orphan.first)));
      return true;
    });
  }

 private:
  std::vector<std::pair<FileId, WorkerId>> files_;
};

}  // namespace

void note_signals() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { signal_noted = signal; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // the temporary store is removed also when nobody reads the output any more
}

void stop_if_asked() {
  if (signal_noted != 0) throw Failure(128 + static_cast<int>(signal_noted), "stopped");
}

void run_crew(Index& index, const CrewOptions& options) {
  Crew crew(index, options);
  Display display;
  Orphans orphans;
  bool kill_pending = options.kill_one && options.worker_count > 1;
  for (;;) {
    stop_if_asked();
    crew.reap(false);
    const Stopwatch reading;
    const std::vector<Work> all_work = index.all_work();
    const Progress progress = measure(index, all_work, crew);
    const bool finished = progress.finished == progress.file_count;
    orphans.say_taken(index, all_work, display);
    display.show(progress, finished);
    if (finished) break;
    if (!crew.any_running()) throw Failure(5, "all workers have ended, and files are left; --store continues them");

    if (kill_pending && progress.finished * 2 >= progress.file_count) {
      if (const Worker* dead = crew.kill_one_at_work()) {
        kill_pending = false;
        const std::vector<Work> left = index.all_work();
        orphans.add(left, dead->id);
        const std::string file = measure(index, left, crew).workers[dead->id - crew.workers().front().id].in_hand;
        display.say(formatted("  worker %u (process %d) is killed with SIGKILL in the middle of ", dead->id,
                              static_cast<int>(dead->process)) +
                    printable(file));
      }
    }
    // Half way comes soon in a small tree. Reading the list takes a tenth of the time at most.
    const double pause_s = std::max(kill_pending ? 0.001 : 0.02, 10 * reading.seconds());
    std::this_thread::sleep_for(std::chrono::duration<double>(pause_s));
  }
  crew.reap(true);
  if (options.kill_one && options.worker_count == 1) display.say("  (no worker was killed: there is only one)");
  if (kill_pending) display.say("  (no worker was killed: all files were done too soon)");
}

}  // namespace demo
