// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "admin/http_message.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace lb::admin {

class HttpConnection;
class HttpServer;

// An answer that has no end: what is written goes out as it comes. Copyable. Loop thread.
class OpenAnswer {
 public:
  explicit OpenAnswer(std::weak_ptr<HttpConnection> connection)
      : connection_(std::move(connection)) {}
  // False once the client is gone, or so far behind that it was given up.
  bool write(std::string_view bytes) const;

 private:
  std::weak_ptr<HttpConnection> connection_;
};

// Where the answer to one request goes. Copyable; what is sent when the client is gone, or twice,
// is lost. Loop thread.
class Answer {
 public:
  explicit Answer(std::weak_ptr<HttpConnection> connection) : connection_(std::move(connection)) {}
  void send(const HttpResponse& response) const;
  // Sends the head, and `response.body` as the first of what is to come.
  OpenAnswer open(const HttpResponse& response) const;

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
  size_t behind_bytes = 262'144;  // that a reader of an open answer may be behind
  milliseconds request{10'000};   // first byte to the end of its body; TLS handshake
  milliseconds idle{60'000};      // between requests
  milliseconds response{60'000};  // until the client has taken all of one
  milliseconds lingering{2'000};  // after an answer that ends the connection
};

// One client of the admin listener: requests one after another, each bounded in bytes and in time,
// the next one read only when the answer to the last has been taken. Owned by its HttpServer, which
// it tells of its end. Loop thread.
class HttpConnection final : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(HttpServer& server, EventLoop& loop, Stream stream);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Once, right after construction; may end it.
  void start() { go_on(); }
  // Whether it waits for (the rest of) a request.
  bool is_waiting() const { return state_ == State::handshaking || state_ == State::reading; }
  // Ends it at once.
  void end();

 private:
  friend class Answer;
  friend class OpenAnswer;
  enum class State {
    handshaking,  // TLS; over at once where there is none
    reading,      // a request, or waiting for one
    handling,     // no answer yet
    writing,      // the answer is on its way
    open,         // the answer goes on and on
    lingering,    // it was the last one: what the client still sends is thrown away, for closing
                  // with bytes unread would reset the connection and lose the answer
    ended,
  };

  void go_on();
  void shake_hands();
  void refuse_plain_http();
  void flush();
  void read();
  bool read_some();
  bool wants_input() const;
  void update_events();
  void on_deadline();
  void use_input();
  void read_request();
  bool read_head();
  void respond(const HttpResponse& response);
  void refuse(const HttpResponse& response);
  void written();
  void linger();
  bool write_open(std::string_view bytes);

  HttpServer& server_;
  Stream stream_;
  IoEvent readable_;
  IoEvent writable_;
  Timer deadline_;
  State state_ = State::handshaking;
  std::string input_;
  std::string output_;
  size_t sent_ = 0;                     // of output_
  bool read_wants_write_ = false;       // TLS has something to say before it reads on
  bool write_wants_read_ = false;       // and the other way round
  bool in_turn_ = false;                // go_on() is at work
  bool again_ = false;                  // and is to go round once more
  bool begun_ = false;                  // bytes of a request are here
  std::optional<HttpRequest> request_;  // its head is here
};

}  // namespace lb::admin
