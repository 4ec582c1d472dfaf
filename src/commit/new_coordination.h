// Making a coordination file anew: what it says of the segments of its store, and whether an old one may be cleared.
//
// Thread safety: pure functions. Nobody else may be writing to the store (attach.cc holds its lock exclusively).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/types.h"
#include "format/coordination.h"
#include "os/os.h"

namespace utan::commit {

// The part of a data file of this size that consists of whole segments.
std::uint64_t usable_size(ByteCount size);

// The first segment that nothing is said of, neither now nor in a future that was lost: a power cut can leave a file
// shorter than what descriptions that had reached the disk earlier speak of. `data`: the mapped file.
std::uint64_t first_undescribed(const std::byte* data, std::uint64_t size);

// Which segments have room stands in the data file; that their regions may have some is said anew. Words that belong at
// format::region_hints_offset.
std::vector<std::uint64_t> region_hints(std::uint64_t size);

// Is it certain that nobody uses the coordination file with this header, when nobody has the data file open? Where that took
// the place of another one, those who have that open use its coordination still, as long as the machine runs.
bool nobody_uses(const format::CoordinationHeader& header, os::FileIdentity data,
                 const std::optional<os::BootId>& boot);

}  // namespace utan::commit
