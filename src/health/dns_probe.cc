// SPDX-License-Identifier: MIT
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "health/dns_message.h"
#include "health/probe_connection.h"
#include "health/probes.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr size_t kMostMessage = 65'535;

uint16_t random_id() {
  uint16_t id = 0;
  // Of so few bytes the call never falls short once the kernel's generator is ready.
  (void)getrandom(&id, sizeof(id), GRND_NONBLOCK);
  return id;
}

// One query over UDP; over TCP where the answer is too long for a datagram.
class DnsProbe final : public Probe, private ProbeConnection::Owner {
 public:
  DnsProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : loop_(loop),
        connection_(loop, *this),
        address_(target.address),
        source_(target.source),
        question_(config.query),
        failed_later_(loop, [this] { fail(start_error_); }) {}

  void start(Callback done) override {
    done_ = std::move(done);
    id_ = random_id();
    auto fd = connect_datagram(address_, source_ ? &*source_ : nullptr);
    std::string query = dns_query(id_, question_);
    if (fd && ::send(fd->get(), query.data(), query.size(), MSG_NOSIGNAL) < 0) {
      fd = Unexpected{errno};
    }
    if (!fd) {
      start_error_ = fd.error();
      failed_later_.start(std::chrono::milliseconds(0));
      return;
    }
    fd_ = std::move(*fd);
    readable_.bind<&DnsProbe::on_datagram>(loop_, fd_.get(), IoEvent::kRead, this);
    readable_.arm();
  }

  void cancel() override {
    failed_later_.stop();
    readable_.disarm();
    fd_.reset();
    connection_.close();
    stream_.clear();
    done_ = nullptr;
  }

 private:
  void on_datagram() {
    char buffer[kMostMessage];
    ssize_t got = recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) return fail(errno);
    auto answer = parse_dns_reply({buffer, static_cast<size_t>(got)}, id_, question_);
    if (answer.kind == DnsReply::Kind::other) return;  // whoever sent it, ours may still come
    if (answer.kind != DnsReply::Kind::truncated) return judge(answer);
    readable_.disarm();
    fd_.reset();
    connection_.open(address_, source_);
  }

  void on_connected() override {
    std::string query = dns_query(id_, question_);
    std::string framed = {static_cast<char>(query.size() >> 8), static_cast<char>(query.size())};
    connection_.send(framed + query);
    connection_.receive();
  }

  void on_bytes(std::string_view bytes) override {
    stream_.append(bytes);
    if (stream_.size() < 2) return;
    size_t length = static_cast<size_t>(static_cast<uint8_t>(stream_[0])) << 8 |
                    static_cast<uint8_t>(stream_[1]);
    if (stream_.size() < 2 + length) return;
    judge(parse_dns_reply(std::string_view(stream_).substr(2, length), id_, question_));
  }

  void on_end() override { finish({.detail = "closed before the answer"}); }

  void on_failed(const std::string& why, bool made) override {
    finish({.made = made, .detail = why});
  }

  void judge(const DnsReply& answer) {
    if (answer.kind != DnsReply::Kind::whole) return finish({.detail = "a broken answer"});
    std::string detail = dns_rcode_name(answer.rcode);
    if (answer.rcode == 0) detail += ", " + std::to_string(answer.answers) + " records";
    finish({.passed = answer.rcode == 0, .detail = std::move(detail)});
  }

  void fail(int error) { finish({.made = !lacks_resources(error), .detail = strerror(error)}); }

  void finish(ProbeResult result) {
    auto done = std::exchange(done_, nullptr);
    cancel();
    done(std::move(result));
  }

  EventLoop& loop_;
  ProbeConnection connection_;
  const Address address_;
  const std::optional<Address> source_;
  const DnsQuestion question_;
  Callback done_;
  uint16_t id_ = 0;
  Fd fd_;
  IoEvent readable_;
  Timer failed_later_;
  int start_error_ = 0;
  std::string stream_;
};

}  // namespace

std::unique_ptr<Probe> make_dns_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config) {
  return std::make_unique<DnsProbe>(means.loop, target, config);
}

}  // namespace lb
