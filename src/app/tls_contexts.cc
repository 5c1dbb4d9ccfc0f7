// SPDX-License-Identifier: MIT
#include "app/tls_contexts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "net/tls_files.h"

namespace lb {

namespace {

TlsClientAuth client_auth_of(ClientAuth mode) {
  switch (mode) {
    case ClientAuth::off:
      return TlsClientAuth::off;
    case ClientAuth::optional:
      return TlsClientAuth::optional;
    case ClientAuth::required:
      return TlsClientAuth::required;
  }
  return TlsClientAuth::required;
}

std::vector<std::string> alpn_of(const ListenerConfig& listener) {
  if (listener.protocol != Protocol::http) return {};
  std::vector<std::string> names = listener.tls->alpn;
  // Old clients that name their old version are served by the same codec.
  if (std::find(names.begin(), names.end(), "http/1.1") != names.end()) names.push_back("http/1.0");
  return names;
}

TlsServerSettings settings_of(const std::string& name, const ListenerConfig& listener) {
  const ListenerTlsConfig& config = *listener.tls;
  TlsServerSettings settings;
  for (const TlsCertificateConfig& files : config.certificates) {
    settings.certificates.push_back({files.certificate, files.key, files.ocsp});
  }
  settings.tls13_only = config.tls13_only;
  settings.ciphers = config.ciphers;
  settings.client_auth = client_auth_of(config.client_auth);
  settings.client_ca_file = config.client_ca;
  settings.session_tickets = config.session_tickets;
  settings.alpn = alpn_of(listener);
  settings.name = name;
  return settings;
}

TlsClientSettings settings_of(const PoolTlsConfig& config) {
  return {.verify = config.verify,
          .ca_file = config.ca,
          .server_name = config.server_name,
          .certificate_file = config.certificate,
          .key_file = config.key,
          .alpn = config.alpn,
          .resumes_sessions = true};
}

std::vector<std::string> files_of(const TlsServerSettings& settings) {
  std::vector<std::string> files{settings.client_ca_file};
  for (const TlsServerSettings::Certificate& certificate : settings.certificates) {
    files.insert(files.end(),
                 {certificate.certificate_file, certificate.key_file, certificate.ocsp_file});
  }
  return files;
}

std::vector<std::string> files_of(const TlsClientSettings& settings) {
  return {settings.ca_file, settings.certificate_file, settings.key_file};
}

// What `before` holds of this name if it is still right, else what `make` makes.
template <typename Map, typename Settings, typename Make>
Result<typename Map::mapped_type> keep_or_make(const Map& before, const std::string& name,
                                               const Settings& settings,
                                               const std::string& ticket_keys, Make make) {
  auto print = fingerprint(files_of(settings));
  if (!print) return Unexpected{print.error()};
  auto found = before.find(name);
  if (found != before.end() && found->second.settings == settings &&
      found->second.fingerprint == *print && found->second.ticket_keys == ticket_keys) {
    return found->second;
  }
  auto made = make();
  if (!made) return Unexpected{made.error()};
  return typename Map::mapped_type{settings, std::move(*print), ticket_keys, std::move(*made)};
}

using ClientContexts =
    std::map<std::string, TlsContexts::Made<TlsClientSettings, TlsClientContext>>;

Result<ClientContexts::mapped_type> client_of(const PoolTlsConfig& config,
                                              const ClientContexts& before,
                                              const std::string& name) {
  TlsClientSettings settings = settings_of(config);
  return keep_or_make(before, name, settings, "", [&] { return TlsClientContext::make(settings); });
}

}  // namespace

TlsContexts::TlsContexts(EventLoop& loop) : rotation_(loop, [this] { rotate(); }) {
  current_.keys[""].shared = std::make_shared<TicketKeys>();
  rotation_.start(kRotation);
}

Result<TlsContexts::Set> TlsContexts::build(const Config& config) const {
  Set set;
  set.keys[""] = current_.keys.at("");
  for (const auto& [name, listener] : config.listeners) {
    if (!listener.tls) continue;
    const std::string& file = listener.tls->ticket_keys;
    auto& keys = set.keys[file];
    if (!keys.shared) {
      auto made = keys_of(file);
      if (!made) return fail("listeners." + name + ".tls: " + made.error().message);
      keys = std::move(*made);
    }
    TlsServerSettings settings = settings_of(name, listener);
    auto made = keep_or_make(current_.listeners, name, settings, file,
                             [&] { return TlsServerContext::make(settings, keys.shared); });
    if (!made) return fail("listeners." + name + ".tls: " + made.error().message);
    set.listeners[name] = std::move(*made);
  }
  if (config.admin && !config.admin->tls_certificate.empty()) {
    TlsServerSettings settings;
    settings.certificates.push_back({config.admin->tls_certificate, config.admin->tls_key});
    settings.alpn = {"http/1.1"};
    settings.name = "/admin";  // which no listener is called
    auto made = keep_or_make(current_.admin, "", settings, "", [&] {
      return TlsServerContext::make(settings, set.keys.at("").shared);
    });
    if (!made) return fail("admin.tls: " + made.error().message);
    set.admin[""] = std::move(*made);
  }
  for (const auto& [name, pool] : config.pools) {
    if (pool.tls) {
      auto made = client_of(*pool.tls, current_.pools, name);
      if (!made) return fail("pools." + name + ".tls: " + made.error().message);
      set.pools[name] = std::move(*made);
    }
    if (pool.sticky && pool.sticky->store && pool.sticky->store->tls) {
      auto made = client_of(*pool.sticky->store->tls, current_.stores, name);
      if (!made) return fail("pools." + name + ".sticky.store.tls: " + made.error().message);
      set.stores[name] = std::move(*made);
    }
  }
  return set;
}

Result<TlsContexts::Set::Keys> TlsContexts::keys_of(const std::string& file) const {
  auto bytes = read_tls_file(file);
  if (!bytes) return Unexpected{bytes.error()};
  auto read = TicketKeys::parse(*bytes);
  if (!read) return fail(file + " " + read.error().message);
  // Contexts that stay go on with the object that they have.
  auto known = current_.keys.find(file);
  auto shared =
      known != current_.keys.end() ? known->second.shared : std::make_shared<TicketKeys>(*read);
  return Set::Keys{std::move(shared), std::move(*read)};
}

void TlsContexts::adopt(Set set) {
  current_ = std::move(set);
  for (auto& [file, keys] : current_.keys) {
    if (!keys.read.empty()) keys.shared->replace(std::move(keys.read));
    keys.read.clear();
  }
}

std::shared_ptr<const TlsServerContext> TlsContexts::of_listener(const std::string& name) const {
  auto found = current_.listeners.find(name);
  return found == current_.listeners.end() ? nullptr : found->second.context;
}

std::shared_ptr<const TlsServerContext> TlsContexts::of_admin() const {
  return current_.admin.empty() ? nullptr : current_.admin.begin()->second.context;
}

std::map<std::string, std::shared_ptr<const TlsClientContext>> TlsContexts::of_pools() const {
  std::map<std::string, std::shared_ptr<const TlsClientContext>> contexts;
  for (const auto& [name, made] : current_.pools) contexts[name] = made.context;
  return contexts;
}

std::shared_ptr<const TlsClientContext> TlsContexts::of_store(const std::string& pool) const {
  auto found = current_.stores.find(pool);
  return found == current_.stores.end() ? nullptr : found->second.context;
}

void TlsContexts::rotate() {
  current_.keys.at("").shared->rotate();
  rotation_.start(kRotation);
}

}  // namespace lb
