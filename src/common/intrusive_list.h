// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace lb {

// A place in an IntrusiveList. Derive from it.
struct ListHook {
  ListHook* previous = nullptr;
  ListHook* next = nullptr;
};

// A doubly linked list of objects that carry their own hook: no allocation, constant-time removal.
// Does not own them. One thread at a time.
template <typename T>
class IntrusiveList {
 public:
  IntrusiveList() { end_.previous = end_.next = &end_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return end_.next == &end_; }
  size_t size() const { return size_; }
  T& front() { return *static_cast<T*>(end_.next); }

  void push_back(T& item) {
    ListHook& hook = item;
    hook.previous = end_.previous;
    hook.next = &end_;
    end_.previous->next = &hook;
    end_.previous = &hook;
    ++size_;
  }

  void remove(T& item) {
    ListHook& hook = item;
    hook.previous->next = hook.next;
    hook.next->previous = hook.previous;
    hook.previous = hook.next = nullptr;
    --size_;
  }

  // For loops that change nothing.
  template <typename Hook, typename Item>
  struct Iterator {
    Hook* hook;
    Item& operator*() const { return *static_cast<Item*>(hook); }
    Iterator& operator++() {
      hook = hook->next;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return hook != other.hook; }
  };
  auto begin() { return Iterator<ListHook, T>{end_.next}; }
  auto end() { return Iterator<ListHook, T>{&end_}; }
  auto begin() const { return Iterator<const ListHook, const T>{end_.next}; }
  auto end() const { return Iterator<const ListHook, const T>{&end_}; }

  // Calls `visit(T&)` for each; the visited one, and only it, may be removed meanwhile.
  template <typename Visit>
  void for_each(Visit visit) {
    for (ListHook* hook = end_.next; hook != &end_;) {
      ListHook* next = hook->next;
      visit(*static_cast<T*>(hook));
      hook = next;
    }
  }

 private:
  ListHook end_;
  size_t size_ = 0;
};

}  // namespace lb
