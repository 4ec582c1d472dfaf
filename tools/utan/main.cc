// The command `utan`: for those who look after stores.
#include <getopt.h>

#include <cstdio>
#include <cstring>
#include <exception>

#include "output.h"

namespace {

using utan::tool::Exit;
using utan::tool::Request;

constexpr const char* help =
    "utan check FILE [--json]   look at every byte of a store: what is wrong, a line for each problem\n"
    "utan stat FILE [--json]    what there is in a store, and who has it open\n"
    "utan --version\n"
    "utan --help\n"
    "\n"
    "Others may use the store meanwhile; nothing in it is changed. If nobody else does, `check` also compares\n"
    "what is in use with what is free. --json prints one object.\n"
    "\n"
    "Exit status: 0 sound, 2 wrong arguments, 4 damaged or no store, 5 the file cannot be read.\n";

Exit misuse(const char* text) {
  std::fprintf(stderr, "utan: %s; `utan --help` says what there is\n", text);
  return Exit::usage;
}

Exit run(int argument_count, char** arguments) {
  enum Option { option_help = 1000, option_version, option_json };
  static constexpr option options[] = {{"help", no_argument, nullptr, option_help},
                                       {"version", no_argument, nullptr, option_version},
                                       {"json", no_argument, nullptr, option_json},
                                       {nullptr, 0, nullptr, 0}};
  Request request;
  for (int found; (found = ::getopt_long(argument_count, arguments, "", options, nullptr)) != -1;) {
    switch (found) {
      case option_help:
        std::fputs(help, stdout);
        return Exit::sound;
      case option_version:
        std::printf("utan %s\n", utan_version());
        return Exit::sound;
      case option_json:
        request.json = true;
        break;
      default:  // getopt_long has said which
        return Exit::usage;
    }
  }
  if (optind == argument_count) return misuse("no command");
  const char* const command = arguments[optind++];
  if (std::strcmp(command, "check") != 0 && std::strcmp(command, "stat") != 0)
    return misuse(("there is no command '" + std::string(command) + "'").c_str());
  if (optind + 1 != argument_count) return misuse((std::string(command) + " takes one file").c_str());
  request.file = arguments[optind];
  if (request.file.empty()) return misuse("the name of the file is empty");
  return std::strcmp(command, "check") == 0 ? utan::tool::check(request) : utan::tool::stat(request);
}

}  // namespace

int main(int argument_count, char** arguments) try {
  const Exit status = run(argument_count, arguments);
  // A full disk or a reader who has gone: what was to be said has not been.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::perror("utan: output");
    return static_cast<int>(Exit::failed);
  }
  return static_cast<int>(status);
} catch (const std::exception& error) {
  std::fprintf(stderr, "utan: %s\n", error.what());
  return static_cast<int>(Exit::failed);
}
