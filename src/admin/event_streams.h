// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "admin/control_api.h"
#include "admin/http_connection.h"
#include "net/event_loop.h"

namespace lb::admin {

// Those who listen to what happens (GET /api/events), each as server-sent events. One that does not
// read costs what a connection may be behind, then it is given up; it delays nobody. Loop thread.
class EventStreams {
 public:
  // So many leave connections for everybody else.
  static constexpr size_t kMost = 16;

  explicit EventStreams(EventLoop& loop);

  // Takes one more listener in; false when there are too many.
  bool add(const Answer& answer);
  void publish(const EventView& event);

 private:
  void write(const std::string& text);
  void keep_alive();

  std::vector<OpenAnswer> listeners_;
  Timer keep_alive_;
};

}  // namespace lb::admin
