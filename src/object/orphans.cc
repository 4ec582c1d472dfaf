#include "object/orphans.h"

#include <algorithm>
#include <new>
#include <vector>

#include "base/step.h"
#include "commit/holds.h"
#include "object/edit.h"
#include "object/mapping.h"
#include "tree/positional.h"

namespace utan::object {

using commit::Draft;
using commit::Leftovers;
using commit::Pinned;
using commit::Thread;
using format::ObjectEntry;
using format::ObjectId;

namespace {

// How much one commit does: containers, and entries of these.
struct Portion {
  std::size_t containers;
  std::uint64_t entries;
};
constexpr Portion usual_portion{64, 512};
// Where the disk is full there may be no room for what that much replaces by something smaller.
constexpr Portion small_portion{1, 16};
// How many are noted before the pins are looked at.
constexpr std::size_t due_min = 16;
constexpr std::size_t due_max = 256;
constexpr std::uint64_t lines_per_due = 16;
// After so many writes they are looked at although they are few: one may be large.
constexpr std::uint32_t writes_due = 1024;
// How many commits a write then adds to its own: more than come in meanwhile, but so few that it does not take much longer
// than others. If that was not enough, the next write goes on, with twice as many, the next with three times, and so on:
// containers may come in whole faster than a fixed number of entries for each write takes them apart.
constexpr std::uint64_t usual_commits = 8;
constexpr std::uint64_t most_commits = 1024;

enum class Outcome : std::uint8_t {
  named,    // somebody names it again, or it is gone
  removed,  // its place is free
  begun,    // it has become smaller
};

// Takes up to `budget` entries out of an orphan, with what they name; at the end the container itself.
Result<Outcome> empty_some(Edit& edit, const Leftovers::Orphan& orphan, std::uint64_t& budget) {
  const ObjectId id = orphan.id;
  Result<ObjectEntry> found = edit.entry_of_orphan(id);
  if (found.code() == Code::gone) return Outcome::named;
  if (!found.ok()) return std::move(found).error();
  const ObjectEntry entry = *found;
  // Named again since, or named and left again: whoever left it last has noted that, and what was seen and held in between
  // he has yet to look for.
  if (entry.links != ObjectEntry::orphan_since(orphan.unlinked)) return Outcome::named;
  // Noted twice, if one commit left it twice: who has begun goes on.
  if (entry.is_emptied() != orphan.begun) return Outcome::named;
  if (entry.root != 0) {
    UTAN_ASSIGN(const Offset rest, edit.drop_first(entry.type(), Offset{entry.root}, budget));
    if (rest) {
      // Whoever comes with a handle of before, as a child made by fork may (CONCURRENCY.md), finds it gone, not halved.
      UTAN_TRY(edit.set_emptied(id, rest));
      return Outcome::begun;
    }
  }
  UTAN_TRY(edit.remove_container(id));
  return Outcome::removed;
}

// One commit's worth of work on those that can be removed, in this order. What is done with is taken off the list. False: there
// was nothing to do.
Result<bool> work_off_some(Thread& thread, std::vector<Leftovers::Orphan>& ready) {
  Ids ids(thread);
  std::vector<ObjectId> new_orphans;
  std::vector<ObjectId> free_ids;
  std::size_t done = 0;
  bool begun = false;  // the one behind those that are done with
  bool damaged = false;
  Portion portion = usual_portion;
  const auto remove_some = [&](heap::Build& build, const Pinned&, Draft& draft) -> Result<bool> {
    ids.begin_attempt();
    Edit edit(build, draft, thread.hash_seed(), ids);
    free_ids.clear();
    done = 0;
    begun = false;
    std::uint64_t budget = portion.entries;
    bool changes = false;
    while (done < ready.size() && done < portion.containers && budget > 0) {
      const ObjectId id = ready[done].id;
      Result<Outcome> emptied = empty_some(edit, ready[done], budget);
      if (!emptied.ok()) {
        damaged = emptied.code() == Code::corruption || emptied.code() == Code::gone;
        return std::move(emptied).error();
      }
      const Outcome outcome = *emptied;
      changes |= outcome != Outcome::named;
      begun = outcome == Outcome::begun;
      if (begun) break;
      if (outcome == Outcome::removed && id.generation() < format::object_generation_max)
        free_ids.push_back(ObjectId::make(id.index(), id.generation() + 1));
      ++done;
    }
    new_orphans = edit.take_orphans();
    return changes;
  };
  Result<bool> changed = thread.commit(heap::Room::reserve, remove_some);
  if (changed.code() == Code::no_space) {
    portion = small_portion;
    changed = thread.commit(heap::Room::reserve, remove_some);
  }
  if (!changed.ok()) {
    if (!damaged) return std::move(changed).error();
    // What is damaged stays as it is, and does not keep the others.
    ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(done));
    return true;
  }
  ready.erase(ready.begin(), ready.begin() + static_cast<std::ptrdiff_t>(done));
  if (!changed.value()) return done > 0;
  step(begun ? Step::orphan_emptied : Step::orphan_removed);
  if (begun) ready.front().begun = true;
  ids.used();
  Leftovers& leftovers = thread.leftovers();
  leftovers.free_ids.insert(leftovers.free_ids.end(), free_ids.begin(), free_ids.end());
  for (const ObjectId id : new_orphans) leftovers.orphans.push_back({id, thread.last_number().value});
  return true;
}

// Moves those that nobody can see or hold from the thread's list to the front, and answers them.
std::vector<Leftovers::Orphan> take_ready(Thread& thread) {
  auto& orphans = thread.leftovers().orphans;
  const commit::Horizon& horizon = thread.scan_pins();
  const format::Coordination coordination = thread.session().coordination();
  std::vector<Leftovers::Orphan> ready;
  // Holds after pins (commit/holds.h).
  const commit::Holds::All holds(coordination);
  std::erase_if(orphans, [&](const Leftovers::Orphan& orphan) {
    if (horizon.is_pinned_before(orphan.unlinked) || holds.has(orphan.id)) return false;
    ready.push_back(orphan);
    return true;
  });
  return ready;
}

struct Work {
  bool was_any = false;
  bool had_room = true;
};

Work work_off(Thread& thread, std::uint64_t commits_max) {
  std::vector<Leftovers::Orphan> ready = take_ready(thread);
  step(Step::orphans_scanned);
  Work work;
  for (std::uint64_t i = 0; i < commits_max && !ready.empty(); ++i) {
    const Result<bool> some = work_off_some(thread, ready);
    work.had_room = some.code() != Code::no_space;
    if (!some.ok() || !some.value()) break;
    work.was_any = true;
  }
  Leftovers& leftovers = thread.leftovers();
  // While some are ready each write looks at them: then these are counted.
  const bool are_ready = work.was_any && !ready.empty();
  if (!are_ready || !leftovers.orphans_are_ready) leftovers.orphans_writes = 0;
  leftovers.orphans_are_ready = are_ready;
  auto& orphans = leftovers.orphans;
  orphans.insert(orphans.end(), ready.begin(), ready.end());
  // Those that are left are not looked at for every few that join them.
  // Where there are thousands of threads, the look at their pins takes longer than removing so few.
  const std::size_t due = std::max<std::size_t>(
      std::clamp(orphans.size(), due_min, due_max),
      thread.session().coordination().fixed().line_high.load(std::memory_order_relaxed) / lines_per_due);
  leftovers.orphans_due = orphans.size() + due;
  return work;
}

// Works off everything that can be. False: there was no room for the rest.
bool work_off_all(Thread& thread) {
  const auto& orphans = thread.leftovers().orphans;
  Work work;
  // What was in those that go may be an orphan then.
  const auto go_on = [&] {
    do {
      if (orphans.empty()) return;
      work = work_off(thread, ~std::uint64_t{0});
    } while (work.was_any);
  };
  go_on();
  if (orphans.empty()) return true;
  // Those that are left may be held by the dead alone.
  thread.session().adopt_dead();
  go_on();
  return work.had_room;
}

}  // namespace

void after_write(commit::Attachment&, Thread& thread, std::span<const ObjectId> orphans) noexcept try {
  Leftovers& leftovers = thread.leftovers();
  const std::uint64_t number = thread.last_number().value;
  if (!orphans.empty()) step(Step::orphan_left);
  for (const ObjectId id : orphans) leftovers.orphans.push_back({id, number});
  if (!orphans.empty()) step(Step::orphan_noted);
  const bool are_many = leftovers.orphans.size() >= std::max(due_min, leftovers.orphans_due);
  const std::uint32_t writes = ++leftovers.orphans_writes;
  if (!leftovers.orphans_are_ready && !are_many && writes < writes_due) return;
  const std::uint64_t times = leftovers.orphans_are_ready ? 1 + writes : 1;
  if (!work_off(thread, std::min(usual_commits * times, most_commits)).was_any) thread.session().adopt_dead_sometimes();
} catch (const std::bad_alloc&) {
  // The commit is in: what cannot be noted for want of memory is left to a collection.
}

void make_room(Thread& thread) noexcept try {
  thread.session().adopt_dead();
  work_off_all(thread);
  // The last checkpoint keeps all that was replaced since. A newer one keeps nothing.
  static_cast<void>(thread.session().checkpoint());
  thread.reclaim();
} catch (const std::bad_alloc&) {
}

bool work_off_orphans(Thread& thread) {
  const auto& orphans = thread.leftovers().orphans;
  for (std::size_t before = ~std::size_t{0}; !work_off_all(thread) && orphans.size() < before;) {
    before = orphans.size();
    make_room(thread);
  }
  return orphans.empty();
}

}  // namespace utan::object
