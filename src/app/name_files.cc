// SPDX-License-Identifier: MIT
#include "app/name_files.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "config/file_text.h"
#include "net/resolver.h"

namespace lb {

namespace {

constexpr size_t kMostBytes = 16 << 20;  // as lists may have

}  // namespace

NameFiles::NameFiles(Copy hosts, Copy resolv_conf)
    : hosts_(std::move(hosts)), resolv_conf_(std::move(resolv_conf)) {}

Result<NameFiles> NameFiles::make(const std::string& hosts, const std::string& resolv_conf) {
  auto first = copy_of(hosts);
  if (!first) return Unexpected{first.error()};
  auto second = copy_of(resolv_conf);
  if (!second) return Unexpected{second.error()};
  return NameFiles(std::move(*first), std::move(*second));
}

Result<NameFiles::Copy> NameFiles::copy_of(const std::string& original) {
  Fd file(memfd_create(original.c_str(), MFD_CLOEXEC));
  if (!file) return fail(fmt::format("cannot copy {}: {}", original, strerror(errno)));
  Copy copy{original, std::make_shared<const Fd>(std::move(file)), {}};
  bring_up_to_date(copy);
  return copy;
}

void NameFiles::use() const {
  static std::optional<NameFiles> in_use;  // open for as long as they are read
  in_use = *this;
  Resolver::read_names_from(path_of(hosts_), path_of(resolv_conf_));
}

std::string NameFiles::path_of(const Copy& copy) {
  return fmt::format("/proc/self/fd/{}", copy.file->get());
}

void NameFiles::follow() {
  bring_up_to_date(hosts_);
  bring_up_to_date(resolv_conf_);
}

std::vector<int> NameFiles::descriptors() const {
  return {hosts_.file->get(), resolv_conf_.file->get()};
}

// Who reads meanwhile sees the new bytes, at worst with the end of the old ones behind them, and
// reads again a few seconds later. A file that is gone is about to be replaced.
void NameFiles::bring_up_to_date(Copy& copy) {
  auto now = file_stamp(copy.original);
  if (!now || now == copy.seen) return;
  auto bytes = config::read_file(copy.original, kMostBytes);
  if (!bytes) return;
  size_t written = 0;
  while (written < bytes->size()) {
    ssize_t wrote = pwrite(copy.file->get(), bytes->data() + written, bytes->size() - written,
                           static_cast<off_t>(written));
    if (wrote <= 0) return;
    written += static_cast<size_t>(wrote);
  }
  if (ftruncate(copy.file->get(), static_cast<off_t>(written)) == 0) copy.seen = now;
}

}  // namespace lb
