#include "private.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace utan::python {

namespace {

constexpr std::string_view name_start = "utan-private-";

const char* folder_for_all() {
  if (access("/dev/shm", W_OK | X_OK) == 0) return "/dev/shm";
  const char* const given = std::getenv("TMPDIR");
  return given != nullptr && *given != '\0' ? given : "/tmp";
}

int open_folder(const char* path) { return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

// Of a folder that is open and locked. A path that leads to another one by now is left alone.
void remove_folder(int descriptor, const char* path) {
  struct stat own;
  struct stat named;
  if (fstat(descriptor, &own) != 0 || lstat(path, &named) != 0) return;
  if (own.st_dev != named.st_dev || own.st_ino != named.st_ino) return;
  unlinkat(descriptor, "store", 0);
  unlinkat(descriptor, "store-lock", 0);
  rmdir(path);
}

// Removes what processes of this user that were killed left behind.
void remove_abandoned(const std::string& all) {
  const auto end_listing = [](DIR* listing) { closedir(listing); };
  const std::unique_ptr<DIR, decltype(end_listing)> listing(opendir(all.c_str()), end_listing);
  if (listing == nullptr) return;
  while (const dirent* const entry = readdir(listing.get())) {
    if (!std::string_view(entry->d_name).starts_with(name_start)) continue;
    const std::string path = all + "/" + entry->d_name;
    const int descriptor = open_folder(path.c_str());
    if (descriptor < 0) continue;
    struct stat status;
    if (fstat(descriptor, &status) == 0 && status.st_uid == geteuid() && flock(descriptor, LOCK_EX | LOCK_NB) == 0)
      remove_folder(descriptor, path.c_str());
    ::close(descriptor);
  }
}

}  // namespace

bool PrivateFolder::make() {
  const std::string all = folder_for_all();
  remove_abandoned(all);
  for (;;) {
    std::string path = all + "/" + std::string(name_start) + "XXXXXX";
    std::string store_path = path + "/store";
    if (mkdtemp(path.data()) == nullptr) return false;
    store_path.replace(0, path.size(), path);
    path_ = std::move(path);
    store_path_ = std::move(store_path);
    descriptor_ = open_folder(path_.c_str());
    // Before it was locked another process may have taken it for abandoned, and removed it: then another one is made.
    struct stat status;
    if (descriptor_ >= 0 && flock(descriptor_, LOCK_SH | LOCK_NB) == 0 && lstat(path_.c_str(), &status) == 0)
      return true;
    const int why = errno;
    close();
    if (why != ENOENT && why != EWOULDBLOCK) {
      errno = why;
      return false;
    }
  }
}

void PrivateFolder::close() {
  if (path_.empty()) return;
  if (descriptor_ < 0) {
    rmdir(path_.c_str());
  } else {
    // The lock belongs to what was opened, which children made by fork share: as long as one of them has it open, nobody who
    // opens the folder anew can lock it alone.
    ::close(std::exchange(descriptor_, -1));
    const int anew = open_folder(path_.c_str());
    if (anew >= 0) {
      if (flock(anew, LOCK_EX | LOCK_NB) == 0) remove_folder(anew, path_.c_str());
      ::close(anew);
    }
  }
  path_.clear();
  store_path_.clear();
}

}  // namespace utan::python
