// Does each of what a log of requests knows once. `threads`: eight of them allocate and free at once.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include "card.h"

enum { THREADS = 8, ROUNDS = 2000, DEEP = 400 };

static Handle context;

static void *work(void *number) {
    must(cuCtxSetCurrent(context));
    for (int i = 0; i < ROUNDS; i++) must(cuMemFreeAsync(allocated(1000 + (size_t)number), 0));
    return NULL;
}

__attribute__((noinline)) static Address inner(size_t bytes) {
    Address address = allocated(bytes);
    __asm__ volatile("" ::: "memory");
    return address;
}

__attribute__((noinline)) static Address middle(size_t bytes) {
    Address address = inner(bytes + 1);
    __asm__ volatile("" ::: "memory");
    return address;
}

__attribute__((noinline)) static Address outer(size_t bytes) {
    Address address = middle(bytes + 1);
    __asm__ volatile("" ::: "memory");
    return address;
}

__attribute__((noinline)) static Address deep(int depth) {
    Address address = depth ? deep(depth - 1) : allocated(1);
    __asm__ volatile("" ::: "memory");
    return address;
}

static void all_there_is(void) {
    Handle stream, event, pool;
    Address address;
    void *host;
    unsigned long long threshold = ~0ull;
    must(cuDeviceGetDefaultMemPool(&pool, 0));
    must(cuMemPoolSetAttribute(pool, 4, &threshold));
    must(cuStreamCreate(&stream, 0));
    must(cuEventCreate(&event, 2));
    must(cuMemAllocAsync(&address, 1000, stream));
    must(cuEventRecord(event, stream));
    must(cuStreamWaitEvent(stream, event, 0));
    must(cuStreamWaitEvent(0, event, 0));
    must(cuMemFreeAsync(address, 0));
    mark("freed");
    must(cuMemAlloc_v2(&address, 3000));
    must(cuMemFree_v2(address));
    must(cuMemHostAlloc(&host, 5000, 0));
    must(cuMemFreeHost(host));
    must(cuStreamSynchronize(stream));
    must(cuEventSynchronize(event));
    must(cuCtxSynchronize());
    must(cuMemPoolTrimTo(pool, 7));
    must(cuEventDestroy_v2(event));
}

int main(int count, char **arguments) {
    open_card();
    must(cuDevicePrimaryCtxRetain(&context, 0));
    if (told(arguments, "all")) all_there_is();
    if (told(arguments, "nested")) outer(998);
    if (told(arguments, "deep")) deep(DEEP);
    if (told(arguments, "many")) for (size_t i = 0; i < bytes_of(arguments[2]); i++) must(cuMemFreeAsync(inner(i + 1), 0));
    if (told(arguments, "killed")) {
        allocated(1000);
        kill(getpid(), SIGKILL);
    }
    if (told(arguments, "threads")) {
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    }
    if (told(arguments, "loads")) {
        // A library that is loaded on the way, and calls back.
        void *library = dlopen(arguments[2], RTLD_NOW);
        if (!library) return 1;
        int (*calls)(int (*)(Address *, size_t, Handle)) = (int (*)(int (*)(Address *, size_t, Handle)))dlsym(library, "calls");
        must(calls(cuMemAllocAsync));
    }
    (void)count;
}
