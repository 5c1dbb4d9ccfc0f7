// SPDX-License-Identifier: MIT
#include "app/tls_inspection.h"

#include <time.h>

#include <string>

#include "l7/jwt_keys.h"
#include "net/tls_files.h"
#include "net/tls_ocsp.h"
#include "net/tls_server_context.h"
#include "net/tls_ticket_keys.h"

namespace lb {

namespace {

std::string day_of(int64_t unix_s) {
  time_t time = unix_s;
  struct tm parts {};
  gmtime_r(&time, &parts);
  char text[32];
  size_t size = strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &parts);
  return {text, size};
}

template <typename T>
TlsInspector::Finding error_of(const Result<T>& result) {
  return result ? TlsInspector::Finding{} : TlsInspector::Finding{result.error().message, {}};
}

class OpenSslInspector final : public TlsInspector {
 public:
  Finding certificate(std::string_view pem) const override {
    auto chain = parse_certificates(pem);
    if (!chain) return error_of(chain);
    if (auto usable = check_usable(chain->front()); !usable) {
      return {"cannot be used: " + usable.error().message, {}};
    }
    Validity validity = validity_of(chain->front());
    int64_t now_s = time(nullptr);
    if (now_s > validity.until_s) return {{}, "expired on " + day_of(validity.until_s)};
    if (now_s < validity.from_s) return {{}, "is not valid before " + day_of(validity.from_s)};
    return {};
  }

  Finding key(std::string_view pem, std::string_view certificate) const override {
    auto key = parse_private_key(pem);
    if (!key) return error_of(key);
    if (certificate.empty()) return {};
    auto chain = parse_certificates(certificate);
    if (!chain || is_key_of(*key, chain->front())) return {};
    return {"does not fit the certificate: it is the key of another one", {}};
  }

  Finding ocsp(std::string_view der, std::string_view certificate) const override {
    if (certificate.empty()) return {};
    auto chain = parse_certificates(certificate);
    if (!chain) return {};
    auto staple = parse_ocsp(der, chain->front());
    if (!staple) return error_of(staple);
    if (time(nullptr) < staple->until_s) return {};
    return {{}, "is out of date since " + day_of(staple->until_s) + " and not handed out"};
  }

  Finding authorities(std::string_view pem) const override {
    return error_of(parse_certificates(pem));
  }
  Finding ticket_keys(std::string_view bytes) const override {
    return error_of(TicketKeys::parse(bytes));
  }
  KeysFinding jwt_keys(JwtKeyFile kind, std::string_view bytes,
                       const std::vector<JwtAlgorithm>& algorithms) const override {
    auto keys = JwtKeys::parse(kind, bytes);
    if (!keys) return {keys.error().message, {}, {}};
    return {{}, keys->misfit(algorithms), keys->weakness(algorithms)};
  }
  Finding ciphers(std::string_view list) const override {
    return error_of(check_ciphers(std::string(list)));
  }
};

}  // namespace

const TlsInspector& tls_inspector() {
  static const OpenSslInspector inspector;
  return inspector;
}

}  // namespace lb
