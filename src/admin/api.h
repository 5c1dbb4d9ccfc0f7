// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/access.h"
#include "admin/control_api.h"
#include "admin/event_streams.h"
#include "admin/http_connection.h"
#include "admin/json_fields.h"
#include "config/config.h"

namespace lb::admin {

// One call of the API: everything that its function needs to answer.
struct Call {
  ControlApi& control;
  EventStreams& events;
  const Access& access;
  const HttpRequest& request;
  std::string id;  // what stands for {id} in the path
  Answer answer;
};

// A path of the API and what one method of it does. "{id}" stands for one part of a path.
struct Route {
  std::string_view method;
  std::string_view path;
  void (*function)(const Call& call);
  std::vector<std::string_view> query = {};  // the parameters that it takes
  size_t most_body_bytes = 65'536;
};

// The HTTP side of the API: who may, which paths and methods there are, and the shape of errors.
// What the calls do stands in the files of their subjects. Loop thread.
class Api final : public HttpHandler {
 public:
  Api(EventLoop& loop, ControlApi& control, const AdminConfig& config);

  // Token and hosts of a reload.
  void set_access(const AdminConfig& config) { access_ = Access(config); }

  // Tells those who listen.
  void publish(const EventView& event) { events_.publish(event); }

  std::optional<HttpResponse> refuse(const HttpRequest& head) override;
  void handle(const HttpRequest& request, const Answer& answer) override;
  HttpResponse error(int status, std::string_view message) override;

 private:
  struct Match {
    const Route* route = nullptr;
    std::string id;
    std::vector<std::string_view> methods;  // that the path has
  };
  Match find(const HttpRequest& request) const;

  ControlApi& control_;
  EventStreams events_;
  Access access_;
  std::vector<Route> routes_;
};

// The JSON of a call's body; nothing once its sender was told that it is none.
std::optional<Json> read_body(const Call& call);
// False once the sender was told what is wrong with the fields.
bool check(const Call& call, JsonFields& fields);
// The same for a call whose body may be left out, for it has no fields.
bool check_no_fields(const Call& call);

// The calls, by subject.
std::vector<Route> health_routes();
std::vector<Route> server_routes();
std::vector<Route> pool_routes();
std::vector<Route> config_routes();
std::vector<Route> metrics_routes();
std::vector<Route> event_routes();
std::vector<Route> stats_routes();

// Whether a request is for the page that people look at.
bool is_for_page(const HttpRequest& request);
HttpResponse stats_page(int status);

}  // namespace lb::admin
