// SPDX-License-Identifier: MIT
#include "admin/admin_server.h"

#include <unistd.h>

#include "net/socket.h"

namespace lb::admin {

namespace {

constexpr uint32_t kBacklog = 64;
// Owner and group: a unix socket's permissions are its access control.
constexpr mode_t kSocketMode = 0660;

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::open(EventLoop& loop, ControlApi& control,
                                                       const AdminConfig& config, TlsContext tls) {
  auto listener = listen_stream(
      config.address,
      {.dual_stack = config.dual_stack, .backlog = kBacklog, .unix_mode = kSocketMode});
  if (!listener) return fail("admin.address: " + listener.error().message);
  return std::unique_ptr<AdminServer>(
      new AdminServer(loop, control, config, std::move(tls), std::move(*listener)));
}

AdminServer::AdminServer(EventLoop& loop, ControlApi& control, const AdminConfig& config,
                         TlsContext tls, Fd listener)
    : address_(config.address),
      api_(loop, control, config),
      http_(loop, std::move(listener), api_) {
  http_.set_tls(std::move(tls));
}

AdminServer::~AdminServer() {
  if (address_.is_unix()) unlink(std::string(address_.unix_path()).c_str());
}

}  // namespace lb::admin
