#pragma once

#include <condition_variable>
#include <mutex>

// Thread-safety annotations, checked by clang's -Wthread-safety and ignored by other compilers.
// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#if defined(__clang__)
#define ESCAN_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define ESCAN_THREAD_ANNOTATION(x)
#endif
#define ESCAN_CAPABILITY(x) ESCAN_THREAD_ANNOTATION(capability(x))
#define ESCAN_SCOPED_CAPABILITY ESCAN_THREAD_ANNOTATION(scoped_lockable)
#define ESCAN_GUARDED_BY(x) ESCAN_THREAD_ANNOTATION(guarded_by(x))
#define ESCAN_REQUIRES(...) ESCAN_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define ESCAN_EXCLUDES(...) ESCAN_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define ESCAN_ACQUIRE(...) ESCAN_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define ESCAN_RELEASE(...) ESCAN_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

namespace escan {

// std::mutex with annotations: a distribution's absl is not built with ThreadSanitizer, which then
// reports races on absl::Mutex that are none.
class ESCAN_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ESCAN_ACQUIRE() { mutex_.lock(); }
  void Unlock() ESCAN_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class ESCAN_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ESCAN_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() ESCAN_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Condition variable for Mutex. Wakes may be spurious: wait in a loop over the condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) ESCAN_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }

  // False when `deadline` passed first.
  template <typename TimePointType>
  bool WaitUntil(Mutex& mutex, TimePointType deadline) ESCAN_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool notified = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }

  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace escan
