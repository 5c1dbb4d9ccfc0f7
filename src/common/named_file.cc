// SPDX-License-Identifier: MIT
#include "common/named_file.h"

#include <fcntl.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace lb {

namespace {

FileOpener& opener() {
  static FileOpener instance;
  return instance;
}

}  // namespace

int open_flags(FileUse use) {
  if (use == FileUse::read) return O_RDONLY | O_CLOEXEC;
  return O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
}

Result<Fd> open_named_file(const std::string& path, FileUse use) {
  Fd file(::open(path.c_str(), open_flags(use), kNewFileMode));
  if (file) return file;
  int error = errno;
  if (error == EACCES && opener()) return ask_for_file(path, use);
  return fail(std::generic_category().message(error));
}

void ask_for_files(FileOpener asked) {
  opener() = std::move(asked);
}

Result<Fd> ask_for_file(const std::string& path, FileUse use) {
  if (!opener()) return fail(std::generic_category().message(EACCES));
  return opener()(path, use);
}

}  // namespace lb
