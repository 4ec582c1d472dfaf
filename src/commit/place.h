// The place of a store: whether its file system may hold one that is in use, and what to say where a user may not write.
//
// Thread safety: pure functions over what they are given. Errors name the file and say what to do.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "os/os.h"

namespace utan::commit {

// What is mapped and locked reaches the processes of one kernel alone. Code::unsupported for a file that others can change,
// unless `any_file_system` or the variable UTAN_ANY_FILE_SYSTEM=1 of the environment says that it is to be used all the same.
Result<void> expect_local(os::System& system, os::File& file, const std::string& path, bool any_file_system);

// "/a/b" -> "/a"; "/b" -> "/"; "b" -> ".".
std::string folder_of(const std::string& path);

// Each of these answers any error but Code::permission as it is, and says of that one what it means here.
Error cannot_open(Error refusal, const std::string& path, bool for_writing);
Error cannot_create(Error refusal, const std::string& path);
Error cannot_replace(Error refusal, const std::string& path);
// The data file may be written, the lock file not.
Error cannot_use_lock_file(Error refusal, const std::string& path);
// The lock file is missing or of no use, and another one cannot be made in the folder.
Error cannot_make_lock_file(Error refusal, const std::string& path);
// The lock file may not be used, and there are others who write.
Error cannot_read_beside(Error refusal, const std::string& path);

// Others have the store open whose coordination this process cannot find. `link_count`: of the data file's names;
// `knows_boot`: this process knows which boot of the machine this is.
Error cannot_join(const std::string& path, std::uint64_t link_count, bool knows_boot);
// There are not so many addresses to be had; says so of Code::no_space alone.
Error cannot_map(Error refusal);

// The error with the path before it, unless it names that already; and what to do about names that are too long.
Error named(Error error, const std::string& path);

}  // namespace utan::commit
