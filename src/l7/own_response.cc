// SPDX-License-Identifier: MIT
#include "l7/own_response.h"

#include <ctime>

#include "common/log.h"

namespace lb {

namespace {

std::string_view body_of(int status) {
  switch (status) {
    case 401:
      return R"({"error": "Unauthorized"})";
    case 404:
      return R"({"error": "Not found"})";
    case 408:
      return R"({"error": "Request timeout"})";
    case 413:
      return R"({"error": "Content too large"})";
    case 414:
      return R"({"error": "URI too long"})";
    case 417:
      return R"({"error": "Expectation failed"})";
    case 429:
      return R"({"error": "Too many requests"})";
    case 431:
      return R"({"error": "Request header fields too large"})";
    case 502:
      return R"({"error": "Bad gateway"})";
    case 503:
      return R"({"error": "No healthy servers available"})";
    case 504:
      return R"({"error": "Gateway timeout"})";
    default:
      return R"({"error": "Bad request"})";
  }
}

}  // namespace

std::string_view DateText::now() {
  time_t second = time(nullptr);
  if (second == second_) return text_;
  second_ = second;
  tm utc{};
  gmtime_r(&second, &utc);
  // Not by strftime(), whose names are the locale's.
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  text_ = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[utc.tm_wday], utc.tm_mday,
                      kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return text_;
}

void make_plain_http_response(ResponseHead& head, BodyPart& part) {
  make_own_response(400, head, part);
  part.bytes = R"({"error": "Bad request", "reason": "plain HTTP was sent to an HTTPS port"})";
  head.length = part.bytes.size();
}

void make_own_response(int status, ResponseHead& head, BodyPart& part) {
  head.clear();
  head.status = status;
  head.is_last = status == 400 || status == 408 || status == 413;
  head.fields.push_back({"Content-Type", "application/json", FieldId::other});
  if (status == 503) head.fields.push_back({"Retry-After", "1", FieldId::other});
  if (status == 401) head.fields.push_back({"WWW-Authenticate", "Bearer", FieldId::other});
  std::string_view body = body_of(status);
  head.body = BodyKind::length;
  head.length = body.size();
  part = {body, true, nullptr};
}

}  // namespace lb
