// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/hash.h"
#include "common/lru_map.h"
#include "l7/http_message.h"

namespace lb {

// The pictures that were uploaded to example servers with common storage: the kMostPictures used
// last, each of at most kMostBytes. Any thread.
class DemoPictures {
 public:
  static constexpr size_t kMostPictures = 64;
  static constexpr size_t kMostBytes = size_t{1024} * 1024;

  using Picture = std::shared_ptr<const std::string>;
  void put(const std::string& name, std::string bytes);
  Picture get(const std::string& name);  // null: there is none
  double share_in_use() const;

 private:
  struct Hash {
    size_t operator()(const std::string& name) const { return hash64(name); }
  };

  mutable std::mutex mutex_;
  LruMap<std::string, Picture, Hash> pictures_{kMostPictures};
};

struct DemoAnswer {
  int status = 200;
  std::string body = {};
  std::string type = "application/json";
  std::string session = {};  // for a cookie; "" = none
};

// What an example server knows of its users: a cart for each, which no other server has. A user is
// named by X-User, which the balancer vouches for, or by the cookie sessionId, which a user without
// either is given. The kMostUsers seen last, at most kMostItems each. One thread.
class DemoShop {
 public:
  static constexpr size_t kMostUsers = 1'000;
  static constexpr size_t kMostItems = 100;
  static constexpr size_t kLongestItem = 100;

  DemoShop(std::string server, std::shared_ptr<DemoPictures> pictures)
      : server_(std::move(server)), pictures_(std::move(pictures)) {}

  DemoAnswer answer(const RequestHead& request, std::string body);
  // As a process that ends would.
  void forget_carts() { carts_ = Carts(kMostUsers); }

 private:
  using Cart = std::vector<std::string>;
  struct Hash {
    size_t operator()(const std::string& user) const { return hash64(user); }
  };
  using Carts = LruMap<std::string, Cart, Hash>;

  DemoAnswer answer_cart(const RequestHead& request, const std::string& body);
  DemoAnswer answer_picture(const RequestHead& request, std::string body);
  DemoAnswer problem(int status, std::string_view what) const;

  const std::string server_;
  const std::shared_ptr<DemoPictures> pictures_;
  Carts carts_{kMostUsers};
};

// The user's name in a request, "" where there is none.
std::string demo_user(const RequestHead& request);

}  // namespace lb
