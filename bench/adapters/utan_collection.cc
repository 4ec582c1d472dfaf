// Utan's Collection, with strings for keys and bytes for values.
#include "../systems.h"
#include "utan_containers.h"

namespace bench {
namespace {

class UtanCollection {
 public:
  void open(const Place& place, Access access) {
    collection_.open(place, access);
    utan_must(utan_data_new(&batch_));
  }
  void close() {
    utan_data_free(batch_);
    collection_.close();
  }

  void put(std::string_view key, std::string_view value) {
    const utan_value k = utan_of_string(key);
    const utan_value v = utan_of_bytes(value);
    utan_must(utan_set(collection_.get(), &k, &v));
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const utan_value k = utan_of_string(key);
    UtanGot value;
    if (!utan_found(utan_get(collection_.get(), &k, &value))) return false;
    use(utan_text(value));
    return true;
  }
  bool erase(std::string_view key) {
    const utan_value k = utan_of_string(key);
    return utan_found(utan_erase(collection_.get(), &k));
  }
  template <class Use>
  void each(Use&& use) {
    walk(nullptr, use);
  }
  template <class Use>
  void range(std::string_view low, std::uint64_t count, Use&& use) {
    const utan_value k = utan_of_string(low);
    utan_range range{};
    range.struct_size = sizeof range;
    range.low = &k;
    range.limit = count;
    walk(&range, use);
  }

  void batch_begin() {
    utan_data_clear(batch_);
    utan_must(utan_data_begin(batch_, UTAN_COLLECTION, nullptr));
  }
  void batch_add(std::string_view key, std::string_view value) {
    const utan_value k = utan_of_string(key);
    const utan_value v = utan_of_bytes(value);
    utan_must(utan_data_add(batch_, &k));
    utan_must(utan_data_add(batch_, &v));
  }
  void batch_end() {
    utan_must(utan_data_end(batch_));
    utan_must(utan_update(collection_.get(), batch_));
  }

 private:
  template <class Use>
  void walk(const utan_range* range, Use& use) {
    UtanWalk walk(collection_.get(), range);
    utan_value key{};
    utan_value value{};
    while (walk.next(&key, &value)) use(utan_text(key), utan_text(value));
  }

  UtanContainer collection_{UTAN_COLLECTION};
  utan_data* batch_ = nullptr;
};

}  // namespace

OrderedSystem utan_ordered_system() {
  return {.name = "utan",
          .version = utan_version(),
          .settings = std::string("Collection, ") + kUtanSettings +
                      "; read in place; sorted records are collected in a utan_data and loaded by utan_update",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .make = make_ordered_runner<UtanCollection>};
}

}  // namespace bench
