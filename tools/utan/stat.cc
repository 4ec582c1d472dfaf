// utan stat: what there is in a store, and who has it open.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "output.h"

namespace utan::tool {

namespace {

struct Found {
  utan_store_stats stats{};
  std::vector<utan_process> others;  // without this command
  Checked checked;
};

using OpenStore = std::unique_ptr<utan_store, decltype([](utan_store* store) { utan_close(store); })>;

utan_code look_at(utan_store* store, const std::string& file, Found& out) {
  // First: the check holds a commit itself.
  const auto visit = [](void* context, const utan_process* process) {
    if (process->is_caller == 0) static_cast<std::vector<utan_process>*>(context)->push_back(*process);
  };
  if (const utan_code code = utan_processes(store, visit, &out.others); code != UTAN_OK) return code;
  out.stats.struct_size = sizeof out.stats;
  if (const utan_code code = utan_stats(store, &out.stats); code != UTAN_OK) return code;
  out.checked = run_check(file, store);
  return out.checked.code;
}

// How many commits older than the newest one; 0 if it holds none.
std::uint64_t behind(const Found& found, const utan_process& process) {
  if (process.oldest_pin_number == 0 || process.oldest_pin_number > found.stats.commit_number) return 0;
  return found.stats.commit_number - process.oldest_pin_number;
}

void print_process(const Found& found, const utan_process& process) {
  std::printf("    process %llu, since %s%s: %s, ", static_cast<unsigned long long>(process.process_id),
              moment(process.started_ns).c_str(), process.read_only != 0 ? ", reading" : "",
              counted(process.thread_count, "thread", "threads").c_str());
  if (process.pin_count == 0) {
    std::printf("no pins\n");
    return;
  }
  std::printf("%s, the oldest %s behind\n", counted(process.pin_count, "pin", "pins").c_str(),
              counted(behind(found, process), "commit", "commits").c_str());
}

void print_for_people(const Request& request, const Found& found) {
  const utan_store_stats& stats = found.stats;
  const utan_check_report& report = found.checked.report;
  const auto line = [](const char* name, const std::string& text) { std::printf("  %-12s%s\n", name, text.c_str()); };
  std::printf("%s\n", request.file.c_str());
  line("size",
       size(stats.file_size) + ": " + size(stats.used_size) + " handed out, " + size(stats.free_size) + " free");
  line("commit", number(stats.commit_number) +
                     "; survives a power cut: " + (stats.durable_number == 0 ? "none" : number(stats.durable_number)));
  line("containers", number(report.container_count) + ": " + counted(report.dict_count, "dict", "dicts") + ", " +
                         counted(report.list_count, "list", "lists") + ", " +
                         counted(report.collection_count, "collection", "collections") + ", " +
                         counted(report.table_count, "table", "tables"));
  line("entries", number(report.entry_count) + ", and " + number(report.element_count) + " elements of lists");
  line("orphans",
       number(report.orphan_count) + ", and " + number(report.unreachable_count) + " that only name each other");
  line("leaked", "at most " + counted(stats.leaked_count_max, "block", "blocks"));
  line("open in", counted(found.others.size(), "other process", "other processes"));
  for (const utan_process& process : found.others) print_process(found, process);
  if (report.problem_count != 0) {
    line("damaged",
         counted(report.problem_count, "problem", "problems") + ": `utan check " + request.file + "` says which");
  }
}

void print_for_programs(const Request& request, const Found& found) {
  const utan_store_stats& stats = found.stats;
  Json json;
  json.begin('{').key("file").text(request.file);
  json.key("commit_number").number(stats.commit_number);
  json.key("durable_number").number(stats.durable_number);
  write_contents(json, found.checked.report);
  json.key("used_size").number(stats.used_size);
  json.key("free_size").number(stats.free_size);
  json.key("leaked_count_max").number(stats.leaked_count_max);
  json.key("processes").begin('[');
  for (const utan_process& process : found.others) {
    json.numbers({{"process_id", process.process_id},
                  {"started_ns", process.started_ns},
                  {"read_only", process.read_only},
                  {"threads", process.thread_count},
                  {"pins", process.pin_count},
                  {"oldest_pin_number", process.oldest_pin_number},
                  {"commits_behind", behind(found, process)}});
  }
  json.end(']');
  json.key("problem_count").number(found.checked.report.problem_count);
  write_error(json, UTAN_OK, "");
  std::printf("%s\n", json.end('}').done().c_str());
}

}  // namespace

Exit stat(const Request& request) {
  utan_open_options options{};
  options.struct_size = sizeof options;
  options.mode = UTAN_READ_ONLY_MODE;
  utan_store* opened = nullptr;
  utan_code code = utan_open(request.file.c_str(), &options, &opened);
  const OpenStore store(opened);
  Found found;
  if (code == UTAN_OK) code = look_at(store.get(), request.file, found);
  if (code != UTAN_OK) {
    const std::string text = explain(request.file, code);
    if (request.json) {
      Json json;
      json.begin('{').key("file").text(request.file);
      write_error(json, code, text);
      std::printf("%s\n", json.end('}').done().c_str());
    } else {
      std::fprintf(stderr, "utan: %s\n", text.c_str());
    }
    return exit_of(code);
  }
  if (request.json) {
    print_for_programs(request, found);
  } else {
    print_for_people(request, found);
  }
  return found.checked.report.problem_count == 0 ? Exit::sound : Exit::damaged;
}

}  // namespace utan::tool
