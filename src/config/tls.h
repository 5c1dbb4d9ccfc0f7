// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace lb {

// The `tls` sections of listeners and pools as plain data. Files are absolute, or relative to the
// working directory.

struct TlsCertificateConfig {
  std::string certificate;
  std::string key;
  std::string ocsp = {};  // "" = nothing is stapled

  friend bool operator==(const TlsCertificateConfig&, const TlsCertificateConfig&) = default;
};

enum class ClientAuth { off, optional, required };
enum class StartTls { off, postgres };

// TLS between clients and a listener.
struct ListenerTlsConfig {
  std::vector<TlsCertificateConfig> certificates;  // at least one; the first is the default
  bool tls13_only = false;                         // min_version "1.3"
  std::string ciphers;                             // "" = Mozilla's intermediate profile
  ClientAuth client_auth = ClientAuth::off;
  std::string client_ca;
  bool session_tickets = true;
  std::string ticket_keys;  // a file; "" = keys of the process
  StartTls starttls = StartTls::off;
  std::vector<std::string> alpn = {"h2", "http/1.1"};  // http listeners only, by preference

  friend bool operator==(const ListenerTlsConfig&, const ListenerTlsConfig&) = default;
};

// TLS between this process and the servers of a pool.
struct PoolTlsConfig {
  bool verify = true;
  std::string ca;           // "" = the authorities of this system
  std::string server_name;  // "" = the server's host name or IP address
  std::string certificate;  // with key; "" = none is shown
  std::string key;
  std::vector<std::string> alpn = {};  // what is offered; http pools only

  friend bool operator==(const PoolTlsConfig&, const PoolTlsConfig&) = default;
};

}  // namespace lb
