// SPDX-License-Identifier: MIT
#include "app/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "common/log.h"

namespace lb {

namespace {

constexpr uint64_t kKept = 1ULL << CAP_NET_BIND_SERVICE;

using CapabilityData = std::array<__user_cap_data_struct, 2>;

Status<> failed(const char* what) {
  return fail(fmt::format("cannot {}: {}", what, strerror(errno)));
}

// Of the calling thread: the C library has no functions for them.
bool read_capabilities(CapabilityData& data) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return syscall(SYS_capget, &header, data.data()) == 0;
}

uint64_t in_effect(const CapabilityData& data) {
  return uint64_t{data[0].effective} | uint64_t{data[1].effective} << 32;
}

bool write_capabilities(CapabilityData& data) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return syscall(SYS_capset, &header, data.data()) == 0;
}

Status<> keep_only(uint64_t kept) {
  CapabilityData data{};
  if (!read_capabilities(data)) return failed("read the capabilities");
  // What keeps programs from being given more needs a capability itself; a user that was just
  // changed to has it in reserve. Who has not cannot give any away either.
  for (auto& half : data) half.effective = half.permitted;
  if (!write_capabilities(data)) return failed("take up the capabilities");
  for (int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
    if ((kept >> number & 1) == 0) prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
  }
  for (size_t i = 0; i < data.size(); ++i) {
    auto mask = static_cast<uint32_t>(kept >> (32 * i));
    data[i].permitted &= mask;
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  if (!write_capabilities(data)) return failed("give up capabilities");
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return Done{};
}

bool put_in_effect(uint64_t bits) {
  CapabilityData data{};
  if (!read_capabilities(data)) return false;
  for (size_t i = 0; i < data.size(); ++i) {
    data[i].effective = static_cast<uint32_t>(bits >> (32 * i));
  }
  return write_capabilities(data);
}

}  // namespace

CapabilitiesAside::CapabilitiesAside() {
  CapabilityData data{};
  if (!read_capabilities(data)) return;
  before_ = in_effect(data);
  worked_ = put_in_effect(0);
}

CapabilitiesAside::~CapabilitiesAside() {
  if (worked_) put_in_effect(before_);
}

Status<> keep_low_ports_alone(const User* user) {
  if (user != nullptr) {
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return failed("keep capabilities");
    if (auto became = become(*user); !became) return became;
    prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  }
  return keep_only(kKept);
}

Status<> refuse_new_privileges() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("set no_new_privs");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("become non-dumpable");
  return Done{};
}

std::string capabilities_in_words() {
  CapabilityData data{};
  if (!read_capabilities(data)) return "unknown";
  uint64_t bits = in_effect(data);
  if (bits == 0) return "none";
  if (bits == kKept) return "cap_net_bind_service";
  return fmt::format("0x{:x}", bits);
}

}  // namespace lb
