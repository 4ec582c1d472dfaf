// std::map and std::vector: what a C++ program has at hand in memory, for sections ordered and lists.
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "../systems.h"
#include "memory_map.h"

namespace bench {
namespace {

class StdOrderedMap : public MemoryMap<std::map<std::string, std::string, std::less<>>> {
 public:
  void put(std::string_view key, std::string_view value) {
    // Found first: emplacing would make a string of the key, on the heap, even where it is there already.
    const auto it = map_.lower_bound(key);
    if (it != map_.end() && it->first == key) {
      it->second.assign(value);
    } else {
      map_.emplace_hint(it, key, value);
    }
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    for (auto it = map_.lower_bound(low); count > 0 && it != map_.end(); ++it, --count) {
      use(std::string_view(it->first), std::string_view(it->second));
    }
  }
  void batch_begin() {}
  void batch_add(std::string_view key, std::string_view value) { map_.emplace_hint(map_.end(), key, value); }
  void batch_end() {}
};

class StdVector {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void append(std::int64_t element) { vector_.push_back(element); }
  std::int64_t get(std::uint64_t index) { return vector_[index]; }
  void insert(std::uint64_t index, std::int64_t element) {
    vector_.insert(vector_.begin() + static_cast<std::ptrdiff_t>(index), element);
  }
  template <class Use>
  void each(Use&& use) {
    for (const std::int64_t element : vector_) use(element);
  }

 private:
  std::vector<std::int64_t> vector_;
};

}  // namespace

OrderedSystem std_ordered_system() {
  return {.name = "map",
          .version = "libstdc++ " + std::to_string(_GLIBCXX_RELEASE),
          .settings = "std::map<string, string>, looked up by string_view; sorted records are emplaced at its end",
          .kind = System::Kind::memory,
          .round_count_max = kPeerRoundCount,
          .make = make_ordered_runner<StdOrderedMap>};
}

ListSystem std_list_system() {
  return {.name = "vector",
          .version = "libstdc++ " + std::to_string(_GLIBCXX_RELEASE),
          .settings = "std::vector<int64_t>, not reserved",
          .kind = System::Kind::memory,
          .make = make_list_runner<StdVector>};
}

}  // namespace bench
