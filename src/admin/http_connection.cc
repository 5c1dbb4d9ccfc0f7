// SPDX-License-Identifier: MIT
#include "admin/http_connection.h"

#include <event2/buffer.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "admin/http_server.h"
#include "common/log.h"

namespace lb::admin {

void Answer::send(const HttpResponse& response) const {
  auto connection = connection_.lock();
  if (connection && connection->state_ == HttpConnection::State::handling) {
    connection->respond(response);
  }
}

HttpConnection::HttpConnection(HttpServer& server, EventLoop& loop, Fd fd)
    : server_(server),
      events_(bufferevent_socket_new(loop.base(), fd.release(), BEV_OPT_CLOSE_ON_FREE)),
      deadline_(loop, [this] { on_deadline(); }) {
  if (events_ == nullptr) std::abort();
  bufferevent_setcb(
      events_, [](bufferevent*, void* self) { static_cast<HttpConnection*>(self)->on_readable(); },
      [](bufferevent*, void* self) { static_cast<HttpConnection*>(self)->on_written(); },
      [](bufferevent*, short, void* self) { static_cast<HttpConnection*>(self)->end(); }, this);
  bufferevent_setwatermark(events_, EV_READ, 0, kMaxHeadBytes);
  bufferevent_enable(events_, EV_READ | EV_WRITE);
  deadline_.start(server_.limits().request);
}

HttpConnection::~HttpConnection() {
  bufferevent_free(events_);
}

size_t HttpConnection::waiting_bytes() const {
  return evbuffer_get_length(bufferevent_get_input(events_));
}

void HttpConnection::on_readable() {
  if (state_ == State::lingering) {
    evbuffer* input = bufferevent_get_input(events_);
    evbuffer_drain(input, evbuffer_get_length(input));
  } else if (state_ == State::reading) {
    read_request();
  }
}

void HttpConnection::read_request() {
  if (waiting_bytes() > 0 && !std::exchange(begun_, true)) {
    deadline_.start(server_.limits().request);
  }
  if (!request_ && !read_head()) return;
  if (waiting_bytes() < request_->content_length) return;
  request_->body.resize(request_->content_length);
  evbuffer_remove(bufferevent_get_input(events_), request_->body.data(), request_->body.size());
  state_ = State::handling;
  deadline_.stop();
  bufferevent_disable(events_, EV_READ);
  server_.handler().handle(*request_, Answer(weak_from_this()));
}

// Whether the head is complete and its body may come.
bool HttpConnection::read_head() {
  evbuffer* input = bufferevent_get_input(events_);
  size_t size = std::min(waiting_bytes(), kMaxHeadBytes);
  if (size == 0) return false;
  std::string_view bytes(
      reinterpret_cast<const char*>(evbuffer_pullup(input, static_cast<ev_ssize_t>(size))), size);
  auto end = end_of_head(bytes);
  if (!end) {
    if (size == kMaxHeadBytes) {
      refuse(server_.handler().error(
          431, fmt::format("the head is longer than {} bytes", kMaxHeadBytes)));
    }
    return false;
  }
  auto request = parse_request_head(bytes.substr(0, *end));
  evbuffer_drain(input, *end);
  if (!request) {
    refuse(server_.handler().error(request.error().status, request.error().message));
    return false;
  }
  request_ = std::move(*request);
  size_t most = server_.limits().body_bytes;
  if (request_->content_length > most) {
    refuse(server_.handler().error(413, fmt::format("the body is longer than {} bytes", most)));
    return false;
  }
  if (auto refusal = server_.handler().refuse(*request_)) {
    refuse(*refusal);
    return false;
  }
  bufferevent_setwatermark(events_, EV_READ, 0, std::max(request_->content_length, kMaxHeadBytes));
  if (request_->expects_continue && waiting_bytes() < request_->content_length) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    bufferevent_write(events_, kContinue.data(), kContinue.size());
  }
  return true;
}

// Without its head, or with a body that nobody reads, a request cannot be told from the next one.
void HttpConnection::refuse(const HttpResponse& response) {
  if (!request_) request_.emplace();
  if (request_->method.empty() || request_->content_length > 0) request_->keep_alive = false;
  respond(response);
}

void HttpConnection::respond(const HttpResponse& response) {
  std::string wire = to_wire(response, request_->keep_alive, request_->method == "HEAD");
  state_ = State::writing;
  bufferevent_disable(events_, EV_READ);
  deadline_.start(server_.limits().response);
  bufferevent_write(events_, wire.data(), wire.size());
}

void HttpConnection::on_written() {
  if (state_ != State::writing) return;
  bool keep_alive = request_->keep_alive;
  request_.reset();
  begun_ = false;
  if (!keep_alive) return linger();
  state_ = State::reading;
  deadline_.start(server_.limits().idle);
  bufferevent_setwatermark(events_, EV_READ, 0, kMaxHeadBytes);
  bufferevent_enable(events_, EV_READ);
  read_request();  // it may be here already
}

void HttpConnection::linger() {
  state_ = State::lingering;
  shutdown(bufferevent_getfd(events_), SHUT_WR);
  deadline_.start(server_.limits().lingering);
  bufferevent_enable(events_, EV_READ);
  on_readable();
}

void HttpConnection::on_deadline() {
  if (state_ != State::reading || !begun_) return end();
  refuse(server_.handler().error(408, "the request did not come in time"));
}

void HttpConnection::end() {
  if (state_ == State::ended) return;
  state_ = State::ended;
  bufferevent_disable(events_, EV_READ | EV_WRITE);
  deadline_.stop();
  server_.ended(*this);
}

}  // namespace lb::admin
