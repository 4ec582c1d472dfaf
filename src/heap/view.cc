#include "heap/view.h"

#include <string>

namespace utan::heap {

Error View::damage(Offset offset, format::Kind kind) const {
  std::string what = "block " + std::to_string(offset.value) + " of commit " + std::to_string(number_) + ": ";
  if (offset.value < format::regions_offset || offset.value >= size_) {
    what += "outside the file's " + std::to_string(size_) + " bytes";
  } else if ((offset.value & 7) != 0) {
    what += "not aligned";
  } else {
    const auto* header = reinterpret_cast<const format::BlockHeader*>(base_ + offset.value);
    if (header->kind != kind) {
      what += "is of kind " + std::to_string(static_cast<unsigned>(header->kind)) + ", expected " +
              std::to_string(static_cast<unsigned>(kind));
    } else if (header->birth > number_) {
      what += "was born in commit " + std::to_string(header->birth) + ", later than it";
    } else {
      what += "says that it is longer than it can be";
    }
  }
  return Error(Code::corruption, std::move(what));
}

}  // namespace utan::heap
