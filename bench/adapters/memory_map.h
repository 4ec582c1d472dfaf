// What maps in memory do alike, whoever made them. `Map` has strings as keys and values, and finds a key by `LookUp`, what
// its find() takes in place of a string.
#pragma once

#include <string_view>

#include "../systems.h"

namespace bench {

template <class Map, class LookUp = std::string_view>
class MemoryMap {
 public:
  void open(const Place&, Access) {}
  void close() {}
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const auto it = map_.find(LookUp(key.data(), key.size()));
    if (it == map_.end()) return false;
    use(std::string_view(it->second));
    return true;
  }
  bool erase(std::string_view key) {
    const auto it = map_.find(LookUp(key.data(), key.size()));
    if (it == map_.end()) return false;
    map_.erase(it);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    for (const auto& [key, value] : map_) use(std::string_view(key), std::string_view(value));
  }

 protected:
  Map map_;
};

}  // namespace bench
