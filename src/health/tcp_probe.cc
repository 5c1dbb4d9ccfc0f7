// SPDX-License-Identifier: MIT
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "health/probes.h"
#include "net/socket.h"

namespace lb {

namespace {

class TcpProbe final : public Probe {
 public:
  TcpProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : loop_(loop),
        address_(target.address),
        source_(target.source),
        send_(config.send),
        expect_(config.expect),
        failed_later_(loop, [this] { not_started(); }) {}

  void start(Callback done) override {
    done_ = std::move(done);
    sent_ = 0;
    seen_ = 0;
    auto fd = connect_stream(address_, source_ ? &*source_ : nullptr);
    if (!fd) {
      start_error_ = fd.error();
      failed_later_.start(std::chrono::milliseconds(0));
      return;
    }
    fd_ = std::move(*fd);
    readable_.bind<&TcpProbe::on_readable>(loop_, fd_.get(), IoEvent::kRead, this);
    writable_.bind<&TcpProbe::on_writable>(loop_, fd_.get(), IoEvent::kWrite, this);
    writable_.arm();
  }

  void cancel() override {
    failed_later_.stop();
    readable_.disarm();
    writable_.disarm();
    fd_.reset();
    done_ = nullptr;
  }

 private:
  void on_writable() {
    if (int error = connect_state(fd_.get()); error != 0) {
      if (error != EINPROGRESS) finish(false, strerror(error));
      return;
    }
    if (sent_ < send_.size()) {
      ssize_t sent = ::send(fd_.get(), send_.data() + sent_, send_.size() - sent_, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno != EAGAIN) finish(false, strerror(errno));
        return;
      }
      sent_ += static_cast<size_t>(sent);
      if (sent_ < send_.size()) return;
    }
    if (expect_.empty()) return finish(true, "connected");
    writable_.disarm();
    readable_.arm();
  }

  void on_readable() {
    char buffer[1024];
    ssize_t got = recv(fd_.get(), buffer, std::min(sizeof(buffer), expect_.size() - seen_), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) return finish(false, strerror(errno));
    if (got == 0) return finish(false, "closed before the expected answer");
    auto size = static_cast<size_t>(got);
    if (expect_.compare(seen_, size, buffer, size) != 0) {
      return finish(false, "an answer other than the expected one");
    }
    seen_ += size;
    if (seen_ == expect_.size()) finish(true, "answered as expected");
  }

  void not_started() {
    auto done = std::exchange(done_, nullptr);
    done({.made = !lacks_resources(start_error_), .detail = strerror(start_error_)});
  }

  void finish(bool passed, std::string detail) {
    auto done = std::exchange(done_, nullptr);
    cancel();
    done({.passed = passed, .detail = std::move(detail)});
  }

  EventLoop& loop_;
  const Address address_;
  const std::optional<Address> source_;
  const std::string send_;
  const std::string expect_;
  Callback done_;
  Fd fd_;
  IoEvent readable_;
  IoEvent writable_;
  Timer failed_later_;
  int start_error_ = 0;
  size_t sent_ = 0;
  size_t seen_ = 0;
};

}  // namespace

std::unique_ptr<Probe> make_tcp_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config) {
  return std::make_unique<TcpProbe>(means.loop, target, config);
}

}  // namespace lb
