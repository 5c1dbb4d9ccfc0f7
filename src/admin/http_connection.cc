// SPDX-License-Identifier: MIT
#include "admin/http_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "admin/http_server.h"
#include "common/log.h"

namespace lb::admin {

namespace {

using Outcome = Transfer::Outcome;

constexpr size_t kReadBytes = 16'384;
constexpr int kReadsPerTurn = 8;
constexpr int kRoundsPerTurn = 16;  // requests that came together

}  // namespace

void Answer::send(const HttpResponse& response) const {
  auto connection = connection_.lock();
  if (!connection || connection->state_ != HttpConnection::State::handling) return;
  connection->respond(response);
  connection->go_on();
}

OpenAnswer Answer::open(const HttpResponse& response) const {
  auto connection = connection_.lock();
  if (connection && connection->state_ == HttpConnection::State::handling) {
    connection->state_ = HttpConnection::State::open;
    connection->deadline_.stop();
    connection->write_open(head_of_open(response) + response.body);
  }
  return OpenAnswer(connection_);
}

bool OpenAnswer::write(std::string_view bytes) const {
  auto connection = connection_.lock();
  return connection && connection->write_open(bytes);
}

HttpConnection::HttpConnection(HttpServer& server, EventLoop& loop, Stream stream)
    : server_(server), stream_(std::move(stream)), deadline_(loop, [this] { on_deadline(); }) {
  readable_.bind<&HttpConnection::go_on>(loop, stream_.fd(), IoEvent::kRead, this);
  writable_.bind<&HttpConnection::go_on>(loop, stream_.fd(), IoEvent::kWrite, this);
  deadline_.start(server_.limits().request);
}

HttpConnection::~HttpConnection() = default;

// Whatever happened: does what can be done now. A handler that answers at once calls this again,
// from within.
void HttpConnection::go_on() {
  if (std::exchange(in_turn_, true)) return;
  auto self = shared_from_this();
  if (state_ == State::handshaking) shake_hands();
  for (int i = 0; i < kRoundsPerTurn && state_ != State::handshaking; ++i) {
    again_ = false;
    if (state_ != State::ended) flush();
    if (wants_input()) read();
    if (!again_ || state_ == State::ended) break;
  }
  in_turn_ = false;
  update_events();
}

void HttpConnection::shake_hands() {
  Transfer step{};
  if (!server_.shake_hands([&] { step = stream_.handshake(); })) return;
  read_wants_write_ = write_wants_read_ = false;
  switch (step.outcome) {
    case Outcome::done:
      state_ = State::reading;
      return;
    case Outcome::wants_read:
      return;
    case Outcome::wants_write:
      read_wants_write_ = true;
      return;
    default:
      if (stream_.is_tls() && stream_.tls()->heard_http()) return refuse_plain_http();
      return end();
  }
}

// In clear too: somebody who took the wrong scheme is to read why.
void HttpConnection::refuse_plain_http() {
  Fd client = stream_.take_fd();
  stream_ = Stream(std::move(client));
  refuse(server_.handler().error(400, "plain HTTP where TLS is spoken; use https://"));
}

void HttpConnection::flush() {
  write_wants_read_ = false;
  while (sent_ < output_.size()) {
    Transfer sent = stream_.write(std::string_view(output_).substr(sent_));
    if (sent.outcome == Outcome::done) {
      sent_ += sent.bytes;
    } else if (sent.outcome == Outcome::wants_write || sent.outcome == Outcome::wants_read) {
      write_wants_read_ = sent.outcome == Outcome::wants_read;
      output_.erase(0, std::exchange(sent_, 0));
      return;
    } else {
      return end();
    }
  }
  output_.clear();
  sent_ = 0;
  if (state_ == State::writing) written();
}

bool HttpConnection::wants_input() const {
  switch (state_) {
    case State::reading:
      return input_.size() < (request_ ? request_->content_length : kMaxHeadBytes);
    case State::open:
    case State::lingering:
      return true;
    default:
      return false;
  }
}

void HttpConnection::read() {
  if (state_ == State::reading && !input_.empty()) use_input();
  for (int i = 0; wants_input() && (i < kReadsPerTurn || stream_.has_pending()); ++i) {
    if (!read_some()) return;
    use_input();
  }
}

// False when there is nothing to read, or nobody any more.
bool HttpConnection::read_some() {
  std::array<char, kReadBytes> block;
  read_wants_write_ = false;
  Transfer got = stream_.read(block);
  if (got.outcome == Outcome::done) {
    input_.append(block.data(), got.bytes);
    return true;
  }
  read_wants_write_ = got.outcome == Outcome::wants_write;
  if (got.outcome == Outcome::end && state_ == State::reading && begun_) {
    refuse(server_.handler().error(400, "the request ended before it was complete"));
  } else if (got.outcome != Outcome::wants_read && got.outcome != Outcome::wants_write) {
    end();
  }
  return false;
}

void HttpConnection::use_input() {
  if (state_ == State::reading) {
    read_request();
  } else {
    input_.clear();  // nobody asked
  }
}

void HttpConnection::update_events() {
  if (state_ == State::ended) return;
  bool reads =
      wants_input() || write_wants_read_ || (state_ == State::handshaking && !read_wants_write_);
  // With `again_` there is something to do at once, and a socket is nearly always writable.
  bool writes = read_wants_write_ || again_ || (!output_.empty() && !write_wants_read_);
  reads ? readable_.arm() : readable_.disarm();
  writes ? writable_.arm() : writable_.disarm();
}

void HttpConnection::read_request() {
  if (!input_.empty() && !std::exchange(begun_, true)) {
    deadline_.start(server_.limits().request);
  }
  if (!request_ && !read_head()) return;
  if (input_.size() < request_->content_length) return;
  request_->body = input_.substr(0, request_->content_length);
  input_.erase(0, request_->content_length);
  state_ = State::handling;
  deadline_.stop();
  server_.handler().handle(*request_, Answer(weak_from_this()));
}

// Whether the head is complete and its body may come.
bool HttpConnection::read_head() {
  std::string_view bytes = std::string_view(input_).substr(0, kMaxHeadBytes);
  if (bytes.empty()) return false;
  auto end = end_of_head(bytes);
  if (!end) {
    if (bytes.size() == kMaxHeadBytes) {
      refuse(server_.handler().error(
          431, fmt::format("the head is longer than {} bytes", kMaxHeadBytes)));
    }
    return false;
  }
  auto request = parse_request_head(bytes.substr(0, *end));
  input_.erase(0, *end);
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
  if (request_->expects_continue && input_.size() < request_->content_length) {
    output_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
  }
  return state_ == State::reading;
}

// Without its head, or with a body that nobody reads, a request cannot be told from the next one.
void HttpConnection::refuse(const HttpResponse& response) {
  if (!request_) request_.emplace();
  if (request_->method.empty() || request_->content_length > 0) request_->keep_alive = false;
  respond(response);
}

void HttpConnection::respond(const HttpResponse& response) {
  output_ += to_wire(response, request_->keep_alive, request_->method == "HEAD");
  state_ = State::writing;
  again_ = true;
  deadline_.start(server_.limits().response);
}

// The client has taken the answer.
void HttpConnection::written() {
  bool keep_alive = request_->keep_alive;
  request_.reset();
  begun_ = false;
  again_ = true;
  if (!keep_alive) return linger();
  state_ = State::reading;
  deadline_.start(server_.limits().idle);
}

void HttpConnection::linger() {
  state_ = State::lingering;
  input_.clear();
  (void)stream_.shutdown_write();
  deadline_.start(server_.limits().lingering);
}

bool HttpConnection::write_open(std::string_view bytes) {
  if (state_ != State::open) return false;
  auto self = shared_from_this();
  output_ += bytes;
  flush();
  if (state_ == State::open && output_.size() > server_.limits().behind_bytes) end();
  update_events();
  return state_ == State::open;
}

void HttpConnection::on_deadline() {
  if (state_ != State::reading || !begun_) return end();
  refuse(server_.handler().error(408, "the request did not come in time"));
  go_on();
}

void HttpConnection::end() {
  if (state_ == State::ended) return;
  state_ = State::ended;
  readable_.disarm();
  writable_.disarm();
  deadline_.stop();
  server_.ended(*this);
}

}  // namespace lb::admin
