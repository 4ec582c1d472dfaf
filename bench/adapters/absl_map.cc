// absl::flat_hash_map<std::string, std::string>: what a fast hash table costs that lives in one process and forgets.
#include <absl/base/config.h>
#include <absl/container/flat_hash_map.h>
#include <absl/strings/string_view.h>

#include <string>

#include "../systems.h"
#include "memory_map.h"

namespace bench {
namespace {

// Debian builds Abseil with a string_view of its own.
class AbslMap : public MemoryMap<absl::flat_hash_map<std::string, std::string>, absl::string_view> {
 public:
  void put(std::string_view key, std::string_view value) {
    const auto [it, is_new] = map_.try_emplace(absl::string_view(key.data(), key.size()), value);
    if (!is_new) it->second.assign(value);
  }
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
