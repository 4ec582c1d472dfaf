// Opens the store that is named, writes a record and reads it back.
#include <iostream>
#include <utan/utan.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  utan::Store store = utan::Store::open(argv[1]);
  utan::Table words = store.table("words");
  words.put("forest", "hutan");
  const utan::Value value = words.get("forest");
  if (!value || value.view() != "hutan") {
    std::cerr << "use: the value is not what was put\n";
    return 1;
  }
  return 0;
}
