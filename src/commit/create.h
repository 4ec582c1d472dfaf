// The file of a store before anybody has it open: made whole under another name, and removed only where nobody uses it.
//
// Safe against everybody who does the same at the same time, and against kills: what has a store's name is a whole store.
// A kill may leave a file PATH.new-NUMBER, which nobody uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "commit/session.h"
#include "os/os.h"

namespace utan::commit {

// An object as the bytes that are read into it.
template <class T>
std::span<std::byte> bytes_of(T& object) {
  return {reinterpret_cast<std::byte*>(&object), sizeof object};
}

// Is `path` still the name of this file?
Result<bool> still_there(os::System& system, const std::string& path, os::FileIdentity identity);

// Removes the store that is there, if nobody uses it. False: it is another one by now; look again. Errors: Code::in_use,
// Code::format for what is no store.
Result<bool> remove_store(os::System& system, const std::string& path, bool any_file_system);

// Makes a new, empty store under another name and gives it its own when it is whole. No error if somebody else was faster.
Result<void> create_store(os::System& system, const std::string& path, const OpenOptions& options);

}  // namespace utan::commit
