// One half of tests/house/two_machines_test.py, which runs it as built for two processors: what one writes the other reads, and
// both at once use one store.
//
//     two_machines write PATH     a new store with values of every type, in containers of every type, small and large
//     two_machines print PATH     all of that as text, in which equal stores are equal
//     two_machines count PATH N   adds 1 to a shared counter, and a record under its own process id, N times; says "counting"
//                                 after the first
//     two_machines sum PATH       the counter, how many records there are, and what the checker finds
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <utan/utan.hpp>

namespace {

constexpr int entry_count = 3000;  // a tree of several levels, and a table that has been split

// All byte values, those above 127 too: a char has a sign on one processor and none on another.
std::string text_of(int i, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t at = 0; at < size; ++at) out[at] = static_cast<char>(static_cast<unsigned>(i) * 31 + at * 7);
  return out;
}

utan::Literal sample(int i) {
  using std::chrono::microseconds;
  switch (i % 8) {
    case 0:
      return i * 1'000'003LL - 1'000'000;
    case 1:
      return i / 7.0 - 100;
    case 2:
      return i % 16 == 2;
    case 3:
      return "číslo " + std::to_string(i);
    case 4:
      return utan::bytes(text_of(i, static_cast<std::size_t>(i)));
    case 5:
      return utan::DatetimeUtc(microseconds(1'000'000LL * i - 7));
    case 6:
      return utan::list({i, nullptr, utan::dict({{"in it", -i}})});
    default:
      return std::uint64_t{0xffff'ffff'ffff'ff00} + static_cast<std::uint64_t>(i % 256);
  }
}

void write(const std::string& path) {
  utan::Store store = utan::Store::open(path, {.mode = utan::Mode::fresh});
  utan::Dict dict = store.dict("dict");
  utan::Collection collection = store.collection("collection");
  utan::ValueTable values = store.value_table("values");
  utan::List list = store.list("list");
  utan::Table table = store.table("table");
  for (int i = 0; i < entry_count; ++i) {
    const utan::Literal value = sample(i);
    const std::string name = text_of(i, 1 + static_cast<std::size_t>(i) % 40);
    collection.set(i % 3 == 0 ? utan::Input(i / 2.0 - 500) : utan::Input(utan::bytes(name)), value);
    values.set(utan::tuple({i, "key"}), value);
    list.append(value);
    if (i < 100) dict.set(utan::bytes(text_of(i, 5)), value);
    const std::string record = text_of(i, static_cast<std::size_t>(i) % 3000);
    table.put("record " + std::to_string(i), record);
  }
  table.put("large", text_of(1, 5'000'000));
  for (int i = 0; i < entry_count; i += 5) {  // what is removed is reused
    collection.erase(i / 2.0 - 500);
    table.erase("record " + std::to_string(i));
  }
  dict.set("shared", list);
}

std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char one : bytes) hash = (hash ^ static_cast<unsigned char>(one)) * 0x100'0000'01b3;
  return hash;
}

void print(const std::string& path) {
  const utan::Store store = utan::Store::open(path, {.mode = utan::Mode::read_only});
  for (const char* name : {"dict", "collection", "list"}) {
    std::cout << name << " " << store.root()[name].as_container().to_json() << "\n";
  }
  const utan::ValueTable values = store.value_table("values");
  for (int i = 0; i < entry_count; ++i) {
    const utan::Value value = values[utan::tuple({i, "key"})];
    std::cout << i << " " << utan::name_of(value.type()) << "\n";
  }
  const utan::Table table = store.table("table");
  std::cout << values.size() << " values, " << table.count() << " records\n";
  for (int i = 0; i < entry_count; ++i) {
    const std::string key = "record " + std::to_string(i);
    if (const auto record = table.get_copy(key)) std::cout << key << " " << hash_of(*record) << "\n";
  }
  std::cout << "large " << hash_of(*table.get_copy("large")) << "\n";
}

void count(const std::string& path, int times) {
  utan::Store store = utan::Store::open(path);
  utan::Dict numbers = store.dict("numbers");
  utan::Table records = store.table("records");
  const std::string me = std::to_string(::getpid());
  for (int i = 0; i < times; ++i) {
    records.put(me + " " + std::to_string(i), text_of(i, 200));
    numbers.increase("counter");
    numbers.increase(me);
    if (i == 0) std::cout << "counting" << std::endl;
  }
}

void sum(const std::string& path) {
  const utan::Store store = utan::Store::open(path);
  std::int64_t parts = 0;
  for (const auto& [name, number] : store.dict("numbers")) {
    if (name.as_string() != "counter") parts += number.as_integer();
  }
  const utan::CheckReport report = store.check();
  for (const std::string& problem : report.problems) std::cout << problem << "\n";
  std::cout << "counter " << store["numbers"]["counter"].as_integer() << " parts " << parts << " records "
            << store.table("records").count() << " problems " << report.problem_count << "\n";
}

}  // namespace

int main(int argument_count, char** arguments) try {
  if (argument_count < 3) return 2;
  const std::string_view what = arguments[1];
  if (what == "write") {
    write(arguments[2]);
  } else if (what == "print") {
    print(arguments[2]);
  } else if (what == "count" && argument_count == 4) {
    count(arguments[2], std::atoi(arguments[3]));
  } else if (what == "sum") {
    sum(arguments[2]);
  } else {
    return 2;
  }
} catch (const utan::Error& error) {
  std::cerr << "two_machines: " << error.what() << "\n";
  return 1;
}
