// std::unordered_map<std::string, std::string>: the table every C++ program has at hand.
#include <functional>
#include <string>
#include <unordered_map>

#include "../systems.h"
#include "memory_map.h"

namespace bench {
namespace {

// Lets a string_view be looked up without making a string of it. Not noexcept on purpose: libstdc++ then keeps each
// node's hash, without which every step along a chain would hash a key again.
struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};

class StdMap : public MemoryMap<std::unordered_map<std::string, std::string, Hash, std::equal_to<>>> {
 public:
  void put(std::string_view key, std::string_view value) {
    // Found first: emplacing would make a string of the key, on the heap, even where it is there already.
    const auto it = map_.find(key);
    if (it != map_.end()) {
      it->second.assign(value);
    } else {
      map_.emplace(key, value);
    }
  }
};

}  // namespace

System std_system() {
  return {.name = "unordered_map",
          .version = "libstdc++ " + std::to_string(_GLIBCXX_RELEASE),
          .settings = "std::unordered_map<string, string>, not reserved, looked up by string_view, hashes cached",
          .kind = System::Kind::memory,
          .round_count_max = kPeerRoundCount,
          .make = make_runner<StdMap>};
}

}  // namespace bench
