// Utan's Table, by the public C++ interface, as a program would use it.
#include <optional>
#include <utan/utan.hpp>

#include "../systems.h"

namespace bench {
namespace {

class UtanTable {
 public:
  void open(const Place& place, Access access) {
    utan::Options options;
    options.mode = access == Access::create ? utan::Mode::fresh
                   : access == Access::read ? utan::Mode::read_only
                                            : utan::Mode::existing;
    options.durability = access == Access::create ? utan::Durability::manual : utan::Durability::keep;
    store_.emplace(utan::Store::open(place.directory + "/store.utan", options));
    table_.emplace(access == Access::create ? store_->table("bench") : store_->find_table("bench").value());
  }
  void close() {
    table_.reset();
    store_.reset();
  }

  void put(std::string_view key, std::string_view value) { table_->put(key, value); }
  template <class Use>
  bool get(std::string_view key, Use&& use) {
    const utan::Value value = table_->get(key);
    if (!value) return false;
    use(value.view());
    return true;
  }
  bool erase(std::string_view key) { return table_->erase(key); }
  template <class Use>
  void each(Use&& use) {
    for (const utan::Entry& entry : *table_) use(entry.key, entry.value);
  }

 private:
  std::optional<utan::Store> store_;
  std::optional<utan::Table> table_;
};

}  // namespace

System utan_system() {
  return {.name = "utan",
          .version = utan_version(),
          .settings =
              "Table, durability manual, chunk size 16 MiB (default); every put and erase is a commit of its own; "
              "read in place; readers of other processes open read-only",
          .kind = System::Kind::store,
          .shares_readers = true,
          .shares_writer = true,
          .make = make_runner<UtanTable>};
}

}  // namespace bench
