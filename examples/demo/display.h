// Shows the workers' progress: on a terminal a line per worker, drawn again in place; otherwise a line now and then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "index.h"
#include "text.h"

namespace demo {

// One worker, as the work list in the store has it.
struct WorkerProgress {
  WorkerId id = nobody;
  std::uint64_t file_count = 0;  // finished by it
  std::uint64_t occurrences = 0;
  std::string in_hand;  // the file that it has claimed, or nothing
  std::string end;      // "killed" and the like, or nothing
};

struct Progress {
  std::uint64_t finished = 0;  // files, by these workers or earlier ones
  std::uint64_t file_count = 0;
  std::vector<WorkerProgress> workers;
};

class Display {
 public:
  Display();

  // Shows `progress` if it is time for it, or in any case if `now`.
  void show(const Progress& progress, bool now);
  // A line that stays.
  void say(const std::string& line);

 private:
  void draw(const Progress& progress);
  void erase();

  bool terminal_;
  Stopwatch since_start_;
  double shown_at_s_ = -1;
  unsigned quarters_said_ = 0;
  std::optional<std::uint64_t> finished_before_;  // by an earlier run
  std::size_t lines_drawn_ = 0;
};

}  // namespace demo
