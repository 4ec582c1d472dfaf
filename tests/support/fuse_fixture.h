// A file system in user space, of one file: as little of the kernel's protocol (linux/fuse.h) as it takes to open that file.
//
// Thread safety: none. The server is a process of its own and ends with its mount, or when it is killed.
#pragma once

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "os/linux/testing.h"

namespace utan::test {

class FuseServer {
 public:
  // Serves requests that come from the open /dev/fuse until the file system is unmounted. The file is `name`, of zeroes.
  static bool serve(int device, const std::string& name) {
    FuseServer server(device, name);
    std::vector<char> request(FUSE_MIN_READ_BUFFER + (1 << 16));
    for (;;) {
      const ssize_t size = ::read(device, request.data(), request.size());
      if (size < 0 && errno == ENODEV) return true;
      if (size < static_cast<ssize_t>(sizeof(fuse_in_header))) return false;
      server.answer(request.data());
    }
  }

 private:
  FuseServer(int device, std::string name) : device_(device), name_(std::move(name)) {}

  void answer(const char* request) const {
    fuse_in_header header;
    std::memcpy(&header, request, sizeof header);
    switch (header.opcode) {
      case FUSE_INIT: {
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = FUSE_KERNEL_MINOR_VERSION;
        out.max_write = 4096;
        return reply(header, out);
      }
      case FUSE_LOOKUP: {
        if (name_ != request + sizeof header) return fail(header, ENOENT);
        fuse_entry_out out{};
        out.nodeid = file_node;
        out.attr = attributes(file_node);
        return reply(header, out);
      }
      case FUSE_GETATTR: {
        fuse_attr_out out{};
        out.attr = attributes(header.nodeid);
        return reply(header, out);
      }
      case FUSE_OPEN:
        return reply(header, fuse_open_out{});
      case FUSE_STATFS:
        return reply(header, fuse_statfs_out{});
      case FUSE_FLUSH:
      case FUSE_RELEASE:
        return fail(header, 0);
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT:
        return;  // nobody waits
      default:
        return fail(header, ENOSYS);
    }
  }

  static fuse_attr attributes(std::uint64_t node) {
    fuse_attr out{};
    out.ino = node;
    out.mode = node == file_node ? S_IFREG | 0644U : S_IFDIR | 0755U;
    out.nlink = 1;
    out.size = node == file_node ? 1 << 20 : 0;
    return out;
  }

  void fail(const fuse_in_header& to, int system_error) const {
    const fuse_out_header out{.len = sizeof out, .error = -system_error, .unique = to.unique};
    static_cast<void>(!::write(device_, &out, sizeof out));
  }

  template <class T>
  void reply(const fuse_in_header& to, const T& body) const {
    struct {
      fuse_out_header header;
      T body;
    } out{{.len = sizeof(fuse_out_header) + sizeof(T), .error = 0, .unique = to.unique}, body};
    static_cast<void>(!::write(device_, &out, sizeof(fuse_out_header) + sizeof(T)));
  }

  static constexpr std::uint64_t file_node = 2;
  const int device_;
  const std::string name_;
};

}  // namespace utan::test
