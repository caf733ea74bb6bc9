// Shared objects, of an instance here or of another server. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_SHARED_OBJECT_HPP
#define RTMPKIT_SHARED_OBJECT_HPP

#include "client.hpp"
#include "core.hpp"
#include "server.hpp"

namespace rtmpkit {

class SharedObject;

// A changed slot; a value that does not exist is empty.
struct SlotChange {
  std::int32_t kind = 0;  // one of rtmpkit_slot_changes
  std::string name;
  Value old_value, new_value;
};

// What happens to a shared object. What a handle does itself is not reported to it.
struct SharedObjectEvents {
  std::function<void(SharedObject &, const std::vector<SlotChange> &)> on_sync;
  // `sender` is empty unless a client of this server sent it.
  std::function<void(SharedObject &, const Client &sender, const std::string &handler, const Values &)> on_message;
  std::function<void(SharedObject &, const Status &)> on_status;
  std::function<void(SharedObject &)> on_clear;
  std::function<void()> on_release;
};

namespace detail {

inline rtmpkit_shared_object_events table(const SharedObjectEvents &wanted);

}  // namespace detail

// Named slots that several hosts and clients change together. Dropping it leaves the object.
class SharedObject
    : public detail::Handle<rtmpkit_shared_object, rtmpkit_shared_object_ref, rtmpkit_shared_object_unref> {
public:
  using Handle::Handle;
  static SharedObject lent(rtmpkit_shared_object *object) { return SharedObject(share(object)); }

  // An object of an instance here.
  [[nodiscard]] static SharedObject open(const Instance &instance, const std::string &name, bool persistent = false,
                                         SharedObjectEvents wanted = {}) {
    return make(std::move(wanted), [&](const rtmpkit_shared_object_events *table, void *ud, rtmpkit_shared_object **out) {
      return rtmpkit_shared_object_open(instance.get(), name.c_str(), persistent, table, ud, out);
    });
  }
  // An object of the server that a connection goes to.
  [[nodiscard]] static SharedObject connect(const NetConnection &connection, const std::string &name,
                                            bool persistent = false, SharedObjectEvents wanted = {}) {
    return make(std::move(wanted), [&](const rtmpkit_shared_object_events *table, void *ud, rtmpkit_shared_object **out) {
      return rtmpkit_shared_object_connect(connection.get(), name.c_str(), persistent, table, ud, out);
    });
  }
  // Removes the slots, and the files, of the objects that a path names. The reply is how many there were.
  static void destroy(const Instance &instance, const std::string &path, Reply reply = nullptr) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_shared_object_destroy(instance.get(), path.c_str(), function, user_data);
    });
  }
  // Stores all persistent objects of an instance. The reply is how many were stored.
  static void commit(const Instance &instance, Reply reply = nullptr) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_shared_object_commit(instance.get(), nullptr, function, user_data);
    });
  }

  // Stores the one of that name. The reply is 1.
  static void commit(const Instance &instance, const std::string &name, Reply reply) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_shared_object_commit(instance.get(), name.c_str(), function, user_data);
    });
  }

  std::string name() const { return detail::text(rtmpkit_shared_object_name(get())); }
  bool is_persistent() const { return rtmpkit_shared_object_is_persistent(get()); }
  bool is_connected() const { return rtmpkit_shared_object_is_connected(get()); }
  bool is_dirty() const { return rtmpkit_shared_object_is_dirty(get()); }
  std::uint32_t version() const { return rtmpkit_shared_object_version(get()); }
  std::size_t size() const { return rtmpkit_shared_object_size(get()); }
  std::size_t subscribers() const { return rtmpkit_shared_object_subscribers(get()); }

  // A slot's value; empty if there is none.
  Value get_slot(const std::string &slot) const {
    rtmpkit_value *value = nullptr;
    const std::int32_t result = rtmpkit_shared_object_get(get(), slot.c_str(), &value);
    if (result != RTMPKIT_ERR_NOT_FOUND) detail::check(result);
    return Value(value);
  }
  std::vector<std::string> names() const {
    rtmpkit_value *array = nullptr;
    detail::check(rtmpkit_shared_object_names(get(), &array));
    const Value list(array);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < list.size(); i++) names.push_back(list.at(i).as_string().value_or(""));
    return names;
  }
  void set(const std::string &slot, const Value &value) {
    detail::check(rtmpkit_shared_object_set(get(), slot.c_str(), value.get()));
  }
  // Whether there was such a slot.
  bool remove(const std::string &slot) { return detail::check(rtmpkit_shared_object_remove(get(), slot.c_str())) == 1; }
  bool clear() { return detail::check(rtmpkit_shared_object_clear(get())) == 1; }
  void send(const std::string &handler, const Values &args = {}) {
    const detail::Args array(args);
    detail::check(rtmpkit_shared_object_send(get(), handler.c_str(), array.data(), array.size()));
  }
  void mark(const std::string &handler, const Values &args = {}) {
    const detail::Args array(args);
    detail::check(rtmpkit_shared_object_mark(get(), handler.c_str(), array.data(), array.size()));
  }
  void lock() { detail::check(rtmpkit_shared_object_lock(get())); }
  void unlock() { detail::check(rtmpkit_shared_object_unlock(get())); }
  // The reply is the version that was stored.
  void flush(Reply reply = nullptr) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_shared_object_flush(get(), function, user_data);
    });
  }
  void purge(std::uint32_t version) { detail::check(rtmpkit_shared_object_purge(get(), version)); }
  // Negative is no bound.
  void set_resync_depth(std::int64_t depth) { detail::check(rtmpkit_shared_object_set_resync_depth(get(), depth)); }
  void close() { detail::check(rtmpkit_shared_object_close(get())); }

private:
  template <class F>
  static SharedObject make(SharedObjectEvents wanted, F &&create) {
    auto events = std::make_unique<SharedObjectEvents>(std::move(wanted));
    const auto table = detail::table(*events);
    rtmpkit_shared_object *object = nullptr;
    detail::check(create(&table, events.get(), &object));
    events.release();
    return SharedObject(object);
  }
};

// Holds changes back while it lives; then they go out as one.
class SharedObjectLock {
public:
  explicit SharedObjectLock(SharedObject &object) : object_(object) { object_.lock(); }
  ~SharedObjectLock() { static_cast<void>(rtmpkit_shared_object_unlock(object_.get())); }
  SharedObjectLock(const SharedObjectLock &) = delete;
  SharedObjectLock &operator=(const SharedObjectLock &) = delete;

private:
  SharedObject &object_;
};

namespace detail {

inline rtmpkit_shared_object_events table(const SharedObjectEvents &wanted) {
  using E = SharedObjectEvents;
  auto table = defaults(rtmpkit_shared_object_events_init);
  if (wanted.on_sync)
    table.on_sync = [](void *ud, rtmpkit_shared_object *object, const rtmpkit_slot_change *const *changes,
                       std::size_t count) noexcept {
      guard("on_sync", [&] {
        SharedObject lent = SharedObject::lent(object);
        std::vector<SlotChange> list;
        for (std::size_t i = 0; i < count; i++)
          list.push_back({changes[i]->kind, changes[i]->name, Value::lent(changes[i]->old_value),
                          Value::lent(changes[i]->new_value)});
        events<E>(ud).on_sync(lent, list);
      });
    };
  if (wanted.on_message)
    table.on_message = [](void *ud, rtmpkit_shared_object *object, rtmpkit_client *sender, const char *handler,
                          const rtmpkit_value *const *args, std::size_t count) noexcept {
      guard("on_message", [&] {
        SharedObject lent = SharedObject::lent(object);
        Values values;
        for (std::size_t i = 0; i < count; i++) values.push_back(Value::lent(args[i]));
        events<E>(ud).on_message(lent, Client::lent(sender), text(handler), values);
      });
    };
  if (wanted.on_status)
    table.on_status = [](void *ud, rtmpkit_shared_object *object, const rtmpkit_status *status) noexcept {
      guard("on_status", [&] {
        SharedObject lent = SharedObject::lent(object);
        events<E>(ud).on_status(lent, Status(*status));
      });
    };
  if (wanted.on_clear)
    table.on_clear = [](void *ud, rtmpkit_shared_object *object) noexcept {
      guard("on_clear", [&] {
        SharedObject lent = SharedObject::lent(object);
        events<E>(ud).on_clear(lent);
      });
    };
  table.on_release = release<E>;
  return table;
}

}  // namespace detail

}  // namespace rtmpkit

#endif
