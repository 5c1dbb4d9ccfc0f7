// SPDX-License-Identifier: MIT
#include "net/tls_ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <time.h>

#include <memory>

#include "net/tls_error.h"

namespace lb {

namespace {

int64_t unix_time(const ASN1_GENERALIZEDTIME* time) {
  struct tm parts {};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

}  // namespace

Result<OcspStaple> parse_ocsp(std::string_view der, const X509Handle& certificate) {
  ERR_clear_error();
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  std::unique_ptr<OCSP_RESPONSE, decltype(&OCSP_RESPONSE_free)> response(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())), OCSP_RESPONSE_free);
  if (!response) return fail("holds no OCSP response in DER format: " + tls_error());
  int status = OCSP_response_status(response.get());
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return fail(std::string("holds an OCSP response without an answer: ") +
                OCSP_response_status_str(status));
  }
  std::unique_ptr<OCSP_BASICRESP, decltype(&OCSP_BASICRESP_free)> basic(
      OCSP_response_get1_basic(response.get()), OCSP_BASICRESP_free);
  if (!basic) return fail("holds a broken OCSP response: " + tls_error());
  const ASN1_INTEGER* wanted = X509_get0_serialNumber(certificate.get());
  for (int i = 0; i < OCSP_resp_count(basic.get()); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic.get(), i);
    ASN1_INTEGER* serial = nullptr;
    OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial,
                      const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)));
    if (ASN1_INTEGER_cmp(serial, wanted) != 0) continue;
    ASN1_GENERALIZEDTIME* next = nullptr;
    OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next);
    OcspStaple staple{.der = std::string(der)};
    if (next != nullptr) staple.until_s = unix_time(next);
    return staple;
  }
  return fail("speaks of another certificate");
}

}  // namespace lb
