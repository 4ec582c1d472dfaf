// The locks of one simulated file, by the rules of Linux: flock on the whole file and open-file-description locks on
// bytes, which do not meet each other. Both belong to descriptions, several of which may be one process's.
//
// Thread safety: none; the World's mutex. Ownership: values.
#pragma once

#include <cstdint>
#include <map>

#include "os/os.h"

namespace utan::os::sim {

// Names an open file description, uniquely in its world.
enum class DescriptionId : std::uint64_t {};

class LockTable {
 public:
  bool try_lock(DescriptionId id, LockMode mode) {
    const auto held = whole_.find(id);
    if (held != whole_.end() && held->second == mode) return true;
    // A conversion gives up the old lock first and does not take it again when it fails: so does flock.
    if (held != whole_.end()) whole_.erase(held);
    if (conflicts(whole_, id, mode)) return false;
    whole_.emplace(id, mode);
    return true;
  }
  void unlock(DescriptionId id) { whole_.erase(id); }

  bool try_lock_byte(DescriptionId id, std::uint32_t index, LockMode mode) {
    Holders& holders = bytes_[index];
    const bool free = !conflicts(holders, id, mode);
    if (free) holders[id] = mode;
    if (holders.empty()) bytes_.erase(index);
    return free;
  }
  void unlock_byte(DescriptionId id, std::uint32_t index) {
    const auto found = bytes_.find(index);
    if (found == bytes_.end()) return;
    found->second.erase(id);
    if (found->second.empty()) bytes_.erase(found);
  }
  bool others_hold_bytes(DescriptionId id, std::uint32_t first, std::uint32_t count) const {
    for (auto i = bytes_.lower_bound(first); i != bytes_.end() && i->first - first < count; ++i) {
      if (i->second.size() > 1 || !i->second.contains(id)) return true;
    }
    return false;
  }
  bool others_hold_bytes_exclusively(DescriptionId id, std::uint32_t first, std::uint32_t count) const {
    for (auto i = bytes_.lower_bound(first); i != bytes_.end() && i->first - first < count; ++i) {
      if (conflicts(i->second, id, LockMode::shared)) return true;
    }
    return false;
  }

  // Everything that the description holds, as at its closing.
  void release(DescriptionId id) {
    whole_.erase(id);
    for (auto i = bytes_.begin(); i != bytes_.end();) {
      i->second.erase(id);
      i = i->second.empty() ? bytes_.erase(i) : std::next(i);
    }
  }

 private:
  using Holders = std::map<DescriptionId, LockMode>;

  static bool conflicts(const Holders& holders, DescriptionId id, LockMode mode) {
    for (const auto& [holder, held] : holders) {
      if (holder != id && (mode == LockMode::exclusive || held == LockMode::exclusive)) return true;
    }
    return false;
  }

  Holders whole_;
  std::map<std::uint32_t, Holders> bytes_;
};

}  // namespace utan::os::sim
