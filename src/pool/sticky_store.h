// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "net/mailbox.h"
#include "pool/server.h"
#include "pool/sticky_table.h"
#include "pool/wait_line.h"

namespace lb {

// Somebody's question to a store, from asking until it is answered or of no interest any more.
class StoreQuestion final : public std::enable_shared_from_this<StoreQuestion> {
 public:
  StoreQuestion(Waiter& waiter, Mailbox& mailbox) : mailbox_(mailbox), waiter_(&waiter) {}

  // For who asked, on its worker.
  bool is_answered() const { return answered_; }
  void forget() { waiter_ = nullptr; }

  // Any thread: the answer is in the StickyTable, if there is one. The waiter's turn comes.
  void answer() {
    mailbox_.post([question = shared_from_this()] {
      question->answered_ = true;
      if (question->waiter_ != nullptr) question->waiter_->on_turn();
    });
  }

 private:
  Mailbox& mailbox_;
  Waiter* waiter_;         // null once it does not want to know any more; its worker's alone
  bool answered_ = false;  // its worker's alone
};

// Where several balancers keep the entries of a pool's StickyTable in common. What it learns goes
// into the table, which is asked first; without it the table decides alone. Any thread but where it
// says otherwise; never blocks.
class StickyStore {
 public:
  virtual ~StickyStore() = default;

  // Whether it can be asked. Where it cannot be, entries are written when it can be again.
  virtual bool is_up() const = 0;
  // How long an answer is waited for.
  virtual int64_t timeout_ms() const = 0;
  virtual void ask(const StickyKey& key, std::shared_ptr<StoreQuestion> question) = 0;
  // The key, new or in use on and on, is this server's, as far as is known here.
  virtual void tell(const StickyKey& key, uint32_t server) = 0;
  // It was another's, and is this server's from now on.
  virtual void tell_move(const StickyKey& key, uint32_t server) = 0;
  // The key is nobody's any more.
  virtual void forget(uint64_t hash) = 0;

  // The pool's servers, which other balancers know by their addresses. Control thread.
  virtual void set_servers(const std::vector<const Server*>& servers) = 0;
};

}  // namespace lb
