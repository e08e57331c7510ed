// Functions of the C library that an audio thread must not call, with a count in front of them.
//
// The program's own definitions come before the library's for everything that it loads, so the
// plugin calls these. Not part of builds with sanitizers, which do the same.
#include "audit.hpp"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

thread_local bool counting = false;
thread_local audit::Counts counts;

void note(long audit::Counts::*which) {
    if (counting) ++(counts.*which);
}

template <class Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void audit::begin() {
    counts = {};
    counting = true;
}

audit::Counts audit::end() {
    counting = false;
    return counts;
}

extern "C" {

void* malloc(std::size_t size) {
    note(&audit::Counts::allocations);
    return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
    note(&audit::Counts::allocations);
    return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) {
    note(&audit::Counts::allocations);
    return __libc_realloc(memory, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
    note(&audit::Counts::allocations);
    return __libc_memalign(alignment, size);
}

void free(void* memory) {
    note(&audit::Counts::allocations);
    __libc_free(memory);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) {
    note(&audit::Counts::locks);
    static const auto real = next<int (*)(pthread_mutex_t*)>("pthread_mutex_lock");
    return real(mutex);
}

ssize_t write(int file, const void* data, std::size_t size) {
    note(&audit::Counts::writes);
    static const auto real = next<ssize_t (*)(int, const void*, std::size_t)>("write");
    return real(file, data, size);
}

ssize_t read(int file, void* data, std::size_t size) {
    note(&audit::Counts::others);
    static const auto real = next<ssize_t (*)(int, void*, std::size_t)>("read");
    return real(file, data, size);
}

int poll(pollfd* files, nfds_t count, int timeout) {
    note(&audit::Counts::others);
    static const auto real = next<int (*)(pollfd*, nfds_t, int)>("poll");
    return real(files, count, timeout);
}

ssize_t send(int file, const void* data, std::size_t size, int flags) {
    note(&audit::Counts::others);
    static const auto real = next<ssize_t (*)(int, const void*, std::size_t, int)>("send");
    return real(file, data, size, flags);
}

ssize_t recv(int file, void* data, std::size_t size, int flags) {
    note(&audit::Counts::others);
    static const auto real = next<ssize_t (*)(int, void*, std::size_t, int)>("recv");
    return real(file, data, size, flags);
}

int nanosleep(const timespec* time, timespec* left) {
    note(&audit::Counts::others);
    static const auto real = next<int (*)(const timespec*, timespec*)>("nanosleep");
    return real(time, left);
}

}  // extern "C"
