// The smallest useful program: a store, containers in containers, a range, a snapshot.
#include <iostream>
#include <utan/utan.hpp>

int main() try {
  utan::Store store = utan::Store::open("hello.utan");  // made if it is missing
  utan::Dict birds = store.dict("birds");
  birds.set("auk", utan::dict({{"eggs", 1}, {"seen", utan::list({"Funk Island"})}}));  // stored deeply, in one commit
  birds.set("emu", utan::dict({{"eggs", 11}, {"seen", utan::list()}}));
  utan::Store before = store.snapshot();  // the whole store at this instant

  birds["auk"]["seen"].as_list().append("Eldey");  // edited in place: every process that has the store open sees it now
  birds["auk"].as_dict().increase("eggs");         // exact, whoever else adds to it at the same time
  birds.erase("emu");

  for (const auto& [name, bird] : birds.range({.low = "a", .high = "f"})) {  // in the order of the keys
    std::cout << name.as_string() << " " << bird.as_dict().to_json() << "\n";
  }
  std::cout << "the emu had " << before["birds"]["emu"]["eggs"].as_integer() << " eggs\n";
} catch (const utan::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
