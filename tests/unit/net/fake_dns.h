// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/fd.h"
#include "net/event_loop.h"

namespace lb {

enum DnsType : uint16_t { kA = 1, kCname = 5, kAaaa = 28 };

inline std::string dns_u16(size_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

inline std::string dns_name(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    std::string_view label = name.substr(0, name.find('.'));
    out.push_back(static_cast<char>(label.size()));
    out.append(label);
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  out.push_back('\0');
  return out;
}

// What a FakeDns says to one question.
struct DnsAnswer {
  int rcode = 0;
  std::string records = {};  // in wire format
  size_t count = 0;          // of the records, as the header says
  bool silent = false;       // no answer
  bool truncated = false;    // over UDP: no records and TC
  std::string raw = {};      // instead of all, after the two bytes of the id

  DnsAnswer& add(DnsType type, uint32_t ttl, const std::string& data,
                 const std::string& owner = "\xc0\x0c") {
    records += owner + dns_u16(type) + dns_u16(1) + dns_u16(ttl >> 16) + dns_u16(ttl & 0xffff) +
               dns_u16(data.size()) + data;
    ++count;
    return *this;
  }
  DnsAnswer& ip(const std::string& text, uint32_t ttl) {
    Address address = *Address::parse_ip(text, 0);
    return add(address.is_ipv4() ? kA : kAaaa, ttl, std::string(address.bytes()));
  }
};

// A name server on one UDP and TCP port of 127.0.0.1, on the loop of the test. A name that it was
// not told of does not exist.
class FakeDns {
 public:
  explicit FakeDns(EventLoop& loop) : loop_(loop) {
    // The TCP port must be the UDP one, which another process may hold.
    for (int tries = 0; tries < 100 && !tcp_; ++tries) {
      udp_ = bind_to(SOCK_DGRAM, 0);
      tcp_ = bind_to(SOCK_STREAM, port());
      if (tcp_ && listen(tcp_.get(), 16) != 0) tcp_.reset();
    }
    if (!tcp_) throw std::runtime_error("no port for the test");
    udp_event_.bind<&FakeDns::on_datagram>(loop, udp_.get(), IoEvent::kRead, this);
    tcp_event_.bind<&FakeDns::on_connection>(loop, tcp_.get(), IoEvent::kRead, this);
    udp_event_.arm();
    tcp_event_.arm();
  }

  uint16_t port() const {
    sockaddr_storage storage{};
    socklen_t length = sizeof(storage);
    getsockname(udp_.get(), reinterpret_cast<sockaddr*>(&storage), &length);
    return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), length).port();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  DnsAnswer& say(const std::string& name, DnsType type) { return answers_[{name, type}]; }
  // A name with these addresses and no others.
  void set(const std::string& name, const std::vector<std::string>& ips, uint32_t ttl) {
    say(name, kA) = {};
    say(name, kAaaa) = {};
    for (const auto& ip : ips) {
      say(name, ip.find(':') == std::string::npos ? kA : kAaaa).ip(ip, ttl);
    }
  }

  // The questions in order, as "udp name A".
  std::vector<std::string> asked;

 private:
  struct Connection {
    FakeDns* server;
    Fd fd;
    IoEvent event;
    std::string received;
    void on_readable() { server->on_stream(*this); }
  };

  Fd bind_to(int type, uint16_t port) const {
    Fd fd(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    Address address = *Address::parse_ip("127.0.0.1", port);
    // Connections that have ended may hold nearly every TCP port for a minute. A UDP port would be
    // shared with whoever asks so, too.
    int yes = 1;
    if (type == SOCK_STREAM) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (::bind(fd.get(), address.data(), address.length()) != 0) return Fd();
    return fd;
  }

  void on_datagram() {
    char buffer[2048];
    sockaddr_storage from{};
    socklen_t length = sizeof(from);
    ssize_t n = ::recvfrom(udp_.get(), buffer, sizeof(buffer), 0,
                           reinterpret_cast<sockaddr*>(&from), &length);
    if (n <= 0) return;
    std::string reply = answer({buffer, static_cast<size_t>(n)}, "udp");
    if (reply.empty()) return;
    ::sendto(udp_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
  }

  void on_connection() {
    Fd fd(::accept4(tcp_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    auto connection = std::make_unique<Connection>();
    connection->server = this;
    connection->fd = std::move(fd);
    connection->event.bind<&Connection::on_readable>(loop_, connection->fd.get(), IoEvent::kRead,
                                                     connection.get());
    connection->event.arm();
    connections_.push_back(std::move(connection));
  }

  void on_stream(Connection& connection) {
    char buffer[2048];
    ssize_t n = ::recv(connection.fd.get(), buffer, sizeof(buffer), 0);
    if (n <= 0) {
      connection.event.disarm();
      return;
    }
    std::string& in = connection.received;
    in.append(buffer, static_cast<size_t>(n));
    while (in.size() >= 2) {
      size_t length = static_cast<size_t>(static_cast<unsigned char>(in[0])) << 8 |
                      static_cast<unsigned char>(in[1]);
      if (in.size() < 2 + length) return;
      std::string reply = answer(in.substr(2, length), "tcp");
      in.erase(0, 2 + length);
      if (reply.empty()) continue;
      reply.insert(0, dns_u16(reply.size()));
      ::send(connection.fd.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
    }
  }

  std::string answer(const std::string& query, const std::string& transport) {
    std::string name;
    size_t at = 12;
    while (at < query.size() && query[at] != '\0') {
      auto length = static_cast<size_t>(query[at]);
      if (!name.empty()) name += '.';
      name += query.substr(at + 1, length);
      at += length + 1;
    }
    auto type = static_cast<DnsType>(static_cast<unsigned char>(query.at(at + 2)));
    asked.push_back(transport + " " + name + (type == kA ? " A" : " AAAA"));
    std::string question = query.substr(12, at + 5 - 12);
    auto known = answers_.find({name, type});
    DnsAnswer say = known == answers_.end() ? DnsAnswer{.rcode = 3} : known->second;
    if (say.silent) return "";
    if (!say.raw.empty()) return query.substr(0, 2) + say.raw;
    bool cut = say.truncated && transport == "udp";
    return query.substr(0, 2) + dns_u16(0x8180u | (cut ? 0x0200u : 0u) | unsigned(say.rcode)) +
           dns_u16(1) + dns_u16(cut ? 0 : say.count) + dns_u16(0) + dns_u16(0) + question +
           (cut ? "" : say.records);
  }

  EventLoop& loop_;
  Fd udp_;
  Fd tcp_;
  IoEvent udp_event_;
  IoEvent tcp_event_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::map<std::pair<std::string, DnsType>, DnsAnswer> answers_;
};

}  // namespace lb
