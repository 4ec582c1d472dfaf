// A problem that has a message for the user and an exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace demo {

struct Failure : std::runtime_error {
  Failure(int code, const std::string& message) : std::runtime_error(message), exit_code(code) {}
  int exit_code;
};

}  // namespace demo
