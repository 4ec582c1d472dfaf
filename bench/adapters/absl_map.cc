// absl::flat_hash_map<std::string, std::string>: what a fast hash table costs that lives in one process and forgets.
#include <absl/base/config.h>
#include <absl/container/flat_hash_map.h>
#include <absl/strings/string_view.h>

#include "../systems.h"

namespace bench {
namespace {

// Debian builds Abseil with a string_view of its own.
absl::string_view to_absl(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

class AbslMap {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void put(std::string_view key, std::string_view value) {
    const auto [it, is_new] = map_.try_emplace(to_absl(key), value);
    if (!is_new) it->second.assign(value);
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const auto it = map_.find(to_absl(key));
    if (it == map_.end()) return false;
    use(std::string_view(it->second));
    return true;
  }
  bool erase(std::string_view key) { return map_.erase(to_absl(key)) != 0; }
  template <class Use>
  void each(Use&& use) {
    for (const auto& [key, value] : map_) use(std::string_view(key), std::string_view(value));
  }

 private:
  absl::flat_hash_map<std::string, std::string> map_;
};

}  // namespace

System absl_system() {
  return {.name = "absl",
          .version = std::to_string(ABSL_LTS_RELEASE_VERSION) + "." + std::to_string(ABSL_LTS_RELEASE_PATCH_LEVEL),
          .settings = "absl::flat_hash_map<string, string>, not reserved, looked up by string_view",
          .kind = System::Kind::memory,
          .make = make_runner<AbslMap>};
}

}  // namespace bench
