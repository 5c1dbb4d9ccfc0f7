// SPDX-License-Identifier: MIT
#include "config/file_text.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "common/named_file.h"

namespace lb::config {

namespace {

std::string reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& file, size_t limit) {
  auto fd = open_named_file(file.native(), FileUse::read);
  if (!fd) return Unexpected{fd.error()};
  std::string bytes;
  std::array<char, 65'536> block;
  while (bytes.size() <= limit) {
    ssize_t count =
        ::read(fd->get(), block.data(), std::min(block.size(), limit + 1 - bytes.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(reason(errno));
    if (count == 0) break;
    bytes.append(block.data(), static_cast<size_t>(count));
  }
  return bytes;
}

}  // namespace lb::config
