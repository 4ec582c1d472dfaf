#include "worker.h"

#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>
#include <unordered_map>

#include "identifiers.h"

namespace demo {

namespace {

// What came of trying to claim a file: `mine` is set if this worker has it now.
struct Claim {
  bool finished = false;  // by whomever
  std::optional<Work> mine;
};

// Takes the file if it is to do, or if the worker who claimed it is gone. No lock: of all who try, compare and replace
// lets one through.
Claim try_claim(Index& index, FileId file, WorkerId self) {
  const Work seen = index.work(file);
  if (seen.finished()) return {.finished = true, .mine = {}};
  if (seen.state == WorkState::claimed && !index.is_gone(seen.worker)) return {};
  const Work mine{.state = WorkState::claimed, .worker = self};
  if (!index.replace_work(file, seen, mine)) return {};
  return {.finished = false, .mine = mine};
}

// Dying anywhere in here leaves some of this file's postings and entries set, and the claim. Who takes over sets all of
// them; only the document is there whole or not at all, and is left as it is.
void index_file(Index& index, FileId file, const Work& mine) {
  std::unordered_map<std::string, std::uint32_t> counts;
  Work after = mine;
  std::optional<FileFacts> facts = read_facts(index.file_path(file));
  const bool readable = for_each_identifier(index.file_path(file), [&](std::string_view word) {
    ++counts[std::string(word)];
    ++after.occurrences;
  });
  if (readable && facts) {
    for (const auto& [word, count] : counts) index.set_posting(word, {.file = file, .count = count});
    facts->identifiers = after.occurrences;
    index.documents().put(index.file_name(file), *facts);
    after.state = WorkState::done;
  } else {
    after.occurrences = 0;
    after.state = WorkState::unreadable;
  }
  // If this fails, another took the file over, and has set or will set the same postings.
  index.replace_work(file, mine, after);
}

}  // namespace

void run_worker(const std::string& path, WorkerId self, WorkerId first, WorkerId worker_count) {
  const pid_t parent = ::getppid();
  Index index = Index::open(path, utan::Mode::existing);
  index.set_worker(self, {.process = static_cast<std::uint32_t>(::getpid()), .gone = 0});

  // Each worker goes round the list from a place of its own, so that they rarely want the same file or the same bucket.
  const FileId file_count = index.file_count();
  const auto start = static_cast<FileId>(std::uint64_t{file_count} * (self - first) / worker_count);
  std::vector<FileId> open;
  for (FileId i = 0; i < file_count; ++i) open.push_back((start + i) % file_count);

  while (!open.empty()) {
    std::vector<FileId> still_open;
    bool worked = false;
    for (const FileId file : open) {
      if (::getppid() != parent) return;
      const Claim claim = try_claim(index, file, self);
      if (claim.mine) {
        index_file(index, file, *claim.mine);
        worked = true;
      } else if (!claim.finished) {
        still_open.push_back(file);  // somebody else has it in hand: see later whether it got done
      }
    }
    open = std::move(still_open);
    if (!worked && !open.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace demo
