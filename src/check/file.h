// The check of a data file by itself, as it lies there: for one that cannot be opened, or that nobody has open.
//
// Opens the file for reading alone, takes no lock and writes nothing. Others may open and use the store meanwhile: then the
// newest checkpoint alone is walked, again if another one has come.
// Thread safety: any thread.
#pragma once

#include <string>

#include "base/result.h"
#include "base/types.h"
#include "check/report.h"
#include "os/os.h"

namespace utan::check {

struct FileReport {
  Report report;
  ByteCount file_size;
  // Why nothing could be walked, which then is a problem of the report, too; or no error. Code::format, version,
  // corruption, and those of opening a file.
  Error refused;
};

FileReport check_file(os::System& system, const std::string& path, const Progress& progress);

}  // namespace utan::check
