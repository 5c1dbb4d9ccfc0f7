// SPDX-License-Identifier: MIT
#include "app/demo_shop.h"

#include <algorithm>
#include <random>
#include <utility>

#include "common/json.h"
#include "common/log.h"

namespace lb {

namespace {

constexpr std::string_view kCart = "/cart";
constexpr std::string_view kPictures = "/pictures/";
constexpr std::string_view kCookie = "sessionId=";
constexpr size_t kLongestUser = 128;

std::string new_session() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

std::string_view cookie_of(std::string_view cookies) {
  while (!cookies.empty()) {
    std::string_view one = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(cookies.size(), one.size() + 1));
    one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
    if (one.starts_with(kCookie)) return one.substr(kCookie.size());
  }
  return {};
}

}  // namespace

void DemoPictures::put(const std::string& name, std::string bytes) {
  std::lock_guard lock(mutex_);
  pictures_.put(name, std::make_shared<const std::string>(std::move(bytes)));
}

DemoPictures::Picture DemoPictures::get(const std::string& name) {
  std::lock_guard lock(mutex_);
  Picture* picture = pictures_.use(name);
  return picture == nullptr ? nullptr : *picture;
}

double DemoPictures::share_in_use() const {
  std::lock_guard lock(mutex_);
  return static_cast<double>(pictures_.size()) / kMostPictures;
}

std::string demo_user(const RequestHead& request) {
  for (const Field& field : request.fields) {
    if (equal_nocase(field.name, "X-User")) return std::string(field.value.substr(0, kLongestUser));
  }
  const Field* cookies = request.find(FieldId::cookie);
  if (cookies == nullptr) return {};
  return std::string(cookie_of(cookies->value).substr(0, kLongestUser));
}

DemoAnswer DemoShop::problem(int status, std::string_view what) const {
  return {.status = status, .body = to_text(Json{{"error", what}, {"server", server_}}) + "\n"};
}

DemoAnswer DemoShop::answer(const RequestHead& request, std::string body) {
  if (request.path == kCart) return answer_cart(request, body);
  if (request.path.starts_with(kPictures)) return answer_picture(request, std::move(body));
  if (request.path != "/") return problem(404, "Not found");
  Json said{{"server", server_}, {"user", demo_user(request)}};
  return {.body = to_text(said) + "\n"};
}

DemoAnswer DemoShop::answer_cart(const RequestHead& request, const std::string& body) {
  DemoAnswer answer;
  std::string user = demo_user(request);
  if (user.empty()) user = answer.session = new_session();
  Cart* known = carts_.use(user);
  Cart cart = known != nullptr ? *known : Cart{};
  switch (request.method) {
    case Method::get:
    case Method::head:
      break;
    case Method::post:
      if (body.empty() || body.size() > kLongestItem)
        return problem(400, "An item has 1 to 100 bytes");
      if (cart.size() == kMostItems) return problem(409, "The cart is full");
      cart.push_back(body);
      break;
    case Method::delete_:
      cart.clear();
      break;
    default:
      return problem(405, "Method not allowed");
  }
  Json said{{"server", server_}, {"user", user}, {"items", cart}};
  answer.body = to_text(said) + "\n";
  carts_.put(user, std::move(cart));
  return answer;
}

DemoAnswer DemoShop::answer_picture(const RequestHead& request, std::string body) {
  std::string name(request.path.substr(kPictures.size()));
  switch (request.method) {
    case Method::put:
    case Method::post: {
      Json said{{"server", server_}, {"picture", name}, {"bytes", body.size()}};
      pictures_->put(name, std::move(body));
      return {.status = 201, .body = to_text(said) + "\n"};
    }
    case Method::get:
    case Method::head: {
      auto picture = pictures_->get(name);
      if (!picture) return problem(404, "No such picture");
      return {.body = *picture, .type = "application/octet-stream"};
    }
    default:
      return problem(405, "Method not allowed");
  }
}

}  // namespace lb
