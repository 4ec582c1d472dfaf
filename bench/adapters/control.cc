// The empty control: no store at all. What it takes is the cost of the loop, of making keys and values, and of touching
// a value that is in the first-level cache; the report subtracts it from every system.
#include "../systems.h"

namespace bench {
namespace {

// Tells the compiler that the bytes are used.
inline void consume(std::string_view bytes) { asm volatile("" : : "r"(bytes.data()) : "memory"); }

class Control {
 public:
  void open(const Place&, Access) {}
  void close() {}
  void answer(bool is_found, std::uint64_t count) {
    is_found_ = is_found;
    count_ = count;
  }

  void put(std::string_view key, std::string_view value) {
    consume(key);
    consume(value);
  }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    consume(key);
    if (!is_found_) return false;
    consume(value_.view());
    use(value_.view());
    return true;
  }
  bool erase(std::string_view key) {
    consume(key);
    return true;
  }
  template <class Use>
  void each(Use&& use) {
    for (std::uint64_t i = 0; i < count_; ++i) {
      consume(value_.view());
      use(key_.view(), value_.view());
    }
  }

 private:
  Key key_{};
  Value value_{};
  bool is_found_ = true;
  std::uint64_t count_ = 0;
};

}  // namespace

System control_system() {
  return {.name = "control",
          .version = "",
          .settings = "no store: loop, key and value generation only; subtracted from the others",
          .kind = System::Kind::control,
          .make = make_runner<Control>};
}

}  // namespace bench
