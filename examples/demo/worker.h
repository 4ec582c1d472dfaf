// A worker process: claims files in the store until all are done, and indexes what it claims.
#pragma once

#include <string>

#include "index.h"

namespace demo {

// Works on the index at `path` as worker number `self` of `worker_count`, of which the first has the number `first`.
// Returns when every file is done, or when the process that started it is gone.
void run_worker(const std::string& path, WorkerId self, WorkerId first, WorkerId worker_count);

}  // namespace demo
