// The smallest useful program: a store, a table, a value, a snapshot.
#include <iostream>
#include <utan/utan.hpp>

int main() try {
  utan::Store store = utan::Store::open("hello.utan");  // made if it is missing
  utan::Table words = store.table("words");
  words.put("forest", "hutan");  // one commit: every process that has the store open sees it now
  words.put("person", "orang");
  if (utan::Value word = words.get("forest")) std::cout << "forest is " << word.view() << "\n";  // in place, no copy

  utan::Store before = store.snapshot();  // the whole store at this instant
  words.put("forest", "rimba");
  for (const auto& [key, value] : words) std::cout << key << " = " << value << "\n";  // in no order
  std::cout << "forest was " << before.table("words").get("forest").view() << "\n";
} catch (const utan::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
