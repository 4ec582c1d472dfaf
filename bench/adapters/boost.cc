// Boost.Interprocess: containers of Boost in a file that several processes map, with a lock of theirs in it.
#include <boost/functional/hash.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/map.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/managed_mapped_file.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/interprocess/sync/sharable_lock.hpp>
#include <boost/unordered_map.hpp>
#include <boost/version.hpp>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "../systems.h"

namespace bench {
namespace {

namespace ipc = boost::interprocess;

using Segment = ipc::managed_mapped_file::segment_manager;
using CharAllocator = ipc::allocator<char, Segment>;
using Text = ipc::basic_string<char, std::char_traits<char>, CharAllocator>;
using TextPair = std::pair<const Text, Text>;
using TextPairAllocator = ipc::allocator<TextPair, Segment>;

std::string_view view_of(const Text& text) { return {text.data(), text.size()}; }
std::string_view view_of(std::string_view text) { return text; }

// Of strings in the file and of views alike, so that no string is made to look one up.
struct Hash {
  template <class Key>
  std::size_t operator()(const Key& key) const {
    return std::hash<std::string_view>()(view_of(key));
  }
};
struct Equal {
  template <class Left, class Right>
  bool operator()(const Left& left, const Right& right) const {
    return view_of(left) == view_of(right);
  }
};
struct Less {
  using is_transparent = void;
  template <class Left, class Right>
  bool operator()(const Left& left, const Right& right) const {
    return view_of(left) < view_of(right);
  }
};

using HashMap = boost::unordered_map<Text, Text, Hash, Equal, TextPairAllocator>;
using TreeMap = ipc::map<Text, Text, Less, TextPairAllocator>;

auto find_in(HashMap& map, std::string_view key) { return map.find(key, Hash(), Equal()); }
auto find_in(TreeMap& map, std::string_view key) { return map.find(key); }

HashMap* make_in(ipc::managed_mapped_file& file, const HashMap*) {
  return file.construct<HashMap>("map")(0, Hash(), Equal(), file.get_segment_manager());
}
TreeMap* make_in(ipc::managed_mapped_file& file, const TreeMap*) {
  return file.construct<TreeMap>("map")(Less(), file.get_segment_manager());
}

template <class Map>
class BoostStore {
 public:
  void open(const Place& place, Access access) {
    const std::string path = place.directory + "/store.boost";
    if (access == Access::create) {
      // The file cannot grow while it is in use. It is sparse: what is not used takes no space on the disk.
      const std::size_t size = (std::size_t{64} << 20) + place.record_count_max * 4 * (place.value_size + 200);
      file_ = std::make_unique<ipc::managed_mapped_file>(ipc::create_only, path.c_str(), size);
      map_ = make_in(*file_, static_cast<const Map*>(nullptr));
      mutex_ = file_->template construct<ipc::interprocess_sharable_mutex>("mutex")();
      return;
    }
    // Readers write the lock.
    file_ = std::make_unique<ipc::managed_mapped_file>(ipc::open_only, path.c_str());
    map_ = file_->template find<Map>("map").first;
    mutex_ = file_->template find<ipc::interprocess_sharable_mutex>("mutex").first;
    if (map_ == nullptr || mutex_ == nullptr) fail("boost: the file lacks the map");
  }
  void close() { file_.reset(); }

  void put(std::string_view key, std::string_view value) {
    const ipc::scoped_lock lock(*mutex_);
    put_locked(key, value);
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const ipc::sharable_lock lock(*mutex_);
    const auto at = find_in(*map_, key);
    if (at == map_->end()) return false;
    use(view_of(at->second));
    return true;
  }
  bool erase(std::string_view key) {
    const ipc::scoped_lock lock(*mutex_);
    const auto at = find_in(*map_, key);
    if (at == map_->end()) return false;
    map_->erase(at);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    const ipc::sharable_lock lock(*mutex_);
    for (const auto& [key, value] : *map_) use(view_of(key), view_of(value));
  }

 protected:
  void put_locked(std::string_view key, std::string_view value) {
    const auto at = find_in(*map_, key);
    if (at != map_->end()) {
      at->second.assign(value.data(), value.size());
      return;
    }
    const CharAllocator allocator(file_->get_segment_manager());
    map_->emplace(Text(key.data(), key.size(), allocator), Text(value.data(), value.size(), allocator));
  }

  std::unique_ptr<ipc::managed_mapped_file> file_;
  Map* map_ = nullptr;                                 // in the file
  ipc::interprocess_sharable_mutex* mutex_ = nullptr;  // in the file
};

class BoostTree : public BoostStore<TreeMap> {
 public:
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    const ipc::sharable_lock lock(*mutex_);
    for (auto at = map_->lower_bound(low); count > 0 && at != map_->end(); ++at, --count) {
      use(view_of(at->first), view_of(at->second));
    }
  }
  // Under one lock; whoever is killed within leaves a part.
  void batch_begin() { mutex_->lock(); }
  void batch_add(std::string_view key, std::string_view value) {
    const CharAllocator allocator(file_->get_segment_manager());
    map_->emplace_hint(map_->end(), Text(key.data(), key.size(), allocator),
                       Text(value.data(), value.size(), allocator));
  }
  void batch_end() { mutex_->unlock(); }
};

std::string version() {
  return std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000) + "." +
         std::to_string(BOOST_VERSION % 100);
}

constexpr const char* kSettings =
    "in a managed_mapped_file of a fixed size (four times what is stored, sparse), under an "
    "interprocess_sharable_mutex in the "
    "file, which readers and writers take for each operation; looked up by view, read in place; not for use after a "
    "kill: what "
    "was changed is half changed, and the lock stays taken";

}  // namespace

System boost_system() {
  return {.name = "boost",
          .version = version(),
          .settings = std::string("boost::unordered_map of strings, not reserved, ") + kSettings,
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .survives_kill = false,
          .round_count_max = kPeerRoundCount,
          .make = make_runner<BoostStore<HashMap>>};
}

OrderedSystem boost_ordered_system() {
  return {.name = "boost",
          .version = version(),
          .settings = std::string("boost::interprocess::map of strings, ") + kSettings +
                      "; sorted records are emplaced at the end, all of a batch under one lock",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .survives_kill = false,
          .round_count_max = kPeerRoundCount,
          .make = make_ordered_runner<BoostTree>};
}

}  // namespace bench
