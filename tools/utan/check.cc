// utan check: looks at every byte of a store.
#include <unistd.h>

#include <cstdio>

#include "output.h"

namespace utan::tool {

namespace {

struct Listener {
  std::vector<std::string>* problems;
  const std::string* file;
  bool shows_progress;
};

void hear_problem(void* context, const char* text) { static_cast<Listener*>(context)->problems->emplace_back(text); }

void hear_progress(void* context, std::uint64_t block_count) {
  const auto* listener = static_cast<const Listener*>(context);
  if (listener->shows_progress)
    std::fprintf(stderr, "\r%s: %s blocks", listener->file->c_str(), number(block_count).c_str());
}

void print_for_people(const Request& request, const Checked& checked) {
  const utan_check_report& report = checked.report;
  for (const std::string& problem : checked.problems) std::printf("%s\n", problem.c_str());
  const std::uint64_t unsaid = report.problem_count - checked.problems.size();
  if (unsaid != 0) std::printf("and %s\n", counted(unsaid, "problem more", "problems more").c_str());
  if (report.problem_count != 0) {
    std::printf("%s: damaged: %s\n", request.file.c_str(),
                counted(report.problem_count, "problem", "problems").c_str());
    return;
  }
  const std::uint64_t used = report.record_size + report.value_size + report.node_size + report.commit_size;
  std::printf("%s: sound: %s, %s, %s in use\n", request.file.c_str(),
              counted(report.container_count, "container", "containers").c_str(),
              counted(report.entry_count + report.element_count, "entry", "entries").c_str(), size(used).c_str());
}

void print_for_programs(const Request& request, const Checked& checked) {
  const utan_check_report& report = checked.report;
  Json json;
  json.begin('{').key("file").text(request.file);
  json.key("sound").boolean(checked.code == UTAN_OK && report.problem_count == 0);
  json.key("problem_count").number(report.problem_count);
  json.key("problems").begin('[');
  for (const std::string& problem : checked.problems) json.text(problem);
  json.end(']');
  json.key("whole").boolean(report.whole != 0);
  json.key("commit_number").number(report.commit_number);
  write_contents(json, report);
  json.key("blocks").numbers({{"reachable", report.block_count},
                              {"waiting", report.waiting_count},
                              {"held", report.held_count},
                              {"leaked", report.leaked_count}});
  write_error(json, checked.code, checked.explanation);
  std::printf("%s\n", json.end('}').done().c_str());
}

}  // namespace

Checked run_check(const std::string& file, utan_store* store) {
  Checked out;
  Listener listener{&out.problems, &file, ::isatty(STDERR_FILENO) == 1};
  utan_check_options options{};
  options.struct_size = sizeof options;
  options.problem = hear_problem;
  options.progress = hear_progress;
  options.context = &listener;
  out.report.struct_size = sizeof out.report;
  out.code = store != nullptr ? utan_check(store, &options, &out.report)
                              : utan_check_file(file.c_str(), &options, &out.report);
  if (out.code != UTAN_OK) out.explanation = explain(file, out.code);
  if (listener.shows_progress) std::fprintf(stderr, "\r\033[K");
  return out;
}

void write_contents(Json& json, const utan_check_report& report) {
  json.key("containers")
      .numbers({{"all", report.container_count},
                {"dicts", report.dict_count},
                {"lists", report.list_count},
                {"collections", report.collection_count},
                {"tables", report.table_count},
                {"orphans", report.orphan_count},
                {"unreachable", report.unreachable_count}});
  json.key("entries").number(report.entry_count);
  json.key("elements").number(report.element_count);
  json.key("bytes").numbers({{"file", report.file_size},
                             {"records", report.record_size},
                             {"values", report.value_size},
                             {"nodes", report.node_size},
                             {"commits", report.commit_size},
                             {"leaked", report.leaked_size}});
}

Exit check(const Request& request) {
  const Checked checked = run_check(request.file, nullptr);
  if (request.json) {
    print_for_programs(request, checked);
  } else if (checked.code == UTAN_OK || is_damage(checked.code)) {
    print_for_people(request, checked);
  }
  if (checked.code != UTAN_OK) {
    if (!request.json) std::fprintf(stderr, "utan: %s\n", checked.explanation.c_str());
    return exit_of(checked.code);
  }
  return checked.report.problem_count == 0 ? Exit::sound : Exit::damaged;
}

}  // namespace utan::tool
