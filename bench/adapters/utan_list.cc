// Utan's List of integers.
#include "../systems.h"
#include "utan_containers.h"

namespace bench {
namespace {

class UtanList {
 public:
  void open(const Place& place, Access access) { list_.open(place, access); }
  void close() { list_.close(); }
  void append(std::int64_t element) {
    const utan_value value = utan_of_integer(element);
    utan_must(utan_append(list_.get(), &value));
  }
  std::int64_t get(std::uint64_t index) {
    const utan_value key = utan_of_integer(static_cast<std::int64_t>(index));
    UtanGot value;
    utan_must(utan_get(list_.get(), &key, &value));
    return integer_of(value);
  }
  void insert(std::uint64_t index, std::int64_t element) {
    const utan_value value = utan_of_integer(element);
    utan_must(utan_insert(list_.get(), static_cast<std::int64_t>(index), &value));
  }
  template <class Use>
  void each(Use&& use) {
    UtanWalk walk(list_.get());
    utan_value value{};
    while (walk.next(nullptr, &value)) use(integer_of(value));
  }

 private:
  static std::int64_t integer_of(const utan_value& value) {
    if (value.type != UTAN_INTEGER) fail("utan: an element that is no integer");
    return value.integer;
  }

  UtanContainer list_{UTAN_LIST};
};

}  // namespace

ListSystem utan_list_system() {
  return {.name = "utan",
          .version = utan_version(),
          .settings = std::string("List, ") + kUtanSettings,
          .kind = System::Kind::store,
          .make = make_list_runner<UtanList>};
}

}  // namespace bench
