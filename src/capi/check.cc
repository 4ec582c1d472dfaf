// Care in the C interface: checking stores, and who has one open.
#include <algorithm>
#include <cstring>
#include <string>

#include "capi/handles.h"
#include "check/file.h"
#include "check/processes.h"
#include "check/walk.h"
#include "os/os.h"

using utan::Code;
using utan::Error;
using utan::Result;
using utan::capi::fail;
using utan::capi::guarded;
using utan::format::ContainerType;
using utan::object::SnapshotPin;
using utan::object::Store;

namespace {

// Of those fields alone that the caller's struct has.
Result<void> read_options(const utan_check_options* given, utan_check_options& out) {
  if (given == nullptr) return {};
  if (given->struct_size < sizeof(std::size_t)) return Error(Code::invalid, "options.struct_size is not set");
  std::memcpy(&out, given, std::min(given->struct_size, sizeof out));
  return {};
}

Result<void> expect_report(const utan_check_report* report) {
  if (report == nullptr || report->struct_size < sizeof(std::size_t))
    return Error(Code::invalid, "report.struct_size is not set");
  return {};
}

// What is told and asked while a check runs.
class Telling {
 public:
  explicit Telling(const utan_check_options& options) : options_(&options) {}

  utan::check::Progress progress() {
    return {options_->progress == nullptr ? nullptr : say, options_->stop == nullptr ? nullptr : stop, this};
  }
  // The check did not come to its end.
  bool stopped() const { return stopped_; }

 private:
  static void say(void* telling, std::uint64_t block_count) {
    const utan_check_options& options = *static_cast<Telling*>(telling)->options_;
    options.progress(options.context, block_count);
  }
  static bool stop(void* telling) {
    auto* const self = static_cast<Telling*>(telling);
    self->stopped_ = self->stopped_ || self->options_->stop(self->options_->context) != 0;
    return self->stopped_;
  }

  const utan_check_options* options_;
  bool stopped_ = false;
};

utan_code fail_stopped() { return fail(Code::interrupted, "the check was ended by who asked for it"); }

void hand_over(const utan::check::Report& found, std::uint64_t file_size, const utan_check_options& options,
               utan_check_report* report) {
  const auto of_type = [&found](ContainerType type) {
    return found.containers_by_type[static_cast<std::size_t>(type)];
  };
  utan_check_report out{};
  out.struct_size = report->struct_size;
  out.problem_count = found.problem_count;
  out.whole = found.whole ? 1 : 0;
  out.commit_number = found.number.value;
  out.file_size = file_size;
  out.container_count = found.container_count;
  out.dict_count = of_type(ContainerType::dict);
  out.list_count = of_type(ContainerType::list);
  out.collection_count = of_type(ContainerType::collection);
  out.table_count = of_type(ContainerType::table);
  out.orphan_count = found.orphan_count;
  out.unreachable_count = found.unreachable_count;
  out.entry_count = found.record_count;
  out.element_count = found.element_count;
  out.record_size = found.record_size.value;
  out.value_size = found.value_size.value;
  out.node_size = found.node_size.value;
  out.commit_size = found.commit_size.value;
  out.block_count = found.reachable_count;
  out.waiting_count = found.waiting_count;
  out.held_count = found.held_count;
  out.leaked_count = found.leaked_count;
  out.leaked_size = found.leaked_size.value;
  std::memcpy(report, &out, std::min(report->struct_size, sizeof out));
  if (options.problem == nullptr) return;
  for (const std::string& text : found.problems) options.problem(options.context, text.c_str());
}

struct Checked {
  utan::check::Report report;
  std::uint64_t file_size = 0;
};

// The store's newest commit, or its snapshot's, while others go on. `alone`: if nobody else has it open, everything.
Result<Checked> check_open(const Store& store, bool alone, const utan::check::Progress& progress) {
  UTAN_ASSIGN(const std::unique_ptr<Store> snapshot, store.snapshot());
  const std::shared_ptr<SnapshotPin> pin = snapshot->root()->snapshot();
  UTAN_TRY(pin->usable());
  UTAN_ASSIGN(const utan::commit::Session* const session, store.attachment().session());
  const utan::format::Coordination coordination = session->coordination();
  const auto& heap = session->heap();
  UTAN_TRY(heap.catch_up());
  const auto walk = [&] {
    const utan::heap::View file = heap.view(utan::CommitNumber{});
    return utan::check::Walk(file.base(), file.size(), coordination, session->hash_seed(), progress);
  };
  Checked out;
  const utan::check::Attendance before = utan::check::attendance_of(coordination);
  if (alone && before.present_count == 1 && before.head == pin->pinned().head.word) {
    out.report = walk().run();
    out.file_size = heap.file_size().value;
    if (utan::check::attendance_of(coordination) == before) return out;
  }
  out.report = walk().run_commit(pin->pinned().head.block(), pin->pinned().number());
  out.file_size = heap.file_size().value;
  return out;
}

// False: the store cannot be opened, `why`; or it can, and nobody sees that it is open: its file is looked at as one that
// others may open meanwhile.
Result<bool> check_by_opening(const char* path, const utan::check::Progress& progress, Checked& out, Error& why) {
  utan::commit::OpenOptions options;
  options.mode = utan::commit::OpenMode::read_only;
  Result<std::unique_ptr<Store>> opened = Store::open(utan::os::linux_system(), path, options);
  if (!opened.ok()) {
    why = std::move(opened).error();
    return false;
  }
  std::unique_ptr<Store> store = std::move(opened).value();
  const Result<utan::commit::Session*> session = store->attachment().session();
  if (session.ok() && session.value()->reads_alone()) {
    UTAN_TRY(Store::close(std::move(store)));
    return false;
  }
  // A session that may write belongs to somebody in this process.
  Result<Checked> checked = check_open(*store, store->attachment().read_only(), progress);
  UTAN_TRY(Store::close(std::move(store)));
  if (!checked.ok()) {
    why = std::move(checked).error();
    return false;
  }
  out = std::move(checked).value();
  return true;
}

bool says_damaged(Code code) { return code == Code::corruption || code == Code::format || code == Code::version; }

}  // namespace

extern "C" {

utan_code utan_check(utan_store* store, const utan_check_options* options, utan_check_report* report) {
  return guarded([&]() -> utan_code {
    utan_check_options o{};
    if (const Result<void> read = read_options(options, o); !read.ok()) return fail(read.error());
    if (const Result<void> expected = expect_report(report); !expected.ok()) return fail(expected.error());
    Telling telling(o);
    const Result<Checked> checked = check_open(*store->store, false, telling.progress());
    if (!checked.ok()) return fail(checked.error());
    if (telling.stopped()) return fail_stopped();
    hand_over(checked->report, checked->file_size, o, report);
    return UTAN_OK;
  });
}

utan_code utan_check_file(const char* path, const utan_check_options* options, utan_check_report* report) {
  return guarded([&]() -> utan_code {
    utan_check_options o{};
    if (const Result<void> read = read_options(options, o); !read.ok()) return fail(read.error());
    if (const Result<void> expected = expect_report(report); !expected.ok()) return fail(expected.error());
    if (path == nullptr || *path == '\0') return fail(Code::invalid, "utan_check_file: the path is empty");
    Checked checked;
    Error why;
    Telling telling(o);
    const Result<bool> opened = check_by_opening(path, telling.progress(), checked, why);
    if (!opened.ok()) return fail(opened.error());
    if (telling.stopped()) return fail_stopped();
    if (opened.value()) {
      hand_over(checked.report, checked.file_size, o, report);
      return UTAN_OK;
    }
    utan::check::FileReport found = utan::check::check_file(utan::os::linux_system(), path, telling.progress());
    if (telling.stopped()) return fail_stopped();
    // Whoever opens it is told so.
    if (found.report.sound() && says_damaged(why.code())) utan::check::Findings(found.report).add(why.message());
    hand_over(found.report, found.file_size.value, o, report);
    return found.refused.ok() ? UTAN_OK : fail(found.refused);
  });
}

utan_code utan_processes(utan_store* store, void (*visit)(void* context, const utan_process* process), void* context) {
  return guarded([&]() -> utan_code {
    const Result<utan::commit::Session*> session = store->store->attachment().session();
    if (!session.ok()) return fail(session.error());
    const std::uint32_t own = session.value()->owner().entry();
    for (const utan::check::Process& process : utan::check::processes_of(session.value()->coordination())) {
      utan_process out{};
      out.struct_size = sizeof out;
      out.process_id = process.process_id;
      out.started_ns = process.started.value;
      out.is_caller = process.entry == own ? 1 : 0;
      out.read_only = process.read_only ? 1 : 0;
      out.thread_count = process.threads.value;
      out.pin_count = process.pins.value;
      out.oldest_pin_number = process.oldest_pin.value;
      visit(context, &out);
    }
    return UTAN_OK;
  });
}

}  // extern "C"
