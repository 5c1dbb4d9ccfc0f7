// SPDX-License-Identifier: MIT
#pragma once

#include <event2/bufferevent.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "admin/http_message.h"
#include "common/fd.h"
#include "net/event_loop.h"

namespace lb::admin {

class HttpConnection;
class HttpServer;

// Where the answer to one request goes. Copyable; what is sent when the client is gone, or twice,
// is lost. Loop thread.
class Answer {
 public:
  explicit Answer(std::weak_ptr<HttpConnection> connection) : connection_(std::move(connection)) {}
  void send(const HttpResponse& response) const;

 private:
  std::weak_ptr<HttpConnection> connection_;
};

// What a server does with requests. Loop thread.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // When a head is complete, before its body is taken: an answer here refuses the request.
  virtual std::optional<HttpResponse> refuse(const HttpRequest& head) = 0;
  // Answers now or later.
  virtual void handle(const HttpRequest& request, const Answer& answer) = 0;
  // What to answer where HTTP itself is not understood.
  virtual HttpResponse error(int status, std::string_view message) = 0;
};

struct HttpLimits {
  using milliseconds = std::chrono::milliseconds;
  size_t connections = 64;
  size_t body_bytes = 1'048'576;
  milliseconds request{10'000};   // first byte to the end of its body
  milliseconds idle{60'000};      // between requests
  milliseconds response{60'000};  // until the client has taken all of one
  milliseconds lingering{2'000};  // after an answer that ends the connection
};

// One client of the admin listener: requests one after another, each bounded in bytes and in time,
// the next one read only when the answer to the last has been taken. Owned by its HttpServer, which
// it tells of its end. Loop thread.
class HttpConnection final : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(HttpServer& server, EventLoop& loop, Fd fd);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Whether it waits for (the rest of) a request.
  bool is_waiting() const { return state_ == State::reading; }
  // Ends it at once.
  void end();

 private:
  friend class Answer;
  enum class State {
    reading,    // a request, or waiting for one
    handling,   // no answer yet
    writing,    // the answer is on its way
    lingering,  // it was the last one: what the client still sends is thrown away, for closing
                // with bytes unread would reset the connection and lose the answer
    ended,
  };

  void on_readable();
  void on_written();
  void on_deadline();
  void read_request();
  bool read_head();
  void respond(const HttpResponse& response);
  void refuse(const HttpResponse& response);
  void linger();
  size_t waiting_bytes() const;

  HttpServer& server_;
  bufferevent* events_;
  Timer deadline_;
  State state_ = State::reading;
  bool begun_ = false;                  // bytes of a request are here
  std::optional<HttpRequest> request_;  // its head is here
};

}  // namespace lb::admin
