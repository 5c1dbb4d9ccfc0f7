// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "admin/api.h"
#include "admin/http_server.h"
#include "common/result.h"
#include "config/config.h"

namespace lb::admin {

// The admin listener: its socket, opened at start for good, and what answers there. Everything it
// does is bounded in time and memory, so that checks and reloads on the same thread are not held
// up. Control thread.
class AdminServer {
 public:
  using TlsContext = std::shared_ptr<const TlsServerContext>;  // null: in clear

  static Result<std::unique_ptr<AdminServer>> open(EventLoop& loop, ControlApi& control,
                                                   const AdminConfig& config, TlsContext tls);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Token, hosts and certificate of a reload.
  void set_access(const AdminConfig& config, TlsContext tls) {
    api_.set_access(config);
    http_.set_tls(std::move(tls));
  }
  void publish(const EventView& event) { api_.publish(event); }

 private:
  AdminServer(EventLoop& loop, ControlApi& control, const AdminConfig& config, TlsContext tls,
              Fd listener);

  const Address address_;
  Api api_;
  HttpServer http_;
};

}  // namespace lb::admin
