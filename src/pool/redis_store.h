// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "net/mailbox.h"
#include "net/redis_client.h"
#include "pool/sticky_store.h"

namespace lb {

// Sticky entries in Redis: PREFIX POOL ":" and the key's hash, 16 hex digits, stand for the
// server's address, for as long as the entry lives. The first balancer to place a client wins (SET
// NX), the others take over what it wrote. Who moves a client because its server is gone overwrites
// the entry and says so on the channel PREFIX POOL ":moved", for those who remember the old one.
// After every break the whole table is written anew in the same way: what was decided meanwhile is
// shared then, and a Redis that has lost everything is filled again.
//
// All of it runs on the control thread but is_up(), ask(), tell(), tell_move() and forget(), which
// post.
class RedisStore final : public StickyStore, public std::enable_shared_from_this<RedisStore> {
 public:
  // Of a pool with a store; begins to connect. Whoever lets go of it last, it is freed on the
  // control thread, whose `loop` and `mailbox` these are.
  static std::shared_ptr<RedisStore> make(EventLoop& loop, Mailbox& mailbox, const PoolConfig& pool,
                                          std::shared_ptr<StickyTable> table,
                                          const std::shared_ptr<const TlsClientContext>& tls);

  bool is_up() const override { return up_.load(std::memory_order_relaxed); }
  int64_t timeout_ms() const override { return timeout_ms_; }
  void ask(const StickyKey& key, std::shared_ptr<StoreQuestion> question) override;
  void tell(const StickyKey& key, uint32_t server) override;
  void tell_move(const StickyKey& key, uint32_t server) override;
  void forget(uint64_t hash) override;
  void set_servers(const std::vector<const Server*>& servers) override;

 private:
  RedisStore(EventLoop& loop, Mailbox& mailbox, const PoolConfig& pool,
             std::shared_ptr<StickyTable> table,
             const std::shared_ptr<const TlsClientContext>& tls);

  void connection_changed(const std::string& why);
  void look_up(const StickyKey& key, const std::shared_ptr<StoreQuestion>& question);
  // Writes the entry unless there is one, which is taken over then.
  void confirm(const StickyKey& key, uint32_t server);
  void overwrite(const StickyKey& key, uint32_t server);
  void remove(uint64_t hash);
  void take_over(const StickyKey& key, const RespValue& value);
  void on_moved(const std::string& text);
  void write_back();
  void note_error(const RespValue& reply);

  std::string name_of(uint64_t hash) const;
  // Until when Redis keeps the entry, as it reads it; "" where it is over.
  std::string life_of(const StickyKey& key) const;
  const std::string* address_of(uint32_t server) const;
  // Nobody's (0) where the address is not one of the pool's.
  uint32_t number_of(const std::string& address) const;

  Mailbox& mailbox_;
  const std::string pool_;
  const std::string prefix_;
  const std::string where_;  // for the log
  const int64_t timeout_ms_;
  const std::chrono::milliseconds ttl_;
  const std::shared_ptr<StickyTable> table_;
  std::unordered_map<uint32_t, std::string> addresses_;
  std::unordered_map<std::string, uint32_t> numbers_;
  std::atomic<bool> up_{false};
  bool warned_ = false;
  int64_t error_told_ms_ = 0;
  // What is written anew since the last break: the shards from this one on, after these entries.
  size_t next_shard_ = SIZE_MAX;
  std::vector<StickyTable::View> unwritten_;
  Timer go_on_;
  RedisClient commands_;
  RedisClient messages_;
};

}  // namespace lb
