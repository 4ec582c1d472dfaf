// Makes a store with a little of everything, for tests that are no C++.
//
//     make_store PATH          and closes it
//     make_store PATH hold     holds the commit before the last one until its input ends
#include <utan/utan.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void expect(utan_code code) {
  if (code == UTAN_OK) return;
  std::fprintf(stderr, "make_store: %s\n", utan_last_error());
  std::exit(1);
}

utan_value text(const std::string& from) {
  utan_value out{};
  out.type = UTAN_STRING;
  out.data = from.data();
  out.size = from.size();
  return out;
}
utan_value integer(std::int64_t from) {
  utan_value out{};
  out.type = UTAN_INTEGER;
  out.integer = from;
  return out;
}

void fill(utan_store* store, std::uint32_t type, const std::string& name, int count) {
  utan_container* container = nullptr;
  expect(utan_named(store, name.data(), name.size(), type, 1, &container));
  for (int i = 0; i < count; ++i) {
    const std::string key = "key " + std::to_string(i);
    const utan_value key_value = text(key);
    const utan_value value = integer(i);
    expect(type == UTAN_LIST ? utan_append(container, &value) : utan_set(container, &key_value, &value));
  }
  utan_container_close(container);
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2) return 2;
  utan_store* store = nullptr;
  utan_store* snapshot = nullptr;
  expect(utan_open(arguments[1], nullptr, &store));
  fill(store, UTAN_DICT, "dict", 5);
  fill(store, UTAN_LIST, "list", 300);
  fill(store, UTAN_TABLE, "table", 100);
  if (argument_count > 2 && std::strcmp(arguments[2], "hold") == 0) {
    expect(utan_snapshot(store, &snapshot));
    fill(store, UTAN_DICT, "after", 0);
    std::puts("holding");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    expect(utan_close(snapshot));
  }
  expect(utan_close(store));
  return 0;
}
