// The C interface: handles, codes and messages around object/. No logic.
#include <utan/utan.h>

#include <cstring>
#include <memory>
#include <string>

#include "base/interruption.h"
#include "capi/handles.h"
#include "format/layout.h"
#include "os/os.h"

using utan::Code;
using utan::Result;
using utan::capi::fail;
using utan::capi::guarded;
using utan::object::Store;

static_assert(UTAN_OK == static_cast<int>(Code::ok) && UTAN_NOT_FOUND == static_cast<int>(Code::not_found) &&
              UTAN_EXISTS == static_cast<int>(Code::exists) && UTAN_INVALID == static_cast<int>(Code::invalid) &&
              UTAN_TYPE == static_cast<int>(Code::type) && UTAN_TOO_LARGE == static_cast<int>(Code::too_large) &&
              UTAN_CORRUPTION == static_cast<int>(Code::corruption) && UTAN_FORMAT == static_cast<int>(Code::format) &&
              UTAN_VERSION == static_cast<int>(Code::version) && UTAN_NO_SPACE == static_cast<int>(Code::no_space) &&
              UTAN_READ_ONLY == static_cast<int>(Code::read_only) && UTAN_CLOSED == static_cast<int>(Code::closed) &&
              UTAN_TIMEOUT == static_cast<int>(Code::timeout) && UTAN_IN_USE == static_cast<int>(Code::in_use) &&
              UTAN_PERMISSION == static_cast<int>(Code::permission) &&
              UTAN_UNSUPPORTED == static_cast<int>(Code::unsupported) && UTAN_IO == static_cast<int>(Code::io) &&
              UTAN_MEMORY == static_cast<int>(Code::memory) && UTAN_INTERNAL == static_cast<int>(Code::internal) &&
              UTAN_GONE == static_cast<int>(Code::gone) && UTAN_INTERRUPTED == static_cast<int>(Code::interrupted));
static_assert(UTAN_KEY_SIZE_MAX == utan::format::key_size_max && UTAN_VALUE_SIZE_MAX == utan::format::value_size_max);

namespace {

// The message of this thread's last failure. Built only when asked for costs nothing where nobody asks: it is moved
// here.
thread_local std::string last_error;  // NOLINT(runtime/string)
thread_local Code last_code = Code::ok;

constexpr std::size_t options_size_min = sizeof(std::size_t);

}  // namespace

namespace utan::capi {

utan_code fail(const Error& error) {
  last_error = error.message();
  return static_cast<utan_code>(error.code());
}
utan_code fail(Code code, const char* message) {
  last_error = message;
  return static_cast<utan_code>(code);
}
utan_code not_found() {
  last_error.clear();
  last_code = Code::not_found;
  return UTAN_NOT_FOUND;
}
utan_code fail_unexpectedly(Code code) {
  last_error.clear();  // a message might need memory: utan_last_error says it by the code
  last_code = code;
  return static_cast<utan_code>(code);
}

}  // namespace utan::capi

extern "C" {

const char* utan_last_error(void) {
  if (!last_error.empty()) return last_error.c_str();
  switch (last_code) {
    case Code::not_found:
      return "not found";
    case Code::memory:
      return "no memory";
    case Code::internal:
      return "a fault of the library: an exception that nobody expected";
    default:
      return "";
  }
}

const char* utan_code_name(utan_code code) {
  static constexpr const char* names[] = {
      "UTAN_OK",         "UTAN_NOT_FOUND", "UTAN_EXISTS",     "UTAN_INVALID",     "UTAN_TYPE",      "UTAN_TOO_LARGE",
      "UTAN_CORRUPTION", "UTAN_FORMAT",    "UTAN_VERSION",    "UTAN_NO_SPACE",    "UTAN_READ_ONLY", "UTAN_CLOSED",
      "UTAN_TIMEOUT",    "UTAN_IN_USE",    "UTAN_PERMISSION", "UTAN_UNSUPPORTED", "UTAN_IO",        "UTAN_MEMORY",
      "UTAN_INTERNAL",   "UTAN_GONE",      "UTAN_INTERRUPTED"};
  if (code < 0 || static_cast<std::size_t>(code) >= std::size(names)) return "UTAN_UNKNOWN";
  return names[code];
}

#define UTAN_TEXT_OF(x) #x
#define UTAN_TEXT(x) UTAN_TEXT_OF(x)
const char* utan_version(void) {
  return UTAN_TEXT(UTAN_VERSION_MAJOR) "." UTAN_TEXT(UTAN_VERSION_MINOR) "." UTAN_TEXT(UTAN_VERSION_PATCH);
}

utan_code utan_open(const char* path, const utan_open_options* options, utan_store** store) {
  return guarded([&]() -> utan_code {
    if (store == nullptr) return fail(Code::invalid, "utan_open: no place for the store");
    *store = nullptr;
    if (path == nullptr || *path == '\0') return fail(Code::invalid, "utan_open: the path is empty");
    utan_open_options o{};
    if (options != nullptr) {
      if (options->struct_size < options_size_min)
        return fail(Code::invalid, "utan_open: options.struct_size is not set");
      std::memcpy(&o, options, std::min(options->struct_size, sizeof o));
    }
    utan::commit::OpenOptions engine;
    switch (o.mode) {
      case UTAN_CREATE:
        engine.mode = utan::commit::OpenMode::create;
        break;
      case UTAN_EXISTING:
        engine.mode = utan::commit::OpenMode::existing;
        break;
      case UTAN_READ_ONLY_MODE:
        engine.mode = utan::commit::OpenMode::read_only;
        break;
      case UTAN_NEW:
        engine.mode = utan::commit::OpenMode::fresh;
        break;
      default:
        return fail(Code::invalid, "utan_open: there is no such mode");
    }
    if (o.durability != UTAN_DURABILITY_KEEP && o.durability != UTAN_DURABILITY_MANUAL) {
      return fail(Code::invalid, "utan_open: this version has no such durability");
    }
    engine.chunk_size = o.chunk_size;
    if (o.permissions != 0) engine.permissions = o.permissions;
    if (o.timeout_ms != 0) engine.timeout = utan::milliseconds(o.timeout_ms);
    engine.any_file_system = o.any_file_system != 0;
    Result<std::unique_ptr<Store>> opened = Store::open(utan::os::linux_system(), path, engine);
    if (!opened.ok()) return fail(opened.error());
    *store = new utan_store{std::move(opened).value()};
    return UTAN_OK;
  });
}

utan_code utan_close(utan_store* store) {
  return guarded([&]() -> utan_code {
    if (store == nullptr) return UTAN_OK;
    const std::unique_ptr<utan_store> owned(store);
    const Result<void> closed = Store::close(std::move(owned->store));
    return closed.ok() ? UTAN_OK : fail(closed.error());
  });
}

void utan_set_stop(int (*stop)(void* context), void* context) { utan::leave_question({stop, context}); }

utan_code utan_sync(utan_store* store) {
  return guarded([&]() -> utan_code {
    const Result<void> done = store->store->sync();
    return done.ok() ? UTAN_OK : fail(done.error());
  });
}

utan_code utan_snapshot(utan_store* store, utan_store** snapshot) {
  return guarded([&]() -> utan_code {
    *snapshot = nullptr;
    Result<std::unique_ptr<Store>> taken = store->store->snapshot();
    if (!taken.ok()) return fail(taken.error());
    *snapshot = new utan_store{std::move(taken).value()};
    return UTAN_OK;
  });
}

int utan_is_snapshot(const utan_store* store) { return store->store->is_snapshot() ? 1 : 0; }

utan_code utan_stats(utan_store* store, utan_store_stats* stats) {
  return guarded([&]() -> utan_code {
    if (stats == nullptr || stats->struct_size < sizeof(std::size_t)) {
      return fail(Code::invalid, "utan_stats: stats.struct_size is not set");
    }
    const Result<utan::commit::SessionStatistics> found = store->store->statistics();
    if (!found.ok()) return fail(found.error());
    utan_store_stats out{};
    out.struct_size = stats->struct_size;
    out.file_size = found->file_size.value;
    out.commit_number = found->newest.value;
    out.durable_number = found->durable.value;
    out.used_size = found->heap.used.value;
    out.free_size = found->heap.free.value;
    out.segment_count = found->heap.segments.value;
    out.empty_segment_count = found->heap.empty_segments.value;
    out.process_count = found->processes.value;
    out.thread_count = found->threads.value;
    out.pin_count = found->pins.value;
    out.oldest_pin_number = found->oldest_pin.value;
    out.leaked_count_max = found->leaked_max.value;
    out.incarnation = found->incarnation;
    std::memcpy(stats, &out, std::min(stats->struct_size, sizeof out));
    return UTAN_OK;
  });
}

}  // extern "C"
