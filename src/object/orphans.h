// Orphans: containers that nothing names any more.
//
// A container whose last name goes is not gone with it: somebody may hold a handle, and readers of older commits see it.
// The thread that took the name remembers it. Later, when no pin is older than that commit and no process holds the
// container, it is emptied, a bounded part of it per commit, which takes the names of the containers in it; then its place
// in the object table is free for another one. What a thread remembers ends with its process; those orphans are left
// to a collection of the whole store. Cycles are never orphans.
// Thread safety: a thread's own orphans are worked off by that thread.
#pragma once

#include <cstddef>
#include <span>

#include "commit/attachment.h"
#include "commit/thread.h"
#include "format/word.h"

namespace utan::object {

// Notes the containers that the thread's last commit left without a name, and works off some of those that it noted
// before: once there are enough of them to be worth the look at all pins, or after many writes; and then with each write, until
// nothing is left that can be removed.
void after_write(commit::Attachment& attachment, commit::Thread& thread,
                 std::span<const format::ObjectId> orphans) noexcept;

// Works off everything that can be, and makes room for it where there is none. False: some are seen or held, or the store cannot
// be written.
bool work_off_orphans(commit::Thread& thread);

// Where there is no room: gives back all that can be, the thread's own, what dead processes left, and what the last checkpoint
// keeps, for which it makes another one.
void make_room(commit::Thread& thread) noexcept;

}  // namespace utan::object
