// Pogreb: a hash table over a log, in Go, for the threads of one process.
//
// Its library is loaded by the process that measures. Every operation is then a call from C into Go, whose cost is measured
// and reported with the results (call_ns), but not subtracted: a Go program would not pay it. A process of its own for Pogreb,
// with the loops written once more in Go, would be without that cost, but would not be the loop that all others run, nor the
// checks that are tested.
#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "../systems.h"

namespace bench {
namespace {

// What adapters/pogreb/pogreb.go exports. Sizes are counted in bytes; a negative one says what went wrong.
struct Pogreb {
  using Handle = std::uintptr_t;
  using Size = std::int64_t;
  static constexpr Size kAbsent = -1;

  Handle (*open)(const char* path, Size path_size);
  Size (*close)(Handle);
  Size (*put)(Handle, const char* key, Size key_size, const char* value, Size value_size);
  Size (*get)(Handle, const char* key, Size key_size, char* buffer, Size buffer_size);
  Size (*erase)(Handle, const char* key, Size key_size);
  Handle (*walk_begin)(Handle);
  Size (*walk_next)(Handle, char* buffer, Size buffer_size);
  void (*walk_end)(Handle);
  Size (*nothing)(Handle, const char* key, Size key_size);
  Size (*error)(char* buffer, Size buffer_size);
};

// Loaded once in a process, and never unloaded: a Go runtime cannot be.
const Pogreb& pogreb() {
  static const Pogreb library = [] {
    void* const file = dlopen(UTAN_BENCH_POGREB_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (file == nullptr) fail(std::string("pogreb: ") + dlerror());
    Pogreb out{};
    const auto find = [file](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(file, name));
      if (function == nullptr) fail(std::string("pogreb: its library lacks ") + name);
    };
    find(out.open, "pogreb_open");
    find(out.close, "pogreb_close");
    find(out.put, "pogreb_put");
    find(out.get, "pogreb_get");
    find(out.erase, "pogreb_erase");
    find(out.walk_begin, "pogreb_walk_begin");
    find(out.walk_next, "pogreb_walk_next");
    find(out.walk_end, "pogreb_walk_end");
    find(out.nothing, "pogreb_nothing");
    find(out.error, "pogreb_error");
    return out;
  }();
  return library;
}

Pogreb::Size size_of(std::string_view bytes) { return static_cast<Pogreb::Size>(bytes.size()); }

void pogreb_must(bool is_done) {
  if (is_done) return;
  std::array<char, 500> text{};
  const Pogreb::Size size = pogreb().error(text.data(), text.size());
  fail("pogreb: " + std::string(text.data(), static_cast<std::size_t>(size)));
}

class PogrebStore {
 public:
  void open(const Place& place, Access) {
    const std::string path = place.directory + "/store.pogreb";
    module_ = &pogreb();
    store_ = module_->open(path.data(), size_of(path));
    pogreb_must(store_ != 0);
    buffer_.resize(kBufferSize);
  }
  void join(const PogrebStore& first) {
    module_ = first.module_;
    store_ = first.store_;
    buffer_.resize(kBufferSize);
  }
  void close() { pogreb_must(module_->close(store_) >= 0); }

  void put(std::string_view key, std::string_view value) {
    pogreb_must(module_->put(store_, key.data(), size_of(key), value.data(), size_of(value)) >= 0);
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const Pogreb::Size size = module_->get(store_, key.data(), size_of(key), buffer_.data(), size_of(buffer_));
    if (size == Pogreb::kAbsent) return false;
    pogreb_must(size >= 0);
    if (size > size_of(buffer_)) {
      buffer_.resize(static_cast<std::size_t>(size));
      return get(key, use);
    }
    use(std::string_view(buffer_).substr(0, static_cast<std::size_t>(size)));
    return true;
  }
  bool erase(std::string_view key) {
    pogreb_must(module_->erase(store_, key.data(), size_of(key)) >= 0);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    const Pogreb::Handle walk = module_->walk_begin(store_);
    for (;;) {
      const Pogreb::Size size = module_->walk_next(walk, buffer_.data(), size_of(buffer_));
      pogreb_must(size >= 0);
      if (size == 0) break;
      hand_over(std::string_view(buffer_).substr(0, static_cast<std::size_t>(size)), use);
    }
    module_->walk_end(walk);
  }

 private:
  static constexpr std::size_t kBufferSize = 64 << 10;

  // Records as pogreb_walk_next lays them out.
  template <class Use>
  static void hand_over(std::string_view records, Use& use) {
    while (!records.empty()) {
      std::array<std::uint32_t, 2> sizes{};
      std::memcpy(sizes.data(), records.data(), sizeof sizes);
      records.remove_prefix(sizeof sizes);
      use(records.substr(0, sizes[0]), records.substr(sizes[0], sizes[1]));
      records.remove_prefix(std::size_t{sizes[0]} + sizes[1]);
    }
  }

  const Pogreb* module_ = nullptr;
  Pogreb::Handle store_ = 0;
  std::string buffer_;
};

// What a call costs that does nothing.
double call_ns() {
  constexpr std::uint64_t kCallCount = 200'000;
  const std::string key(kKeySize, 'k');
  Pogreb::Size sum = 0;
  const Stopwatch watch;
  for (std::uint64_t i = 0; i < kCallCount; ++i) sum += pogreb().nothing(0, key.data(), size_of(key));
  const double wall_ns = watch.phase(kCallCount).wall_ns;
  if (sum != static_cast<Pogreb::Size>(kCallCount * kKeySize)) fail("pogreb: a call returned something else");
  return wall_ns / static_cast<double>(kCallCount);
}

}  // namespace

System pogreb_system() {
  return {.name = "pogreb",
          .version = UTAN_BENCH_POGREB_VERSION,
          .settings =
              "a Go library, called from C (what an empty call costs is reported, and contained in each figure), files "
              "mapped (default), neither synced nor compacted in the background (default); reads are copied twice, by "
              "it and to C; erases without looking",
          .kind = System::Kind::store,
          .shares_threads = true,
          .round_count_max = kPeerRoundCount,
          .record_count_max = kSlowRecordCount,
          .call_ns = call_ns,
          .make = make_runner<PogrebStore>};
}

}  // namespace bench
