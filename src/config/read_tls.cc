// SPDX-License-Identifier: MIT
// The sections listeners.NAME.tls, pools.NAME.tls and admin.tls.
#include <algorithm>
#include <optional>

#include "common/log.h"
#include "config/file_text.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr size_t kMaxFileBytes = 1'048'576;
constexpr size_t kMaxCiphers = 4'096;

// A file of the configuration, and what it holds.
struct File {
  std::string path;
  std::string bytes;
};

void report(const Value& value, const std::string& what, const TlsInspector::Finding& finding) {
  if (!finding.error.empty()) value.error(what + finding.error);
  if (!finding.warning.empty()) value.warn(what + finding.warning);
}

std::optional<File> read_named_file(const Value& value, const Draft& draft) {
  auto written = value.as(
      Scalar<std::string>{"the path of a file", [](std::string_view text) -> Result<std::string> {
                            if (text.empty() || text.find('\0') != std::string_view::npos) {
                              return fail("must be the path of a file");
                            }
                            return std::string(text);
                          }});
  if (!written) return {};
  File file{.path = (draft.directory / *written).native(), .bytes = {}};
  auto bytes = read_file(file.path, kMaxFileBytes);
  if (!bytes) {
    value.error(fmt::format("cannot read {}: {}", file.path, bytes.error().message));
    return {};
  }
  if (bytes->size() > kMaxFileBytes) {
    value.error(file.path + " is larger than 1 MiB");
    return {};
  }
  file.bytes = std::move(*bytes);
  return file;
}

// Reads a file and asks about it with `ask(inspector, bytes)`; the path if there is no error.
template <typename Ask>
std::optional<File> read_inspected(const Value& value, const Draft& draft, Ask ask) {
  auto file = read_named_file(value, draft);
  if (!file || draft.tls == nullptr) return file;
  TlsInspector::Finding finding = ask(*draft.tls, file->bytes);
  report(value, file->path + " ", finding);
  if (!finding.error.empty()) return {};
  return file;
}

// certificate and key, which belong together; the certificate's bytes for what else needs them.
std::string read_key_pair(Section& section, const Draft& draft, std::string& certificate,
                          std::string& key) {
  std::string pem;
  if (auto value = section.require("certificate", "name the file of a certificate in PEM")) {
    auto file = read_inspected(*value, draft, [](const TlsInspector& tls, const auto& bytes) {
      return tls.certificate(bytes);
    });
    if (file) {
      certificate = std::move(file->path);
      pem = std::move(file->bytes);
    }
  }
  if (auto value = section.require("key", "name the file of the certificate's private key")) {
    auto file = read_inspected(*value, draft, [&pem](const TlsInspector& tls, const auto& bytes) {
      return tls.key(bytes, pem);
    });
    if (file) key = std::move(file->path);
  }
  return pem;
}

TlsCertificateConfig read_certificate(const Value& value, const Draft& draft) {
  TlsCertificateConfig certificate;
  Section section(value);
  std::string pem = read_key_pair(section, draft, certificate.certificate, certificate.key);
  if (auto ocsp = section.find("ocsp")) {
    auto file = read_inspected(*ocsp, draft, [&pem](const TlsInspector& tls, const auto& bytes) {
      return tls.ocsp(bytes, pem);
    });
    if (file) certificate.ocsp = std::move(file->path);
  }
  section.reserved({"acme"});
  return certificate;
}

std::string read_authorities(const Value& value, const Draft& draft) {
  auto file = read_inspected(value, draft, [](const TlsInspector& tls, const auto& bytes) {
    return tls.authorities(bytes);
  });
  return file ? std::move(file->path) : std::string();
}

void read_client_auth(const Value& value, const Draft& draft, ListenerTlsConfig& tls) {
  if (value.is_off()) return;
  Section section(value);
  tls.client_auth = ClientAuth::required;
  section.read(
      "mode", tls.client_auth,
      one_of<ClientAuth>({{"required", ClientAuth::required}, {"optional", ClientAuth::optional}}));
  auto authorities = section.require("ca", "name the file of the authorities to trust");
  if (authorities) tls.client_ca = read_authorities(*authorities, draft);
}

void read_ciphers(const Value& value, const Draft& draft, ListenerTlsConfig& tls) {
  auto ciphers = value.as(text(1, kMaxCiphers));
  if (!ciphers) return;
  if (draft.tls != nullptr) report(value, "", draft.tls->ciphers(*ciphers));
  tls.ciphers = std::move(*ciphers);
  if (tls.tls13_only) value.warn_at_key("has no effect without TLS 1.2, whose ciphers these are");
}

void read_ticket_keys(const Value& value, const Draft& draft, ListenerTlsConfig& tls) {
  auto file = read_inspected(value, draft, [](const TlsInspector& inspector, const auto& bytes) {
    return inspector.ticket_keys(bytes);
  });
  if (file) tls.ticket_keys = std::move(file->path);
  if (!tls.session_tickets) value.warn_at_key("has no effect without session_tickets");
}

void read_alpn(const Value& value, ListenerTlsConfig& tls) {
  auto protocol = one_of<std::string>({{"h2", "h2"}, {"http/1.1", "http/1.1"}},
                                      {{"h3", "reserved for a later version"}});
  tls.alpn.clear();
  for (const Value& item : value.items("protocols, such as [h2, http/1.1]")) {
    auto name = item.as(protocol);
    if (!name) continue;
    if (std::find(tls.alpn.begin(), tls.alpn.end(), *name) != tls.alpn.end()) {
      item.error(quote(*name) + " stands in the list twice");
    } else {
      tls.alpn.push_back(std::move(*name));
    }
  }
}

// What only one protocol's TLS has.
void read_protocol_keys(Section& section, Protocols here, ListenerTlsConfig& tls) {
  if (here.any_of(Protocol::tcp)) {
    section.read("starttls", tls.starttls,
                 or_off(one_of<StartTls>({{"postgres", StartTls::postgres}}), StartTls::off));
  } else {
    section.applies_only_as_off({"starttls"}, "for tcp listeners only");
  }
  if (!here.any_of(Protocol::http))
    return section.does_not_apply({"alpn"}, "for http listeners only");
  if (auto found = section.find("alpn")) read_alpn(*found, tls);
}

}  // namespace

std::optional<ListenerTlsConfig> read_listener_tls(const Value& value, Protocols here,
                                                   const Draft& draft) {
  if (value.is_off()) return {};
  ListenerTlsConfig tls;
  Section section(value);
  auto certificates =
      section.require("certificates", "list them: [{certificate: a.pem, key: a.key}]");
  if (certificates) {
    for (const Value& item : certificates->items("certificates, each {certificate: , key: }")) {
      tls.certificates.push_back(read_certificate(item, draft));
    }
  }
  section.read("min_version", tls.tls13_only, one_of<bool>({{"1.2", false}, {"1.3", true}}));
  if (auto found = section.find("ciphers")) read_ciphers(*found, draft, tls);
  if (auto found = section.find("client_auth")) read_client_auth(*found, draft, tls);
  section.read("session_tickets", tls.session_tickets, boolean());
  if (auto found = section.find("ticket_keys")) read_ticket_keys(*found, draft, tls);
  read_protocol_keys(section, here, tls);
  return tls;
}

void read_admin_tls(const Value& value, const Draft& draft, AdminConfig& admin) {
  Section section(value);
  read_key_pair(section, draft, admin.tls_certificate, admin.tls_key);
}

std::optional<PoolTlsConfig> read_pool_tls(const Value& value, const Draft& draft) {
  if (value.is_off()) return {};
  PoolTlsConfig tls;
  Section section(value);
  section.read("verify", tls.verify, boolean());
  if (auto found = section.find("ca")) {
    tls.ca = read_authorities(*found, draft);
    if (!tls.verify) found->warn_at_key("has no effect without verify");
  }
  section.read("server_name", tls.server_name, text(1, 253));
  if (section.has("certificate") || section.has("key")) {
    read_key_pair(section, draft, tls.certificate, tls.key);
  }
  return tls;
}

}  // namespace lb::config
