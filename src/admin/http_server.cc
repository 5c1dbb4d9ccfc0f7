// SPDX-License-Identifier: MIT
#include "admin/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace lb::admin {

namespace {

constexpr int kAcceptsPerTurn = 16;
// When descriptors have run out: nothing tells when there are some again.
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{200};

}  // namespace

HttpServer::HttpServer(EventLoop& loop, Fd listener, HttpHandler& handler, const HttpLimits& limits)
    : loop_(loop),
      handler_(handler),
      limits_(limits),
      listener_(std::move(listener)),
      accept_again_(loop, [this] { acceptable_.arm(); }) {
  acceptable_.bind<&HttpServer::on_acceptable>(loop_, listener_.get(), IoEvent::kRead, this);
  acceptable_.arm();
}

HttpServer::~HttpServer() = default;

void HttpServer::on_acceptable() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      bool is_empty = errno == EAGAIN || errno == ECONNABORTED || errno == EINTR;
      if (is_empty) return;
      acceptable_.disarm();
      return accept_again_.start(kPauseWithoutDescriptors);
    }
    if (!make_room()) continue;
    auto session = tls_ ? tls_->accept(fd.get()) : nullptr;
    if (tls_ && !session) continue;
    auto connection =
        std::make_shared<HttpConnection>(*this, loop_, Stream(std::move(fd), std::move(session)));
    connections_.push_back(connection);
    connection->start();
  }
}

bool HttpServer::make_room() {
  if (connections_.size() < limits_.connections) return true;
  auto waiting = std::find_if(connections_.begin(), connections_.end(),
                              [](const auto& connection) { return connection->is_waiting(); });
  if (waiting == connections_.end()) return false;
  (*waiting)->end();
  return true;
}

void HttpServer::ended(HttpConnection& connection) {
  auto found = std::find_if(connections_.begin(), connections_.end(),
                            [&](const auto& other) { return other.get() == &connection; });
  if (found == connections_.end()) return;
  loop_.retire(std::make_unique<std::shared_ptr<HttpConnection>>(std::move(*found)));
  connections_.erase(found);
}

}  // namespace lb::admin
