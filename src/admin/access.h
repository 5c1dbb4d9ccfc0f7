// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "admin/http_message.h"
#include "config/config.h"

namespace lb::admin {

// Who may ask, and who may change.
//
// A browser is let in only from the admin's own pages: Host must be an IP address, localhost or one
// of admin.hosts (else another site's name could be pointed here), Origin the admin's own, and
// Sec-Fetch-Site not cross-site. Changes over TCP need the token, and without one configured there
// are none; reads need it unless the address is a loopback one. The permissions of a unix socket
// stand for its token. Plain data, any thread.
class Access {
 public:
  explicit Access(const AdminConfig& config);

  // The refusal of a request that no page of another site may make, whatever it asks for; nothing
  // if it is allowed.
  std::optional<HttpResponse> check_origin(const HttpRequest& request) const;
  std::optional<HttpResponse> check_read(const HttpRequest& request) const;
  std::optional<HttpResponse> check_change(const HttpRequest& request) const;
  // What a change takes: nothing ("yes") or the "token"; or there are none ("no").
  std::string_view changes() const;

 private:
  bool is_own_host(std::string_view host) const;
  bool is_own_origin(std::string_view origin, std::string_view host) const;
  bool has_token(const HttpRequest& request) const;

  AdminConfig config_;
};

// Takes as long wherever the difference is.
bool equal_in_constant_time(std::string_view secret, std::string_view offered);

}  // namespace lb::admin
