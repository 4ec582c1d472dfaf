// Whether what a coordination file says can be.
//
// Its header has a checksum; the words behind it change with every commit and have none. Whoever attaches believes them from
// then on, so each that could do harm is compared before that with what it must agree with: the checkpoint slots and the newest
// commit in the data file, the sizes of both files, the other words. A file in which one cannot be is not mended, since nobody
// knows what else in it is wrong: it is not believed, which is as if it were missing. What is not looked at here is looked at
// where it is used (offsets, counts, places in chains), is clamped there (the chunk size), or costs nothing but room or time
// when it is wrong (pins, hints, generations, statistics).
//
// Thread safety: reading only, beside others who are at work. A sound file is never refused, because all these numbers only
// grow, and each is read before or after the other as the comment beside it says. Complexity: O(checkpoint slots).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "format/coordination.h"
#include "format/header.h"
#include "format/nodes.h"

namespace utan::commit {

// A store's files as they are mapped.
struct MappedStore {
  format::Coordination coordination;
  ByteCount coordination_size;      // of the file
  const std::byte* data = nullptr;  // the data file, with its checkpoint slots
  ByteCount mapped;                 // so much of it can be looked at
  ByteCount data_size;              // of the file
  format::StoreId store_id;
};

// Can the numbers of the coordination file be? That it is this store's, of this boot and not closed, is looked at before.
bool is_believable(const MappedStore& store);

// Is this a whole commit block, of commit `number`?
bool is_whole_commit(const format::CommitBlock& block, std::uint64_t number);

// The slot of the newest checkpoint; its number is 0 if there is none.
format::CheckpointSlot newest_slot(const std::byte* data, const format::StoreId& store_id);

// The newest durable checkpoint as the slots have it. If that is not what the coordination file says, it is mended: nothing is
// durable that no slot has.
std::uint64_t confirm_durable(format::Coordination coordination, const std::byte* data,
                              const format::StoreId& store_id);

// The largest `trusted_from` that a data file of this size can come to have: the end of its last region.
std::uint64_t trusted_from_max(ByteCount data_size);

}  // namespace utan::commit
