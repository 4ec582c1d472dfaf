// Starts the workers, watches them, kills one half way and says who took over its files.
#pragma once

#include <string>

#include "index.h"

namespace demo {

struct CrewOptions {
  std::string program;  // what to start as a worker: this program
  std::string store_path;
  WorkerId worker_count = 4;
  bool kill_one = true;  // half way, if there is another to go on
};

// Has every file of the index done by worker processes. Throws Failure if they all end before.
void run_crew(Index& index, const CrewOptions& options);

// Throws Failure if the user has asked to stop (SIGINT, SIGTERM).
void stop_if_asked();
// From now on these signals are noted instead of ending the process.
void note_signals();

}  // namespace demo
